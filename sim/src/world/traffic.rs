//! What became of what pods sent each other: counts for each pair of pods, by which of them opened the connection.
//! Counts within the reported part of a run alone. Owns no packet, no connection and no clock, and does not know whose
//! the pods are.

use std::ops::Range;

use hoplab_proxy::host::Instant;

use super::link::{LinkId, Lost};
use super::tcp::{Broken, Segment, Timeouts};

/// What became of the packets and the connections that one pod opened to another, whichever of them sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crossed {
    /// Packets that left a pod.
    pub packets: u64,
    /// Of these, those that an impairment has taken.
    pub lost: u64,
    /// Of these, those that found a queue full.
    pub dropped: u64,
    /// Of these, those whose bytes were sent before.
    pub repeated: u64,
    /// Retransmission timeouts that ran out, those of handshakes included.
    pub timeouts: u64,
    /// Tails that were probed.
    pub tail_probes: u64,
    /// Connections that the one began to open.
    pub opened: u64,
    /// Connections that the other refused.
    pub refused: u64,
    /// Connections that broke by a reset.
    pub reset: u64,
}

/// The counts of a world.
#[derive(Debug)]
pub(super) struct Traffic {
    counted: Range<Instant>,
    /// By the link from who opened the connection to the other.
    pairs: Vec<Crossed>,
}

impl Traffic {
    /// Counts of what happens within a part of the run.
    pub(super) fn new(counted: Range<Instant>) -> Self {
        Self { counted, pairs: Vec::new() }
    }

    /// A segment has left its pod, and is lost or not.
    pub(super) fn sent(&mut self, link: LinkId, now: Instant, segment: &Segment, lost: Option<Lost>) {
        let Some(pair) = self.pair(link, now) else { return };
        pair.packets += 1;
        pair.repeated += u64::from(segment.is_repeated);
        pair.opened += u64::from(segment.opens() && !segment.is_repeated);
        match lost {
            Some(Lost::Impaired) => pair.lost += 1,
            Some(Lost::Dropped) => pair.dropped += 1,
            None => {}
        }
    }

    /// Timers of an end have run out.
    pub(super) fn ran_out(&mut self, link: LinkId, now: Instant, timeouts: Timeouts) {
        if let Some(pair) = self.pair(link, now) {
            pair.timeouts += timeouts.retransmission;
            pair.tail_probes += timeouts.probe;
        }
    }

    /// A connection broke.
    pub(super) fn broke(&mut self, link: LinkId, now: Instant, broken: Broken) {
        if let Some(pair) = self.pair(link, now) {
            match broken {
                Broken::Refused => pair.refused += 1,
                Broken::Reset => pair.reset += 1,
            }
        }
    }

    /// What is counted of a link.
    pub(super) fn of(&self, link: LinkId) -> Crossed {
        self.pairs.get(link.index()).copied().unwrap_or_default()
    }

    fn pair(&mut self, link: LinkId, now: Instant) -> Option<&mut Crossed> {
        if !self.counted.contains(&now) {
            return None;
        }
        if self.pairs.len() <= link.index() {
            self.pairs.resize(link.index() + 1, Crossed::default());
        }
        self.pairs.get_mut(link.index())
    }
}
