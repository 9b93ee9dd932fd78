//! What was sent and has not been acknowledged, segment by segment, and what is known of each (RFC 6675, RFC 2018).
//!
//! Owns the copies that are sent again, and the counts. Whether a segment is lost is decided elsewhere
//! ([`super::rack`]); what then follows, too ([`super::sender`]).

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use hoplab_proxy::host::Instant;

use super::delivery_rate::Stamp;
use super::segment::SEGMENT_MAX;

/// A segment that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) sequence: u64,
    pub(super) payload: Bytes,
    pub(super) fin: bool,
    /// When it was sent last.
    pub(super) at: Instant,
    pub(super) fate: Fate,
    /// Whether it was sent more than once.
    pub(super) is_repeated: bool,
    /// Whether time may tell that it is lost, which it does once (Linux's `tcp_tsorted_anchor`).
    pub(super) is_watched: bool,
    /// What had been delivered when it was sent last.
    pub(super) stamp: Stamp,
}

/// What is known of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is on its way, or lost and nobody knows.
    Flying,
    /// It is lost and has to be sent again.
    Lost,
    /// It is with the peer, who waits for what is before it.
    Arrived,
}

/// A segment that arrived, as far as it tells when others should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) at: Instant,
    pub(super) end: u64,
    pub(super) is_repeated: bool,
    pub(super) stamp: Stamp,
}

/// What an acknowledgement told that was new.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Segments that have arrived.
    pub(super) delivered: u32,
    /// When the first and the last of them were sent that were acknowledged in order and sent once.
    pub(super) in_order: Option<(Instant, Instant)>,
    /// When the first and the last of them were sent that were told of as ranges and sent once.
    pub(super) beyond: Option<(Instant, Instant)>,
    /// Whether something that is acknowledged in order had been sent again.
    pub(super) any_repeated: bool,
    /// Where the last range ended that was known before.
    highest: u64,
    /// By how many segments the one was overtaken that was sent once, arrived and was overtaken by the most.
    pub(super) reordering: u32,
    /// When the one was sent that was sent last.
    pub(super) latest: Option<Instant>,
    /// Bytes that are acknowledged in order.
    pub(super) bytes: u64,
}

/// The segments, in the order of their sequence numbers.
#[derive(Debug, Default)]
pub(super) struct Scoreboard {
    segments: VecDeque<Sent>,
    bytes: usize,
    lost: u32,
    arrived: u32,
    /// The end of the last range that was told of.
    highest: u64,
}

impl Sent {
    pub(super) fn end(&self) -> u64 {
        self.sequence + self.payload.len() as u64 + u64::from(self.fin)
    }

    fn delivered(&self) -> Delivered {
        Delivered { at: self.at, end: self.end(), is_repeated: self.is_repeated, stamp: self.stamp }
    }
}

impl News {
    fn arrived(&mut self, sent: &Sent) {
        self.delivered += 1;
        self.latest = self.latest.max(Some(sent.at));
        if !sent.is_repeated {
            let ahead = self.highest.saturating_sub(sent.sequence);
            self.reordering = self.reordering.max(ahead.div_ceil(SEGMENT_MAX as u64) as u32);
        }
    }
}

impl Scoreboard {
    /// A new segment is sent.
    pub(super) fn push(&mut self, sent: Sent) {
        self.bytes += sent.payload.len();
        self.segments.push_back(sent);
    }

