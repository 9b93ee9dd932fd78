//! How far simulations have come. Not here: who shows it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hoplab_proxy::host::Instant;

use crate::scenario::plan::Plan;

/// How far a batch has come, for whoever watches from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    total_us: AtomicU64,
    done_us: AtomicU64,
}

impl Progress {
    /// The progress of a run of `plan` that has not started.
    pub fn new(plan: &Plan) -> Self {
        let progress = Self::default();
        progress.expect(plan, 1);
        progress
    }

    /// So many more runs of `plan` are to come.
    pub fn expect(&self, plan: &Plan, times: u64) {
        let us = plan.duration.as_micros() as u64 * plan.architectures.len() as u64;
        self.total_us.fetch_add(us * times, Ordering::Relaxed);
    }

    /// Simulated time so far, summed over the simulations.
    pub fn done(&self) -> Duration {
        Duration::from_micros(self.done_us.load(Ordering::Relaxed))
    }

    /// Simulated time in all.
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.total_us.load(Ordering::Relaxed))
    }
}

/// How far one simulation has come, as part of a batch.
pub(crate) struct Reached<'a> {
    progress: &'a Progress,
    micros: AtomicU64,
}

impl<'a> Reached<'a> {
    pub(crate) fn nothing(progress: &'a Progress) -> Self {
        Self { progress, micros: AtomicU64::new(0) }
    }

    /// Simulated time has reached `now`.
    pub(crate) fn now(&self, now: Instant) {
        let before = self.micros.fetch_max(now.micros(), Ordering::Relaxed);
        self.progress.done_us.fetch_add(now.micros().saturating_sub(before), Ordering::Relaxed);
    }
}
