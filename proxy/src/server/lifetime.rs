//! How long a connection may live: an age after which it comes to an orderly end, and over HTTP/2 a silence after
//! which it does. Nothing that was begun is lost: HTTP/1.1 says `Connection: close` with the next answer, HTTP/2
//! sends GOAWAY. Not here: how long HTTP/1.1 waits for a request's head, which is hyper's to count.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use rand::Rng;

use crate::body::Body;
use crate::host::{Host, Instant};
use crate::random;
use crate::telemetry::Fault;

/// How old a connection may become (gRPC's `MAX_CONNECTION_AGE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionAge {
    /// The age, which each connection reaches up to a tenth earlier or later, so that those that were opened together
    /// do not all end together (as gRPC does).
    pub max: Duration,
    /// Decides on that.
    pub seed: u64,
}

impl ConnectionAge {
    /// The age of the connection that was accepted as the `number`th.
    pub(super) fn of(self, number: u64) -> Duration {
        const JITTER: f64 = 0.1;
        let drawn = random::stream(self.seed, number).next_u64() as f64 / u64::MAX as f64;
        self.max.mul_f64(1.0 + JITTER * (2.0 * drawn - 1.0))
    }
}

/// What sees to the end of a connection as its requests are answered.
#[derive(Clone)]
pub(super) enum Lifetime<H> {
    /// Over HTTP/1.1, the first answer after this says that it is the last.
    Until(H, Instant),
    /// Over HTTP/2, it is counted how many requests are open.
    Counted(Arc<Streams<H>>),
}

impl<H: Host> Lifetime<H> {
    /// Waits for an answer.
    pub(super) async fn keep(self, answering: impl Future<Output = Response<Body>>) -> Response<Body> {
        match self {
            Self::Until(host, ends) => {
                let answer = answering.await;
                if host.now() >= ends { closing(answer) } else { answer }
            }
            Self::Counted(streams) => {
                let stream = Stream::begin(streams);
                let (head, body) = answering.await.into_parts();
                Response::from_parts(head, Body::boxed(Held { body, _stream: stream }))
            }
        }
    }
}

/// An answer that says that its connection ends with it.
pub(super) fn closing(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The requests that are open on an HTTP/2 connection.
pub(super) struct Streams<H> {
    host: H,
    open: AtomicU64,
    /// When the last of them ended, or the connection began, in nanoseconds.
    idle_since: AtomicU64,
}

impl<H: Host> Streams<H> {
    pub(super) fn new(host: H) -> Self {
        let idle_since = AtomicU64::new(host.now().nanos());
        Self { host, open: AtomicU64::new(0), idle_since }
    }

    /// Completes once no request has been open for `timeout`.
    pub(super) async fn silent_for(&self, timeout: Duration) {
        loop {
            let now = self.host.now();
            let quiet_since = match self.open.load(Ordering::Acquire) {
                0 => Instant::from_nanos(self.idle_since.load(Ordering::Acquire)),
                _ => now,
            };
            if now >= quiet_since + timeout {
                return;
            }
            self.host.sleep_until(quiet_since + timeout).await;
        }
    }
}

/// An open request; ended when dropped.
struct Stream<H: Host>(Arc<Streams<H>>);

impl<H: Host> Stream<H> {
    fn begin(streams: Arc<Streams<H>>) -> Self {
        streams.open.fetch_add(1, Ordering::AcqRel);
        Self(streams)
    }
}

impl<H: Host> Drop for Stream<H> {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.host.now().nanos(), Ordering::Release);
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The content of an answer, with which its request ends.
struct Held<H: Host> {
    body: Body,
    _stream: Stream<H>,
}

impl<H: Host> HttpBody for Held<H> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_spread_a_tenth_around_the_maximum() {
        let age = ConnectionAge { max: Duration::from_secs(30), seed: 7 };
        let ages: Vec<f64> = (0..1_000).map(|number| age.of(number).as_secs_f64()).collect();
        assert!(ages.iter().all(|age| (27.0..=33.0).contains(age)));
        let mean = ages.iter().sum::<f64>() / 1_000.0;
        assert!((mean - 30.0).abs() < 0.2, "{mean}");
        assert!(ages.iter().any(|age| *age < 27.2) && ages.iter().any(|age| *age > 32.8));
        assert_eq!(age.of(3), age.of(3));
    }
}
