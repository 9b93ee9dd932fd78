//! Faults: which are on, and how often each has bitten. Not here: what they do ([`crate::fault`]), and when
//! (`crate::timetable`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::world::{ImpairmentId, PodId, SlowdownId};

/// The faults of a run. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Faults {
    states: Arc<[State]>,
}

#[derive(Default)]
struct State {
    active: AtomicBool,
    hits: AtomicU64,
    /// What the world knows it by, when it is one of the network's.
    impairment: OnceLock<ImpairmentId>,
    /// What the world knows it by in each pod, when it slows some.
    slowdowns: OnceLock<Vec<(PodId, SlowdownId)>>,
}

impl Faults {
    /// So many faults, all off.
    pub(crate) fn new(count: usize) -> Self {
        Self { states: (0..count).map(|_| State::default()).collect() }
    }

    /// Switches the `index`th fault.
    pub(crate) fn switch(&self, index: usize, active: bool) {
        self.states[index].active.store(active, Ordering::Relaxed);
    }

    /// Notes that the `index`th fault has bitten `times` times.
    pub(crate) fn hit(&self, index: usize, times: u64) {
        self.states[index].hits.fetch_add(times, Ordering::Relaxed);
    }

    /// Notes what the world knows the `index`th fault by: the world counts its bites.
    pub(crate) fn impairs(&self, index: usize, id: ImpairmentId) {
        // A fault is switched on once.
        let _ = self.states[index].impairment.set(id);
    }

    /// What the world knows the `index`th fault by, once it is on.
    pub(crate) fn impairment(&self, index: usize) -> Option<ImpairmentId> {
        self.states[index].impairment.get().copied()
    }

    /// How often the `index`th fault has bitten, outside the network.
    pub(crate) fn hits(&self, index: usize) -> u64 {
        self.states[index].hits.load(Ordering::Relaxed)
    }

    /// Notes what the world knows the `index`th fault by in each pod: the world counts its bites.
    pub(crate) fn slows(&self, index: usize, slowdowns: Vec<(PodId, SlowdownId)>) {
        // A fault is switched on once.
        let _ = self.states[index].slowdowns.set(slowdowns);
    }

    /// What the world knows the `index`th fault by in each pod, once it is on.
    pub(crate) fn slowdowns(&self, index: usize) -> &[(PodId, SlowdownId)] {
        self.states[index].slowdowns.get().map_or(&[], Vec::as_slice)
    }

    /// Whether the `index`th fault is on.
    pub(crate) fn is_on(&self, index: usize) -> bool {
        self.states[index].active.load(Ordering::Relaxed)
    }
}
