//! HTTP/2 connections that several requests share. The first that has room is used; when none has,
//! another is opened, and whoever comes meanwhile waits for it. One that is old, spent or has failed is
//! let go of: it closes when the last request on it is done.

use std::collections::VecDeque;

use hyper::client::conn::http2;
use tokio::sync::oneshot;

use super::super::settings::Limits;
use super::Stream;
use super::connect::{Dialed, Label};
use crate::body::Body;
use crate::host::{Host, Instant};
use crate::telemetry::{Fault, Timeline};

/// How opening a connection went, and who owned its time.
pub(super) type Opened<H> = (Result<Shared<H>, Fault>, Timeline);

/// A stream on a connection that others use, too.
pub(super) struct Shared<H: Host> {
    pub(super) sender: http2::SendRequest<Body>,
    pub(super) stream: Stream<H>,
    pub(super) label: Label,
}

/// The connections, in the order of their opening.
pub(super) struct Open<H: Host> {
    connections: Vec<Connection>,
    opening: u32,
    waiting: VecDeque<oneshot::Sender<Opened<H>>>,
    next: u64,
    /// Whether a task waits for the next that is due.
    pub(super) swept: bool,
}

struct Connection {
    id: u64,
    sender: http2::SendRequest<Body>,
    label: Label,
    opened: Instant,
    streams: u32,
    requests: u32,
    idle_since: Instant,
}

/// Who waited for a connection, each with the stream that it gets.
pub(super) struct Served<H: Host> {
    pub(super) sender: http2::SendRequest<Body>,
    pub(super) label: Label,
    pub(super) id: u64,
    pub(super) waiting: Vec<oneshot::Sender<Opened<H>>>,
}

impl<H: Host> Default for Open<H> {
    fn default() -> Self {
        Self { connections: Vec::new(), opening: 0, waiting: VecDeque::new(), next: 0, swept: false }
    }
}

impl<H: Host> Open<H> {
    /// A stream on the first connection that has room: which, how to use it, and what is known of it.
    pub(super) fn take(
        &mut self,
        limits: &Limits,
        now: Instant,
    ) -> Option<(u64, Dialed<http2::SendRequest<Body>>)> {
        self.connections.retain(|connection| !connection.sender.is_closed() && !connection.old(limits, now));
        let free = self.connections.iter_mut().find(|connection| connection.streams < limits.streams)?;
        free.use_stream();
        let taken = (free.id, Dialed { sender: free.sender.clone(), label: free.label.clone() });
        self.let_go_of_spent(limits);
        Some(taken)
    }

    /// Waits for a connection; whether one more is to be opened for it.
    pub(super) fn wait(&mut self, tell: oneshot::Sender<Opened<H>>, limits: &Limits) -> bool {
        self.waiting.push_back(tell);
        self.grow(limits)
    }

    /// Whether one more is to be opened for those who wait.
    pub(super) fn grow(&mut self, limits: &Limits) -> bool {
        let coming = u64::from(self.opening) * u64::from(limits.streams_of_new());
        let there = u32::try_from(self.connections.len()).unwrap_or(u32::MAX).saturating_add(self.opening);
        let more = self.waiting.len() as u64 > coming
            && self.opening < limits.ramp.unwrap_or(u32::MAX)
            && (there < limits.connections_http2() || self.opening == 0);
        self.opening += u32::from(more);
        more
    }

    /// A connection was opened: who gets a stream on it.
    pub(super) fn opened(
        &mut self,
        dialed: Dialed<http2::SendRequest<Body>>,
        limits: &Limits,
        now: Instant,
    ) -> Served<H> {
        let Dialed { sender, label } = dialed;
        self.opening -= 1;
        let (id, streams) = (self.next, 0);
        self.next += 1;
        let waiting = self.first_in_line(limits);
        let mut connection = Connection {
            id,
            sender: sender.clone(),
            label: label.clone(),
            opened: now,
            streams,
            requests: 0,
            idle_since: now,
        };
        for _ in &waiting {
            connection.use_stream();
        }
        self.connections.push(connection);
        self.let_go_of_spent(limits);
        Served { sender, label, id, waiting }
    }

    /// A connection could not be opened: who will get none.
    pub(super) fn failed(&mut self, limits: &Limits) -> Vec<oneshot::Sender<Opened<H>>> {
        self.opening -= 1;
        self.first_in_line(limits)
    }

    /// A request on connection `id` is done. Whether there is something to sweep now.
    pub(super) fn leave(&mut self, id: u64, limits: &Limits, now: Instant) -> bool {
        let Some(connection) = self.connections.iter_mut().find(|connection| connection.id == id) else {
            return false;
        };
        connection.streams -= 1;
        connection.idle_since = now;
        connection.streams == 0 && (limits.idle_timeout.is_some() || limits.max_age.is_some())
    }

    /// Lets go of connection `id`.
    pub(super) fn retire(&mut self, id: u64) {
        self.connections.retain(|connection| connection.id != id);
    }

    /// Closes what was idle or is open for too long. When the next one will have been, if there is one.
    pub(super) fn sweep(&mut self, limits: &Limits, now: Instant) -> Option<Instant> {
        self.connections.retain(|connection| match connection.due(limits) {
            Some(due) => now < due && !connection.sender.is_closed(),
            None => true,
        });
        let next = self.connections.iter().filter_map(|connection| connection.due(limits)).min();
        self.swept = next.is_some();
        next
    }

    fn first_in_line(&mut self, limits: &Limits) -> Vec<oneshot::Sender<Opened<H>>> {
        // Who went away takes no stream.
        self.waiting.retain(|tell| !tell.is_closed());
        let count = self.waiting.len().min(limits.streams_of_new() as usize);
        self.waiting.drain(..count).collect()
    }

    fn let_go_of_spent(&mut self, limits: &Limits) {
        if let Some(most) = limits.requests_per_connection {
            self.connections.retain(|connection| connection.requests < most);
        }
    }
}

impl Connection {
    fn use_stream(&mut self) {
        self.streams += 1;
        self.requests = self.requests.saturating_add(1);
    }

    fn old(&self, limits: &Limits, now: Instant) -> bool {
        limits.max_age.is_some_and(|max_age| now >= self.opened + max_age)
    }

    /// When it is to be closed as things stand; `None` while it is used, or when it may stay.
    fn due(&self, limits: &Limits) -> Option<Instant> {
        if self.streams > 0 {
            return None;
        }
        let idle = limits.idle_timeout.map(|timeout| self.idle_since + timeout);
        let old = limits.max_age.map(|max_age| self.opened + max_age);
        idle.into_iter().chain(old).min()
    }
}
