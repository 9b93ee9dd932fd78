//! What a pod's programs hold: streams and listeners, over the wire or within the pod.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use hoplab_proxy::host::{Accepted, Endpoint, Listener};
use hoplab_proxy::telemetry::ConnectionId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::futures::OwnedNotified;

use super::backlog::{Backlog, Waiting};
use super::clock::Sleep;
use super::loopback::LocalStream;
use super::process::{Process, Sip};
use super::socket::WireStream;
use super::{ContainerKind, Pod, PodId, Running, Shared, lock};

/// A connection of a pod.
pub struct SimStream {
    kind: Kind,
    open: Open,
    process: Arc<Process>,
    /// What a process that reads slowly is reading.
    sipping: Option<Sipping>,
}

/// A sip that is being read: until when, and what tells that nothing holds its reader any more.
struct Sipping {
    until: Sleep,
    lifted: Pin<Box<OwnedNotified>>,
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
        container: &Running,
        endpoint: &Endpoint,
    ) -> io::Result<Self> {
        let address = SocketAddr::new(resolve(shared, pod, &endpoint.host)?, endpoint.port);
        let callee = if address.ip().is_loopback() { Some(pod.id) } else { PodId::at(address.ip()) };
        let kind = match callee.filter(|callee| callee.0 < shared.pods.len()) {
            Some(callee) if callee == pod.id => {
                Kind::Local(Self::connect_within(shared, pod.id, container, address)?)
            }
            Some(callee) => {
                let to = (callee, address.port());
                Kind::Wire(WireStream::connect(shared, pod.id, &container.process, to).await?)
            }
            // An address without a pod swallows everything.
            None => std::future::pending().await,
        };
        Ok(Self::new(kind, shared, container))
    }

    fn new(kind: Kind, shared: &Arc<Shared>, container: &Running) -> Self {
        let process = Arc::clone(&container.process);
        Self { kind, open: Open::new(shared, container.kind), process, sipping: None }
    }

    /// The name of its connection.
    pub(super) fn connection(&self) -> ConnectionId {
        match &self.kind {
            Kind::Wire(stream) => stream.connection(),
            Kind::Local(stream) => stream.connection(),
        }
    }

    fn connect_within(
        shared: &Shared,
        pod: PodId,
        container: &Running,
        address: SocketAddr,
    ) -> io::Result<LocalStream> {
        let mut wire = lock(&shared.wire);
        let ports = &mut wire.kernels.ports;
        let backlog = ports.backlog(pod, address).ok_or(io::ErrorKind::ConnectionRefused)?;
        let peer = SocketAddr::new(address.ip(), ports.next_within());
        drop(wire);
        let mut backlog = lock(&backlog);
        let (opener, acceptor) = shared.loopback.open(&container.process, &backlog.process);
        let woken = backlog.push(Waiting::Local(acceptor, peer, address));
        drop(backlog);
        woken.into_iter().for_each(Waker::wake);
        Ok(opener)
    }
}

impl Kind {
    fn poll_read(&mut self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Wire(stream) => Pin::new(stream).poll_read(context, buf),
            Self::Local(stream) => Pin::new(stream).poll_read(context, buf),
        }
    }
}

impl SimStream {
    /// Reads a sip, and no more before the time that it takes is over.
    fn poll_sip(
        &mut self,
        sip: Sip,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(sipping) = &mut self.sipping
            && Pin::new(&mut sipping.until).poll(context).is_pending()
        {
            // Something else may slow it still.
            while sipping.lifted.as_mut().poll(context).is_ready() {
                sipping.lifted = Box::pin(self.process.lifted());
            }
            return Poll::Pending;
        }
        self.sipping = None;
        let most = sip.most().min(buf.remaining());
        let mut sipped = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(self.kind.poll_read(context, &mut sipped))?;
        let count = sipped.filled().len();
        buf.advance(count);
        if count > 0 {
            let clock = &self.open.shared.clock;
            let until = clock.sleep_until(clock.now() + sip.takes(count));
            self.sipping = Some(Sipping { until, lifted: Box::pin(self.process.lifted()) });
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.process.reads() {
            None => self.kind.poll_read(context, buf),
            Some(sip) => self.poll_sip(sip, context, buf),
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
    shared: Arc<Shared>,
    pod: PodId,
    container: Running,
    backlog: Arc<Mutex<Backlog>>,
    address: SocketAddr,
}

impl SimListener {
    pub(super) fn bind(
        shared: &Arc<Shared>,
        pod: PodId,
        container: &Running,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let (address, backlog) = lock(&shared.wire).kernels.listen(pod, &container.process, address)?;
        Ok(Self { shared: Arc::clone(shared), pod, container: container.clone(), backlog, address })
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Accepted<SimStream>>> {
        let waiting = ready!(lock(&self.backlog).poll_accept(context));
        let (kind, peer, local) = match waiting {
            Waiting::Local(stream, peer, local) => (Kind::Local(stream), peer, local),
            Waiting::Wire(flow) => {
                let stream = WireStream::new(&self.shared, flow);
                let (local, peer) = stream.addresses();
                (Kind::Wire(stream), peer, local)
            }
        };
        let stream = SimStream::new(kind, &self.shared, &self.container);
        Poll::Ready(Ok(Accepted { stream, peer, original_destination: local }))
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
        let waiting = lock(&self.shared.wire).kernels.unlisten(self.pod, self.address);
        // Peers within the pod are told without the lock.
        drop(waiting);
    }
}

/// The address of a pod that is called so, as `pod` sees it.
pub(super) fn resolve(shared: &Shared, pod: &Pod, name: &str) -> io::Result<IpAddr> {
    if name == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    if name == pod.name {
        return Ok(pod.id.address().into());
    }
    if let Ok(address) = name.parse() {
        return Ok(address);
    }
    let address = lock(&shared.wire).address(name);
    address
        .map(IpAddr::V4)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no pod is called {name}")))
}
