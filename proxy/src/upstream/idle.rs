//! The idle timeout of a stream, as Envoy's `stream_idle_timeout`: when nothing passed for so long, either way, the
//! attempt is over. Before the answer's head it is an attempt that was late, after it the answer breaks off.
//!
//! What passes is content and heads, a frame at a time, as this hop sees them. A caller that does not read lets
//! nothing pass, either. Not here: idle connections, which are the pool's matter.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::Body;
use crate::host::{Host, Instant};
use crate::telemetry::Fault;
use crate::timer::before;

/// Watches the stream of one attempt. Cloning gives another handle.
#[derive(Clone)]
pub(super) struct Idle<H> {
    host: H,
    timeout: Duration,
    /// When something passed last, in nanoseconds since the host's start.
    last_nanos: Arc<AtomicU64>,
}

impl<H: Host> Idle<H> {
    /// A stream that begins now and may be idle for `timeout`.
    pub(super) fn start(host: H, timeout: Duration) -> Self {
        let last_nanos = Arc::new(AtomicU64::new(host.now().nanos()));
        Self { host, timeout, last_nanos }
    }

    /// Something passes.
    pub(super) fn passes(&self) {
        self.last_nanos.store(self.host.now().nanos(), Ordering::Relaxed);
    }

    /// Goes on watching while the answer's content passes.
    pub(super) fn watch(self) -> Watch<H> {
        let idle = self.clone();
        let over = Box::pin(async move {
            while idle.host.now() < idle.until() {
                idle.host.sleep_until(idle.until()).await;
            }
        });
        Watch { idle: self, over }
    }

    /// Waits for `future`, which is pinned by the caller since few streams are watched; `None` when the stream is
    /// idle for too long before.
    pub(super) async fn unless_idle<F: Future + Unpin>(&self, mut future: F) -> Option<F::Output> {
        loop {
            let until = self.until();
            if let Some(output) = before(&self.host, until, &mut future).await {
                return Some(output);
            }
            if self.until() == until {
                return None;
            }
        }
    }

    /// The request's content, which passes frame by frame.
    pub(super) fn watched(&self, body: Body) -> Body {
        if body.is_end_stream() { body } else { Body::boxed(Watched { body, idle: self.clone() }) }
    }

    fn until(&self) -> Instant {
        Instant::from_nanos(self.last_nanos.load(Ordering::Relaxed)) + self.timeout
    }
}

/// A stream whose answer is being read.
pub(super) struct Watch<H> {
    idle: Idle<H>,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<H: Host> Watch<H> {
    /// Something passes.
    pub(super) fn passes(&self) {
        self.idle.passes();
    }

    /// Whether nothing has passed for too long; if not yet, `cx` is told when it is time to look again.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.over.as_mut().poll(cx).is_ready()
    }
}

struct Watched<H> {
    body: Body,
    idle: Idle<H>,
}

impl<H: Host> HttpBody for Watched<H> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.idle.passes();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
