//! A port whose address, handler and settings may be changed while it is served: connections stay open, requests that
//! are under way are finished as they were begun, and the next ones meet what holds then.

use std::future::{Future, ready};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::{Request, Response};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Connection, Drained, Handler, Refused, Settings, serve_by};
use crate::body::Body;
use crate::host::{Accepted, Host, Listener};
use crate::tasks::Spawner;

/// A port that is bound, and not served yet.
pub struct Port<H: Host, A> {
    listener: Moving<H::Listener>,
    control: PortControl<H, A>,
}

/// Changes a port. Cloning gives another handle.
pub struct PortControl<H: Host, A> {
    shared: Arc<Shared<H, A>>,
}

struct Shared<H: Host, A> {
    handler: ArcSwap<A>,
    settings: ArcSwap<Settings>,
    moves: UnboundedSender<H::Listener>,
    /// Where it was told to listen; the machine may have chosen the port.
    address: Mutex<SocketAddr>,
}

impl<H: Host, A: Handler> Port<H, A> {
    /// The port of `listener`, which was told to listen at `address`.
    pub fn new(address: SocketAddr, listener: H::Listener, handler: A, settings: Settings) -> Self {
        let (moves, moved) = unbounded_channel();
        let shared = Shared {
            handler: ArcSwap::from_pointee(handler),
            settings: ArcSwap::from_pointee(settings),
            moves,
            address: Mutex::new(address),
        };
        let listener = Moving { listener, left: None, moved };
        Self { listener, control: PortControl { shared: Arc::new(shared) } }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What changes it.
    pub fn control(&self) -> PortControl<H, A> {
        self.control.clone()
    }

    /// As [`super::serve`].
    pub async fn serve(self, host: H, spawner: Spawner<H>, shutdown: impl Future<Output = ()>) -> Drained {
        let shared = self.control.shared;
        let settings = || shared.settings.load_full();
        serve_by(host, spawner, self.listener, Arc::clone(&shared), settings, shutdown).await
    }
}

impl<H: Host, A: Handler> PortControl<H, A> {
    /// Who answers now.
    pub fn handler(&self) -> Arc<A> {
        self.shared.handler.load_full()
    }

    /// Binds `address`, if it is another than that of the port.
    pub async fn bind(&self, host: &H, address: SocketAddr) -> io::Result<Option<H::Listener>> {
        if *self.shared.address.lock().unwrap_or_else(PoisonError::into_inner) == address {
            return Ok(None);
        }
        host.bind(address).await.map(Some)
    }

    /// From here on, `handler` answers requests, connections are accepted by these `settings`, and at `address`, with the
    /// listener that [`PortControl::bind`] gave for it.
    pub fn change(&self, address: SocketAddr, listener: Option<H::Listener>, handler: A, settings: Settings) {
        self.shared.handler.store(Arc::new(handler));
        self.shared.settings.store(Arc::new(settings));
        if let Some(listener) = listener {
            *self.shared.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
            // A port that is served no more needs no other.
            let _ = self.shared.moves.send(listener);
        }
    }
}

impl<H: Host, A> Clone for PortControl<H, A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<H: Host, A: Handler> Handler for Shared<H, A> {
    fn handle(
        self: Arc<Self>,
        request: Request<Body>,
        connection: Arc<Connection>,
    ) -> impl Future<Output = Response<Body>> + Send {
        self.handler.load_full().handle(request, connection)
    }

    fn note_refused(&self, refused: Refused<'_>, connection: &Connection) {
        self.handler.load().note_refused(refused, connection);
    }
}

/// A listener that may be told to listen elsewhere.
struct Moving<L> {
    listener: L,
    /// Where it listened before, until the connections that have come there already are accepted.
    left: Option<L>,
    moved: UnboundedReceiver<L>,
}

impl<L: Listener> Listener for Moving<L> {
    type Stream = L::Stream;

    async fn accept(&mut self) -> io::Result<Accepted<L::Stream>> {
        loop {
            if let Some(left) = &mut self.left {
                tokio::select! {
                    biased;
                    Ok(accepted) = left.accept() => return Ok(accepted),
                    () = ready(()) => self.left = None,
                }
            }
            tokio::select! {
                biased;
                Some(listener) = self.moved.recv() => {
                    self.left = Some(mem::replace(&mut self.listener, listener));
                }
                accepted = self.listener.accept() => return accepted,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
