//! Connections to one endpoint. HTTP/1.1: one request at a time each, idle ones taken last in first
//! out and closed after a while. HTTP/2: one connection for all requests; whoever comes while it is
//! being opened waits for it.
//!
//! A permit per request bounds both; permits are handed out in the order of asking. Not here: which
//! endpoint, how long in all, what a failure means for the request.

mod connect;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::settings::Limits;
use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::tasks::Spawner;
use crate::telemetry::{Fault, Owner, Timeline};

pub(super) use connect::Connector;

/// The connections to one endpoint.
pub(super) struct Pool<H: Host> {
    connector: Connector<H>,
    spawner: Spawner<H>,
    limits: Limits,
    permits: Arc<Semaphore>,
    pending: AtomicU32,
    connections: Mutex<Connections>,
}

/// What is open.
enum Connections {
    Http1 { idle: Vec<Idle>, sweeping: bool },
    Http2(Shared),
}

/// An HTTP/1.1 connection that nobody uses.
struct Idle {
    sender: http1::SendRequest<Body>,
    since: Instant,
}

/// The HTTP/2 connection that everybody uses.
enum Shared {
    Closed,
    Opening(Vec<oneshot::Sender<Opened>>),
    Open(http2::SendRequest<Body>),
}

/// How opening the shared connection went, and who owned its time.
type Opened = (Result<http2::SendRequest<Body>, Fault>, Timeline);

/// The right to send one request over a connection.
pub(super) struct Lease<H: Host> {
    pool: Arc<Pool<H>>,
    sender: Sender,
    permit: OwnedSemaphorePermit,
    /// Whether the connection had been used before, so that the peer may have closed it meanwhile.
    pub(super) reused: bool,
}

pub(super) enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
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
        let connections = match connector.protocol {
            super::Protocol::Http1 => Connections::Http1 { idle: Vec::new(), sweeping: false },
            super::Protocol::Http2 => Connections::Http2(Shared::Closed),
        };
        let permits = Arc::new(Semaphore::new(limits.connections as usize));
        let connections = Mutex::new(connections);
        Arc::new(Self { connector, spawner, limits, permits, pending: AtomicU32::new(0), connections })
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
            Taken::Open => {
                let opening = Box::pin(self.connector.open_http1(exchange, &self.spawner));
                (Sender::Http1(opening.await?), false)
            }
            Taken::Wait(opened) => (Sender::Http2(self.join(exchange, opened).await?), false),
        };
        Ok(Lease { pool: Arc::clone(self), sender, permit, reused })
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Fault> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::join(&self.pending, self.limits.pending).ok_or(Fault::Overflow)?;
        Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Fault::Overflow)
    }

    /// Takes what is there; otherwise says how to get it.
    fn take(self: &Arc<Self>, freshness: Freshness) -> Taken {
        match &mut *self.connections() {
            Connections::Http1 { idle, .. } => {
                if freshness == Freshness::New {
                    idle.clear();
                }
                while let Some(Idle { sender, .. }) = idle.pop() {
                    if sender.is_ready() {
                        return Taken::Ready(Sender::Http1(sender));
                    }
                }
                Taken::Open
            }
            Connections::Http2(shared) => {
                if let Shared::Open(sender) = shared {
                    if !sender.is_closed() {
                        return Taken::Ready(Sender::Http2(sender.clone()));
                    }
                    *shared = Shared::Closed;
                }
                let (tell, opened) = oneshot::channel();
                if let Shared::Opening(waiting) = shared {
                    waiting.push(tell);
                } else {
                    *shared = Shared::Opening(vec![tell]);
                    self.spawner.spawn(Arc::clone(self).open_shared());
                }
                Taken::Wait(opened)
            }
        }
    }

    /// Opens the shared connection and tells all who wait. A task of its own, since the one who
    /// asked first may go away.
    async fn open_shared(self: Arc<Self>) {
        let now = self.connector.host.now();
        let mut exchange = Exchange::start(crate::telemetry::TraceId(1), None, now);
        let sender = self.connector.open_http2(&mut exchange, &self.spawner).await;
        let next = sender.as_ref().map_or(Shared::Closed, |sender| Shared::Open(sender.clone()));
        let before = match &mut *self.connections() {
            Connections::Http2(shared) => std::mem::replace(shared, next),
            Connections::Http1 { .. } => Shared::Closed,
        };
        if let Shared::Opening(waiting) = before {
            for tell in waiting {
                // Whoever went away needs no answer.
                let _ = tell.send((sender.clone(), exchange.timeline.clone()));
            }
        }
    }

    /// Waits for the shared connection; its opening belongs to whoever waits.
    async fn join(
        &self,
        exchange: &mut Exchange,
        opened: oneshot::Receiver<Opened>,
    ) -> Result<http2::SendRequest<Body>, Fault> {
        exchange.enter(Owner::Connect);
        let (sender, timeline) = opened.await.map_err(|_| Fault::Refused)?;
        exchange.timeline.join(timeline);
        exchange.mark(self.connector.host.now());
        sender
    }

    /// Takes back an HTTP/1.1 connection whose answer was read.
    fn put(self: &Arc<Self>, sender: http1::SendRequest<Body>) {
        let since = self.connector.host.now();
        if let Connections::Http1 { idle, sweeping } = &mut *self.connections() {
            idle.push(Idle { sender, since });
            if !*sweeping {
                *sweeping = true;
                self.spawner.spawn(sweep(Arc::downgrade(self)));
            }
        }
    }

    /// Closes what was idle for too long. When the next one will have been; `None` when nothing is idle.
    fn close_idle(&self) -> Option<Instant> {
        let now = self.connector.host.now();
        let Connections::Http1 { idle, sweeping } = &mut *self.connections() else { return None };
        idle.retain(|idle| now < idle.since + self.limits.idle_timeout && !idle.sender.is_closed());
        *sweeping = !idle.is_empty();
        idle.first().map(|oldest| oldest.since + self.limits.idle_timeout)
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Taken {
    Ready(Sender),
    Open,
    Wait(oneshot::Receiver<Opened>),
}

/// Closes idle connections when their time has come; ends when none is left.
async fn sweep<H: Host>(pool: std::sync::Weak<Pool<H>>) {
    loop {
        let Some(next) = pool.upgrade().map(|pool| (pool.close_idle(), pool.connector.host.clone())) else {
            return;
        };
        let (Some(due), host) = next else { return };
        host.sleep_until(due).await;
    }
}

impl<H: Host> Lease<H> {
    /// Sends `request`; the answer's content is not part of the wait.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        }
    }

    /// Gives the connection back, once the answer's content was read to its end. A lease that is
    /// dropped instead closes its HTTP/1.1 connection.
    pub(super) fn give_back(self) {
        let Self { pool, sender, permit, .. } = self;
        let Sender::Http1(mut sender) = sender else { return };
        if sender.is_ready() {
            pool.put(sender);
            return;
        }
        // The request's content may still be on its way, or the driver has not noticed the end yet.
        let spawner = pool.spawner.clone();
        spawner.spawn(async move {
            if poll_fn(|cx| sender.poll_ready(cx)).await.is_ok() {
                pool.put(sender);
            }
            drop(permit);
        });
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
