//! Faults: which are on, what they do to a service's requests, and how often each has bitten.
//!
//! Faults of the network and slow cores are carried out by the world and crashes by the deployment; here is
//! the part that services ask about.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::call::CallKey;
use crate::scenario::plan::{FaultKind, Plan, Target};
use crate::world::{ImpairmentId, PodId, SlowdownId};

/// The faults of a run. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Faults {
    plan: Arc<Plan>,
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

/// The pod that a request is answered in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Index of the service.
    pub(crate) service: usize,
    /// Which of its pods.
    pub(crate) replica: u32,
}

impl Place {
    /// Whether it is one of those that `target` means.
    pub(crate) fn is_in(self, target: Target) -> bool {
        target.service.0 == self.service && target.replica.is_none_or(|replica| replica == self.replica)
    }
}

impl Faults {
    /// The faults of `plan`, all off.
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let states = plan.faults.iter().map(|_| State::default()).collect();
        Self { plan: Arc::clone(plan), states }
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

    /// The status that the request `key` to `endpoint` at `place` is to fail with, if any.
    pub(crate) fn error(&self, place: Place, endpoint: usize, key: CallKey) -> Option<u16> {
        for (index, kind) in self.active() {
            if let FaultKind::Error(error) = kind
                && error.fails(self.plan.seed, index, place, endpoint, key)
            {
                self.hit(index, 1);
                return Some(error.status);
            }
        }
        None
    }

    fn active(&self) -> impl Iterator<Item = (usize, &FaultKind)> {
        let faults = self.plan.faults.iter().zip(&*self.states).enumerate();
        faults
            .filter(|(_, (_, state))| state.active.load(Ordering::Relaxed))
            .map(|(index, (fault, _))| (index, &fault.kind))
    }
}
