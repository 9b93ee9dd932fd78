//! The journal: a running hash over the ordered log of everything observable. Two runs with the
//! same digest did the same things at the same times.
//!
//! What is logged: packet departures (time, flow, length, flags), spans (time, hop, outcome),
//! breakers' moves, policies' decisions, faults. Lengths and times, not bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{BreakerMoved, Outcome, PolicyEvent, Span};
use xxhash_rust::xxh3::Xxh3;

/// The log's running hash (xxh3, 128 bits). Cloning gives another handle.
#[derive(Clone, Default)]
pub struct Journal {
    hash: Arc<Mutex<Xxh3>>,
}

/// A packet that leaves a pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departure {
    pub(crate) at: Instant,
    /// Sender and receiver, by index of their pods.
    pub(crate) pods: (usize, usize),
    pub(crate) ports: (u16, u16),
    pub(crate) length: usize,
    /// SYN, ACK, FIN and RST as bits 0 to 3.
    pub(crate) flags: u8,
}

impl Journal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// The hash of everything logged so far, as 32 hexadecimal digits.
    pub fn digest(&self) -> String {
        format!("{:032x}", self.hash().digest128())
    }

    /// One digest for several, each with a name.
    pub fn digest_of<'a>(digests: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let journal = Self::new();
        for (name, digest) in digests {
            journal.hash().update(name.as_bytes());
            journal.hash().update(digest.as_bytes());
        }
        journal.digest()
    }

    pub(crate) fn packet(&self, packet: Departure) {
        let mut entry = [0; 32];
        entry[0] = 1;
        entry[1] = packet.flags;
        entry[2..4].copy_from_slice(&packet.ports.0.to_le_bytes());
        entry[4..6].copy_from_slice(&packet.ports.1.to_le_bytes());
        entry[8..16].copy_from_slice(&packet.at.nanos().to_le_bytes());
        entry[16..20].copy_from_slice(&(packet.pods.0 as u32).to_le_bytes());
        entry[20..24].copy_from_slice(&(packet.pods.1 as u32).to_le_bytes());
        entry[24..32].copy_from_slice(&(packet.length as u64).to_le_bytes());
        self.hash().update(&entry);
    }

    pub(crate) fn span(&self, span: &Span) {
        let (kind, status) = match span.outcome {
            Outcome::Answered(status) => (0, status),
            Outcome::Failed(fault) => (1, fault as u16),
        };
        let mut entry = [0; 40];
        entry[0] = 2;
        entry[1] = span.role as u8;
        entry[2] = kind;
        entry[4..6].copy_from_slice(&status.to_le_bytes());
        entry[6..8].copy_from_slice(&(span.attempts.len() as u16).to_le_bytes());
        entry[8..24].copy_from_slice(&span.trace.0.to_le_bytes());
        entry[24..32].copy_from_slice(&span.start.nanos().to_le_bytes());
        entry[32..40].copy_from_slice(&span.end.nanos().to_le_bytes());
        self.hash().update(&entry);
    }

    pub(crate) fn breaker(&self, pod: &str, moved: &BreakerMoved) {
        let mut hash = self.hash();
        hash.update(&[3, moved.state as u8]);
        hash.update(&moved.at.nanos().to_le_bytes());
        hash.update(pod.as_bytes());
        hash.update(moved.upstream.as_bytes());
    }

    pub(crate) fn policy(&self, pod: &str, event: &PolicyEvent) {
        let mut hash = self.hash();
        hash.update(&[5, event.decision as u8]);
        hash.update(&event.at.nanos().to_le_bytes());
        hash.update(pod.as_bytes());
        hash.update(event.upstream.as_bytes());
        hash.update(event.endpoint.as_deref().unwrap_or_default().as_bytes());
    }

    pub(crate) fn fault(&self, at: Instant, name: &str, active: bool) {
        let mut hash = self.hash();
        hash.update(&[4, u8::from(active)]);
        hash.update(&at.nanos().to_le_bytes());
        hash.update(name.as_bytes());
    }

    fn hash(&self) -> MutexGuard<'_, Xxh3> {
        self.hash.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
