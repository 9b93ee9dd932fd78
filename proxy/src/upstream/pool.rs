//! Connections to one endpoint. HTTP/1.1: one request at a time each, idle ones taken last in first
//! out and closed after a while. HTTP/2: many requests at a time on each; whoever comes while one is
//! being opened waits for it.
//!
//! A permit per request bounds both; permits are handed out in the order of asking. Whoever is not given a connection
//! at once is pending until it has one, its opening included, as in Envoy. Not here: which endpoint, how long in all,
//! what a failure means for the request.

mod connect;
mod count;
mod http1;
mod http2;
mod turns;
mod watched;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::settings::Limits;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::http2::client::Unanswered;
use crate::interim::Interim;
use crate::message;
use crate::policy::retry::Reach;
use crate::tasks::Spawner;
use crate::telemetry::{ConnectionId, Fault, Owner, Timeline};
use crate::timer::before;

use connect::Label;
pub(super) use connect::{Connector, is_of_this_machine};
pub(super) use count::Together;
use count::{Count, Counted, Slot};
use http1::{Idle, Kept};
use http2::{Held, Open, Place, Served, Shared};
use turns::Turn;

/// The connections to one endpoint.
pub(super) struct Pool<H: Host> {
    connector: Connector<H>,
    spawner: Spawner<H>,
    limits: Limits,
    permits: Arc<Semaphore>,
    /// HTTP/1.1 connections that are being opened, when there is a limit on them.
    ramp: Option<Semaphore>,
    /// Connections that are open or are being opened.
    open: Arc<Count>,
    /// Requests that wait for a connection.
    pending: Arc<Count>,
    /// Requests that have a connection or wait for one.
    requests: Arc<Count>,
    /// What counts for the upstream as a whole, where that has limits, and the pool's number there.
    together: Option<(Arc<Together>, u32)>,
    connections: Mutex<Connections<H>>,
}

/// What is open.
enum Connections<H: Host> {
    Http1(Idle),
    Http2(Open<H>),
}

/// The right to send one request over a connection.
pub(super) struct Lease<H: Host> {
    pool: Arc<Pool<H>>,
    sender: Sender<H>,
    permit: Permit,
    /// The rest of a request whose answer has begun: it is given up with the lease.
    upload: Option<oneshot::Sender<()>>,
    /// Whether the connection had been used before, so that the peer may have closed it meanwhile.
    pub(super) reused: bool,
}

enum Sender<H: Host> {
    Http1(Kept),
    Http2(Shared<H>),
}

/// A place among the requests that use a connection.
struct Permit {
    connection: OwnedSemaphorePermit,
    #[expect(dead_code, reason = "counts as long as it lives")]
    request: Counted,
    #[expect(dead_code, reason = "counts as long as it lives")]
    of_upstream: Option<Counted>,
}

/// Which connections will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Any.
    Any,
    /// None that was idle: the last such one turned out to be closed.
    New,
}

