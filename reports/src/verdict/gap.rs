//! What two architectures differ by, and whether chance alone may explain it. Over five seeds or more the differences of the
//! seeds tell, and over fewer that disagree; otherwise those of stretches of the run, or of all runs together, of which
//! there are few and wide ones, so that they depend little on each other (Schmeiser, *Batch size effects in the analysis of
//! simulation output*, Operations Research 30, 1982). Both architectures meet the same requests, so that what both meet
//! cancels out. Owns no sentence.

use std::borrow::Cow;
use std::cmp::Ordering;

use hoplab_sim::record::{Interval, Requests, Seed, Traffic, Window, Within};
use hoplab_sim::statistics::of_differences;

use super::reason::Cited;
use super::run::{Part, Run, Subject, unserved_share};
use crate::chance::{self, REQUESTS_MIN};

/// In how many stretches a run is cut at most, and in how few it may be.
const STRETCHES: std::ops::RangeInclusive<usize> = 4..=10;

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
    /// There is none: as many, not always the same ones.
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
        Self::errors_between(run, part, &run.baseline, subject)
    }

    /// How much larger a share of requests fails under one than under another.
    pub(super) fn errors_between(run: &Run, part: &Part, one: &Subject, other: &Subject) -> Option<Self> {
        let (from, to) = (one.traffic(part)?, other.traffic(part)?);
        let apart = |from: &Requests, to: &Requests| unserved_share(to) - unserved_share(from);
        let value = apart(&from.requests, &to.requests);
        let seeds = by_seed(from, to, |from, to| Some(apart(&from.requests, &to.requests)));
        let share = |windows: &[Window]| unserved_share(&Traffic::of_windows(windows).requests);
        let interval = seeds.or_else(|| Between { run, one, other }.interval(part, value, &share));
        Some(Self { value, interval, requests: value * to.requests.sent as f64 })
    }

    /// How much larger a share of all requests is not served well within a time under `subject` than under the baseline.
    pub(super) fn of_late(run: &Run, subject: &Subject, limit_us: u64) -> Option<Self> {
        let late = |within: &[Within], requests: &Requests| {
            let within = within.iter().find(|within| within.limit_us == limit_us)?;
            Some(1.0 - within.requests as f64 / requests.sent.max(1) as f64)
        };
        let (from, to) = (&run.baseline.seen.total, &subject.seen.total);
        let value = late(&to.within, &to.requests)? - late(&from.within, &from.requests)?;
        let seeds = by_seed(from, to, |from, to| {
            Some(late(&to.within, &to.requests)? - late(&from.within, &from.requests)?)
        });
        let between = Between { run, one: &run.baseline, other: subject };
        let share = move |windows: &[Window]| {
            let buckets = windows.iter().flat_map(|window| &window.buckets);
            let within: u64 = buckets.filter(|(us, _)| *us <= limit_us).map(|(_, count)| count).sum();
            let sent: u64 = windows.iter().map(|window| window.sent).sum();
            1.0 - within as f64 / sent.max(1) as f64
        };
        let interval = seeds.or_else(|| between.interval(&run.whole(), value, &share));
        Some(Self { value, interval, requests: value * to.requests.sent as f64 })
    }

    /// How much longer what lies at a percentile takes under `subject` than under the baseline, seed by seed and as a
    /// logarithm, since times differ by factors. `None` where a seed does not carry the percentile, or there are too few.
    pub(super) fn of_percentile(run: &Run, part: &Part, subject: &Subject, quantile: f64) -> Option<Self> {
        let (from, to) = (run.baseline.traffic(part)?, subject.traffic(part)?);
        let at = |us: u64| (us.max(1) as f64).ln();
        let value = at(to.latency.percentile_us(quantile)?) - at(from.latency.percentile_us(quantile)?);
        let interval = by_seed(from, to, |from, to| {
            Some(at(to.percentile_us(quantile)?) - at(from.percentile_us(quantile)?))
        })?;
        let beyond = (1.0 - quantile) * to.latency.count as f64;
        Some(Self { value, interval: Some(interval), requests: beyond })
    }

    /// How much larger a share of what is served well takes longer under `subject` than what lies at a percentile does
    /// under the baseline, by stretches of the run; what takes as long counts half, so that constants can be told apart.
    /// `None` where either does not carry the percentile.
    pub(super) fn of_slow(run: &Run, part: &Part, subject: &Subject, quantile: f64) -> Option<Self> {
        let tail = |of: &Subject| of.traffic(part)?.latency.percentile_us(quantile);
        tail(&run.baseline).zip(tail(subject))?;
        let from = run.baseline.windows(run.record, part);
        let limit_us = Traffic::of_windows(from).latency.quantile_us(quantile);
        let slow = move |windows: &[Window]| {
            let buckets = || windows.iter().flat_map(|window| &window.buckets);
            let served: u64 = buckets().map(|(_, count)| count).sum();
            let (longer, as_long) =
                buckets().fold((0, 0), |(longer, as_long), (us, count)| match us.cmp(&limit_us) {
                    Ordering::Greater => (longer + count, as_long),
                    Ordering::Equal => (longer, as_long + count),
                    Ordering::Less => (longer, as_long),
                });
            (longer as f64 + as_long as f64 / 2.0) / served.max(1) as f64
        };
        let value = slow(subject.windows(run.record, part)) - slow(from);
        let served = subject.traffic(part)?.latency.count as f64;
        let interval = Between { run, one: &run.baseline, other: subject }.interval(part, value, &slow);
        Some(Self { value, interval, requests: value * served })
    }

    /// What can be said of it.
    pub(super) fn told(&self) -> Told {
        let Some(Interval { low, high, .. }) = self.interval else {
            return if self.value == 0.0 { Told::Same } else { Told::Open };
        };
        match () {
            () if self.value == 0.0 || (low == 0.0 && high == 0.0) => Told::Same,
            () if self.requests.abs() < REQUESTS_MIN => Told::Open,
            () if low > 0.0 && self.value > 0.0 => Told::More,
            () if high < 0.0 && self.value < 0.0 => Told::Less,
            () => Told::Open,
        }
    }

    /// How many seeds are likely to tell, where chance may explain it: the interval shrinks with the root of the sample.
    pub(super) fn seeds_to_tell(&self, seeds: u64) -> u64 {
        let reach = self.interval.map(|of| (of.high - of.low) / 2.0);
        chance::seeds_to_tell(self.value, reach, seeds)
    }

    /// The same the other way around, as of what is in time instead of what is late.
    pub(super) fn reversed(self) -> Self {
        let interval = self.interval.map(|of| Interval { low: -of.high, high: -of.low, ..of });
        Self { value: -self.value, interval, requests: -self.requests }
    }

    /// As a sentence cites it.
    pub(super) fn cited(&self, run: &Run, part: &Part, subject: &Subject, key: Cow<'static, str>) -> Cited {
        subject.difference(run, part, key, (self.value, self.interval))
    }
}

