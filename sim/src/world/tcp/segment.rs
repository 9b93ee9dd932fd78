//! A TCP segment with the parts of its header that decide anything. Owns no connection; how it looks as bytes is
//! for whoever writes a capture.

use std::ops::Range;

use bytes::Bytes;
use hoplab_proxy::host::Instant;

/// Headers of IPv4 and TCP, without options.
const HEADERS: usize = 40;
/// The timestamps option (RFC 7323), padded.
pub(in crate::world) const TIMESTAMPS: usize = 12;
/// The options of a SYN: maximum segment size, selective acknowledgement permitted, timestamps, window scale, padded.
const SYN_OPTIONS: usize = 20;
/// The most payload of a segment: Ethernet's 1,500 bytes without headers and timestamps.
pub(in crate::world) const SEGMENT_MAX: usize = 1_500 - HEADERS - TIMESTAMPS;
/// How many ranges fit beside the timestamps (RFC 2018, 3).
pub(super) const RANGES_MAX: usize = 3;

/// A segment. Sequence numbers do not wrap here: a header has their lower 32 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::world) struct Segment {
    pub(in crate::world) sequence: u64,
    pub(in crate::world) acknowledgement: u64,
    pub(in crate::world) flags: Flags,
    /// In bytes, as both ends scale it.
    pub(in crate::world) window: u32,
    pub(in crate::world) payload: Bytes,
    /// When it was sent, by the sender's clock, and the same of what it answers (RFC 7323, 3).
    pub(in crate::world) timestamps: Timestamps,
    /// Which ranges the sender has beyond what it acknowledges, the most recent first (RFC 2018); a range that is
    /// acknowledged came twice (RFC 2883).
    pub(in crate::world) ranges: Option<Box<[Range<u64>]>>,
    /// Whether its bytes were sent before. No header tells; whoever counts needs it.
    pub(in crate::world) is_repeated: bool,
}

/// The timestamps option of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::world) struct Timestamps {
    pub(in crate::world) value: Instant,
    pub(in crate::world) echo: Option<Instant>,
}

impl Timestamps {
    /// Whether one time is before another by the clock of the timestamps, whose tick is a millisecond (Linux's
    /// `TCP_TS_HZ`).
    pub(super) fn is_before(a: Instant, b: Instant) -> bool {
        tick(a) < tick(b)
    }

    /// Whether it is older than `recent` by more than what two processors may be apart (Linux's `TCP_PAWS_WINDOW`).
    pub(super) fn is_outdated(&self, recent: Instant) -> bool {
        tick(self.value) + 1 < tick(recent)
    }
}

fn tick(at: Instant) -> u128 {
    at.saturating_since(Instant::START).as_millis()
}

/// What a reset does to the end that it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Broken {
    /// It answers a SYN: there is no connection.
    Refused,
    /// There is no connection any more.
    Reset,
}

/// The flags as a TCP header has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world) struct Flags(u8);

impl Flags {
    pub(in crate::world) const FIN: Self = Self(1);
    pub(in crate::world) const SYN: Self = Self(2);
    pub(in crate::world) const RST: Self = Self(4);
    pub(in crate::world) const PSH: Self = Self(8);
    pub(in crate::world) const ACK: Self = Self(16);

    /// Both.
    pub(in crate::world) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `others` are set.
    pub(in crate::world) const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// The byte of the header.
    pub(in crate::world) const fn bits(self) -> u8 {
        self.0
    }
}

impl Segment {
    /// Its bytes on the wire.
    pub(in crate::world) fn size(&self) -> u32 {
        let options = if self.flags.has(Flags::SYN) {
            SYN_OPTIONS
        } else if self.is_reset() {
            0
        } else {
            // Two bytes of padding, kind and length, and two numbers a range.
            TIMESTAMPS + self.ranges.as_ref().map_or(0, |ranges| 4 + 8 * ranges.len())
        };
        (HEADERS + options + self.payload.len()) as u32
    }

    /// What it tells that came twice: a range that is acknowledged, or is within the one behind it (RFC 2883, 4).
    pub(super) fn twice(&self) -> Option<&Range<u64>> {
        let (first, rest) = self.ranges.as_ref()?.split_first()?;
        let is_within = |has: &Range<u64>| has.start <= first.start && first.end <= has.end;
        (first.end <= self.acknowledgement || rest.first().is_some_and(is_within)).then_some(first)
    }

    /// The ranges in the order of their sequence numbers.
    pub(super) fn ranges_in_order(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let mut ranges = self.ranges.clone().unwrap_or_default();
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.into_iter()
    }

    /// Whether it opens a connection.
    pub(in crate::world) fn opens(&self) -> bool {
        self.flags == Flags::SYN
    }

    pub(in crate::world) fn is_reset(&self) -> bool {
        self.flags.has(Flags::RST)
    }

    /// Whether it is an acknowledgement and nothing else that is new: neither bytes nor ranges.
    pub(in crate::world) fn is_bare(&self) -> bool {
        self.flags == Flags::ACK && self.payload.is_empty() && self.ranges.is_none()
    }

    /// How many sequence numbers it takes.
    pub(in crate::world) fn length(&self) -> u64 {
        let counted = u64::from(self.flags.has(Flags::SYN)) + u64::from(self.flags.has(Flags::FIN));
        self.payload.len() as u64 + counted
    }

    /// A reset with this sequence number, which nothing asked for.
    pub(in crate::world) fn torn(sequence: u64) -> Self {
        Self {
            sequence,
            acknowledgement: 0,
            flags: Flags::RST,
            window: 0,
            payload: Bytes::new(),
            timestamps: Timestamps::default(),
            ranges: None,
            is_repeated: false,
        }
    }

    /// What answers a segment to which no connection belongs (RFC 9293, 3.10.7.1).
    pub(in crate::world) fn refusal(&self) -> Self {
        if self.flags.has(Flags::ACK) {
            return Self::torn(self.acknowledgement);
        }
        let acknowledgement = self.sequence + self.length();
        Self { acknowledgement, flags: Flags::RST.and(Flags::ACK), ..Self::torn(0) }
    }
}
