//! What an architecture costs over the baseline: the difference of the mean response times and its
//! split by owner, which adds up to it. Owns no layout.

use hoplab_sim::record::{Architecture, Record};

use crate::owners::{self, Group, OWNERS};

/// The name of the architecture that others are compared with: `direct`, or the first.
pub(crate) fn baseline(record: &Record) -> Option<&str> {
    let first = record.architectures.keys().next()?;
    Some(record.architectures.get_key_value("direct").map_or(first, |(name, _)| name))
}

/// How the mean of one architecture differs from the baseline's.
#[derive(Debug, Clone)]
pub(crate) struct Added {
    /// The difference of the means.
    pub(crate) mean_us: f64,
    /// Its split, in the order of [`OWNERS`]; what the breakdown does not explain is in the last.
    pub(crate) owners_us: [f64; OWNERS.len()],
}

impl Added {
    /// `None` when either has no request that ended.
    pub(crate) fn between(baseline: &Architecture, other: &Architecture) -> Option<Self> {
        let mean_us = other.total.latency.mean_us()? - baseline.total.latency.mean_us()?;
        let from = owners::amounts(&baseline.breakdown_us);
        let mut owners_us = owners::amounts(&other.breakdown_us);
        for (amount, from) in owners_us.iter_mut().zip(from) {
            *amount -= from;
        }
        let explained: f64 = owners_us.iter().sum();
        owners_us[OWNERS.len() - 1] += mean_us - explained;
        Some(Self { mean_us, owners_us })
    }

    /// The part of a group.
    pub(crate) fn group_us(&self, group: Group) -> f64 {
        OWNERS.iter().zip(self.owners_us).filter(|(owner, _)| owner.group == group).map(|(_, us)| us).sum()
    }
}

/// Each architecture but the baseline with what it adds, in the order of the record; `None` where
/// there is nothing to compare.
pub(crate) fn over_baseline(record: &Record) -> Vec<(&str, Option<Added>)> {
    let Some(name) = baseline(record) else { return Vec::new() };
    let from = &record.architectures[name];
    record
        .architectures
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(other, architecture)| (other.as_str(), Added::between(from, architecture)))
        .collect()
}
