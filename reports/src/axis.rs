//! Scales and ticks: where a value lies between the ends of an axis, and which values are written on
//! it. Shared by page and plot files. Owns no pixel.

use crate::format;

/// How values spread along the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    Linear,
    Log,
    /// On both sides of zero, evenly up to a size, beyond it by orders of magnitude.
    Signed {
        even: f64,
    },
}

/// A value that is written on the axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// One axis of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) scale: Scale,
    pub(crate) ticks: Vec<Tick>,
}

/// Beyond this ratio of largest to smallest, durations are drawn on a logarithmic scale.
const LOG_FROM_RATIO: f64 = 40.0;

/// The same for differences, of the width of the axis to what is usual.
const SIGNED_FROM_RATIO: f64 = 12.0;

/// Room above the largest value, for the names of faults.
const HEADROOM: f64 = 1.06;

impl Axis {
    /// Durations in microseconds: from zero, or logarithmic where they are far apart.
    pub(crate) fn durations(values: impl Iterator<Item = f64>, ticks: usize) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        if most / least > LOG_FROM_RATIO {
            return Self::log(least, most, format::duration);
        }
        let unit = if most >= 1e6 {
            1e6
        } else if most >= 1e3 {
            1e3
        } else {
            1.0
        };
        Self::from_zero(most / unit, ticks, |value| format::duration(value * unit)).times(unit)
    }

    /// Durations in microseconds on a logarithmic scale; `None` without any above zero.
    pub(crate) fn log_durations(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0) {
            (least, most) = (least.min(value), most.max(value));
        }
        (most > 0.0).then(|| Self::log(least, most.max(least * 2.0), format::duration))
    }

    /// Lengths of bars in microseconds, from the least (not above zero) to the most.
    pub(crate) fn bars(least: f64, most: f64, ticks: usize) -> Self {
        let step = nice_step((most - least).max(1.0) / ticks as f64);
        let first = (least / step).floor();
        let end = (most / step).ceil();
        let count = (end - first) as usize;
        let values = (0..=count).map(|index| (first + index as f64) * step);
        Self {
            from: least,
            until: if most > least { most } else { least + 1.0 },
            scale: Scale::Linear,
            ticks: values
                .filter(|value| *value >= least - step * 1e-6 && *value <= most + step * 1e-6)
                .map(|at| Tick { at, label: zero_or(at, format::duration) })
                .collect(),
        }
    }

    /// The run's time in seconds.
    pub(crate) fn time(until: f64, ticks: usize) -> Self {
        let step = nice_step(until / ticks as f64);
        let last = (until / step + 1e-9).floor() as usize;
        let label = |at: f64| {
            if at == 0.0 { "0".to_owned() } else { format!("{} s", format::significant(at)) }
        };
        Self {
            from: 0.0,
            until,
            scale: Scale::Linear,
            ticks: (0..=last)
                .map(|index| index as f64 * step)
                .map(|at| Tick { at, label: label(at) })
                .collect(),
        }
    }

    /// Percentiles by the number of their nines, up to `until`.
    pub(crate) fn nines(until: f64) -> Self {
        let named = [
            (0.0, "min"),
            (std::f64::consts::LOG10_2, "p50"),
            (1.0, "p90"),
            (2.0, "p99"),
            (3.0, "p99.9"),
            (4.0, "p99.99"),
            (5.0, "p99.999"),
            (6.0, "p99.9999"),
        ];
        let ticks = named.into_iter().filter(|(at, _)| *at <= until + 1e-9);
        let ticks = ticks.map(|(at, label)| Tick { at, label: label.to_owned() }).collect();
        Self { from: 0.0, until: until.max(1.0), scale: Scale::Linear, ticks }
    }

    /// Differences in microseconds, with zero among them: even, or by orders of magnitude where most of
    /// them are small (a typical one is `usual`) and some are far out.
    pub(crate) fn differences(least: f64, most: f64, usual: f64, ticks: usize) -> Self {
        let (from, until) = (least.min(0.0), most.max(0.0).max(least.min(0.0) + 1.0));
        let even = usual.abs().max(1.0);
        let width = (until - from) * 0.02;
        if until - from <= even * SIGNED_FROM_RATIO {
            let step = nice_step((until - from) / ticks as f64);
            let (first, last) = ((from / step).floor() as i64, (until / step).ceil() as i64);
            let ticks = (first..=last).map(|index| index as f64 * step);
            let ticks = ticks.filter(|at| (from - width..=until + width).contains(at));
            let ticks = ticks.map(|at| Tick { at, label: zero_or(at, format::difference) }).collect();
            return Self { from: from - width, until: until + width, scale: Scale::Linear, ticks };
        }
        let far = from.abs().max(until);
        let sizes = |step: f64| {
            let first = 10_f64.powf(even.log10().ceil());
            std::iter::successors(Some(first), move |at| Some(at * step)).take_while(move |at| *at <= far)
        };
        let step = if sizes(10.0).count() > ticks / 2 { 100.0 } else { 10.0 };
        let outwards: Vec<f64> = sizes(step).collect();
        let all = outwards.iter().rev().map(|at| -at).chain([0.0]).chain(outwards.iter().copied());
        let ticks = all.filter(|at| (from..=until).contains(at));
        let ticks = ticks.map(|at| Tick { at, label: zero_or(at, format::difference) }).collect();
        Self { from, until, scale: Scale::Signed { even }, ticks }
    }

    /// The value at a place, where [`Self::place`] is that place.
    pub(crate) fn value(&self, place: f64) -> f64 {
        match self.scale {
            Scale::Linear => self.from + (self.until - self.from) * place,
            Scale::Log => self.from * (self.until / self.from).powf(place),
            Scale::Signed { even } => {
                let (from, until) = (signed(self.from, even), signed(self.until, even));
                let at: f64 = from + (until - from) * place;
                at.signum() * even * (at.abs().exp() - 1.0)
            }
        }
    }

    /// Requests per second.
    pub(crate) fn rate(most: f64, ticks: usize) -> Self {
        Self::from_zero(most.max(1.0), ticks, |value| format!("{}/s", format::significant(value)))
    }

    /// Shares, as ratios.
    pub(crate) fn share(most: f64, ticks: usize) -> Self {
        Self::from_zero((most * 100.0).clamp(0.1, 100.0), ticks, |value| {
            format!("{} %", format::significant(value))
        })
        .times(0.01)
    }

    /// From nothing to all.
    pub(crate) fn whole() -> Self {
        let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|at| Tick { at, label: zero_or(at, format::percent) });
        Self { from: 0.0, until: 1.0, scale: Scale::Linear, ticks: ticks.into() }
    }

    /// Plain numbers.
    pub(crate) fn number(most: f64, ticks: usize) -> Self {
        Self::from_zero(most, ticks, format::significant)
    }

    /// Where a value lies: 0 at the start of the axis, 1 at its end, never outside.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.from) / (self.until - self.from),
            Scale::Signed { even } => {
                let (from, until) = (signed(self.from, even), signed(self.until, even));
                (signed(value, even) - from) / (until - from)
            }
            Scale::Log => (value.max(self.from) / self.from).ln() / (self.until / self.from).ln(),
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    fn from_zero(most: f64, ticks: usize, label: impl Fn(f64) -> String) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = nice_step(most / ticks as f64);
        let last = (most * HEADROOM / step).ceil().max(1.0) as usize;
        Self {
            from: 0.0,
            until: last as f64 * step,
            scale: Scale::Linear,
            ticks: (0..=last)
                .map(|index| index as f64 * step)
                .map(|at| Tick { at, label: zero_or(at, &label) })
                .collect(),
        }
    }

    fn times(mut self, factor: f64) -> Self {
        self.until *= factor;
        self.ticks.iter_mut().for_each(|tick| tick.at *= factor);
        self
    }

    /// From a round number below to one above, in steps of 1, 2, 5; labelled at decades alone when
    /// there are many.
    fn log(least: f64, most: f64, label: impl Fn(f64) -> String) -> Self {
        let mut round = Vec::new();
        let mut base = 10_f64.powf(least.log10().floor());
        while base <= most {
            round.extend([1.0, 2.0, 5.0].map(|step| (step * base, step)));
            base *= 10.0;
        }
        round.push((base, 1.0));
        let below = round.iter().rposition(|(at, _)| *at <= least * 1.0001).unwrap_or(0);
        let above = round.iter().position(|(at, _)| *at >= most * 0.9999).unwrap_or(round.len() - 1);
        let crowded = above - below > 8;
        let ticks = round[below..=above].iter().filter(|(_, step)| !crowded || *step < 1.5);
        let ticks = ticks.map(|&(at, _)| Tick { at, label: label(at) }).collect();
        Self { from: round[below].0, until: round[above].0, scale: Scale::Log, ticks }
    }
}

