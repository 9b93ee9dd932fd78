//! HTTP/2 connections that several requests share. The first that has room is used, by our own limit and by what the
//! peer allows; when none has, another is opened where there may be one, and whoever comes meanwhile waits for it, or
//! for a place that becomes free, in the order of coming. One that is old, spent or has failed is let go of: it closes
//! when the last request on it is done.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::settings::Limits;
use super::connect::{Dialed, Label};
use super::{Pool, sooner};
use crate::host::{Host, Instant};
use crate::http2::client::Sender;
use crate::telemetry::{Fault, Timeline};

/// How many streams are opened on a connection at most before the peer has said how many it allows. RFC 9113, 6.5.2,
/// advises to allow no fewer than 100.
const STREAMS_UNTIL_TOLD: u32 = 99;

/// How waiting for a place ended, and who owned the time of opening the connection, where it is on a new one.
pub(super) type Opened<H> = (Result<Shared<H>, Fault>, Option<Timeline>);

/// A stream on a connection that others use, too.
pub(super) struct Shared<H: Host> {
    pub(super) sender: Sender,
    pub(super) stream: Held<H>,
    pub(super) label: Label,
}

/// A stream, which may outlive its answer while the request's content is still on its way.
pub(super) enum Held<H: Host> {
    Alone(Stream<H>),
    Together(Arc<Stream<H>>),
    Gone,
}

/// A stream on a shared connection; given back when dropped.
pub(super) struct Stream<H: Host> {
    pub(super) pool: Arc<Pool<H>>,
    /// The connection's number.
    pub(super) id: u64,
}

impl<H: Host> Drop for Stream<H> {
    fn drop(&mut self) {
        self.pool.leave(self.id);
    }
}

impl<H: Host> Held<H> {
    /// Which connection it is on.
    pub(super) fn id(&self) -> Option<u64> {
        match self {
            Self::Alone(stream) => Some(stream.id),
            Self::Together(stream) => Some(stream.id),
            Self::Gone => None,
        }
    }

    /// Another hold on it.
    pub(super) fn share(&mut self) -> Option<Arc<Stream<H>>> {
        let stream = match std::mem::replace(self, Self::Gone) {
            Self::Alone(stream) => Arc::new(stream),
            Self::Together(stream) => stream,
            Self::Gone => return None,
        };
        *self = Self::Together(Arc::clone(&stream));
        Some(stream)
    }
}

/// The connections, in the order of their opening.
pub(super) struct Open<H: Host> {
    connections: Vec<Connection>,
    opening: u32,
    waiting: VecDeque<oneshot::Sender<Opened<H>>>,
    next: u64,
    /// How many streams the peer allows on a connection, as it last said.
    told: Option<u32>,
    /// When the task that closes what is due does so next, if there is one.
    swept: Option<Instant>,
}

struct Connection {
    id: u64,
    sender: Sender,
    label: Label,
    opened: Instant,
    streams: u32,
    requests: u32,
    idle_since: Instant,
}

/// A place for one request on connection `id`.
pub(super) struct Place {
    pub(super) id: u64,
    pub(super) sender: Sender,
    pub(super) label: Label,
}

/// Those who waited, each with the place that it gets.
pub(super) type Served<H> = Vec<(oneshot::Sender<Opened<H>>, Place)>;

impl<H: Host> Default for Open<H> {
    fn default() -> Self {
        Self {
            connections: Vec::new(),
            opening: 0,
            waiting: VecDeque::new(),
            next: 0,
            told: None,
            swept: None,
        }
    }
}

impl<H: Host> Open<H> {
    /// A place on the first connection that has room, unless others wait for one.
    pub(super) fn take(&mut self, limits: &Limits, now: Instant) -> Option<Place> {
        self.forget_who_left();
        if self.waiting.is_empty() { self.free_place(limits, now) } else { None }
    }

    /// Gives the places that are free to those who wait.
    pub(super) fn serve(&mut self, limits: &Limits, now: Instant) -> Served<H> {
        let mut served = Vec::new();
        self.forget_who_left();
        while !self.waiting.is_empty()
            && let Some(place) = self.free_place(limits, now)
            && let Some(tell) = self.waiting.pop_front()
        {
            served.push((tell, place));
        }
        served
    }

    /// Whether somebody waits for a place.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits for a place.
    pub(super) fn wait(&mut self) -> oneshot::Receiver<Opened<H>> {
        let (tell, opened) = oneshot::channel();
        self.waiting.push_back(tell);
        opened
    }

    /// Whether those who wait will find a place on what is being opened, or may yet be where there is room `further`.
    pub(super) fn is_coming(&self, limits: &Limits, further: bool) -> bool {
        let further = if further { limits.connections_http2().saturating_sub(self.there()) } else { 0 };
        let further = u64::from(further) * u64::from(self.most(limits.streams_of_new()));
        self.waiting.len() as u64 <= self.coming(limits).saturating_add(further)
    }

