//! What each phase of an adoption gained and cost over the one before it. Owns the differences, and no layout.

use hoplab_sim::record::{Architecture, Paired, Record, Resources};

use crate::{added, money};

/// A phase against the one before it.
pub(crate) struct Step<'r> {
    /// The phase.
    pub(crate) name: &'r str,
    /// The one before it.
    pub(crate) before: &'r str,
    /// Request by request.
    pub(crate) paired: &'r Paired,
    /// How much longer the median request takes where all is well, in microseconds; `None` where it cannot be told.
    pub(crate) median_us: Option<i64>,
    /// The same of the 99th percentile of the differences.
    pub(crate) p99_us: Option<i64>,
    /// Cores that are busy besides.
    pub(crate) cores: f64,
    /// Memory of proxies besides, in bytes.
    pub(crate) memory: i64,
    /// What an hour costs besides, at the scenario's prices.
    pub(crate) hour: Option<f64>,
}

/// The steps of a run's adoption, in their order; none where it has no phases.
pub(crate) fn steps(record: &Record) -> Vec<Step<'_>> {
    record.adoption.iter().filter_map(|(name, paired)| step(record, name, paired)).collect()
}

fn step<'r>(record: &'r Record, name: &'r str, paired: &'r Paired) -> Option<Step<'r>> {
    let (now, before) = (record.architectures.get(name)?, record.architectures.get(&paired.baseline)?);
    let part = added::compared(record).and_then(|phase| paired.phases.get(phase)).unwrap_or(&paired.total);
    let all = |seen: &Architecture| seen.resources.values().copied().sum::<Resources>();
    let (taken, earlier) = (all(now), all(before));
    let hour = |seen| record.prices.as_ref().map(|prices| money::spent(record, prices, seen).hour);
    Some(Step {
        name,
        before: &paired.baseline,
        paired,
        median_us: part.percentile_us(0.5),
        p99_us: part.percentile_us(0.99),
        cores: taken.cores_mean - earlier.cores_mean,
        memory: taken.memory.cast_signed() - earlier.memory.cast_signed(),
        hour: hour(now).zip(hour(before)).map(|(now, before)| now - before),
    })
}
