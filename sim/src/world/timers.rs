//! When the ends of connections want to be called. Most timers are put off before they run out, so an end has one
//! entry, at its earliest, and what is stale is noticed when it comes first. Owns no clock and no end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hoplab_proxy::host::Instant;

use super::connection::Connections;
use super::flow::FlowId;
use super::tcp::Endpoint;

/// The timers of all ends.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Microseconds, the order of their making, and whose they are.
    entries: BinaryHeap<Reverse<(u64, u64, FlowId)>>,
    made: u64,
    /// The first one, once it was found to be no stale one: until something is done to its end, or there is an
    /// earlier one. It is asked for far more often than it changes.
    first: Option<(u64, FlowId)>,
}

impl Timers {
    /// Something was done to an end: it may want to be called earlier than before.
    pub(super) fn arm(&mut self, flow: FlowId, endpoint: &mut Endpoint) {
        self.first.take_if(|(_, first)| *first == flow);
        let Some(at_us) = endpoint.deadline().map(ceil) else { return };
        if endpoint.armed_us.is_none_or(|armed| at_us < armed) {
            endpoint.armed_us = Some(at_us);
            self.made += 1;
            self.first.take_if(|(first_us, _)| at_us < *first_us);
            self.entries.push(Reverse((at_us, self.made, flow)));
        }
    }

    /// When the next one runs out; those that come first and mean nothing any more are dropped.
    pub(super) fn next(&mut self, connections: &mut Connections) -> Option<u64> {
        if let Some((at_us, _)) = self.first {
            return Some(at_us);
        }
        while let Some(&Reverse((at_us, _, flow))) = self.entries.peek() {
            let Some(endpoint) = connections.find(flow).filter(|endpoint| endpoint.armed_us == Some(at_us))
            else {
                self.entries.pop();
                continue;
            };
            if endpoint.deadline().map(ceil) == Some(at_us) {
                self.first = Some((at_us, flow));
                return Some(at_us);
            }
            self.entries.pop();
            endpoint.armed_us = None;
            self.arm(flow, endpoint);
        }
        None
    }

    /// Takes the one that [`Timers::next`] told of.
    pub(super) fn take(&mut self) -> Option<FlowId> {
        self.first = None;
        self.entries.pop().map(|Reverse((_, _, flow))| flow)
    }
}

fn ceil(at: Instant) -> u64 {
    at.nanos().div_ceil(1_000)
}
