//! What an architecture costs over the baseline: the difference of the mean response times and its
//! split by owner, which adds up to it. Where a run has faults it is taken from before the first of
//! them, since their damage would drown it. Owns no layout.

use std::collections::BTreeMap;

use hoplab_sim::record::{Architecture, Record};

use crate::format::moment;
use crate::owners::{self, Group, OWNERS};

/// The part of a run before anything breaks.
pub(crate) const STEADY: &str = "steady";

/// How the mean of one architecture differs from the baseline's.
#[derive(Debug, Clone)]
pub(crate) struct Added {
    /// The difference of the means.
    pub(crate) mean_us: f64,
    /// Its split, in the order of [`OWNERS`]; what the breakdown does not explain is in the last.
    pub(crate) owners_us: [f64; OWNERS.len()],
}

/// A mean and its split.
type Mean<'a> = (f64, &'a BTreeMap<String, f64>);

impl Added {
    fn between(baseline: Mean, other: Mean) -> Self {
        let mean_us = other.0 - baseline.0;
        let from = owners::amounts(baseline.1);
        let mut owners_us = owners::amounts(other.1);
        for (amount, from) in owners_us.iter_mut().zip(from) {
            *amount -= from;
        }
        let explained: f64 = owners_us.iter().sum();
        owners_us[OWNERS.len() - 1] += mean_us - explained;
        Self { mean_us, owners_us }
    }

    /// The part of a group.
    pub(crate) fn group_us(&self, group: Group) -> f64 {
        OWNERS.iter().zip(self.owners_us).filter(|(owner, _)| owner.group == group).map(|(_, us)| us).sum()
    }
}

/// The part of the run that is compared; `None` is all of it.
pub(crate) fn compared(record: &Record) -> Option<&'static str> {
    let steady = |architecture: &Architecture| mean(architecture, Some(STEADY)).is_some();
    let all = record.architectures.values().all(steady);
    (!record.faults.is_empty() && all).then_some(STEADY)
}

/// When what is compared was seen: `while all is well (5 s to 10 s)`; `None` where it is all of the run.
pub(crate) fn when(record: &Record) -> Option<String> {
    let phase = record.architectures.values().next()?.phases.get(compared(record)?)?;
    Some(format!("while all is well ({} to {})", moment(phase.from_us), moment(phase.until_us)))
}

/// What [`over_baseline`] shows, as a heading.
pub(crate) fn title(record: &Record) -> String {
    let name = record.baseline().unwrap_or("the baseline");
    let when = when(record).map_or_else(String::new, |when| format!(" {when}"));
    format!("Mean added over {name}{when}")
}

/// Each architecture but the baseline with what it adds, in the order of the record; `None` where
/// there is nothing to compare.
pub(crate) fn over_baseline(record: &Record) -> Vec<(&str, Option<Added>)> {
    let Some(name) = record.baseline() else { return Vec::new() };
    let phase = compared(record);
    let from = mean(&record.architectures[name], phase);
    let others = record.architectures.iter().filter(|(other, _)| *other != name);
    others
        .map(|(other, architecture)| {
            let added = from.zip(mean(architecture, phase)).map(|(from, to)| Added::between(from, to));
            (other.as_str(), added)
        })
        .collect()
}

/// The mean of a part of the run and its split; `None` without requests that ended, or without split.
pub(crate) fn mean<'a>(architecture: &'a Architecture, phase: Option<&str>) -> Option<Mean<'a>> {
    let (traffic, breakdown_us) = match phase {
        None => (&architecture.total, &architecture.breakdown_us),
        Some(phase) => {
            let phase = architecture.phases.get(phase)?;
            (&phase.total, &phase.breakdown_us)
        }
    };
    let split = phase.is_none() || !breakdown_us.is_empty();
    traffic.latency.mean_us().filter(|_| split).map(|mean_us| (mean_us, breakdown_us))
}
