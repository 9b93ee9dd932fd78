//! What became of the packets and connections between two parties, as a record keeps it.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// What became of the connections that one party opened to another, and of the packets on them, whichever of the two
/// sent them. Within the reported part of a run; of several seeds, in all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Packets that left a pod, acknowledgements and repeats included.
    pub packets: u64,
    /// Of these, those that a fault has taken.
    pub lost: u64,
    /// Of these, those that found a queue full.
    pub dropped: u64,
    /// Of these, those whose bytes had been sent before, SYNs included.
    pub retransmitted: u64,
    /// Retransmission timeouts that ran out, those of handshakes included.
    pub timeouts: u64,
    /// Last segments that were followed by a probe, since nothing was heard of them.
    pub tail_probes: u64,
    /// Connections that the one began to open.
    pub connections: u64,
    /// Connections that the other refused.
    pub refused: u64,
    /// Connections that broke by a reset.
    pub resets: u64,
}

impl Network {
    /// Whether anything went otherwise than well.
    pub fn is_troubled(&self) -> bool {
        let Self {
            packets: _,
            lost,
            dropped,
            retransmitted,
            timeouts,
            tail_probes,
            connections: _,
            refused,
            resets,
        } = *self;
        [lost, dropped, retransmitted, timeouts, tail_probes, refused, resets]
            .into_iter()
            .any(|count| count > 0)
    }
}

impl Sum for Network {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, of| Self {
            packets: sum.packets + of.packets,
            lost: sum.lost + of.lost,
            dropped: sum.dropped + of.dropped,
            retransmitted: sum.retransmitted + of.retransmitted,
            timeouts: sum.timeouts + of.timeouts,
            tail_probes: sum.tail_probes + of.tail_probes,
            connections: sum.connections + of.connections,
            refused: sum.refused + of.refused,
            resets: sum.resets + of.resets,
        })
    }
}
