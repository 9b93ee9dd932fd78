//! How long a connection may live: an age after which it comes to an orderly end. Nothing that was begun is lost:
//! HTTP/1.1 says `Connection: close` with the next answer, HTTP/2 sends GOAWAY. Not here: how long a connection may be
//! idle, which hyper counts over HTTP/1.1 and [`crate::http2`] over HTTP/2.

use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use rand::Rng;

use crate::body::Body;
use crate::host::{Host, Instant};
use crate::http2::server::Answering;
use crate::random;

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

/// Sees to the end of an HTTP/1.1 connection: the first answer after it says that it is the last.
#[derive(Clone)]
pub(super) struct Lifetime<H> {
    host: H,
    ends: Instant,
}

impl<H: Host> Lifetime<H> {
    pub(super) fn new(host: H, ends: Instant) -> Self {
        Self { host, ends }
    }

    /// Waits for an answer, which is boxed: an `async fn` would hold it twice, before its first poll and after.
    pub(super) async fn keep(self, answering: Answering) -> Response<Body> {
        let answer = answering.await;
        // With another protocol it ends in any case.
        let is_last = self.host.now() >= self.ends && answer.status() != StatusCode::SWITCHING_PROTOCOLS;
        if is_last { closing(answer) } else { answer }
    }
}

/// An answer that says that its connection ends with it.
pub(super) fn closing(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
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
