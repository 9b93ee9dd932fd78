//! What one request gathers while it is being answered, and becomes a [`Span`] at the end.
//!
//! The time of a request always has an owner: whoever begins to wait calls [`Exchange::enter`], and
//! the next mark gives the time to that owner, also when the wait is broken off half-way because the
//! future was dropped. Owns no clock.

use crate::host::{Instant, Worked};
use crate::telemetry::{
    Attempt, Fault, Outcome, Owner, Role, Span, SpanId, SpanIds, Timeline, TraceContext, TraceId,
};

/// A request at one hop, while it is being answered.
#[derive(Debug)]
pub struct Exchange {
    /// The request, as W3C trace context names it.
    pub trace: TraceId,
    /// The attempt of the caller; `None` at the root.
    pub parent: Option<SpanId>,
    /// Who owned the time so far.
    pub timeline: Timeline,
    /// The requests sent on behalf of this one.
    pub attempts: Vec<Attempt>,
    /// When to give up, whatever the policies say.
    pub deadline: Option<Instant>,
    owner: Owner,
}

impl Exchange {
    /// An exchange that starts at `now`. Time belongs to [`Owner::Queue`] until someone enters.
    pub fn start(trace: TraceId, parent: Option<SpanId>, now: Instant) -> Self {
        let timeline = Timeline::start(now);
        Self { trace, parent, timeline, attempts: Vec::new(), deadline: None, owner: Owner::Queue }
    }

    /// An exchange for a request that came with `context`; without one, it is the root of a new trace.
    pub fn of(context: Option<TraceContext>, ids: &SpanIds, now: Instant) -> Self {
        match context {
            Some(context) => Self::start(context.trace, Some(context.parent), now),
            None => Self::start(ids.trace(), None, now),
        }
    }

    /// From the last mark on, time belongs to `owner`.
    pub fn enter(&mut self, owner: Owner) {
        self.owner = owner;
    }

    /// Gives the time since the last mark to whoever entered last.
    pub fn mark(&mut self, now: Instant) {
        self.timeline.mark(self.owner, now);
    }

    /// Gives the time since the last mark to the phases of `worked`, which ended at `now`.
    pub fn worked(&mut self, worked: Worked, now: Instant) {
        self.timeline.worked(worked, now);
    }

    /// Notes that an attempt begins. Until it is told otherwise, the attempt counts as cancelled.
    pub(crate) fn begin_attempt(&mut self, id: SpanId, upstream: &std::sync::Arc<str>, now: Instant) {
        let outcome = Outcome::Failed(Fault::Cancelled);
        self.attempts.push(Attempt { id, upstream: upstream.clone(), start: now, end: now, outcome });
    }

    /// Notes how the last attempt ended.
    pub(crate) fn end_attempt(&mut self, outcome: Outcome, now: Instant) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.end = now;
            attempt.outcome = outcome;
        }
    }

    /// The id of the attempt that is being answered, if any.
    pub fn attempt(&self) -> Option<SpanId> {
        self.attempts.last().map(|attempt| attempt.id)
    }

    /// The exchange as a whole, ended at `now`. What was still going on is closed.
    pub fn into_span(mut self, role: Role, outcome: Outcome, now: Instant) -> Span {
        self.mark(now);
        let cancelled = Outcome::Failed(Fault::Cancelled);
        if let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.outcome == cancelled) {
            attempt.end = now;
        }
        Span {
            trace: self.trace,
            parent: self.parent,
            role,
            start: self.timeline.started(),
            end: self.timeline.last(),
            segments: self.timeline.into_segments(),
            attempts: self.attempts,
            outcome,
        }
    }
}
