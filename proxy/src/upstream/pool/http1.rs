//! HTTP/1.1 connections that nobody uses, taken last in first out; the longest unused are closed first.

use super::super::settings::Limits;
use super::connect::{Dialed, Label};
use super::sooner;
use super::watched::Sender;
use crate::framing;
use crate::host::Instant;
use crate::http2::client::Unanswered;
use crate::policy::retry::Reach;
use crate::tls;

/// A connection and how it was used.
pub(super) struct Kept {
    pub(super) sender: Sender,
    pub(super) label: Label,
    opened: Instant,
    /// How many were sent over it.
    pub(super) requests: u32,
}

/// The connections that nobody uses, the longest unused first.
#[derive(Default)]
pub(super) struct Idle {
    connections: Vec<(Kept, Instant)>,
    /// When the task that closes what is due does so next, if there is one.
    swept: Option<Instant>,
}

impl Kept {
    pub(super) fn new(dialed: Dialed<Sender>, now: Instant) -> Self {
        let Dialed { sender, label } = dialed;
        Self { sender, label, opened: now, requests: 0 }
    }

    /// Whether it has served its time or its requests.
    fn is_spent(&self, limits: &Limits, now: Instant) -> bool {
        let old = limits.max_age.is_some_and(|max_age| now >= self.opened + max_age);
        old || limits.requests_per_connection.is_some_and(|most| self.requests >= most)
    }

    /// When it is to be closed, idle `since` then.
    fn due(&self, since: Instant, limits: &Limits) -> Instant {
        let idle = since + limits.idle_timeout_http1();
        limits.max_age.map_or(idle, |max_age| idle.min(self.opened + max_age))
    }
}

impl Idle {
    /// The one that was used last, if any will do.
    pub(super) fn take(&mut self, limits: &Limits, now: Instant) -> Option<Kept> {
        loop {
            let (kept, _) = self.connections.pop()?;
            if kept.sender.is_ready() && !kept.is_spent(limits, now) {
                return Some(kept);
            }
        }
    }

    /// Takes back a connection, unless it is spent. When it is to be closed, where nobody sweeps so soon.
    pub(super) fn put(&mut self, kept: Kept, limits: &Limits, now: Instant) -> Option<Instant> {
        if kept.is_spent(limits, now) {
            return None;
        }
        let due = kept.due(now, limits);
        self.connections.push((kept, now));
        if limits.idle.is_some_and(|most| self.connections.len() > most as usize) {
            self.connections.remove(0);
        }
        sooner(&mut self.swept, due)
    }

    /// Closes what was idle or is open for too long, as was planned for `planned`. When the next one will have been, if
    /// there is one, unless somebody else sees to it by now.
    pub(super) fn sweep(&mut self, limits: &Limits, planned: Instant, now: Instant) -> Option<Instant> {
        if self.swept != Some(planned) {
            return None;
        }
        self.connections.retain(|(kept, since)| now < kept.due(*since, limits) && !kept.sender.is_closed());
        self.swept = self.connections.iter().map(|(kept, since)| kept.due(*since, limits)).min();
        self.swept
    }

    /// Closes all.
    pub(super) fn clear(&mut self) {
        self.connections.clear();
    }
}

/// What is to be said of a request to which no answer came, and of which nothing was written, or something.
pub(super) fn unanswered(error: &hyper::Error, unwritten: bool) -> Unanswered {
    match tls::refusal(error) {
        Some(why) => Unanswered::refused(why),
        None if unwritten => Unanswered::new(framing::fault_of(error), Reach::Unwritten),
        None => Unanswered::new(framing::fault_of(error), Reach::Sent),
    }
}
