//! Whether the peer of an HTTP/2 connection is there: [`Alive`] pings one that is silent while requests are open, and
//! [`Quiet`] tells how long none has been. [`Heard`] notes that bytes came. All are polled by the task that drives the
//! connection and own nothing of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::host::{Host, Instant};

/// How long the answer to a ping may take; gRPC's default.
const PONG_TIMEOUT: Duration = Duration::from_secs(20);

type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A timer that is set anew only when it must be: one that goes off too early is set for the rest.
struct Alarm<H> {
    host: H,
    set: Option<(Instant, Sleep)>,
}

impl<H: Host> Alarm<H> {
    fn new(host: H) -> Self {
        Self { host, set: None }
    }

    /// Completes once it is `due`.
    fn poll_at(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let (at, sleep) = match &mut self.set {
                Some(set) if set.0 <= due => set,
                set => set.insert((due, Box::pin(self.host.sleep_until(due)))),
            };
            ready!(sleep.as_mut().poll(cx));
            let reached = *at >= due;
            self.set = None;
            if reached {
                return Poll::Ready(());
            }
        }
    }
}

/// Pings a peer that has said nothing for a while, as long as there are requests.
pub(crate) struct Alive<H> {
    interval: Duration,
    pings: PingPong,
    heard: Arc<AtomicBool>,
    since: Option<Instant>,
    /// When the answer to the ping that is on its way is overdue.
    overdue: Option<Instant>,
    alarm: Alarm<H>,
}

impl<H: Host> Alive<H> {
    /// Pings after `interval` without a byte, of which `heard` tells.
    pub(crate) fn new(host: H, interval: Duration, pings: PingPong, heard: Arc<AtomicBool>) -> Self {
        Self { interval, pings, heard, since: None, overdue: None, alarm: Alarm::new(host) }
    }

    /// Completes once the peer has not answered a ping. `busy` says whether there are requests.
    pub(crate) fn poll_dead(&mut self, busy: bool, cx: &mut Context<'_>) -> Poll<()> {
        let heard = self.heard.swap(false, Ordering::Relaxed);
        loop {
            if let Some(overdue) = self.overdue {
                match self.pings.poll_pong(cx) {
                    Poll::Ready(Ok(_)) => (self.overdue, self.since) = (None, None),
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return self.alarm.poll_at(overdue, cx),
                }
            }
            if !busy {
                self.since = None;
                return Poll::Pending;
            }
            if heard {
                self.since = None;
            }
            let host = &self.alarm.host;
            let since = *self.since.get_or_insert_with(|| host.now());
            ready!(self.alarm.poll_at(since + self.interval, cx));
            if self.pings.send_ping(Ping::opaque()).is_err() {
                return Poll::Ready(());
            }
            self.overdue = Some(self.alarm.host.now() + PONG_TIMEOUT);
        }
    }
}

/// How long a connection has been without a request.
pub(crate) struct Quiet<H> {
    since: Option<Instant>,
    alarm: Alarm<H>,
}

impl<H: Host> Quiet<H> {
    pub(crate) fn new(host: H) -> Self {
        Self { since: None, alarm: Alarm::new(host) }
    }

    /// There are requests, or their absence counts from here on.
    pub(crate) fn begin_anew(&mut self) {
        self.since = None;
    }

    /// Completes once there has been no request for `timeout`; never without one.
    pub(crate) fn poll_over(&mut self, timeout: Option<Duration>, cx: &mut Context<'_>) -> Poll<()> {
        let host = &self.alarm.host;
        let since = *self.since.get_or_insert_with(|| host.now());
        match timeout {
            Some(timeout) => self.alarm.poll_at(since + timeout, cx),
            None => Poll::Pending,
        }
    }
}

/// Bytes of a connection, and whether some have come since somebody looked.
pub(crate) struct Heard<S> {
    stream: S,
    heard: Option<Arc<AtomicBool>>,
}

impl<S> Heard<S> {
    /// `stream`, noted in `heard` where somebody wants to know.
    pub(crate) fn new(stream: S, heard: Option<Arc<AtomicBool>>) -> Self {
        Self { stream, heard }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if let Some(heard) = &self.heard
            && buffer.filled().len() > before
        {
            heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