    /// Segments that have not been acknowledged in order.
    pub(super) fn len(&self) -> u32 {
        self.segments.len() as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Bytes of theirs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Segments that are thought to be on their way: RFC 6675's *pipe*.
    pub(super) fn in_flight(&self) -> u32 {
        self.len() - self.lost - self.arrived
    }

    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    pub(super) fn arrived(&self) -> u32 {
        self.arrived
    }

    /// The first one, which everything behind it waits for.
    pub(super) fn first(&self) -> Option<&Sent> {
        self.segments.front()
    }

    /// Begins to take what an acknowledgement tells.
    pub(super) fn news(&self) -> News {
        News { highest: if self.arrived > 0 { self.highest } else { 0 }, ..News::default() }
    }

    /// Everything before `sequence` has arrived; `told` hears of each segment that is news.
    pub(super) fn acknowledge(&mut self, sequence: u64, news: &mut News, mut told: impl FnMut(Delivered)) {
        while let Some(sent) = self.segments.pop_front_if(|first| first.end() <= sequence) {
            self.bytes -= sent.payload.len();
            news.bytes += sent.payload.len() as u64;
            news.any_repeated |= sent.is_repeated;
            match sent.fate {
                Fate::Arrived => {
                    self.arrived -= 1;
                    continue;
                }
                Fate::Lost => self.lost -= 1,
                Fate::Flying => {}
            }
            news.arrived(&sent);
            told(sent.delivered());
            if !sent.is_repeated {
                news.in_order = Some(with(news.in_order, sent.at));
            }
        }
        // The peer took a part of it, as nobody does whose window was kept.
        debug_assert!(self.segments.front().is_none_or(|first| first.sequence >= sequence));
    }

    /// A range has arrived; `told` hears of each segment that is news.
    pub(super) fn arrive(&mut self, range: &Range<u64>, news: &mut News, mut told: impl FnMut(Delivered)) {
        let from = self.segments.partition_point(|sent| sent.sequence < range.start);
        for sent in self.segments.range_mut(from..) {
            if sent.end() > range.end {
                break;
            }
            match sent.fate {
                Fate::Arrived => continue,
                Fate::Lost => self.lost -= 1,
                Fate::Flying => {}
            }
            if !sent.is_repeated {
                news.beyond = Some(with(news.beyond, sent.at));
            }
            sent.fate = Fate::Arrived;
            self.arrived += 1;
            news.arrived(sent);
            told(sent.delivered());
        }
        self.highest = self.highest.max(range.end);
    }

    /// Those that `is_lost` says so of, among those that are on their way, are lost; how many.
    pub(super) fn lose(&mut self, mut is_lost: impl FnMut(&mut Sent) -> bool) -> u32 {
        let mut count = 0;
        for sent in &mut self.segments {
            if sent.fate == Fate::Flying && is_lost(sent) {
                sent.fate = Fate::Lost;
                count += 1;
            }
        }
        self.lost += count;
        count
    }

    /// How many that were sent again are thought to be on their way.
    pub(super) fn repeats(&self) -> u32 {
        let is_repeat = |sent: &&Sent| sent.fate == Fate::Flying && sent.is_repeated && sent.is_watched;
        self.segments.iter().filter(is_repeat).count() as u32
    }

    /// Nothing is thought lost any more.
    pub(super) fn find_all(&mut self) {
        for sent in self.segments.iter_mut().filter(|sent| sent.fate == Fate::Lost) {
            sent.fate = Fate::Flying;
        }
        self.lost = 0;
    }

    /// The first that is lost is sent again.
    pub(super) fn repeat_first_lost(&mut self, now: Instant, stamp: Stamp) -> Option<Sent> {
        if self.lost == 0 {
            return None;
        }
        let sent = self.segments.iter_mut().find(|sent| sent.fate == Fate::Lost)?;
        self.lost -= 1;
        Some(sent.repeat(now, stamp))
    }

    /// The last one that has not arrived is sent again.
    pub(super) fn repeat_last(&mut self, now: Instant, stamp: Stamp) -> Option<Sent> {
        let sent = self.segments.iter_mut().rev().find(|sent| sent.fate != Fate::Arrived)?;
        self.lost -= u32::from(sent.fate == Fate::Lost);
        Some(sent.repeat(now, stamp))
    }
}

/// The first and the last of some and another.
fn with(ends: Option<(Instant, Instant)>, at: Instant) -> (Instant, Instant) {
    ends.map_or((at, at), |(first, last)| (first.min(at), last.max(at)))
}

impl Sent {
    fn repeat(&mut self, now: Instant, stamp: Stamp) -> Self {
        (self.fate, self.at, self.stamp) = (Fate::Flying, now, stamp);
        (self.is_repeated, self.is_watched) = (true, true);
        self.clone()
    }
}
