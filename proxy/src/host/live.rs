//! The real machine: tokio's sockets and clock, the operating system's names and calendar.
//!
//! With `stream`, the one place of the products that names a socket type. Work costs nothing here, since the
//! processor was really spent; reports go to the [`Observer`] that the binary passed in.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the door to the live machine"
)]

mod names;
mod stream;
mod turn;

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use futures_util::FutureExt;
use rustls::crypto::CryptoProvider;
use tokio::net::{TcpListener, TcpStream};

use super::{Accepted, Endpoint, Host, Instant, Listener, Resolved, Work};
use crate::telemetry::{Interest, Observer, Owner, Report};
pub use stream::LiveStream;

/// The longest file that is read; a list of 10,000 endpoints is a third of it.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A handle to the machine that this process runs on.
#[derive(Clone)]
pub struct Live {
    shared: Arc<Shared>,
}

struct Shared {
    names: OnceLock<names::Names>,
    start: tokio::time::Instant,
    crypto: Arc<CryptoProvider>,
    observer: Box<dyn Observer>,
}

impl Live {
    /// The machine as of now; `observer` hears every report. Call it inside a tokio runtime.
    pub fn new(observer: impl Observer) -> Self {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let start = tokio::time::Instant::now();
        let names = OnceLock::new();
        Self { shared: Arc::new(Shared { names, start, crypto, observer: Box::new(observer) }) }
    }
}

impl Host for Live {
    type Stream = LiveStream;
    type Listener = LiveListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<LiveListener> {
        let bound = TcpListener::bind(address).await;
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
        bound.map(LiveListener).map_err(named)
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<LiveStream> {
        LiveStream::new(TcpStream::connect((&*endpoint.host, endpoint.port)).await?)
    }

    async fn resolve(&self, name: &str) -> io::Result<Resolved> {
        let names = self.shared.names.get_or_init(names::Names::of_this_machine);
        names.resolve(name).await
    }

    async fn read(&self, path: &Path) -> io::Result<String> {
        let path = path.to_owned();
        // Where the file's disk does not answer, only a thread that is made for it waits.
        let read = tokio::task::spawn_blocking(move || read(&path));
        read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn now(&self) -> Instant {
        turn::now_since(self.shared.start)
    }

    fn now_anew(&self) -> Instant {
        turn::since(self.shared.start)
    }

    fn turn<T>(&self, turn: impl FnOnce() -> T) -> T {
        turn::take(turn)
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        let deadline = self.shared.start + deadline.saturating_since(Instant::START);
        tokio::time::sleep_until(deadline).map(|()| turn::look_again())
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

/// What stands in a file that people or their programs write.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    if text.len() as u64 == FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than such a file may be"));
    }
    Ok(text)
}

/// A bound TCP port.
#[derive(Debug)]
pub struct LiveListener(TcpListener);

impl Listener for LiveListener {
    type Stream = LiveStream;

    async fn accept(&mut self) -> io::Result<Accepted<LiveStream>> {
        let (stream, peer) = self.0.accept().await?;
        let original_destination = original_destination(&stream)?;
        let stream = LiveStream::new(stream)?;
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
