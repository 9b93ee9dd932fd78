//! What policies decided: every event up to a limit, and exact counts by pod, upstream, endpoint and
//! decision, over the run after its warm-up, within it, and by part of the run. The counts grow with the topology, not
//! with the length of the run. Not here: which parts an instant lies in ([`crate::scenario::phases`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use hoplab_proxy::telemetry::{Decision, PolicyEvent};

use crate::record;

/// Pod, upstream, endpoint, decision.
type Key = (Arc<str>, Arc<str>, Option<Arc<str>>, Decision);

/// The decisions of one run.
pub(super) struct Decisions {
    events_max: usize,
    events: Vec<record::PolicyEvent>,
    left_out: u64,
    cut_us: Option<u64>,
    all: BTreeMap<Key, u64>,
    in_warmup: BTreeMap<Key, u64>,
    parts: Vec<BTreeMap<Key, u64>>,
}

impl Decisions {
    /// Nothing decided yet, in a run of so many `parts`; keeps the first `events_max` events.
    pub(super) fn new(parts: usize, events_max: usize) -> Self {
        Self {
            events_max,
            events: Vec::new(),
            left_out: 0,
            cut_us: None,
            all: BTreeMap::new(),
            in_warmup: BTreeMap::new(),
            parts: vec![BTreeMap::new(); parts],
        }
    }

    /// Takes note of an event in `pod`, which lies in `parts` and counts for the whole if `is_warm`.
    pub(super) fn decided(
        &mut self,
        pod: &Arc<str>,
        event: &PolicyEvent,
        is_warm: bool,
        parts: impl Iterator<Item = usize>,
    ) {
        let key = || {
            let (pod, upstream, endpoint) = (pod.clone(), event.upstream.clone(), event.endpoint.clone());
            (pod, upstream, endpoint, event.decision)
        };
        let counts = if is_warm { &mut self.all } else { &mut self.in_warmup };
        *counts.entry(key()).or_default() += 1;
        for part in parts {
            *self.parts[part].entry(key()).or_default() += 1;
        }
        if self.events.len() == self.events_max {
            self.left_out += 1;
            self.cut_us.get_or_insert(event.at.micros());
            return;
        }
        self.events.push(recorded(pod, event));
    }

    /// The counts of the `part`th part.
    pub(super) fn part(&self, part: usize) -> Vec<record::Decided> {
        counts(&self.parts[part])
    }

    /// The counts of what was decided before the end of the warm-up.
    pub(super) fn in_warmup(&self) -> Vec<record::Decided> {
        counts(&self.in_warmup)
    }

    /// When the first decision was taken that was not kept.
    pub(super) fn cut_us(&self) -> Option<u64> {
        self.cut_us
    }

    /// The counts of the whole after the warm-up.
    pub(super) fn all(&self) -> Vec<record::Decided> {
        counts(&self.all)
    }

    /// The events that were kept, and how many were not.
    pub(super) fn into_events(self) -> (Vec<record::PolicyEvent>, u64) {
        (self.events, self.left_out)
    }
}

/// An event in `pod` as a record has it.
pub(super) fn recorded(pod: &str, event: &PolicyEvent) -> record::PolicyEvent {
    record::PolicyEvent {
        at_us: event.at.micros(),
        pod: pod.to_owned(),
        upstream: event.upstream.to_string(),
        endpoint: event.endpoint.as_deref().map(str::to_owned),
        decision: event.decision.name().to_owned(),
    }
}

fn counts(counts: &BTreeMap<Key, u64>) -> Vec<record::Decided> {
    let decided = |((pod, upstream, endpoint, decision), count): (&Key, &u64)| record::Decided {
        pod: pod.to_string(),
        upstream: upstream.to_string(),
        endpoint: endpoint.as_deref().map(str::to_owned),
        decision: decision.name().to_owned(),
        count: *count,
    };
    counts.iter().map(decided).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hoplab_proxy::host::Instant;

    fn event(at: u64, decision: Decision) -> PolicyEvent {
        PolicyEvent { at: Instant::from_nanos(at), upstream: "payment".into(), endpoint: None, decision }
    }

    #[test]
    fn counts_stay_exact_when_events_are_left_out() {
        let mut decisions = Decisions::new(2, 3);
        let pod: Arc<str> = "checkout-0".into();
        for at in 0..10 {
            let part = usize::from(at >= 6);
            decisions.decided(&pod, &event(at, Decision::Retried), at >= 2, std::iter::once(part));
        }
        decisions.decided(&pod, &event(10, Decision::Ejected), true, std::iter::empty());
        assert_eq!(record::decided(&decisions.all(), "retried", None), 8);
        assert_eq!(record::decided(&decisions.all(), "ejected", Some("payment")), 1);
        assert_eq!(record::decided(&decisions.all(), "ejected", Some("cart")), 0);
        assert_eq!(record::decided(&decisions.part(0), "retried", None), 6);
        assert_eq!(record::decided(&decisions.part(1), "retried", Some("payment")), 4);
        assert_eq!(record::decided(&decisions.in_warmup(), "retried", None), 2);
        assert_eq!(decisions.cut_us(), Some(0));
        let (events, left_out) = decisions.into_events();
        assert_eq!((events.len(), left_out), (3, 8));
        assert_eq!(events[0].decision, "retried");
    }
}
