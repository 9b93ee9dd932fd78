//! Scales and ticks: where a value lies between the ends of an axis, and which values are written on
//! it. Shared by page and plot files. Owns no pixel.

use crate::format;

/// How values spread along the axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Log,
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

    /// Plain numbers.
    pub(crate) fn number(most: f64, ticks: usize) -> Self {
        Self::from_zero(most, ticks, format::significant)
    }

    /// Where a value lies: 0 at the start of the axis, 1 at its end, never outside.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.from) / (self.until - self.from),
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