/// The interval of a difference from those of the seeds, where they tell ([`chance::by_seeds`]). `None` also where a seed does
/// not have it.
fn by_seed(from: &Traffic, to: &Traffic, apart: impl Fn(&Seed, &Seed) -> Option<f64>) -> Option<Interval> {
    let seeds = from.seeds.iter().zip(&to.seeds);
    let seeds: Vec<f64> = seeds.map(|(from, to)| apart(from, to)).collect::<Option<_>>()?;
    chance::by_seeds(&seeds)
}

/// A share of the requests of some windows.
type Share<'a> = dyn Fn(&[Window]) -> f64 + 'a;

/// Two architectures of a run.
struct Between<'r, 'a> {
    run: &'r Run<'a>,
    one: &'r Subject<'a>,
    other: &'r Subject<'a>,
}

impl Between<'_, '_> {
    /// The interval of the difference `value` of a share, from stretches of a run, or of all together. What differs in one
    /// part of a run alone, as while a fault is on, is no chance for that: the whole run is told part by part, each with
    /// its own spread (stratified sampling; Cochran, *Sampling Techniques*, 1977).
    fn interval(&self, part: &Part, value: f64, share: &Share<'_>) -> Option<Interval> {
        let parts = self.run.parts_of(part)?;
        let sent = |part: &Part| self.other.traffic(part).map_or(0, |of| of.requests.sent) as f64;
        let all: f64 = parts.iter().map(sent).sum();
        let (mut squares, mut short) = (0.0_f64, 0.0);
        for of in &parts {
            let weight = sent(of) / all;
            match self.reach(of, share) {
                Some(reach) => squares += (weight * reach).powi(2),
                None if parts.len() > 1 => short += weight * self.most_off(of, share)?,
                None => return None,
            }
        }
        let reach = squares.sqrt() + short;
        Some(Interval::between(value - reach, value + reach))
    }

    /// How far the difference of a share in a part may be off; `None` where the part is too short to tell.
    fn reach(&self, part: &Part, share: &Share<'_>) -> Option<f64> {
        let (from, to) = self.windows(part);
        let stretches = from.len().min(*STRETCHES.end());
        if stretches < *STRETCHES.start() {
            return (!from.is_empty() && share(to) == 0.0 && share(from) == 0.0).then_some(0.0);
        }
        let bound = |stretch: usize| stretch * from.len() / stretches;
        let by_stretch = (0..stretches).map(|stretch| {
            let windows = bound(stretch)..bound(stretch + 1);
            share(&to[windows.clone()]) - share(&from[windows])
        });
        let Interval { low, high, .. } = of_differences(&by_stretch.collect::<Vec<_>>())?;
        Some((high - low) / 2.0)
    }

    /// What a part that is too short to tell may be off: all that it differs by, and a little more, so that such parts
    /// tell nothing alone.
    fn most_off(&self, part: &Part, share: &Share<'_>) -> Option<f64> {
        const MORE: f64 = 1.01;
        let (from, to) = self.windows(part);
        let rate = |of: &Subject| Some(unserved_share(&of.traffic(part)?.requests));
        let whole = (rate(self.other)? - rate(self.one)?).abs();
        Some(MORE * whole.max((share(to) - share(from)).abs()))
    }

    /// The windows of a part that both have.
    fn windows(&self, part: &Part) -> (&[Window], &[Window]) {
        let record = self.run.record;
        let (from, to) = (self.one.windows(record, part), self.other.windows(record, part));
        let count = from.len().min(to.len());
        (&from[..count], &to[..count])
    }
}
