//! Connections of one worker to one endpoint. HTTP/1.1: one request at a time each, idle ones taken last in first
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
mod lease;
mod places;
mod switching;
mod turns;
mod watched;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::settings::Limits;
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::tasks::Spawner;
use crate::telemetry::{Fault, Owner};
use crate::timer::before;

pub(super) use connect::{Connector, is_of_this_machine};
use count::{Count, Slot};
pub(super) use count::{Site, Together};
use http1::{Idle, Kept};
use http2::Open;
pub(super) use lease::Lease;
use lease::{Permit, Sender};
pub(super) use switching::Upload;
use turns::Turn;

/// The connections of one worker to one endpoint.
pub(super) struct Pool<H: Host> {
    connector: Connector<H>,
    spawner: Spawner<H>,
    limits: Limits,
    permits: Arc<Semaphore>,
    /// HTTP/1.1 connections that are being opened, when there is a limit on them.
    ramp: Option<Semaphore>,
    /// What counts for the endpoint, whichever worker has it.
    site: Arc<Site>,
    /// Connections that are open or are being opened.
    open: Arc<Count>,
    /// Requests that wait for a connection.
    pending: Arc<Count>,
    /// Whether nobody new will come, so that connections are kept for those alone who wait.
    is_closing: AtomicBool,
    /// What counts for the upstream as a whole, where that has limits, and the pool's number there.
    together: Option<(Arc<Together>, u32)>,
    connections: Mutex<Connections<H>>,
    /// Tells that the peer of an HTTP/2 connection has said something about itself, or is gone.
    heard: Notify,
}

/// What is open.
enum Connections<H: Host> {
    Http1(Idle),
    Http2(Open<H>),
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
    /// A pool of one endpoint, which counts with its `site`'s others, and `together` with those of other endpoints.
    pub(super) fn new(
        connector: Connector<H>,
        spawner: Spawner<H>,
        limits: Limits,
        site: Arc<Site>,
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
            site,
            open: Count::new(None),
            pending: Count::new(None),
            is_closing: AtomicBool::new(false),
            together: together.map(|together| {
                let number = together.number();
                (together, number)
            }),
            connections: Mutex::new(connections),
            heard: Notify::new(),
        })
    }

    /// Nobody new will come: idle connections are closed now, and others once they are given back and nobody waits for
    /// one. What is under way goes on.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.let_go();
    }

    /// Closes the connections that nobody uses or waits for, where nobody new will come.
    fn let_go(&self) {
        if self.is_closing.load(Ordering::Relaxed) && self.pending.now() == 0 {
            match &mut *self.connections() {
                Connections::Http1(idle) => idle.clear(),
                Connections::Http2(open) => open.let_go_of_unused(),
            }
        }
    }

    /// Waits for a connection, or opens one.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        freshness: Freshness,
    ) -> Result<Lease<H>, Fault> {
        let request = self.site.requests.join().ok_or(Fault::Overflow)?;
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
        Ok(Lease::new(Arc::clone(self), sender, permit, reused))
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
        // Who goes without a connection may have been the last for whom one was kept.
        let _last = LettingGo(self);
        let _of_endpoint = self.site.pending.join().ok_or(Fault::Overflow)?;
        let _pending = self.pending.add();
        let _of_upstream = match &self.together {
            Some((together, _)) => Some(together.pending.join().ok_or(Fault::Overflow)?),
            None => None,
        };
        let host = &self.connector.host;
        let began = host.now();
        exchange.turn(Owner::Pool, began);
        let Some(timeout) = self.limits.pending_timeout else {
            return self.wait(exchange, freshness, place).await;
        };
        let had = before(host, began + timeout, self.wait(exchange, freshness, place)).await;
        had.unwrap_or_else(|| {
            // Who was connected to has taken most of the time, or those who had the connections before.
            let by_endpoint = exchange.time_beside(Owner::Pool, began, host.now()) * 2 >= timeout;
            Err(if by_endpoint { Fault::ConnectTimeout } else { Fault::PendingTimeout })
        })
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

    /// Room for one more connection, unless the endpoint or the upstream has as many as it may.
    fn slot(&self) -> Option<Slot> {
        Slot::take(&self.open, &self.site, self.together.as_ref().map(|(together, _)| together))
    }

    /// Takes back an HTTP/1.1 connection whose answer was read.
    fn put(self: &Arc<Self>, kept: Kept) {
        let now = self.connector.host.now();
        if let Connections::Http1(idle) = &mut *self.connections()
            && let Some(due) = idle.put(kept, &self.limits, now)
        {
            self.sweep_at(due);
        }
        if let Some((together, number)) = &self.together {
            together.turns.wake_of(*number);
        }
        self.let_go();
    }

    /// Sees to it that connections are closed when their time has come, the first one `due` then, until none is left
    /// that will be due.
    fn sweep_at(self: &Arc<Self>, mut due: Instant) {
        let (pool, host) = (Arc::downgrade(self), self.connector.host.clone());
        self.spawner.spawn(async move {
            loop {
                host.sleep_until(due).await;
                let Some(pool) = pool.upgrade() else { return };
                let Some(next) = pool.close_due(due) else { return };
                due = next;
            }
        });
    }

    /// Closes what was idle or open for too long, as was planned for `planned`. When the next one will have been.
    fn close_due(&self, planned: Instant) -> Option<Instant> {
        let now = self.connector.host.now();
        match &mut *self.connections() {
            Connections::Http1(idle) => idle.sweep(&self.limits, planned, now),
            Connections::Http2(open) => open.sweep(&self.limits, planned, now),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections<H>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what nobody uses, where nobody new will come, when it is dropped.
struct LettingGo<'a, H: Host>(&'a Pool<H>);

impl<H: Host> Drop for LettingGo<'_, H> {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// Plans a sweep for `due`, which is given back, unless one is planned by then.
fn sooner(planned: &mut Option<Instant>, due: Instant) -> Option<Instant> {
    if planned.is_some_and(|planned| planned <= due) {
        return None;
    }
    *planned = Some(due);
    *planned
}