/// Grows evenly about zero and with the logarithm far from it.
fn signed(value: f64, even: f64) -> f64 {
    value.signum() * (value.abs() / even).ln_1p()
}

fn zero_or(at: f64, label: impl Fn(f64) -> String) -> String {
    if at.abs() < 1e-9 { "0".to_owned() } else { label(at) }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `step`.
fn nice_step(step: f64) -> f64 {
    if !step.is_finite() || step <= 0.0 {
        return 1.0;
    }
    let base = 10_f64.powf(step.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    factors.into_iter().map(|factor| factor * base).find(|&nice| nice >= step * 0.999).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let axis = Axis::durations([1_200.0, 18_300.0].into_iter(), 4);
        assert_eq!(labels(&axis), ["0", "5 ms", "10 ms", "15 ms", "20 ms"]);
        assert!((axis.place(10_000.0) - 0.5).abs() < 1e-9);
        assert_eq!(labels(&Axis::share(0.031, 4)), ["0", "1 %", "2 %", "3 %", "4 %"]);
        assert_eq!(labels(&Axis::time(30.5, 6)), ["0", "10 s", "20 s", "30 s"]);
        assert_eq!(labels(&Axis::nines(2.4)), ["min", "p50", "p90", "p99"]);
        assert_eq!(labels(&Axis::bars(-300.0, 3_900.0, 4)), ["0", "2 ms"]);
    }

    #[test]
    fn far_apart_durations_are_logarithmic() {
        let axis = Axis::durations([900.0, 60_000.0].into_iter(), 4);
        assert_eq!(axis.scale, Scale::Log);
        assert_eq!(labels(&axis), ["500 µs", "1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "100 ms"]);
        assert!(axis.place(500.0).abs() < 1e-9 && (axis.place(1e5) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn differences_stand_on_both_sides_of_zero() {
        let axis = Axis::differences(-900.0, 3_800.0, 700.0, 6);
        assert_eq!(labels(&axis), ["0", "+1 ms", "+2 ms", "+3 ms"]);
        let axis = Axis::differences(-6e6, 160_000.0, 600.0, 8);
        assert_eq!(labels(&axis), ["−1 s", "−100 ms", "−10 ms", "−1 ms", "0", "+1 ms", "+10 ms", "+100 ms"]);
        for place in [0.0, 0.2, 0.5, 0.9, 1.0] {
            assert!((axis.place(axis.value(place)) - place).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_to_show_is_an_axis_all_the_same() {
        for axis in [
            Axis::durations(std::iter::empty(), 4),
            Axis::share(0.0, 4),
            Axis::rate(0.0, 4),
            Axis::bars(0.0, 0.0, 4),
            Axis::time(0.0, 4),
        ] {
            assert!(axis.place(0.0).is_finite() && axis.until >= axis.from, "{axis:?}");
        }
    }
}
