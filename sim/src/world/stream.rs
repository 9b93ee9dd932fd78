//! What a pod's programs hold: streams and listeners, over the wire or within the pod.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hoplab_proxy::host::{Accepted, Endpoint, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net::TcpListener;

use super::loopback::{Backlog, LocalStream};
use super::socket::{Socket, WireStream};
use super::{ContainerKind, Pod, PodId, Shared, lock};

/// A connection of a pod.
pub struct SimStream {
    kind: Kind,
    _open: Open,
}

/// Counts as an open connection until it is dropped.
struct Open {
    shared: Arc<Shared>,
    container: ContainerKind,
}

impl Open {
    fn new(shared: &Arc<Shared>, container: ContainerKind) -> Self {
        lock(&shared.meters).opened(container, shared.clock.now());
        Self { shared: Arc::clone(shared), container }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.shared.meters).closed(self.container, self.shared.clock.now());
    }
}

enum Kind {
    /// To another pod.
    Wire(WireStream),
    /// Within the pod.
    Local(LocalStream),
}

impl SimStream {
    pub(super) async fn connect(
        shared: &Arc<Shared>,
        pod: &Arc<Pod>,
        container: ContainerKind,
        endpoint: &Endpoint,
    ) -> io::Result<Self> {
        let address = SocketAddr::new(resolve(shared, pod, &endpoint.host)?, endpoint.port);
        let callee = if address.ip().is_loopback() { Some(pod.id) } else { PodId::at(address.ip()) };
        let kind = if callee == Some(pod.id) {
            Kind::Local(Self::connect_within(shared, pod.id, address)?)
        } else {
            let address = callee.map_or(address, |callee| lock(&shared.ports).lead(callee, address));
            Kind::Wire(WireStream::connect(shared, pod, address).await?)
        };
        Ok(Self { kind, _open: Open::new(shared, container) })
    }

    fn connect_within(shared: &Shared, pod: PodId, address: SocketAddr) -> io::Result<LocalStream> {
        let mut ports = lock(&shared.ports);
        let Some(backlog) = ports.backlog(pod, address) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let peer = SocketAddr::new(address.ip(), ports.next_ephemeral());
        drop(ports);
        Ok(Backlog::connect(&backlog, peer, address))
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Wire(stream) => Pin::new(stream).poll_read(context, buf),
            Kind::Local(stream) => Pin::new(stream).poll_read(context, buf),
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Wire(stream) => Pin::new(stream).poll_write(context, buf),
            Kind::Local(stream) => Pin::new(stream).poll_write(context, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Wire(stream) => Pin::new(stream).poll_flush(context),
            Kind::Local(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Wire(stream) => Pin::new(stream).poll_shutdown(context),
            Kind::Local(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A port of a pod.
pub struct SimListener {
    socket: Socket<TcpListener>,
    container: ContainerKind,
    backlog: Arc<Mutex<Backlog>>,
    address: SocketAddr,
}

impl SimListener {
    pub(super) async fn bind(
        shared: &Arc<Shared>,
        pod: &Arc<Pod>,
        container: ContainerKind,
        address: SocketAddr,
    ) -> io::Result<Self> {
        if lock(&shared.ports).is_taken(pod.id, address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        turmoil_net::set_current(pod.kernel);
        let inner = match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let stand_in = lock(&shared.ports).next_stand_in();
                turmoil_net::set_current(pod.kernel);
                TcpListener::bind(SocketAddr::new(address.ip(), stand_in)).await?
            }
            bound => bound?,
        };
        let bound = inner.local_addr()?.port();
        let port = if address.port() == 0 { bound } else { address.port() };
        let address = SocketAddr::new(address.ip(), port);
        let backlog = lock(&shared.ports).bind(pod.id, address, bound);
        Ok(Self { socket: Socket::new(shared, pod, inner), container, backlog, address })
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Accepted<SimStream>>> {
        if let Poll::Ready((stream, peer, local)) = lock(&self.backlog).poll_accept(context) {
            let stream = self.accepted(Kind::Local(stream));
            return Poll::Ready(Ok(Accepted { stream, peer, original_destination: local }));
        }
        self.socket.get().poll_accept(context).map(|accepted| {
            let (inner, peer) = accepted?;
            let local = inner.local_addr()?;
            let stream = WireStream::new(Socket::new(&self.socket.shared, &self.socket.pod, inner));
            let original_destination = SocketAddr::new(local.ip(), self.address.port());
            Ok(Accepted { stream: self.accepted(Kind::Wire(stream)), peer, original_destination })
        })
    }

    fn accepted(&self, kind: Kind) -> SimStream {
        SimStream { kind, _open: Open::new(&self.socket.shared, self.container) }
    }
}

impl Listener for SimListener {
    type Stream = SimStream;

    async fn accept(&mut self) -> io::Result<Accepted<SimStream>> {
        std::future::poll_fn(|context| self.poll_accept(context)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        lock(&self.socket.shared.ports).unbind(self.socket.pod.id, self.address);
    }
}

fn resolve(shared: &Shared, pod: &Pod, name: &str) -> io::Result<IpAddr> {
    if name == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    if name == pod.name {
        return Ok(pod.address);
    }
    if let Ok(address) = name.parse() {
        return Ok(address);
    }
    let address = lock(&shared.wire).address(name);
    address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no pod is called {name}")))
}
