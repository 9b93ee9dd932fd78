//! How breakers changed their state: every change up to a limit, an exact count by pod, upstream, endpoint and state
//! over the whole run, and the last change of each breaker. Counts and last changes grow with the topology, not with
//! the length of the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use hoplab_proxy::telemetry::BreakerMoved;

use crate::record::{BreakerChange, Changed};

/// Pod, upstream, endpoint.
type Guard = (Arc<str>, Arc<str>, Option<Arc<str>>);

/// The changes of one run.
pub(super) struct Breakers {
    events_max: usize,
    events: Vec<BreakerChange>,
    left_out: u64,
    cut_us: Option<u64>,
    counts: BTreeMap<(Guard, &'static str), u64>,
    last: BTreeMap<Guard, BreakerChange>,
}

impl Breakers {
    /// Nothing changed yet; keeps the first `events_max` changes.
    pub(super) fn new(events_max: usize) -> Self {
        let (events, counts, last) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { events_max, events, left_out: 0, cut_us: None, counts, last }
    }

    /// Takes note of a change in `pod`.
    pub(super) fn moved(&mut self, pod: &Arc<str>, moved: &BreakerMoved) {
        let guard = (pod.clone(), moved.upstream.clone(), moved.endpoint.clone());
        *self.counts.entry((guard.clone(), moved.state.name())).or_default() += 1;
        let change = recorded(pod, moved);
        if self.events.len() < self.events_max {
            self.events.push(change.clone());
        } else {
            self.left_out += 1;
            self.cut_us.get_or_insert(change.at_us);
        }
        self.last.insert(guard, change);
    }

    /// The last change of each breaker that ever changed.
    pub(super) fn last(&self) -> impl Iterator<Item = &BreakerChange> {
        self.last.values()
    }

    /// All of them, counted.
    pub(super) fn counts(&self) -> Vec<Changed> {
        let changed = |(((pod, upstream, endpoint), state), count): (&(Guard, &'static str), &u64)| Changed {
            pod: pod.to_string(),
            upstream: upstream.to_string(),
            endpoint: endpoint.as_deref().map(str::to_owned),
            state: (*state).to_owned(),
            count: *count,
        };
        self.counts.iter().map(changed).collect()
    }

    /// When the first change was that was not kept.
    pub(super) fn cut_us(&self) -> Option<u64> {
        self.cut_us
    }

    /// The changes that were kept, and how many were not.
    pub(super) fn into_events(self) -> (Vec<BreakerChange>, u64) {
        (self.events, self.left_out)
    }
}

/// A change in `pod` as a record has it.
pub(super) fn recorded(pod: &str, moved: &BreakerMoved) -> BreakerChange {
    BreakerChange {
        at_us: moved.at.micros(),
        pod: pod.to_owned(),
        upstream: moved.upstream.to_string(),
        endpoint: moved.endpoint.as_deref().map(str::to_owned),
        state: moved.state.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hoplab_proxy::host::Instant;
    use hoplab_proxy::telemetry::BreakerState;

    #[test]
    fn counts_and_last_changes_stay_exact_when_changes_are_left_out() {
        let mut breakers = Breakers::new(3);
        let pod: Arc<str> = "checkout-0".into();
        let states = [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed];
        for at in 0..10_u64 {
            let state = states[at as usize % 3];
            let at = Instant::from_nanos(at * 1_000);
            breakers.moved(&pod, &BreakerMoved { at, upstream: "payment".into(), endpoint: None, state });
        }
        let counts: Vec<_> = breakers.counts().into_iter().map(|of| (of.state, of.count)).collect();
        assert_eq!(counts, [("closed".into(), 3), ("half-open".into(), 3), ("open".into(), 4)]);
        let last: Vec<_> = breakers.last().map(|change| (change.at_us, change.state.clone())).collect();
        assert_eq!((last, breakers.cut_us()), (vec![(9, "open".to_owned())], Some(3)));
        let (events, left_out) = breakers.into_events();
        assert_eq!((events.len(), left_out), (3, 7));
    }
}
