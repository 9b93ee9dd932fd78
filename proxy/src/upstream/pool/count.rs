//! Counts with limits: what a pool, an endpoint, or a whole upstream, has of connections, of requests that wait for one, and of
//! requests that have one. Who counts holds a guard. Waits for nothing, and tells nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::Protocol;
use super::super::settings::{Limits, Whole};
use super::turns::Turns;

/// How many there are of something, and how many there may be.
pub(super) struct Count {
    now: AtomicU32,
    most: u32,
}

/// One that counts, as long as it lives.
pub(super) struct Counted(Arc<Count>);

impl Count {
    /// None yet, and `most` at most; any number when `None`.
    pub(super) fn new(most: Option<u32>) -> Arc<Self> {
        Arc::new(Self { now: AtomicU32::new(0), most: most.unwrap_or(u32::MAX) })
    }

    /// One more, unless there are as many as there may be.
    pub(super) fn join(self: &Arc<Self>) -> Option<Counted> {
        let more = |now| (now < self.most).then_some(now + 1);
        let joined = self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        joined.is_ok().then(|| Counted(Arc::clone(self)))
    }

    /// One more, whatever the limit.
    pub(super) fn add(self: &Arc<Self>) -> Counted {
        self.now.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(self))
    }

    /// How many there are.
    pub(super) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Whether there may be one more.
    fn has_room(&self) -> bool {
        self.now() < self.most
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the pools of one endpoint have in common, of which each worker has one.
pub(in super::super) struct Site {
    connections: Arc<Count>,
    pub(super) pending: Arc<Count>,
    pub(super) requests: Arc<Count>,
}

impl Site {
    /// Nothing yet. One pool counts its connections itself; only several need to be held to what they may have together.
    pub(in super::super) fn new(limits: &Limits, protocol: Protocol) -> Arc<Self> {
        let connections = match protocol {
            _ if limits.workers <= 1 => None,
            Protocol::Http1 => Some(limits.connections_http1()),
            Protocol::Http2 => limits.connections,
        };
        Arc::new(Self {
            connections: Count::new(connections),
            pending: Count::new(Some(limits.pending)),
            requests: Count::new(limits.requests),
        })
    }

    /// How many connections are open or are being opened.
    pub(in super::super) fn connections_now(&self) -> u32 {
        self.connections.now()
    }

    /// How many requests wait for a connection.
    pub(in super::super) fn pending_now(&self) -> u32 {
        self.pending.now()
    }

    /// How many requests have a connection or wait for one.
    pub(in super::super) fn requests_now(&self) -> u32 {
        self.requests.now()
    }
}

/// What the pools of an upstream's endpoints have in common: its limits as a whole (Envoy's `circuit_breakers`).
pub(in super::super) struct Together {
    connections: Arc<Count>,
    pub(super) pending: Arc<Count>,
    pub(super) requests: Arc<Count>,
    /// Those who wait for a connection.
    pub(super) turns: Turns,
    pools: AtomicU32,
}

impl Together {
    /// Nothing yet; `None` where no pool has anything to do with another: an upstream has no limits as a whole, and one
    /// worker.
    pub(in super::super) fn new(limits: &Limits) -> Option<Arc<Self>> {
        let Limits { whole: limits, workers, .. } = limits;
        (*limits != Whole::default() || *workers > 1).then(|| {
            Arc::new(Self {
                connections: Count::new(limits.connections),
                pending: Count::new(limits.pending),
                requests: Count::new(limits.requests),
                turns: Turns::default(),
                pools: AtomicU32::new(0),
            })
        })
    }

    /// A number for one more pool.
    pub(super) fn number(&self) -> u32 {
        self.pools.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
impl Together {
    /// How many connections, requests that wait for one, and requests that have one there are.
    pub(in super::super) fn now(&self) -> [u32; 3] {
        [&self.connections, &self.pending, &self.requests].map(|count| count.now())
    }
}

/// A connection that is open, or is being opened, as long as it lives.
#[expect(dead_code, reason = "counts as long as it lives, and those who wait are woken once it does no more")]
pub(super) struct Slot {
    here: Counted,
    site: Counted,
    whole: Option<(Counted, Waking)>,
}

/// Wakes those who wait for a connection when it is dropped.
struct Waking(Arc<Together>);

impl Slot {
    /// One more connection in a pool that has as many as are `here`, unless its endpoint or its upstream have as many as
    /// they may; but a pool without any may have one in any case, so that none starves (as in Envoy).
    pub(super) fn take(here: &Arc<Count>, site: &Site, whole: Option<&Arc<Together>>) -> Option<Self> {
        let is_first = here.now() == 0;
        let count = |count: &Arc<Count>| if is_first { Some(count.add()) } else { count.join() };
        let site = count(&site.connections)?;
        let whole = match whole {
            None => None,
            Some(whole) => Some((count(&whole.connections)?, Waking(Arc::clone(whole)))),
        };
        Some(Self { here: here.add(), site, whole })
    }

    /// Whether [`Slot::take`] would give one.
    pub(super) fn is_free(here: &Count, site: &Site, whole: Option<&Arc<Together>>) -> bool {
        let has_room =
            || site.connections.has_room() && whole.is_none_or(|whole| whole.connections.has_room());
        here.now() == 0 || has_room()
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        self.0.turns.wake();
    }
}
