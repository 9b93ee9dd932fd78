//! What two architectures differ by, and whether chance alone may explain it. Over several seeds the differences of the
//! seeds tell; within one run those of stretches of it, of which there are few and wide ones, so that they depend little
//! on each other (Schmeiser, *Batch size effects in the analysis of simulation output*, Operations Research 30, 1982).
//! Both architectures meet the same requests, so that what both meet cancels out. Owns no sentence.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Interval, Window};
use hoplab_sim::statistics::of_differences;

use super::reason::Cited;
use super::run::{Part, Run, Subject};

/// In how many stretches a run is cut at most, and in how few it may be.
const STRETCHES: std::ops::RangeInclusive<usize> = 4..=10;

/// Fewer requests more or less say nothing: five of five coins fall alike once in sixteen throws.
const REQUESTS_MIN: f64 = 6.0;

/// How a figure of an architecture differs from the baseline's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    /// The difference of the shares.
    pub(super) value: f64,
    /// Its 95 % confidence interval; `None` where the run is too short to tell.
    pub(super) interval: Option<Interval>,
    /// How many requests the difference is.
    requests: f64,
}

/// What can be said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// There is none at all.
    Same,
    /// Less, beyond chance.
    Less,
    /// More, beyond chance.
    More,
    /// There is one, and chance may explain it; or the sample does not tell.
    Open,
}

impl Gap {
    /// How much larger a share of requests fails under `subject` than under the baseline.
    pub(super) fn of_errors(run: &Run, part: &Part, subject: &Subject) -> Option<Self> {
        let (from, to) = (run.baseline.traffic(part)?, subject.traffic(part)?);
        let share = |errors: u64, sent: u64| errors as f64 / sent.max(1) as f64;
        let (before, now) = (from.requests, to.requests);
        let value = share(now.errors(), now.sent) - share(before.errors(), before.sent);
        let by_seed = from.seeds.iter().zip(&to.seeds);
        let by_seed: Vec<f64> =
            by_seed.map(|(from, to)| share(to.errors(), to.sent) - share(from.errors(), from.sent)).collect();
        let interval = if by_seed.len() > 1 {
            of_differences(&by_seed)
        } else {
            interval(run, part, subject, value, &|windows| {
                let sum = |of: fn(&Window) -> u64| windows.iter().map(of).sum::<u64>();
                share(sum(|of| of.sent - of.ok.min(of.sent)), sum(|of| of.sent))
            })
        };
        Some(Self { value, interval, requests: value * now.sent as f64 })
    }

    /// How much larger a share of all requests is not served well within a time under `subject` than under the baseline.
    pub(super) fn of_late(run: &Run, subject: &Subject, limit_us: u64) -> Option<Self> {
        let late = |of: &Subject| {
            let within = of.seen.total.within.iter().find(|within| within.limit_us == limit_us)?;
            Some(1.0 - within.requests as f64 / of.seen.total.requests.sent as f64)
        };
        let value = late(subject)? - late(&run.baseline)?;
        let interval = interval(run, &run.whole(), subject, value, &move |windows| {
            let buckets = windows.iter().flat_map(|window| &window.buckets);
            let within: u64 = buckets.filter(|(us, _)| *us <= limit_us).map(|(_, count)| count).sum();
            let sent: u64 = windows.iter().map(|window| window.sent).sum();
            1.0 - within as f64 / sent.max(1) as f64
        });
        Some(Self { value, interval, requests: value * subject.seen.total.requests.sent as f64 })
    }

    /// How much larger a share of what is served well takes at least as long under `subject` as what lies beyond a
    /// percentile does under the baseline. `None` where either does not carry the percentile, or that of `subject` is not
    /// lower.
    pub(super) fn of_slow(run: &Run, part: &Part, subject: &Subject, quantile: f64) -> Option<Self> {
        let tail = |of: &Subject| of.traffic(part)?.latency.percentile_us(quantile);
        tail(&run.baseline).zip(tail(subject)).filter(|(before, now)| now < before)?;
        let from = run.baseline.windows(run.record, part);
        let limit_us = slowest(from, quantile)?;
        let slow = move |windows: &[Window]| {
            let buckets = || windows.iter().flat_map(|window| &window.buckets);
            let served: u64 = buckets().map(|(_, count)| count).sum();
            let slow: u64 = buckets().filter(|(us, _)| *us >= limit_us).map(|(_, count)| count).sum();
            slow as f64 / served.max(1) as f64
        };
        let value = slow(subject.windows(run.record, part)) - slow(from);
        let served = subject.traffic(part)?.latency.count as f64;
        let interval = interval(run, part, subject, value, &slow);
        Some(Self { value, interval, requests: value * served })
    }

