//! Requests whose accounts were closed while something was still going on for them: what a service asks of others for
//! a caller that has gone is counted all the same, once that has ended. Bounded: the oldest are forgotten first.

use std::collections::{BTreeMap, VecDeque};

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::TraceId;

/// When requests were meant to be sent whose accounts are closed, though not all their spans have come.
pub(super) struct Late {
    intended: BTreeMap<TraceId, Instant>,
    order: VecDeque<TraceId>,
    most: usize,
}

impl Late {
    /// Remembers so many at the `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { intended: BTreeMap::new(), order: VecDeque::new(), most }
    }

    /// The account of `trace` is closed.
    pub(super) fn closed(&mut self, trace: TraceId, intended: Instant) {
        self.intended.insert(trace, intended);
        self.order.push_back(trace);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.intended.remove(&oldest);
        }
    }

    pub(super) fn intended(&self, trace: TraceId) -> Option<Instant> {
        self.intended.get(&trace).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first() {
        let mut late = Late::new(2);
        for trace in 1..=3 {
            late.closed(TraceId(trace), Instant::from_nanos(trace as u64));
        }
        let known: Vec<_> = (1..=3).map(|trace| late.intended(TraceId(trace))).collect();
        assert_eq!(known, [None, Some(Instant::from_nanos(2)), Some(Instant::from_nanos(3))]);
    }
}
