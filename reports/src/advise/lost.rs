//! The share of requests that is lost in some parts of a run, and what two such shares differ by beyond chance. Both
//! architectures meet the same requests at the same times, so they are compared stretch by stretch.
//!
//! Over five seeds or more, or where fewer disagree, the seeds tell (paired t). A single seed tells by itself, as the wider
//! of two: as if each request were lost by chance of its own within its stretch of the run, and by what neighbouring
//! stretches differ by (von Neumann, *Distribution of the ratio of the mean square successive difference to the variance*,
//! 1941), so that what a fault does step by step, as a rolling restart does, counts as chance at its steps alone.

use hoplab_sim::record::{Interval, Phase, Record, Window};

use crate::chance::{self, REQUESTS_MIN};
use crate::verdict::{Part, Run, Subject};

/// Into how many stretches what one seed saw is cut at most, and in how few it may be.
const STRETCHES: std::ops::RangeInclusive<usize> = 4..=20;

/// How many requests a stretch has at least, on average.
const REQUESTS_OF_STRETCH: f64 = 10.0;

/// Of 95 % of a normal distribution.
const Z: f64 = 1.96;

/// Of 95 % of Student's t with 19 degrees of freedom, those of the most stretches.
const T: f64 = 2.09;

/// The share of requests that is lost under an architecture in some parts of a run.
#[derive(Debug, Clone)]
pub(super) struct Lost {
    /// The share, of all seeds.
    pub(super) share: f64,
    sent: f64,
    by_seed: Vec<f64>,
    /// By window, of all seeds: how many were to be sent, and how many of them were lost.
    by_window: Vec<(f64, f64)>,
}

/// By how much larger one share is than another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Apart {
    pub(super) value: f64,
    /// How far that may be off by chance, in 95 of 100 cases; `None` where the sample does not tell.
    pub(super) reach: Option<f64>,
    requests: f64,
    seeds: u64,
}

/// The parts of a run in which something is wrong, in order, apart from each other.
pub(super) type Spans = Vec<(u64, u64)>;

impl Lost {
    /// Of what is sent within `spans`, which is later than `late_us` or not served well; `None` where nothing is. `seeds` are
    /// the records that were joined to that of the run.
    pub(super) fn of(
        run: &Run,
        subject: &Subject,
        spans: &Spans,
        late_us: u64,
        seeds: &[Record],
    ) -> Option<Self> {
        let windows = || spans.iter().flat_map(|span| subject.windows(run.record, &part(*span)));
        let by_window: Vec<(f64, f64)> = windows().map(|window| of_window(window, late_us)).collect();
        let (sent, lost) = whole(run, subject, late_us).unwrap_or_else(|| sum(by_window.iter().copied()));
        let of_seed = |record: &Record| {
            let run = Run::of(record)?;
            let own = run.all().find(|of| of.name == subject.name)?;
            Self::of(&run, &own, spans, late_us, &[]).map(|own| own.share)
        };
        let by_seed = seeds.iter().filter_map(of_seed).collect();
        (sent > 0.0).then(|| Self { share: lost / sent, sent, by_seed, by_window })
    }

    /// How many requests were to be sent.
    pub(super) fn requests(&self) -> u64 {
        self.sent as u64
    }

    /// By how much larger the share of another is.
    pub(super) fn apart(&self, other: &Self) -> Apart {
        let value = other.share - self.share;
        let reach = self.by_seed(other).or_else(|| self.by_stretch(other));
        Apart { value, reach, requests: value * other.sent, seeds: self.by_seed.len().max(1) as u64 }
    }

    fn by_seed(&self, other: &Self) -> Option<f64> {
        let apart: Vec<f64> = self.by_seed.iter().zip(&other.by_seed).map(|(from, to)| to - from).collect();
        let Interval { low, high, .. } = chance::by_seeds(&apart)?;
        Some((high - low) / 2.0)
    }

    fn by_stretch(&self, other: &Self) -> Option<f64> {
        let windows = self.by_window.len().min(other.by_window.len());
        let requests = self.sent.min(other.sent) / REQUESTS_OF_STRETCH;
        let stretches = windows.min(*STRETCHES.end()).min(requests as usize);
        if stretches < *STRETCHES.start() {
            return None;
        }
        let bounds = (0..=stretches).map(|stretch| stretch * windows / stretches).collect::<Vec<_>>();
        let of = |windows: &[(f64, f64)]| sum(windows.iter().copied());
        let pairs = bounds.windows(2).map(|ends| {
            let stretch = ends[0]..ends[1];
            (of(&self.by_window[stretch.clone()]), of(&other.by_window[stretch]))
        });
        let (mut apart, mut spread, mut sent) = (Vec::new(), 0.0, 0.0);
        for (from, to) in pairs {
            apart.push(to.1 / f64::max(to.0, 1.0) - from.1 / f64::max(from.0, 1.0));
            spread +=
                [from, to].map(|(sent, lost)| lost * (1.0 - lost / f64::max(sent, 1.0))).iter().sum::<f64>();
            sent += to.0;
        }
        let steps: f64 = apart.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
        let count = stretches as f64;
        let by_steps = T * (steps / (2.0 * (count - 1.0)) / count).sqrt();
        Some(by_steps.max(Z * spread.sqrt() / f64::max(sent, 1.0)))
    }
}

