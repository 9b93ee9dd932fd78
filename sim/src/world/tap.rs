//! What a lens sees of the world: packets as they are put on the wire, and the secrets of TLS sessions.
//!
//! What passes within a pod never meets a wire and is not here. Each packet is seen where it leaves, so that those are
//! here that are lost later. Owns copies; changes nothing.

use std::fmt;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use hoplab_proxy::host::Instant;
use indexmap::IndexSet;
use rustls::KeyLog;

use super::connection::End;
use super::link::Lost;
use super::tcp::{Flags, SEGMENT_MAX, Segment, TIMESTAMPS, WINDOW_MAX};
use crate::lens;

/// By how many bits windows are shifted, so that the largest fits into 16 (RFC 7323, 2.3).
const WINDOW_SCALE: u32 = (WINDOW_MAX >> 16).ilog2() + 1;
/// What the clock of the timestamps says when the world begins, so that an echo of 0 means none.
const CLOCK_START: u32 = 1_000_000;

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
    pub(super) fn sent(
        &mut self,
        now: Instant,
        (from, to): (End, End),
        segment: &Segment,
        lost: Option<Lost>,
    ) {
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
            window: window(segment),
            options: options(segment),
            payload: segment.payload.clone(),
            is_repeated: segment.is_repeated,
            loss: lost.map(|lost| match lost {
                Lost::Impaired => lens::Loss::OnTheWire,
                Lost::Dropped => lens::Loss::QueueFull,
            }),
        });
    }

    /// What was kept, and how many packets were not.
    pub(super) fn into_packets(self) -> (Vec<lens::Packet>, u64) {
        (self.packets, self.left_out)
    }
}

/// The header's field. Rounded down, so that it promises no more than there is.
fn window(segment: &Segment) -> u16 {
    let scale = if segment.flags.has(Flags::SYN) { 0 } else { WINDOW_SCALE };
    (segment.window >> scale).min(u32::from(u16::MAX)) as u16
}

/// As many bytes of options as [`Segment::size`] counts.
fn options(segment: &Segment) -> lens::Options {
    let millis = |at: Instant| CLOCK_START.wrapping_add((at.nanos() / 1_000_000) as u32);
    let timestamps = lens::Timestamps {
        value: millis(segment.timestamps.value),
        echo: segment.timestamps.echo.map_or(0, millis),
    };
    if segment.flags.has(Flags::SYN) {
        let segment_size_max = (SEGMENT_MAX + TIMESTAMPS) as u16;
        return lens::Options::Handshake { segment_size_max, window_scale: WINDOW_SCALE as u8, timestamps };
    }
    if segment.is_reset() {
        return lens::Options::None;
    }
    let ranges = segment.ranges.iter().flatten().map(|range| (range.start as u32, range.end as u32));
    lens::Options::Established { timestamps, ranges: ranges.collect() }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows beyond 16 bits fit, and none promises more than there is, nor less by a unit.
    #[test]
    fn windows_are_scaled_and_rounded_down() {
        let told = |bytes: u32| Segment { flags: Flags::ACK, window: bytes, ..Segment::torn(0) };
        for bytes in [0, 1, 127, 128, 65_535, 65_536, 1_000_001, WINDOW_MAX] {
            let meant = u32::from(window(&told(bytes))) << WINDOW_SCALE;
            assert!(meant <= bytes && bytes - meant < 1 << WINDOW_SCALE, "{bytes} is told as {meant}");
        }
        let syn = Segment { flags: Flags::SYN, ..told(65_535) };
        assert_eq!(window(&syn), 65_535);
    }
}
