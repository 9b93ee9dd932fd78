//! Faults: which are on, and how often each has bitten. Not here: what they do ([`crate::fault`]), and when
//! (`crate::timetable`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::world::{Trouble, World};

/// The faults of a run. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Faults {
    states: Arc<[State]>,
}

#[derive(Default)]
struct State {
    active: AtomicBool,
    hits: AtomicU64,
    /// What the world knows it by, once it is on, when it counts its bites.
    troubles: OnceLock<Vec<Trouble>>,
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
    pub(crate) fn trouble(&self, index: usize, troubles: Vec<Trouble>) {
        // A fault is switched on once.
        let _ = self.states[index].troubles.set(troubles);
    }

    /// How often the `index`th fault has bitten.
    pub(crate) fn hits(&self, index: usize, world: &World) -> u64 {
        let State { hits, troubles, .. } = &self.states[index];
        let counted = troubles.get().into_iter().flatten().map(|trouble| world.hits(*trouble));
        hits.load(Ordering::Relaxed) + counted.sum::<u64>()
    }

    /// Whether the `index`th fault is on.
    pub(crate) fn is_on(&self, index: usize) -> bool {
        self.states[index].active.load(Ordering::Relaxed)
    }
}
