//! HTTP/1.1 connections that nobody uses, taken last in first out; the longest unused are closed first.

use std::time::Duration;

use super::super::settings::Limits;
use super::connect::{Dialed, Label};
use super::watched::Sender;
use crate::framing;
use crate::host::Instant;
use crate::http2::client::Unanswered;
use crate::policy::retry::Reach;
use crate::telemetry::Fault;
use crate::tls;

/// A connection and how it was used.
pub(super) struct Kept {
    pub(super) sender: Sender,
    pub(super) label: Label,
    opened: Instant,
    requests: u32,
}

/// The connections that nobody uses, the longest unused first.
#[derive(Default)]
pub(super) struct Idle {
    connections: Vec<(Kept, Instant)>,
    /// Whether a task waits for the next that is due.
    pub(super) swept: bool,
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

    /// Takes back a connection, unless it is spent. Whether there is anything to sweep.
    pub(super) fn put(&mut self, mut kept: Kept, limits: &Limits, now: Instant) -> bool {
        kept.requests += 1;
        if kept.is_spent(limits, now) {
            return false;
        }
        self.connections.push((kept, now));
        if limits.idle.is_some_and(|most| self.connections.len() > most as usize) {
            self.connections.remove(0);
        }
        !self.connections.is_empty()
    }

    /// Closes what was idle or is open for too long. When the next one will have been, if there is one.
    pub(super) fn sweep(&mut self, limits: &Limits, now: Instant) -> Option<Instant> {
        let timeout = limits.idle_timeout_http1();
        self.connections.retain(|(kept, since)| {
            now < *since + timeout && !kept.is_spent(limits, now) && !kept.sender.is_closed()
        });
        self.swept = !self.connections.is_empty();
        let due = |(kept, since): &(Kept, Instant)| {
            let old = limits.max_age.map_or(Duration::MAX, |max_age| max_age);
            (*since + timeout).min(kept.opened + old)
        };
        self.connections.iter().map(due).min()
    }

    /// Closes all.
    pub(super) fn clear(&mut self) {
        self.connections.clear();
    }
}

/// What is to be said of a request to which no answer came, and of which nothing was written, or something. With TLS 1.3
/// a connection may seem open whose handshake the peer has refused.
pub(super) fn unanswered(error: &hyper::Error, unwritten: bool) -> Unanswered {
    let (fault, reach) = if tls::is_refusal(error) {
        (Fault::Tls, Reach::Connecting)
    } else if unwritten {
        (framing::fault_of(error), Reach::Unwritten)
    } else {
        (framing::fault_of(error), Reach::Sent)
    };
    Unanswered { fault, reach }
}