impl<H: Host> Pool<H> {
    /// The pool of one endpoint, which counts `together` with those of others.
    pub(super) fn new(
        connector: Connector<H>,
        spawner: Spawner<H>,
        limits: Limits,
        together: Option<Arc<Together>>,
    ) -> Arc<Self> {
        let (connections, permits) = match connector.protocol {
            super::Protocol::Http1 => {
                (Connections::Http1(Idle::default()), u64::from(limits.connections_http1()))
            }
            super::Protocol::Http2 => {
                let streams = u64::from(limits.connections_http2()) * u64::from(limits.streams);
                (Connections::Http2(Open::default()), streams)
            }
        };
        let semaphore = |count: u64| {
            Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))
        };
        Arc::new(Self {
            connector,
            spawner,
            permits: Arc::new(semaphore(permits)),
            ramp: limits.ramp.map(|ramp| semaphore(ramp.into())),
            limits,
            open: Count::new(None),
            pending: Count::new(Some(limits.pending)),
            requests: Count::new(limits.requests),
            together: together.map(|together| {
                let number = together.number();
                (together, number)
            }),
            connections: Mutex::new(connections),
        })
    }

    /// How many connections are open or are being opened.
    pub(super) fn connections_now(&self) -> u32 {
        self.open.now()
    }

    /// How many requests wait for a connection.
    pub(super) fn pending_now(&self) -> u32 {
        self.pending.now()
    }

    /// How many requests have a connection or wait for one.
    pub(super) fn requests_now(&self) -> u32 {
        self.requests.now()
    }

    /// Waits for a connection, or opens one.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        freshness: Freshness,
    ) -> Result<Lease<H>, Fault> {
        let request = self.requests.join().ok_or(Fault::Overflow)?;
        let place = Arc::clone(&self.permits).try_acquire_owned().ok();
        let in_turn = place.is_some() && !self.is_waited_for();
        let ready = if in_turn { self.ready(freshness) } else { None };
        let (connection, sender, reused) = match (place, ready) {
            (Some(place), Some(sender)) => (place, sender, true),
            // Boxed, since it is rare: the future of every request would hold the room for it.
            (place, _) => Box::pin(self.pend(exchange, freshness, place)).await?,
        };
        let of_upstream = if let Some((together, _)) = &self.together {
            let Some(counted) = together.requests.join() else {
                if let Sender::Http1(kept) = sender {
                    self.put(kept);
                }
                return Err(Fault::Overflow);
            };
            Some(counted)
        } else {
            None
        };
        let permit = Permit { connection, request, of_upstream };
        Ok(Lease { pool: Arc::clone(self), sender, permit, upload: None, reused })
    }

    /// Whether somebody waits for a connection that comes before who asks now.
    fn is_waited_for(&self) -> bool {
        self.together.as_ref().is_some_and(|(together, number)| together.turns.is_waited_for(*number))
    }

    /// Waits for a connection among those who are pending; `place` is the permit for one, where there was one at once.
    async fn pend(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        freshness: Freshness,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(OwnedSemaphorePermit, Sender<H>, bool), Fault> {
        let _pending = self.pending.join().ok_or(Fault::Overflow)?;
        let _of_upstream = match &self.together {
            Some((together, _)) => Some(together.pending.join().ok_or(Fault::Overflow)?),
            None => None,
        };
        let host = &self.connector.host;
        exchange.enter(Owner::Pool);
        let Some(timeout) = self.limits.pending_timeout else {
            return self.wait(exchange, freshness, place).await;
        };
        let had = before(host, host.now() + timeout, self.wait(exchange, freshness, place)).await;
        // Whoever is being connected to has taken the time, or the pool has.
        let late =
            if exchange.owner() == Owner::Pool { Fault::PendingTimeout } else { Fault::ConnectTimeout };
        had.unwrap_or(Err(late))
    }

    async fn wait(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        freshness: Freshness,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(OwnedSemaphorePermit, Sender<H>, bool), Fault> {
        let place = if let Some(place) = place {
            place
        } else {
            let place = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Fault::Overflow)?;
            exchange.mark(self.connector.host.now());
            if let Some(sender) = self.ready(freshness) {
                return Ok((place, sender, true));
            }
            place
        };
        let (sender, reused) = match self.connector.protocol {
            super::Protocol::Http1 => self.open_http1(exchange, freshness).await?,
            super::Protocol::Http2 => self.join_http2(exchange).await?,
        };
        Ok((place, sender, reused))
    }

    /// A connection that is there.
    fn ready(self: &Arc<Self>, freshness: Freshness) -> Option<Sender<H>> {
        let now = self.connector.host.now();
        match &mut *self.connections() {
            Connections::Http1(idle) => {
                if freshness == Freshness::New {
                    idle.clear();
                }
                idle.take(&self.limits, now).map(Sender::Http1)
            }
            Connections::Http2(open) => {
                let place = open.take(&self.limits, now)?;
                Some(Sender::Http2(self.shared(place)))
            }
        }
    }

    /// Opens a connection, or takes one that became idle while too many were open or being opened; and whether it had
    /// been used.
    async fn open_http1(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        freshness: Freshness,
    ) -> Result<(Sender<H>, bool), Fault> {
        let host = &self.connector.host;
        let _turn = match &self.ramp {
            None => None,
            Some(ramp) => {
                exchange.enter(Owner::Pool);
                let turn = ramp.acquire().await.map_err(|_| Fault::Overflow)?;
                exchange.mark(host.now());
                if let Some(sender) = self.ready(freshness) {
                    return Ok((sender, true));
                }
                Some(turn)
            }
        };
        let turn = self.together.as_ref().map(|(together, number)| together.turns.join(*number));
        let slot = loop {
            if turn.as_ref().is_none_or(Turn::is_next) {
                if turn.is_some()
                    && let Some(sender) = self.ready(freshness)
                {
                    return Ok((sender, true));
                }
                if let Some(slot) = self.slot() {
                    break slot;
                }
            }
            if let Some(turn) = &turn {
                turn.woken().await;
            }
            exchange.mark(host.now());
        };
        drop(turn);
        let dialed = self.connector.open_http1(exchange, &self.spawner, slot).await?;
        Ok((Sender::Http1(Kept::new(dialed, host.now())), false))
    }

    /// Room for one more connection, unless the upstream has as many as it may.
    fn slot(&self) -> Option<Slot> {
        Slot::take(&self.open, self.together.as_ref().map(|(together, _)| together))
    }

    fn begin_http2(self: &Arc<Self>, slot: Slot) {
        self.spawner.spawn(Arc::clone(self).open_http2(slot));
    }

    /// Opens a shared connection and tells those who wait. A task of its own, since the one who
    /// asked first may go away.
    async fn open_http2(self: Arc<Self>, slot: Slot) {
        let mut exchange = Exchange::start(crate::telemetry::TraceId(1), None, self.connector.host.now());
        let pool = Arc::downgrade(&self);
        let changed = move || {
            // As long as the connection, whose driver has this.
            let _ = &slot;
            if let Some(pool) = pool.upgrade() {
                pool.hear();
            }
        };
        let streams_max = self.limits.streams;
        let opened = self.connector.open_http2(&mut exchange, &self.spawner, streams_max, changed).await;
        let now = self.connector.host.now();
        let timeline = Some(exchange.timeline);
        let mut failed = Vec::new();
        let (new, served) = match (&mut *self.connections(), opened) {
            (Connections::Http1(_), _) => return,
            (Connections::Http2(open), Ok(dialed)) => (Some(open.opened(dialed, now)), self.serve(open)),
            (Connections::Http2(open), Err(fault)) => {
                failed = open.failed(&self.limits).into_iter().map(|tell| (tell, fault)).collect();
                (None, self.serve(open))
            }
        };
        for (tell, fault) in failed {
            drop(tell.send((Err(fault), timeline.clone())));
        }
        self.hand_out(served, |place| timeline.clone().filter(|_| Some(place.id) == new));
    }

    /// Gives the places that are free to those who wait, and sees to it that there will be enough.
    fn serve(self: &Arc<Self>, open: &mut Open<H>) -> Served<H> {
        let served = open.serve(&self.limits, self.connector.host.now());
        self.sweep_when_due(open);
        while open.wants_another(&self.limits)
            && let Some(slot) = self.slot()
        {
            open.begin();
            self.begin_http2(slot);
        }
        served
    }

    /// Sees to it that HTTP/2 connections which nobody uses are closed in time.
    fn sweep_when_due(self: &Arc<Self>, open: &mut Open<H>) {
        if open.needs_sweep(&self.limits) {
            self.spawner.spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Tells those who waited of their places. Whoever went away needs none; it is given back as the answer is dropped,
    /// which takes the lock.
    fn hand_out(self: &Arc<Self>, served: Served<H>, timeline: impl Fn(&Place) -> Option<Timeline>) {
        for (tell, place) in served {
            let timeline = timeline(&place);
            drop(tell.send((Ok(self.shared(place)), timeline)));
        }
    }

    fn shared(self: &Arc<Self>, place: Place) -> Shared<H> {
        let Place { id, sender, label } = place;
        Shared { sender, stream: Held::Alone(Stream { pool: Arc::clone(self), id }), label }
    }

    /// The peer of an HTTP/2 connection allows more or fewer streams, or the connection has come to its end.
    fn hear(self: &Arc<Self>) {
        let served = match &mut *self.connections() {
            Connections::Http1(_) => return,
            Connections::Http2(open) => {
                open.hear();
                self.serve(open)
            }
        };
        self.hand_out(served, |_| None);
    }

    /// Waits for a place on a shared connection; its opening belongs to whoever waits. While none is being opened, and
    /// so where a place became free, the time is the pool's. And whether the connection had been used.
    async fn join_http2(self: &Arc<Self>, exchange: &mut Exchange) -> Result<(Sender<H>, bool), Fault> {
        let mut opened = match &mut *self.connections() {
            Connections::Http1(_) => return Err(Fault::Refused),
            Connections::Http2(open) => open.wait(),
        };
        let turn = self.together.as_ref().map(|(together, number)| together.turns.join(*number));
        let told = loop {
            self.hear();
            exchange.mark(self.connector.host.now());
            exchange.enter(self.owner_of_wait());
            let Some(turn) = &turn else { break opened.await };
            if let Either::Left((told, _)) = select(&mut opened, pin!(turn.woken())).await {
                break told;
            }
        };
        let (shared, timeline) = told.map_err(|_| Fault::Refused)?;
        let reused = timeline.is_none();
        match timeline {
            Some(timeline) => {
                if timeline.started() > exchange.timeline.last() {
                    exchange.enter(Owner::Pool);
                    exchange.mark(timeline.started());
                }
                exchange.timeline.join(timeline);
                exchange.enter(Owner::Connect);
            }
            None => exchange.enter(Owner::Pool),
        }
        exchange.mark(self.connector.host.now());
        shared.map(|shared| (Sender::Http2(shared), reused))
    }

    /// Who owns the time of those who wait for an HTTP/2 connection.
    fn owner_of_wait(&self) -> Owner {
        let further = Slot::is_free(&self.open, self.together.as_ref().map(|(together, _)| together));
        match &*self.connections() {
            Connections::Http2(open) if !open.is_coming(&self.limits, further) => Owner::Pool,
            _ => Owner::Connect,
        }
    }

    /// Takes back an HTTP/1.1 connection whose answer was read.
    fn put(self: &Arc<Self>, kept: Kept) {
        let now = self.connector.host.now();
        if let Connections::Http1(idle) = &mut *self.connections()
            && idle.put(kept, &self.limits, now)
            && !idle.swept
        {
            idle.swept = true;
            self.spawner.spawn(sweep(Arc::downgrade(self)));
        }
        if let Some((together, number)) = &self.together {
            together.turns.wake_of(*number);
        }
    }

    /// A request on HTTP/2 connection `id` is done.
    fn leave(self: &Arc<Self>, id: u64) {
        let now = self.connector.host.now();
        let served = match &mut *self.connections() {
            Connections::Http1(_) => return,
            Connections::Http2(open) => {
                open.leave(id, now);
                if !open.is_waited_for() {
                    self.sweep_when_due(open);
                    return;
                }
                self.serve(open)
            }
        };
        self.hand_out(served, |_| None);
    }

    /// Closes what was idle or open for too long. When the next one will have been; `None` when nothing is.
    fn close_due(&self) -> Option<Instant> {
        let now = self.connector.host.now();
        match &mut *self.connections() {
            Connections::Http1(idle) => idle.sweep(&self.limits, now),
            Connections::Http2(open) => open.sweep(&self.limits, now),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections<H>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections when their time has come; ends when none is left that will be due.
async fn sweep<H: Host>(pool: std::sync::Weak<Pool<H>>) {
    loop {
        let Some(next) = pool.upgrade().map(|pool| (pool.close_due(), pool.connector.host.clone())) else {
            return;
        };
        let (Some(due), host) = next else { return };
        host.sleep_until(due).await;
    }
}

impl<H: Host> Lease<H> {
    /// Sends `request`, whose interim answers go to `interim`; the answer's content is not part of the wait.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
        interim: Option<Interim>,
    ) -> Result<Response<Body>, Unanswered> {
        match &mut self.sender {
            Sender::Http1(kept) => match kept.sender.send(request, interim).await {
                Ok(answer) if message::has_too_many_fields(answer.headers()) => {
                    Err(Unanswered { fault: Fault::ProtocolError, reach: Reach::Sent })
                }
                Ok(answer) => Ok(answer.map(Body::answer)),
                Err(mut error) => {
                    let unwritten = error.take_message().is_some();
                    Err(http1::unanswered(&error.into_error(), unwritten))
                }
            },
            Sender::Http2(shared) => {
                let answered = shared.sender.send(request, interim).await?;
                // What is left of the request's content takes up the stream until it is sent.
                if let Some(upload) = answered.upload {
                    let stream = shared.stream.share();
                    let (keep, given_up) = oneshot::channel();
                    self.upload = Some(keep);
                    self.pool.spawner.spawn(async move {
                        select(upload, given_up).await;
                        drop(stream);
                    });
                }
                Ok(answered.answer.map(Body::http2))
            }
        }
    }

    /// Where the tasks of the connection run.
    pub(super) fn spawner(&self) -> Spawner<H> {
        self.pool.spawner.clone()
    }

    /// Whom the connection leads to, where the endpoint stands for several.
    pub(super) fn peer(&self) -> Option<&Arc<str>> {
        self.label().peer.as_ref()
    }

    /// The connection's name, where the host has one.
    pub(super) fn connection(&self) -> Option<ConnectionId> {
        self.label().connection
    }

    fn label(&self) -> &Label {
        match &self.sender {
            Sender::Http1(kept) => &kept.label,
            Sender::Http2(shared) => &shared.label,
        }
    }

    /// Gives the connection back, once the request was sent and the answer's content read to its end. A lease that is
    /// dropped instead closes its HTTP/1.1 connection, and so does one that is not ready again by `deadline`.
    pub(super) fn give_back(self, deadline: Instant) {
        let Self { pool, sender, permit, .. } = self;
        let Sender::Http1(mut kept) = sender else { return };
        if kept.sender.is_ready() {
            pool.put(kept);
            return;
        }
        // The last of the request may not be written yet, or the driver has not noticed the end.
        let Permit { connection, .. } = permit;
        let (spawner, host) = (pool.spawner.clone(), pool.connector.host.clone());
        spawner.spawn(async move {
            let ready = poll_fn(|cx| kept.sender.poll_ready(cx));
            if let Some(Ok(())) = before(&host, deadline, ready).await {
                pool.put(kept);
            }
            drop(connection);
        });
    }

    /// Sees to it that nobody else is given the connection.
    pub(super) fn retire(&self) {
        if let (Sender::Http2(shared), Connections::Http2(open)) =
            (&self.sender, &mut *self.pool.connections())
        {
            shared.stream.id().into_iter().for_each(|id| open.retire(id));
        }
    }
}

/// A stream on a shared connection; given back when dropped.
struct Stream<H: Host> {
    pool: Arc<Pool<H>>,
    id: u64,
}

impl<H: Host> Drop for Stream<H> {
    fn drop(&mut self) {
        self.pool.leave(self.id);
    }
}
