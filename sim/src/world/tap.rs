//! What a lens sees of the world: packets as they are put on the wire, and the secrets of TLS sessions.
//!
//! What passes within a pod never meets a wire and is not here; what waits behind a lost segment is put on the wire
//! when that has passed. Owns copies; changes nothing.

use std::fmt;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use hoplab_proxy::host::Instant;
use indexmap::IndexSet;
use rustls::KeyLog;

use super::connection::End;
use super::tcp::Segment;
use crate::lens;

/// Keeps the first packets.
#[derive(Debug, Default)]
pub(super) struct Tap {
    most: usize,
    packets: Vec<lens::Packet>,
    left_out: u64,
}

impl Tap {
    /// Keeps so many at the `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// A segment is put on the wire between two ends.
    pub(super) fn sent(&mut self, now: Instant, (from, to): (End, End), segment: &Segment, is_lost: bool) {
        if self.packets.len() == self.most {
            self.left_out += 1;
            return;
        }
        let address = |(pod, port): End| -> (Ipv4Addr, u16) { (pod.address(), port) };
        self.packets.push(lens::Packet {
            at_nanos: now.nanos(),
            source: address(from),
            destination: address(to),
            sequence: segment.sequence as u32,
            acknowledgement: segment.acknowledgement as u32,
            flags: segment.flags.bits(),
            window: segment.window.min(u32::from(u16::MAX)) as u16,
            payload: segment.payload.clone(),
            is_lost,
        });
    }

    /// What was kept, and how many packets were not.
    pub(super) fn into_packets(self) -> (Vec<lens::Packet>, u64) {
        (self.packets, self.left_out)
    }
}

/// The secrets of TLS sessions as lines of a key log. Both ends of a session tell the same; each line is kept once.
#[derive(Default)]
pub(super) struct Keys(Mutex<IndexSet<String>>);

impl Keys {
    /// The lines, in the order in which they came.
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl KeyLog for Keys {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}", hexadecimal(client_random), hexadecimal(secret));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(line);
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
