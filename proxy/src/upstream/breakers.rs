//! The breakers of one upstream: one for each endpoint, or one for all of it; none when there is no
//! such policy. Owns their randomness, too.

use rand::rngs::ChaCha8Rng;

use super::settings::{self, Guarded};
use crate::policy::breaker::{self, Breaker};

/// The breakers of one upstream.
pub(super) struct Breakers {
    /// By slot, unless there is one for all.
    guards: Vec<Breaker>,
    config: Option<breaker::Config>,
    per: Guarded,
    /// Jitter of open times; a stream of its own, so that it moves no other draw.
    random: ChaCha8Rng,
}

/// The breaker that stands before an endpoint.
pub(super) struct Guard<'a> {
    pub(super) breaker: &'a mut Breaker,
    /// The endpoint, unless the breaker stands before the whole upstream.
    pub(super) endpoint: Option<usize>,
    pub(super) random: &'a mut ChaCha8Rng,
}

impl Breakers {
    pub(super) fn new(settings: Option<settings::Breakers>, endpoints: usize, random: ChaCha8Rng) -> Self {
        let per = settings.map_or(Guarded::Endpoint, |settings| settings.per);
        let count = match per {
            Guarded::Endpoint => endpoints,
            Guarded::Upstream => 1,
        };
        let guards = settings.map_or_else(Vec::new, |settings| vec![Breaker::new(settings.config); count]);
        let config = settings.map(|settings| settings.config);
        Self { guards, config, per, random }
    }

    /// Somebody joins in `slot`: its breaker is closed.
    pub(super) fn join(&mut self, slot: usize) {
        if let (Some(config), Guarded::Endpoint) = (self.config, self.per) {
            let fresh = || Breaker::new(config);
            self.guards.resize_with(self.guards.len().max(slot + 1), fresh);
            self.guards[slot] = fresh();
        }
    }

    /// Whether there is one for all.
    pub(super) fn guard_the_whole(&self) -> bool {
        self.per == Guarded::Upstream
    }

    /// The breaker of `endpoint`, if it has one.
    pub(super) fn of(&self, endpoint: usize) -> Option<&Breaker> {
        self.guards.get(self.index(endpoint))
    }

    /// As [`Breakers::of`], to change it.
    pub(super) fn guard(&mut self, endpoint: usize) -> Option<Guard<'_>> {
        let index = self.index(endpoint);
        let endpoint = (self.per == Guarded::Endpoint).then_some(endpoint);
        Some(Guard { breaker: self.guards.get_mut(index)?, endpoint, random: &mut self.random })
    }

    fn index(&self, endpoint: usize) -> usize {
        match self.per {
            Guarded::Endpoint => endpoint,
            Guarded::Upstream => 0,
        }
    }
}