    /// Whether one more is to be opened for those who wait.
    pub(super) fn wants_another(&self, limits: &Limits) -> bool {
        self.waiting.len() as u64 > self.coming(limits)
            && self.opening < limits.ramp.unwrap_or(u32::MAX)
            && self.there() < limits.connections_http2()
    }

    /// One more is being opened.
    pub(super) fn begin(&mut self) {
        self.opening += 1;
    }

    /// How many connections there are, or are being opened.
    fn there(&self) -> u32 {
        u32::try_from(self.connections.len()).unwrap_or(u32::MAX).saturating_add(self.opening)
    }

    /// How many streams a connection takes that we allow `own`, as far as is known.
    fn most(&self, own: u32) -> u32 {
        own.min(self.told.unwrap_or(u32::MAX))
    }

    /// How many places are to come: on connections that are being opened, and where the peer has yet to say how many
    /// there are.
    fn coming(&self, limits: &Limits) -> u64 {
        let untold = self.connections.iter().filter(|connection| connection.sender.streams_max().is_none());
        let most = self.most(limits.streams);
        let untold = untold.map(|connection| most.saturating_sub(connection.streams));
        u64::from(self.opening) * u64::from(self.most(limits.streams_of_new()))
            + untold.map(u64::from).sum::<u64>()
    }

    /// A connection was opened; its number.
    pub(super) fn opened(&mut self, dialed: Dialed<Sender>, now: Instant) -> u64 {
        let Dialed { sender, label } = dialed;
        self.opening -= 1;
        let id = self.next;
        self.next += 1;
        let (streams, requests) = (0, 0);
        self.connections.push(Connection {
            id,
            sender,
            label,
            opened: now,
            streams,
            requests,
            idle_since: now,
        });
        id
    }

    /// A connection could not be opened: who will get none.
    pub(super) fn failed(&mut self, limits: &Limits) -> Vec<oneshot::Sender<Opened<H>>> {
        self.opening -= 1;
        self.forget_who_left();
        let count = self.waiting.len().min(limits.streams_of_new() as usize);
        self.waiting.drain(..count).collect()
    }

    /// Takes note of how many streams the peer allows now, and of what has come to its end.
    pub(super) fn hear(&mut self) {
        self.connections.retain_mut(|connection| connection.sender.is_open());
        let told = self.connections.iter().rev().find_map(|connection| connection.sender.streams_max());
        self.told = told.or(self.told);
    }

    /// A request on connection `id` is done.
    pub(super) fn leave(&mut self, id: u64, now: Instant) {
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.id == id) {
            connection.streams -= 1;
            connection.idle_since = now;
        }
    }

    /// When the next one is to be closed, where nobody sweeps so soon.
    pub(super) fn needs_sweep(&mut self, limits: &Limits) -> Option<Instant> {
        let due = self.next_due(limits)?;
        sooner(&mut self.swept, due)
    }

    fn next_due(&self, limits: &Limits) -> Option<Instant> {
        self.connections.iter().filter_map(|connection| connection.due(limits)).min()
    }

    /// Lets go of connection `id`.
    pub(super) fn retire(&mut self, id: u64) {
        self.connections.retain(|connection| connection.id != id);
    }

    /// Closes what was idle or is open for too long, as was planned for `planned`. When the next one will have been, if
    /// there is one, unless somebody else sees to it by now.
    pub(super) fn sweep(&mut self, limits: &Limits, planned: Instant, now: Instant) -> Option<Instant> {
        if self.swept != Some(planned) {
            return None;
        }
        self.connections.retain_mut(|connection| match connection.due(limits) {
            Some(due) => now < due && connection.sender.is_open(),
            None => true,
        });
        self.swept = self.next_due(limits);
        self.swept
    }

    /// Closes what nobody uses.
    pub(super) fn let_go_of_unused(&mut self) {
        self.connections.retain(|connection| connection.streams > 0);
    }

    fn free_place(&mut self, limits: &Limits, now: Instant) -> Option<Place> {
        self.connections.retain_mut(|connection| connection.sender.is_open() && !connection.old(limits, now));
        let told = self.told;
        let free = self.connections.iter_mut().find(|connection| connection.has_room(limits, told))?;
        free.use_stream();
        let place = Place { id: free.id, sender: free.sender.clone(), label: free.label.clone() };
        self.let_go_of_spent(limits);
        Some(place)
    }

    /// Who went away takes no stream.
    fn forget_who_left(&mut self) {
        if !self.waiting.is_empty() {
            self.waiting.retain(|tell| !tell.is_closed());
        }
    }

    fn let_go_of_spent(&mut self, limits: &Limits) {
        if let Some(most) = limits.requests_per_connection {
            self.connections.retain(|connection| connection.requests < most);
        }
    }
}

impl Connection {
    /// Whether it takes another stream; until the peer has said so itself, as it has `told` on other connections.
    fn has_room(&self, limits: &Limits, told: Option<u32>) -> bool {
        let guess = || told.map_or(STREAMS_UNTIL_TOLD, |told| told.min(STREAMS_UNTIL_TOLD));
        let allowed = self.sender.streams_max().unwrap_or_else(guess);
        self.streams < limits.streams.min(allowed)
    }

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
