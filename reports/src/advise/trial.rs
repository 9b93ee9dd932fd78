//! What became of requests in a trial: how many were lost under each architecture while something was wrong and after it,
//! and which architecture to choose if that is what goes wrong. Differences beyond chance count alone ([`Apart`]).

use hoplab_sim::advise::{self, About};
use hoplab_sim::record::{Interval, Record};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::choice::{BASELINE, MATTERS, as_good, best, choose};
use super::cost::Cost;
use super::lost::{self, Apart, Lost, Spans};
use crate::format::listed;
use crate::verdict::{Run, Subject};

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
    /// How many requests were to be sent while it was, of all seeds.
    pub requests: u64,
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
    /// The share that was not served well in time in the second half of what follows; `null` where nothing follows.
    pub after: Option<f64>,
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

/// What is lost under each architecture, in their order; the baseline comes first.
pub(super) struct AllLost(Vec<Lost>);

impl AllLost {
    /// By how much larger a share is lost under the second than under the first.
    pub(super) fn apart(&self, from: usize, to: usize) -> Option<Apart> {
        Some(self.0.get(from)?.apart(self.0.get(to)?))
    }
}

impl Trial {
    /// What the `record` of a trial shows, which was joined of those of `seeds`; `None` where no request was measured.
    pub(super) fn of(
        trial: &advise::Trial,
        (record, seeds): (&Record, &[Record]),
        costs: &IndexMap<String, Cost>,
        late_us: u64,
    ) -> Option<(Self, AllLost)> {
        let run = Run::of(record)?;
        let spans = spans(&trial.about, record);
        let (from_us, until_us) = (spans.first()?.0, spans.last()?.1);
        let after = (until_us + record.duration_us.saturating_sub(until_us) / 2, record.duration_us);
        let (mut lost, mut seen) = (Vec::new(), IndexMap::new());
        for subject in run.all() {
            let of = Lost::of(&run, &subject, &spans, late_us, seeds)?;
            let shown = Seen {
                lost: of.share,
                failed: Lost::of(&run, &subject, &spans, u64::MAX, &[])?.share,
                after: lost::share(&run, &subject, after, late_us),
                touched: touched(&trial.about, &subject),
            };
            seen.insert(subject.name.to_owned(), shown);
            lost.push(of);
        }
        let requests = lost.first().map_or(0, Lost::requests);
        let lost = AllLost(lost);
        let choice = choice(&seen, &lost, costs)?;
        let (name, text, about) = (trial.name.clone(), text(&trial.about, record), trial.about.clone());
        Some((Self { name, text, about, from_us, until_us, requests, seen, choice }, lost))
    }

    /// The share of requests that was served well in time under each architecture.
    pub fn within(&self) -> Vec<(&str, f64)> {
        self.seen.iter().map(|(name, seen)| (name.as_str(), 1.0 - seen.lost)).collect()
    }

    /// Whether what went wrong touched something wherever it could: else it shows nothing.
    pub(super) fn counts(&self) -> bool {
        self.seen.values().all(|seen| seen.touched)
    }

    /// Those under which what goes wrong touched nothing, though it could have.
    pub(super) fn untouched(&self) -> Vec<String> {
        self.seen.iter().filter(|(_, seen)| !seen.touched).map(|(name, _)| name.clone()).collect()
    }

    /// Whether as few are lost under an architecture as under any.
    pub(super) fn is_good(&self, architecture: &str) -> bool {
        self.choice.as_good.iter().any(|of| of == architecture)
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

/// Whether what went wrong touched something, or there is nothing of what it is aimed at; of the scenario's own faults
/// whether any did.
fn touched(about: &About, subject: &Subject) -> bool {
    let mut aimed =
        subject.seen.faults.iter().filter(|fault| fault.applies).map(|fault| fault.hits > 0).peekable();
    let is_aimed = aimed.peek().is_some();
    !is_aimed || if *about == About::Written { aimed.any(|hit| hit) } else { aimed.all(|hit| hit) }
}

/// When something was wrong.
fn spans(about: &About, record: &Record) -> Spans {
    if let About::Flood { from_us, until_us, .. } = about {
        return vec![(*from_us, *until_us)];
    }
    let mut faults: Spans = record
        .faults
        .iter()
        .map(|fault| (fault.at_us, fault.at_us.saturating_add(fault.for_us).min(record.duration_us)))
        .collect();
    faults.sort_unstable();
    let mut spans = Spans::new();
    for (from, until) in faults {
        match spans.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => spans.push((from, until)),
        }
    }
    spans
}

fn text(about: &About, record: &Record) -> String {
    if let About::Flood { times, .. } = about {
        return format!("{times} times as many requests come");
    }
    let texts: Vec<String> = record.faults.iter().map(|fault| fault.text.clone()).collect();
    listed(&texts)
}

/// What to choose, of architectures of which the baseline comes first.
fn choice(seen: &IndexMap<String, Seen>, all: &AllLost, costs: &IndexMap<String, Cost>) -> Option<Choice> {
    let lost: Vec<f64> = seen.values().map(|seen| seen.lost).collect();
    let is_worse = |from: usize, to: usize| {
        lost[to] - lost[from] >= MATTERS && all.apart(from, to).is_some_and(|apart| apart.is_more())
    };
    let as_good = as_good(&lost, is_worse);
    let name = |index: usize| seen.get_index(index).map_or("", |(name, _)| name.as_str());
    let chosen = choose(&as_good, |index| is_worse(index, BASELINE), |index| costs.get(name(index)))?;
    let best = best(&lost)?;
    let is_hidden = as_good.contains(&BASELINE) && lost[BASELINE] - lost[best] >= MATTERS;
    Some(Choice {
        architecture: name(chosen).to_owned(),
        as_good: as_good.iter().map(|index| name(*index).to_owned()).collect(),
        saves: lost[BASELINE] - lost[chosen],
        interval: all.apart(chosen, BASELINE).and_then(|apart| apart.interval()),
        seeds_to_tell: all.apart(best, BASELINE).filter(|_| is_hidden).map(|apart| apart.seeds_to_tell()),
    })
}
