//! What became of requests in a trial: how many were lost under each architecture while something was wrong and after it,
//! and which architecture to choose if that is what goes wrong. Differences beyond chance count alone ([`Gap`]).

use hoplab_sim::advise::{self, About};
use hoplab_sim::record::{Interval, Phase, Record, Traffic};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::cost::Cost;
use crate::format::listed;
use crate::verdict::{Gap, Part, Run, Subject, Told, late_share, unserved_share};

/// A smaller share of requests is no reason to choose one rather than another.
pub(super) const MATTERS: f64 = 0.001;

/// What became of requests in a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its name; its file is `trials/NAME.toml`.
    pub name: String,
    /// What went wrong, in words.
    pub text: String,
    /// What it is for.
    pub about: About,
    /// From when something was wrong, µs.
    pub from_us: u64,
    /// Until when, µs.
    pub until_us: u64,
    /// Under each architecture.
    pub seen: IndexMap<String, Seen>,
    /// What to choose if that is what goes wrong.
    pub choice: Choice,
}

/// What became of requests under an architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The share that was not served well in time, of those that were to be sent while something was wrong.
    pub lost: f64,
    /// The share that was not served well at all.
    pub failed: f64,
    /// The share that was not served well in time in the second half of what follows.
    pub after: f64,
    /// Whether what went wrong touched anything, or there is nothing of what it is aimed at.
    pub touched: bool,
}

/// What to choose if that is what goes wrong: of those under which no more requests are lost than under any other, beyond
/// chance and by a tenth of a per cent, the one that costs least.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Which.
    pub architecture: String,
    /// All under which as few are lost.
    pub as_good: Vec<String>,
    /// How much smaller a share of requests is lost than under the baseline.
    pub saves: f64,
    /// The 95 % confidence interval of that.
    pub interval: Option<Interval>,
    /// How many seeds may tell, where chance may hide that the baseline loses more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds_to_tell: Option<u64>,
}

/// By how much larger a share is lost under the second architecture than under the first, of all pairs.
pub(super) struct Gaps(Vec<Vec<Option<Gap>>>);

impl Gaps {
    pub(super) fn between(&self, from: usize, to: usize) -> Option<Gap> {
        *self.0.get(from)?.get(to)?
    }
}

impl Trial {
    /// What `record` of a trial shows; `None` where no request was measured.
    pub(super) fn of(
        trial: &advise::Trial,
        record: &Record,
        costs: &IndexMap<String, Cost>,
        late_us: u64,
    ) -> Option<(Self, Gaps)> {
        let run = Run::of(record)?;
        let (from_us, until_us) = span(&trial.about, record)?;
        let during = part(from_us, until_us);
        let after = part(until_us + (record.duration_us - until_us) / 2, record.duration_us);
        let subjects: Vec<(Subject, f64)> =
            run.all().map(|subject| (subject, lost(&subject, record, &during, late_us))).collect();
        let gap = |(one, from): &(Subject, f64), (other, to): &(Subject, f64)| {
            Gap::late_between(&run, &during, ((one, *from), (other, *to)), late_us)
        };
        let gaps: Vec<Vec<Option<Gap>>> =
            subjects.iter().map(|one| subjects.iter().map(|other| gap(one, other)).collect()).collect();
        let gaps = Gaps(gaps);
        let seen = |(subject, lost): &(Subject, f64)| {
            let windows = subject.windows(record, &during);
            let requests = Traffic::of_windows(windows).requests;
            let seen = Seen {
                lost: *lost,
                failed: unserved_share(&requests),
                after: late_share(subject.windows(record, &after), late_us),
                touched: subject.seen.faults.iter().all(|fault| !fault.applies || fault.hits > 0),
            };
            (subject.name.to_owned(), seen)
        };
        let seen: IndexMap<String, Seen> = subjects.iter().map(seen).collect();
        let choice = choose(&subjects, &gaps, costs, run.seeds)?;
        let (name, about) = (trial.name.clone(), trial.about.clone());
        Some((Self { name, text: text(&trial.about, record), about, from_us, until_us, seen, choice }, gaps))
    }