    /// What can be said of it.
    pub(super) fn told(&self) -> Told {
        let Some(Interval { low, high }) = self.interval else { return Told::Open };
        match () {
            () if low == 0.0 && high == 0.0 => Told::Same,
            () if self.requests.abs() < REQUESTS_MIN => Told::Open,
            () if low > 0.0 => Told::More,
            () if high < 0.0 => Told::Less,
            () => Told::Open,
        }
    }

    /// How many seeds are likely to tell, where chance may explain it: the interval shrinks with the root of the sample.
    pub(super) fn seeds_to_tell(&self, seeds: u64) -> u64 {
        const FEWEST: u64 = 5;
        let reach = self.interval.map_or(0.0, |of| (of.high - of.low) / 2.0);
        let times = if self.value == 0.0 { 0.0 } else { (reach / self.value).powi(2) };
        ((seeds as f64 * times * 2.0).ceil().min(1e6) as u64).max(FEWEST).max(seeds + 1)
    }

    /// As a sentence cites it.
    pub(super) fn cited(&self, run: &Run, part: &Part, subject: &Subject, figure: Figure) -> Cited {
        Cited {
            architecture: subject.name.to_owned(),
            during: part.name.clone(),
            figure: figure.key().into_owned(),
            over: Some(run.baseline.name.to_owned()),
            value: Some(self.value),
            interval: self.interval,
        }
    }
}

/// The interval of the difference `value` of a share, from stretches of a run. What differs in one part of a run alone, as
/// while a fault is on, is no chance for that: the whole run is told part by part, each with its own spread (stratified
/// sampling; Cochran, *Sampling Techniques*, 1977).
fn interval(run: &Run, part: &Part, subject: &Subject, value: f64, share: &Share<'_>) -> Option<Interval> {
    let parts = run.parts_of(part);
    let sent = |part: &Part| subject.traffic(part).map_or(0, |of| of.requests.sent) as f64;
    let all: f64 = parts.iter().map(sent).sum();
    let reaches =
        parts.iter().map(|of| Some(sent(of) / all * reach(run, of, subject, share, parts.len() > 1)?));
    let squares = reaches.map(|reach| reach.map(|reach| reach.powi(2))).sum::<Option<f64>>()?;
    Some(Interval { low: value - squares.sqrt(), high: value + squares.sqrt() })
}

/// A share of the requests of some windows.
type Share<'a> = dyn Fn(&[Window]) -> f64 + 'a;

/// How far the difference of a share in a part may be off; `None` where the part is too short to tell. A short one among
/// others may be off by all that it is.
fn reach(run: &Run, part: &Part, subject: &Subject, share: &Share<'_>, is_one_of_many: bool) -> Option<f64> {
    let (from, to) = (run.baseline.windows(run.record, part), subject.windows(run.record, part));
    let count = from.len().min(to.len());
    let stretches = count.min(*STRETCHES.end());
    let bound = |stretch: usize| stretch * count / stretches;
    let difference = |windows: std::ops::Range<usize>| share(&to[windows.clone()]) - share(&from[windows]);
    if count == 0 {
        return None;
    }
    if stretches < *STRETCHES.start() {
        let off = difference(0..count).abs();
        return (is_one_of_many || off == 0.0).then_some(off);
    }
    let by_stretch = (0..stretches).map(|stretch| difference(bound(stretch)..bound(stretch + 1)));
    let Interval { low, high } = of_differences(&by_stretch.collect::<Vec<_>>())?;
    Some((high - low) / 2.0)
}

/// What a share of what the windows served well does not exceed, as exactly as windows know it.
fn slowest(windows: &[Window], quantile: f64) -> Option<u64> {
    let mut buckets: Vec<(u64, u64)> =
        windows.iter().flat_map(|window| window.buckets.iter().copied()).collect();
    buckets.sort_unstable();
    let served: u64 = buckets.iter().map(|(_, count)| count).sum();
    let mut faster = 0;
    buckets.into_iter().find_map(|(us, count)| {
        faster += count;
        (faster as f64 >= served as f64 * quantile).then_some(us)
    })
}
