//! The real machine: tokio's sockets and clock, the operating system's names and calendar.
//!
//! The one file of the products that names a socket type. Work costs nothing here, since the
//! processor was really spent; reports go to the [`Observer`] that the binary passed in.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the door to the live machine"
)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use tokio::net::{TcpListener, TcpStream};

use super::{Accepted, Endpoint, Host, Instant, Listener, Work};
use crate::telemetry::{Interest, Observer, Owner, Report};

/// A handle to the machine that this process runs on.
#[derive(Clone)]
pub struct Live {
    shared: Arc<Shared>,
}

struct Shared {
    start: tokio::time::Instant,
    crypto: Arc<CryptoProvider>,
    observer: Box<dyn Observer>,
}

impl Live {
    /// The machine as of now; `observer` hears every report. Call it inside a tokio runtime.
    pub fn new(observer: impl Observer) -> Self {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let start = tokio::time::Instant::now();
        Self { shared: Arc::new(Shared { start, crypto, observer: Box::new(observer) }) }
    }
}

impl Host for Live {
    type Stream = TcpStream;
    type Listener = LiveListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<LiveListener> {
        TcpListener::bind(address).await.map(LiveListener)
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((&*endpoint.host, endpoint.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.shared.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        tokio::time::sleep_until(self.shared.start + deadline.saturating_since(Instant::START))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn work(&self, _: Work, _: impl FnMut(Owner, Instant) + Send) {}

    fn crypto(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.shared.crypto)
    }

    fn report(&self, report: Report) {
        self.shared.observer.observe(report);
    }

    fn wants(&self, interest: Interest) -> bool {
        self.shared.observer.wants(interest)
    }
}

/// A bound TCP port.
#[derive(Debug)]
pub struct LiveListener(TcpListener);

impl Listener for LiveListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<Accepted<TcpStream>> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        let original_destination = original_destination(&stream)?;
        Ok(Accepted { stream, peer, original_destination })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// What `iptables … REDIRECT` remembered of the connection, or the local address when nothing was redirected.
fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(address) =
        socket2::SockRef::from(stream).original_dst_v4().ok().and_then(|address| address.as_socket())
    {
        return Ok(address);
    }
    stream.local_addr()
}
