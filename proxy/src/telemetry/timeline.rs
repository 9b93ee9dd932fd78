//! A stopwatch that tiles a span: each mark gives the time since the last one to an owner.
//! Owns no clock: the caller says what time it is.

use std::time::Duration;

use super::{Owner, Segment};
use crate::instant::Instant;

/// The segments of a span while it is being measured.
#[derive(Debug, Clone)]
pub struct Timeline {
    start: Instant,
    last: Instant,
    segments: Vec<Segment>,
}

impl Timeline {
    /// A timeline that starts at `now`.
    pub fn start(now: Instant) -> Self {
        Self { start: now, last: now, segments: Vec::with_capacity(8) }
    }

    /// When the timeline started.
    pub fn started(&self) -> Instant {
        self.start
    }

    /// The end of the last segment.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// Gives the time since the last mark to `owner`. Nothing is noted when no time has passed.
    pub fn mark(&mut self, owner: Owner, now: Instant) {
        debug_assert!(now >= self.last, "a mark lies before the one before it");
        if now <= self.last {
            return;
        }
        self.last = now;
        match self.segments.last_mut() {
            Some(segment) if segment.owner == owner => segment.end = now,
            _ => self.segments.push(Segment { owner, end: now }),
        }
    }

    /// Appends the segments of `other`, which must have started where this one stands.
    pub fn append(&mut self, other: Self) {
        debug_assert_eq!(self.last, other.start, "timelines must meet");
        for segment in other.segments {
            self.mark(segment.owner, segment.end);
        }
    }

    /// Shares in what was measured elsewhere for several: takes over the part of `other` that lies
    /// after the last mark.
    pub fn join(&mut self, other: Self) {
        for segment in other.segments {
            if segment.end > self.last {
                self.mark(segment.owner, segment.end);
            }
        }
    }

    /// Takes over the part of `other` that lies after the last mark and before `until`.
    pub fn join_until(&mut self, other: &Self, until: Instant) {
        for segment in &other.segments {
            let end = segment.end.min(until);
            if end > self.last {
                self.mark(segment.owner, end);
            }
        }
    }

    /// How much of the time since `from` belongs to `owner`, up to the last mark.
    pub fn of(&self, owner: Owner, from: Instant) -> Duration {
        let mut begun = self.start;
        let mut sum = Duration::ZERO;
        for segment in &self.segments {
            if segment.owner == owner {
                sum += segment.end.saturating_since(begun.max(from));
            }
            begun = segment.end;
        }
        sum
    }

    /// The segments; they tile the time from the start to the last mark.
    pub fn into_segments(self) -> Vec<Segment> {
        self.segments
    }
}
