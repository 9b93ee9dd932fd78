//! Sockets that know their pod. turmoil-net finds «the current host» in a thread-local, so a socket
//! sets it on every poll and before it is dropped; tasks may then run anywhere.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hoplab_proxy::host::{Accepted, Endpoint, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

use super::wire::Connection;
use super::{Pod, World, lock};

/// A connection of a pod.
pub struct SimStream {
    /// `None` once dropped.
    inner: Option<TcpStream>,
    world: World,
    pod: Arc<Pod>,
    /// Set on the side that connected: the wire's list of connections is kept by it.
    connection: Option<Connection>,
}

impl SimStream {
    pub(super) async fn connect(world: &World, pod: &Arc<Pod>, endpoint: &Endpoint) -> io::Result<Self> {
        let ip = resolve(world, pod, &endpoint.host)?;
        let address = SocketAddr::new(ip, endpoint.port);
        let connecting: Connecting = Box::pin(TcpStream::connect(address));
        let inner = InPod { future: Some(connecting), world: world.clone(), pod: Arc::clone(pod) }.await?;
        let mut stream =
            Self { inner: Some(inner), world: world.clone(), pod: Arc::clone(pod), connection: None };
        let connection = Connection { from: stream.inner().local_addr()?, to: address };
        if !address.ip().is_loopback() {
            lock(&world.shared.wire).opened(connection);
            stream.connection = Some(connection);
        }
        Ok(stream)
    }

    fn inner(&mut self) -> &mut TcpStream {
        turmoil_net::set_current(self.pod.kernel);
        self.inner.as_mut().expect("the socket is there until it is dropped")
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(self.inner()).poll_read(cx, buf);
        if buf.filled().len() > before {
            // Taking bytes may open the window, which the kernel then tells the peer.
            self.world.touch();
        }
        polled
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(self.inner()).poll_write(cx, buf);
        if polled.is_ready() {
            self.world.touch();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.world.touch();
        Pin::new(self.inner()).poll_shutdown(cx)
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        turmoil_net::set_current(self.pod.kernel);
        drop(self.inner.take());
        self.world.touch();
        if let Some(connection) = self.connection {
            lock(&self.world.shared.wire).closed(connection);
        }
    }
}

/// A port of a pod.
pub struct SimListener {
    inner: Option<TcpListener>,
    world: World,
    pod: Arc<Pod>,
}

impl SimListener {
    pub(super) async fn bind(world: &World, pod: &Arc<Pod>, address: SocketAddr) -> io::Result<Self> {
        turmoil_net::set_current(pod.kernel);
        let inner = TcpListener::bind(address).await?;
        Ok(Self { inner: Some(inner), world: world.clone(), pod: Arc::clone(pod) })
    }

    fn inner(&self) -> &TcpListener {
        turmoil_net::set_current(self.pod.kernel);
        self.inner.as_ref().expect("the socket is there until it is dropped")
    }
}

impl Listener for SimListener {
    type Stream = SimStream;

    async fn accept(&mut self) -> io::Result<Accepted<SimStream>> {
        let (inner, peer) = std::future::poll_fn(|cx| self.inner().poll_accept(cx)).await?;
        let original_destination = inner.local_addr()?;
        let (world, pod) = (self.world.clone(), Arc::clone(&self.pod));
        let stream = SimStream { inner: Some(inner), world, pod, connection: None };
        Ok(Accepted { stream, peer, original_destination })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner().local_addr()
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        turmoil_net::set_current(self.pod.kernel);
        drop(self.inner.take());
        self.world.touch();
    }
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A future that is polled and dropped with its pod as the current host.
struct InPod {
    future: Option<Connecting>,
    world: World,
    pod: Arc<Pod>,
}

impl Future for InPod {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        turmoil_net::set_current(self.pod.kernel);
        self.world.touch();
        let future = self.future.as_mut().expect("the future is there until it is dropped");
        future.as_mut().poll(cx)
    }
}

impl Drop for InPod {
    fn drop(&mut self) {
        turmoil_net::set_current(self.pod.kernel);
        drop(self.future.take());
        self.world.touch();
    }
}

fn resolve(world: &World, pod: &Pod, name: &str) -> io::Result<IpAddr> {
    if name == "localhost" || name == pod.name {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    if let Ok(address) = name.parse() {
        return Ok(address);
    }
    let address = lock(&world.shared.wire).address(name);
    address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no pod is called {name}")))
}
