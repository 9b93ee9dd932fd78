//! A machine whose clock stands until it is told to go on, and where every connection is opened to nobody: bytes are never
//! read, but it is known which connections are open.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::task::unconstrained;

use crate::host::{Accepted, Endpoint, Host, Instant, Listener, Work};
use crate::telemetry::{Owner, Report};

/// The machine.
#[derive(Clone, Default)]
pub(super) struct Bench(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    now: Instant,
    sleepers: Vec<(Instant, Waker)>,
    down: BTreeSet<Endpoint>,
    connects: usize,
    /// The other ends.
    connections: Vec<DuplexStream>,
}

/// Lets every task do what it can.
pub(super) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

impl Bench {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Lets time pass, from one timer to the next.
    pub(super) async fn wait(&self, time: Duration) {
        let until = self.now() + time;
        loop {
            settle().await;
            let mut inner = self.lock();
            let due = inner.sleepers.iter().map(|(deadline, _)| *deadline).min();
            inner.now = due.map_or(until, |due| due.clamp(inner.now, until));
            let now = inner.now;
            let woken: Vec<_> = inner.sleepers.extract_if(.., |(deadline, _)| *deadline <= now).collect();
            drop(inner);
            let is_over = woken.is_empty();
            for (_, waker) in woken {
                waker.wake();
            }
            if is_over && now == until {
                return;
            }
        }
    }

    /// An endpoint accepts no connection any more, or does so again.
    pub(super) fn toggle(&self, endpoint: Endpoint) {
        let mut inner = self.lock();
        if !inner.down.remove(&endpoint) {
            inner.down.insert(endpoint);
        }
    }

    /// Everybody accepts connections.
    pub(super) fn repair(&self) {
        self.lock().down.clear();
    }

    /// How many connections were opened, or tried to.
    pub(super) fn connects(&self) -> usize {
        self.lock().connects
    }

    /// How many connections are open.
    pub(super) fn open_connections(&self) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        let mut buffer = [0; 64];
        let is_open = |stream: &mut DuplexStream| {
            // Else tokio would say that this task has read enough.
            let reads = unconstrained(stream.read(&mut buffer));
            pin!(reads).poll(&mut context).is_pending()
        };
        let mut inner = self.lock();
        inner.connections.retain_mut(is_open);
        inner.connections.len()
    }
}

/// Nobody listens here.
pub(super) struct NoPort;

impl Listener for NoPort {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<Accepted<DuplexStream>> {
        std::future::pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Host for Bench {
    type Stream = DuplexStream;
    type Listener = NoPort;

    async fn bind(&self, _: SocketAddr) -> io::Result<NoPort> {
        Ok(NoPort)
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<DuplexStream> {
        let mut inner = self.lock();
        inner.connects += 1;
        if inner.down.contains(endpoint) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (here, there) = tokio::io::duplex(64);
        inner.connections.push(there);
        Ok(here)
    }

    fn now(&self) -> Instant {
        self.lock().now
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        let bench = self.clone();
        std::future::poll_fn(move |context| {
            let mut inner = bench.lock();
            if inner.now >= deadline {
                return Poll::Ready(());
            }
            inner.sleepers.push((deadline, context.waker().clone()));
            Poll::Pending
        })
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    async fn work(&self, _: Work, _: impl FnMut(Owner, Instant) + Send) {}

    fn crypto(&self) -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    fn report(&self, report: Report) {
        assert!(!matches!(report, Report::Panicked) || std::thread::panicking(), "a task panicked");
    }
}