impl Apart {
    /// Whether the other share is larger, beyond chance.
    pub(super) fn is_more(&self) -> bool {
        self.requests >= REQUESTS_MIN && self.reach.is_some_and(|reach| self.value > reach)
    }

    /// The 95 % confidence interval.
    pub(super) fn interval(&self) -> Option<Interval> {
        self.reach.map(|reach| Interval::between(self.value - reach, self.value + reach))
    }

    /// How many seeds are likely to tell, where chance may explain it.
    pub(super) fn seeds_to_tell(&self) -> u64 {
        chance::seeds_to_tell(self.value, self.reach, self.seeds)
    }
}

/// How many were to be sent while faults were on, and how many of them were lost, by the parts that the record has of them;
/// `None` where it has none.
fn whole(run: &Run, subject: &Subject, late_us: u64) -> Option<(f64, f64)> {
    let episodes = run.episodes();
    let phases: Option<Vec<&Phase>> = episodes
        .iter()
        .map(|(_, during, _)| subject.seen.phases.get(during.as_ref()?.name.as_ref()?))
        .collect();
    let phases = phases.filter(|phases| !phases.is_empty())?.into_iter();
    Some(sum(phases.map(|Phase { total, .. }| counted(total.requests.sent, &total.latency.buckets, late_us))))
}

fn part((from_us, until_us): (u64, u64)) -> Part {
    Part { name: None, from_us, until_us }
}

/// Of so many that were to be sent, of which those that were served well took these times: how many that is, and how many of
/// them were lost.
fn counted(sent: u64, buckets: &[(u64, u64)], late_us: u64) -> (f64, f64) {
    let in_time: u64 = buckets.iter().filter(|(us, _)| *us <= late_us).map(|(_, count)| count).sum();
    (sent as f64, sent as f64 - in_time as f64)
}

fn of_window(window: &Window, late_us: u64) -> (f64, f64) {
    counted(window.sent, &window.buckets, late_us)
}

fn sum(all: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    all.fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
}

/// The share of what is sent within a span that is lost, by the windows that lie in it; `None` where none does.
pub(super) fn share(run: &Run, subject: &Subject, span: (u64, u64), late_us: u64) -> Option<f64> {
    let windows = subject.windows(run.record, &part(span)).iter();
    let (sent, lost) = sum(windows.map(|window| of_window(window, late_us)));
    (sent > 0.0).then(|| lost / sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(by_window: &[(f64, f64)], by_seed: &[f64]) -> Lost {
        let (sent, lost) = sum(by_window.iter().copied());
        Lost { share: lost / sent, sent, by_seed: by_seed.to_vec(), by_window: by_window.to_vec() }
    }

    #[test]
    fn what_comes_in_steps_is_no_chance_between_them() {
        // Three pods restart one after the other: each is away for a while, and a third of the requests with it.
        let away = |window: usize| if (3..7).contains(&(window % 14)) { (10.0, 3.0) } else { (10.0, 0.0) };
        let steps: Vec<_> = (0..42).map(away).collect();
        let none = vec![(10.0, 0.0); 42];
        let apart = lost(&none, &[]).apart(&lost(&steps, &[]));
        assert!(apart.is_more(), "{apart:?}");
        assert!(!lost(&steps, &[]).apart(&lost(&none, &[])).is_more());
    }

    #[test]
    fn a_handful_of_requests_tells_nothing() {
        let (none, all) = (vec![(1.0, 0.0); 9], vec![(1.0, 1.0); 9]);
        assert!(!lost(&none, &[]).apart(&lost(&all, &[])).is_more());
    }

    #[test]
    fn a_few_requests_more_are_chance() {
        let few: Vec<_> = (0..40).map(|window| (10.0, f64::from(u8::from(window % 9 == 4)))).collect();
        let none = vec![(10.0, 0.0); 40];
        let apart = lost(&none, &[]).apart(&lost(&few, &[]));
        assert!(!apart.is_more(), "{apart:?}");
        assert!(apart.seeds_to_tell() >= 5);
    }

    #[test]
    fn seeds_that_agree_tell_what_one_cannot() {
        let wild: Vec<_> = (0..40).map(|window| (10.0, if window % 2 == 0 { 10.0 } else { 0.0 })).collect();
        let half = vec![(10.0, 4.5); 40];
        let (one, ten) = (&[][..], &[0.45, 0.44, 0.46, 0.45, 0.45, 0.44, 0.46, 0.45, 0.45, 0.45][..]);
        let more: Vec<f64> = ten.iter().map(|share| share + 0.05).collect();
        assert!(!lost(&half, one).apart(&lost(&wild, one)).is_more());
        assert!(lost(&half, ten).apart(&lost(&wild, &more)).is_more());
    }
}
