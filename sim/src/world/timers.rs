//! When the ends of connections want to be called. Most timers are put off before they run out, so an end has one
//! entry, at its earliest, and what is stale is noticed when it comes first. Owns no clock and no end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

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
}

impl Timers {
    /// Something was done to an end: it may want to be called earlier than before.
    pub(super) fn arm(&mut self, flow: FlowId, endpoint: &mut Endpoint) {
        let Some(at_us) = endpoint.deadline().map(ceil) else { return };
        if endpoint.armed_us.is_none_or(|armed| at_us < armed) {
            endpoint.armed_us = Some(at_us);
            self.made += 1;
            self.entries.push(Reverse((at_us, self.made, flow)));
        }
    }

    /// When the next one runs out, if that is before `before_us`; those that come first and mean nothing any more are
    /// dropped.
    pub(super) fn next_before(&mut self, before_us: u64, connections: &mut Connections) -> Option<u64> {
        while let Some(mut entry) = self.entries.peek_mut()
            && entry.0.0 < before_us
        {
            let Reverse((at_us, _, flow)) = *entry;
            let endpoint = connections.find(flow).filter(|endpoint| endpoint.armed_us == Some(at_us));
            let Some(endpoint) = endpoint else {
                PeekMut::pop(entry);
                continue;
            };
            match endpoint.deadline().map(ceil) {
                Some(deadline_us) if deadline_us == at_us => return Some(at_us),
                // Put off: its place in the heap is another.
                Some(deadline_us) => {
                    endpoint.armed_us = Some(deadline_us);
                    self.made += 1;
                    *entry = Reverse((deadline_us, self.made, flow));
                }
                None => {
                    endpoint.armed_us = None;
                    PeekMut::pop(entry);
                }
            }
        }
        None
    }

    /// Takes the one that [`Timers::next_before`] told of.
    pub(super) fn take(&mut self) -> Option<FlowId> {
        self.entries.pop().map(|Reverse((_, _, flow))| flow)
    }
}

fn ceil(at: Instant) -> u64 {
    at.nanos().div_ceil(1_000)
}
