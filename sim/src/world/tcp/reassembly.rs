//! What has arrived of a flow: in order, for the reader, and beyond a gap, to wait (RFC 9293, 3.10.7.4; RFC 2018).
//! Owns the bytes; says nothing to the peer ([`super::receiver`]).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::{Buf, Bytes};

use super::segment::RANGES_MAX;

/// Bytes that have arrived.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// The sequence number of what comes next in order.
    next: u64,
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
    /// What is beyond a gap, by its sequence number.
    beyond: BTreeMap<u64, Bytes>,
    beyond_bytes: usize,
    /// The ranges that it makes, the one that changed last first.
    ranges: Vec<Range<u64>>,
    /// Where the flow ends, once that is known.
    end: Option<u64>,
}

/// What a segment brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Brought {
    /// Bytes or the end, in order; whether it filled a gap.
    Next { filled: bool },
    /// Something beyond a gap.
    Beyond,
    /// Nothing that was not here: this range.
    Again(Range<u64>),
}

impl Reassembly {
    pub(super) fn starting_at(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.ready_bytes + self.beyond_bytes
    }

    /// Bytes that wait for the reader.
    pub(super) fn ready(&self) -> usize {
        self.ready_bytes
    }

    /// Whether the end has come, after everything before it.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some_and(|end| self.next > end)
    }

    /// Whether something waits for what is before it.
    pub(super) fn has_gap(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// The ranges beyond the gap, the one that changed last first.
    pub(super) fn ranges(&self) -> &[Range<u64>] {
        &self.ranges[..self.ranges.len().min(RANGES_MAX)]
    }

    /// Takes what a segment brings: bytes from `sequence` on, and the end when it is the last.
    pub(super) fn take(&mut self, sequence: u64, mut payload: Bytes, is_last: bool) -> Brought {
        let range = sequence..sequence + payload.len() as u64 + u64::from(is_last);
        if range.end <= self.next
            || self.ranges.iter().any(|has| has.start <= range.start && range.end <= has.end)
        {
            return Brought::Again(range);
        }
        if is_last {
            self.end = Some(range.end - 1);
        }
        if range.start > self.next {
            self.beyond_bytes += payload.len();
            // Segments are sent again as they were cut: what overlaps is the same.
            self.beyond.insert(sequence, payload);
            self.note(range);
            return Brought::Beyond;
        }
        payload.advance((self.next - sequence) as usize);
        self.append(payload);
        let filled = self.join();
        self.next += u64::from(self.end == Some(self.next));
        self.ranges.retain(|range| range.end > self.next);
        Brought::Next { filled }
    }

    fn append(&mut self, payload: Bytes) {
        self.next += payload.len() as u64;
        self.ready_bytes += payload.len();
        if !payload.is_empty() {
            self.ready.push_back(payload);
        }
    }

    /// What waited and is next now; whether there was any.
    fn join(&mut self) -> bool {
        let mut filled = false;
        while let Some(first) = self.beyond.first_entry().filter(|first| *first.key() <= self.next) {
            let (sequence, mut payload) = first.remove_entry();
            self.beyond_bytes -= payload.len();
            payload.advance((self.next - sequence).min(payload.len() as u64) as usize);
            self.append(payload);
            filled = true;
        }
        filled
    }

    /// A range beyond the gap, joined with those that it touches.
    fn note(&mut self, range: Range<u64>) {
        let mut joined = range;
        self.ranges.retain(|has| {
            let touches = has.start <= joined.end && joined.start <= has.end;
            if touches {
                joined = has.start.min(joined.start)..has.end.max(joined.end);
            }
            !touches
        });
        self.ranges.insert(0, joined);
    }

    /// Gives bytes in order to `put`, which says how many it takes of each piece; how many in all.
    pub(super) fn read(&mut self, mut put: impl FnMut(&[u8]) -> usize) -> usize {
        let mut read = 0;
        while let Some(first) = self.ready.front_mut() {
            let count = put(first);
            if count == 0 {
                break;
            }
            first.advance(count);
            read += count;
            if first.is_empty() {
                self.ready.pop_front();
            }
        }
        self.ready_bytes -= read;
        read
    }

    /// Forgets everything that was not read.
    pub(super) fn discard(&mut self) {
        *self = Self { next: self.next, end: self.end, ..Self::default() };
    }
}