    /// The share of requests that was served well in time under each architecture.
    pub fn within(&self) -> Vec<(&str, f64)> {
        self.seen.iter().map(|(name, seen)| (name.as_str(), 1.0 - seen.lost)).collect()
    }

    /// Whether what went wrong touched something wherever it could: else it shows nothing.
    pub(super) fn counts(&self) -> bool {
        self.seen.values().all(|seen| seen.touched)
    }

    /// The smallest share that is lost under any architecture.
    pub(super) fn least(&self) -> f64 {
        self.seen.values().map(|seen| seen.lost).fold(1.0, f64::min)
    }

    /// How much it counts beside others, where it is a kind of fault that may happen.
    pub(super) fn weight(&self) -> Option<f64> {
        match &self.about {
            About::Fault { weight, .. } => Some(*weight),
            _ => None,
        }
    }
}

fn part(from_us: u64, until_us: u64) -> Part {
    Part { name: None, from_us, until_us }
}

/// The share of requests that was not served well in time: where a fault has a part of the record for itself, of that; else by
/// the windows of the run.
fn lost(subject: &Subject, record: &Record, during: &Part, late_us: u64) -> f64 {
    let fault = match &record.faults[..] {
        [fault] => subject.seen.phases.get(&fault.name),
        _ => None,
    };
    let Some(Phase { total, .. }) = fault else {
        return late_share(subject.windows(record, during), late_us);
    };
    let in_time = total.latency.buckets.iter().filter(|(us, _)| *us <= late_us).map(|(_, count)| count);
    1.0 - in_time.sum::<u64>() as f64 / total.requests.sent.max(1) as f64
}

/// When something was wrong.
fn span(about: &About, record: &Record) -> Option<(u64, u64)> {
    if let About::Flood { from_us, until_us, .. } = about {
        return Some((*from_us, *until_us));
    }
    let from = record.faults.iter().map(|fault| fault.at_us).min()?;
    let until = record.faults.iter().map(|fault| fault.at_us + fault.for_us).max()?;
    Some((from, until.min(record.duration_us)))
}

fn text(about: &About, record: &Record) -> String {
    if let About::Flood { times, .. } = about {
        return format!("{times} times as many clients come");
    }
    let texts: Vec<String> = record.faults.iter().map(|fault| fault.text.clone()).collect();
    listed(&texts)
}

/// What to choose, of architectures in the order of the record, which comes with the baseline first.
fn choose(
    subjects: &[(Subject, f64)],
    gaps: &Gaps,
    costs: &IndexMap<String, Cost>,
    seeds: u64,
) -> Option<Choice> {
    let lost: Vec<f64> = subjects.iter().map(|(_, lost)| *lost).collect();
    let best = (0..lost.len()).min_by(|a, b| lost[*a].total_cmp(&lost[*b]))?;
    let is_worse = |index: usize| {
        let told = gaps.between(best, index).is_some_and(|gap| gap.told() == Told::More);
        told && lost[index] - lost[best] >= MATTERS
    };
    let as_good: Vec<usize> = (0..lost.len()).filter(|index| !is_worse(*index)).collect();
    let cost = |index: &usize| costs.get(subjects[*index].0.name).cloned().unwrap_or_default();
    let chosen = *as_good.iter().min_by(|a, b| cost(a).order(&cost(b)))?;
    let baseline = 0;
    let saved = gaps.between(chosen, baseline);
    let hidden = gaps.between(best, baseline).filter(|gap| {
        chosen == baseline && gap.told() == Told::Open && lost[baseline] - lost[best] >= MATTERS
    });
    Some(Choice {
        architecture: subjects[chosen].0.name.to_owned(),
        as_good: as_good.iter().map(|index| subjects[*index].0.name.to_owned()).collect(),
        saves: lost[baseline] - lost[chosen],
        interval: saved.and_then(|gap| gap.interval),
        seeds_to_tell: hidden.map(|gap| gap.seeds_to_tell(seeds)),
    })
}
