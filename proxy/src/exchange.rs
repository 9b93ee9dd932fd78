//! What one request gathers while it is being answered, and becomes a [`Span`] at the end.
//!
//! The time of a request always has an owner: whoever begins to wait calls [`Exchange::enter`], and
//! the next mark gives the time to that owner, also when the wait is broken off half-way because the
//! future was dropped. Owns no clock.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::instant::Instant;
use crate::interim::Interim;
use crate::telemetry::{
    Attempt, AttemptKind, ConnectionId, Facts, Fault, Outcome, Owner, Role, Span, SpanId, SpanIds, Timeline,
    TraceContext, TraceFlags, TraceId,
};
use crate::upgrade::Upgrade;

/// A request at one hop, while it is being answered.
#[derive(Debug)]
pub struct Exchange {
    /// The request, as W3C trace context names it.
    pub trace: TraceId,
    /// The attempt of the caller; `None` at the root.
    pub parent: Option<SpanId>,
    /// What is passed on of the caller's tracing.
    pub flags: TraceFlags,
    /// Who owned the time so far.
    pub timeline: Timeline,
    /// The requests sent on behalf of this one.
    pub attempts: Vec<Attempt>,
    /// When to give up, whatever the policies say.
    pub deadline: Option<Instant>,
    /// The deadline that the request came with, or that its sender wants to be told on.
    pub told: Option<Instant>,
    /// The client's address, where it is known: limits and hashing may go by it. Behind hops that are trusted, it is
    /// what they tell; else it is that of who connected.
    pub source: Option<IpAddr>,
    /// The number of the connection that the request came over, among those that were accepted where it came: workers
    /// take turns in them.
    pub(crate) caller: u64,
    /// What consistent hashing tells the request apart by, where its upstream wants to know.
    pub(crate) key: Option<u64>,
    /// What was asked for, where somebody wants to know.
    pub facts: Option<Box<Facts>>,
    /// Where interim answers go, where the caller can take them.
    pub(crate) interim: Option<Interim>,
    /// Another protocol that the caller asks for.
    pub(crate) upgrade: Option<Arc<Upgrade>>,
    owner: Owner,
    /// The attempt whose answer is handed on, where that is not the last.
    answered: Option<SpanId>,
}

impl Exchange {
    /// An exchange that starts at `now`. Time belongs to [`Owner::Queue`] until someone enters.
    pub fn start(trace: TraceId, parent: Option<SpanId>, now: Instant) -> Self {
        let timeline = Timeline::start(now);
        Self {
            trace,
            parent,
            flags: TraceFlags::NONE,
            timeline,
            attempts: Vec::new(),
            deadline: None,
            told: None,
            source: None,
            caller: 0,
            key: None,
            facts: None,
            interim: None,
            upgrade: None,
            owner: Owner::Queue,
            answered: None,
        }
    }

    /// An exchange for a request that came with `context`; without one, it is the root of a new trace.
    pub fn of(context: Option<TraceContext>, ids: &SpanIds, now: Instant) -> Self {
        match context {
            Some(TraceContext { trace, parent, flags }) => {
                Self { flags, ..Self::start(trace, Some(parent), now) }
            }
            None => Self::start(ids.trace(), None, now),
        }
    }

    /// When the request arrived here.
    pub fn arrived(&self) -> Instant {
        self.timeline.started()
    }

    /// How much of the time from `from` until `now` belongs to others than `owner`.
    pub(crate) fn time_beside(&mut self, owner: Owner, from: Instant, now: Instant) -> Duration {
        self.mark(now);
        (now - from).saturating_sub(self.timeline.of(owner, from))
    }

    /// Whose the time is since the last mark.
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// From the last mark on, time belongs to `owner`.
    pub fn enter(&mut self, owner: Owner) {
        self.owner = owner;
    }

    /// Gives the time since the last mark to whoever entered last.
    pub fn mark(&mut self, now: Instant) {
        self.timeline.mark(self.owner, now);
    }

