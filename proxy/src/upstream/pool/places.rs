//! How requests get their places on HTTP/2 connections: whoever finds none waits, connections are opened by tasks of
//! their own, and places that become free go to those who wait. Not here: what there is of connections and places
//! ([`super::http2`]).

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};

use super::count::Slot;
use super::http2::{Held, Open, Place, Served, Shared, Stream};
use super::lease::Sender;
use super::{Connections, Pool};
use crate::exchange::Exchange;
use crate::host::Host;
use crate::telemetry::{Fault, Owner, Timeline, TraceId};

impl<H: Host> Pool<H> {
    fn begin_http2(self: &Arc<Self>, slot: Slot) {
        self.spawner.spawn(Arc::clone(self).open_http2(slot));
    }

    /// Opens a shared connection and tells those who wait. A task of its own, since the one who
    /// asked first may go away.
    async fn open_http2(self: Arc<Self>, slot: Slot) {
        let mut exchange = Exchange::start(TraceId(1), None, self.connector.host.now());
        let pool = Arc::downgrade(&self);
        let changed = move || {
            // As long as the connection, whose driver has this.
            let _ = &slot;
            if let Some(pool) = pool.upgrade() {
                pool.hear();
                pool.heard.notify_waiters();
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
        self.let_go();
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
        if let Some(due) = open.needs_sweep(&self.limits) {
            self.sweep_at(due);
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

    pub(super) fn shared(self: &Arc<Self>, place: Place) -> Shared<H> {
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
    pub(super) async fn join_http2(
        self: &Arc<Self>,
        exchange: &mut Exchange,
    ) -> Result<(Sender<H>, bool), Fault> {
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
        let further =
            Slot::is_free(&self.open, &self.site, self.together.as_ref().map(|(together, _)| together));
        match &*self.connections() {
            Connections::Http2(open) if !open.is_coming(&self.limits, further) => Owner::Pool,
            _ => Owner::Connect,
        }
    }

    /// A request on HTTP/2 connection `id` is done.
    pub(super) fn leave(self: &Arc<Self>, id: u64) {
        let now = self.connector.host.now();
        let served = match &mut *self.connections() {
            Connections::Http1(_) => return,
            Connections::Http2(open) => {
                open.leave(id, now);
                if open.is_waited_for() {
                    self.serve(open)
                } else {
                    self.sweep_when_due(open);
                    Vec::new()
                }
            }
        };
        self.hand_out(served, |_| None);
        self.let_go();
    }
}
