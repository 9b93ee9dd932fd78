//! Connections to one endpoint. HTTP/1.1: one request at a time each, idle ones taken last in first
//! out and closed after a while. HTTP/2: many requests at a time on each; whoever comes while one is
//! being opened waits for it.
//!
//! A permit per request bounds both; permits are handed out in the order of asking. Not here: which
//! endpoint, how long in all, what a failure means for the request.

mod connect;
mod http1;
mod http2;
mod watched;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::select;
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::settings::Limits;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::http2::client::Unanswered;
use crate::interim::Interim;
use crate::tasks::Spawner;
use crate::telemetry::{ConnectionId, Fault, Owner, Timeline};
use crate::timer::before;

pub(super) use connect::Connector;
use connect::Label;
use http1::{Idle, Kept};
use http2::{Held, Open, Opened, Place, Served, Shared};

/// The connections to one endpoint.
pub(super) struct Pool<H: Host> {
    connector: Connector<H>,
    spawner: Spawner<H>,
    limits: Limits,
    permits: Arc<Semaphore>,
    /// Requests that use a connection or wait for one, when there is a limit on them.
    requests: Option<Arc<Semaphore>>,
    /// HTTP/1.1 connections that are being opened, when there is a limit on them.
    ramp: Option<Semaphore>,
    pending: AtomicU32,
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
    request: Option<OwnedSemaphorePermit>,
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
    pub(super) fn new(connector: Connector<H>, spawner: Spawner<H>, limits: Limits) -> Arc<Self> {
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
            requests: limits.requests.map(|requests| Arc::new(semaphore(requests.into()))),
            ramp: limits.ramp.map(|ramp| semaphore(ramp.into())),
            limits,
            pending: AtomicU32::new(0),
            connections: Mutex::new(connections),
        })
    }

    /// Waits for a connection, or opens one.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        freshness: Freshness,
    ) -> Result<Lease<H>, Fault> {
        exchange.enter(Owner::Pool);
        let permit = self.permit().await?;
        exchange.mark(self.connector.host.now());
        let (sender, reused) = match self.take(freshness) {
            Taken::Ready(sender) => (sender, true),
            // Boxed, since it is rare: the future of every request would hold the room for it.
            Taken::Open => Box::pin(self.open_http1(exchange, freshness)).await?,
            Taken::Wait { opened, coming } => {
                let (shared, reused) = self.join(exchange, opened, coming).await?;
                (Sender::Http2(shared), reused)
            }
        };
        Ok(Lease { pool: Arc::clone(self), sender, permit, upload: None, reused })
    }

    async fn permit(&self) -> Result<Permit, Fault> {
        let request = match &self.requests {
            Some(requests) => Some(Arc::clone(requests).try_acquire_owned().map_err(|_| Fault::Overflow)?),
            None => None,
        };
        if let Ok(connection) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(Permit { connection, request });
        }
        let _waiting = Waiting::join(&self.pending, self.limits.pending).ok_or(Fault::Overflow)?;
        let connection = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Fault::Overflow)?;
        Ok(Permit { connection, request })
    }

    /// Takes what is there; otherwise says how to get it.
    fn take(self: &Arc<Self>, freshness: Freshness) -> Taken<H> {
        let now = self.connector.host.now();
        match &mut *self.connections() {
            Connections::Http1(idle) => {
                if freshness == Freshness::New {
                    idle.clear();
                }
                idle.take(&self.limits, now).map_or(Taken::Open, |kept| Taken::Ready(Sender::Http1(kept)))
            }
            Connections::Http2(open) => {
                if let Some(place) = open.take(&self.limits, now) {
                    return Taken::Ready(Sender::Http2(self.shared(place)));
                }
                let (tell, opened) = oneshot::channel();
                if open.wait(tell, &self.limits) {
                    self.begin_http2();
                }
                Taken::Wait { opened, coming: open.is_coming(&self.limits) }
            }
        }
    }

    /// Opens a connection, or takes one that became idle while too many were being opened; and whether it
    /// had been used.
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
                if let Taken::Ready(sender) = self.take(freshness) {
                    return Ok((sender, true));
                }
                Some(turn)
            }
        };
        let dialed = self.connector.open_http1(exchange, &self.spawner).await?;
        Ok((Sender::Http1(Kept::new(dialed, host.now())), false))
    }

    fn begin_http2(self: &Arc<Self>) {
        self.spawner.spawn(Arc::clone(self).open_http2());
    }

    /// Opens a shared connection and tells those who wait. A task of its own, since the one who
    /// asked first may go away.
    async fn open_http2(self: Arc<Self>) {
        let mut exchange = Exchange::start(crate::telemetry::TraceId(1), None, self.connector.host.now());
        let pool = Arc::downgrade(&self);
        let changed = move || {
            if let Some(pool) = pool.upgrade() {
                pool.hear();
            }
        };
        let opened =
            self.connector.open_http2(&mut exchange, &self.spawner, self.limits.streams, changed).await;
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
        while open.grow(&self.limits) {
            self.begin_http2();
        }
        served
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
    /// so where a place became free, the time is the pool's, and no more may wait than may for a permit. And whether
    /// the connection had been used.
    async fn join(
        &self,
        exchange: &mut Exchange,
        opened: oneshot::Receiver<Opened<H>>,
        coming: bool,
    ) -> Result<(Shared<H>, bool), Fault> {
        exchange.enter(if coming { Owner::Connect } else { Owner::Pool });
        let _waiting = if coming {
            None
        } else {
            Some(Waiting::join(&self.pending, self.limits.pending).ok_or(Fault::Overflow)?)
        };
        let (shared, timeline) = opened.await.map_err(|_| Fault::Refused)?;
        let reused = timeline.is_none();
        match timeline {
            Some(timeline) => {
                exchange.timeline.join(timeline);
                exchange.enter(Owner::Connect);
            }
            None => exchange.enter(Owner::Pool),
        }
        exchange.mark(self.connector.host.now());
        shared.map(|shared| (shared, reused))
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
    }

    /// A request on HTTP/2 connection `id` is done.
    fn leave(self: &Arc<Self>, id: u64) {
        let now = self.connector.host.now();
        let served = match &mut *self.connections() {
            Connections::Http1(_) => return,
            Connections::Http2(open) => {
                if open.leave(id, &self.limits, now) && !open.swept {
                    open.swept = true;
                    self.spawner.spawn(sweep(Arc::downgrade(self)));
                }
                if !open.is_waited_for() {
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

enum Taken<H: Host> {
    Ready(Sender<H>),
    Open,
    Wait {
        opened: oneshot::Receiver<Opened<H>>,
        /// Whether there will be a place on what is being opened.
        coming: bool,
    },
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

/// One who waits for a permit; leaves when dropped.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn join(pending: &'a AtomicU32, limit: u32) -> Option<Self> {
        let joined = pending
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < limit).then_some(count + 1));
        joined.is_ok().then(|| Self(pending))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