    /// From `from` on, time belongs to `owner`; until then, to whoever entered last.
    pub fn turn(&mut self, owner: Owner, from: Instant) {
        self.mark(from);
        self.enter(owner);
    }

    /// Notes that an attempt begins. Until it is told otherwise, the attempt counts as cancelled.
    pub(crate) fn begin_attempt(&mut self, id: SpanId, upstream: &Arc<str>, kind: AttemptKind, now: Instant) {
        let outcome = Outcome::Failed(Fault::Cancelled);
        self.answered = None;
        let (upstream, endpoint) = (Arc::clone(upstream), None);
        let (start, end) = (now, now);
        let (is_sent, connection) = (false, None);
        self.attempts.push(Attempt {
            id,
            upstream,
            endpoint,
            kind,
            is_sent,
            connection,
            start,
            end,
            outcome,
        });
    }

    /// Notes where the last attempt goes.
    pub(crate) fn choose_endpoint(&mut self, endpoint: Option<Arc<str>>) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.endpoint = endpoint;
        }
    }

    /// Notes that the last attempt was put on a connection, which may have a name.
    pub(crate) fn sent_attempt(&mut self, connection: Option<ConnectionId>) {
        if let Some(attempt) = self.attempts.last_mut() {
            (attempt.is_sent, attempt.connection) = (true, connection);
        }
    }

    /// Notes that the last attempt was put on no connection after all.
    pub(crate) fn unsent_attempt(&mut self) {
        if let Some(attempt) = self.attempts.last_mut() {
            (attempt.is_sent, attempt.connection) = (false, None);
        }
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
        self.answered.or_else(|| self.attempts.last().map(|attempt| attempt.id))
    }

    /// An exchange beside this one, for an attempt that may run beside others; it starts `now`.
    pub(crate) fn branch(&self, now: Instant) -> Self {
        let branch = Self::start(self.trace, self.parent, now);
        let Self { flags, deadline, told, source, caller, key, .. } = *self;
        Self { flags, deadline, told, source, caller, key, interim: self.interim.clone(), ..branch }
    }

    /// Takes out what was gathered until `now`; what was still going on is closed.
    pub(crate) fn close(&mut self, now: Instant) -> Self {
        self.mark(now);
        self.end_open_attempt(now);
        std::mem::replace(self, Self::start(self.trace, self.parent, now))
    }

    /// Takes over the attempts of closed `branches`, and the time: the first branch's until the
    /// `decisive` one began, and then that one's. `answered` is the branch whose answer is handed on.
    pub(crate) fn join(&mut self, mut branches: Vec<Self>, decisive: usize, answered: Option<usize>) {
        let from = self.attempts.len();
        self.answered = answered.and_then(|answered| branches.get(answered)?.attempt());
        for branch in &mut branches {
            self.attempts.append(&mut branch.attempts);
        }
        self.attempts[from..].sort_by_key(|attempt| attempt.start);
        let Some(last) = branches.get(decisive) else { return };
        let began = last.timeline.started();
        if let Some(first) = branches.first().filter(|_| decisive > 0) {
            self.timeline.join_until(&first.timeline, began);
        }
        self.timeline.join_until(&last.timeline, last.timeline.last());
        self.owner = last.owner;
    }

    /// An attempt that nobody will end is over now.
    fn end_open_attempt(&mut self, now: Instant) {
        let cancelled = Outcome::Failed(Fault::Cancelled);
        let open = self.attempts.last_mut().filter(|attempt| attempt.outcome == cancelled);
        if let Some(attempt) = open.filter(|_| self.answered.is_none()) {
            attempt.end = now;
        }
    }

    /// The exchange as a whole, ended at `now`. What was still going on is closed.
    pub fn into_span(mut self, role: Role, outcome: Outcome, now: Instant) -> Span {
        self.mark(now);
        self.end_open_attempt(now);
        let attempt = self.attempt();
        if let Some(facts) = &mut self.facts {
            facts.attempt = attempt;
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
            facts: self.facts,
        }
    }
}
