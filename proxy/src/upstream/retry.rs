//! Whether a failed attempt is made again, and after how long. Owns no clock and no endpoints; the
//! caller brings the randomness. Back-off is Envoy's: full jitter, doubling, capped.

use std::time::Duration;

use http::{Method, StatusCode};
use rand::{Rng, RngExt};

use crate::telemetry::Fault;

/// When to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How often at most, after the first attempt: Envoy's `num_retries`.
    pub attempts: u32,
    /// After which failures.
    pub on: Vec<Condition>,
    /// For which methods, once a request may have reached the upstream.
    pub methods: Vec<Method>,
    /// The base of the back-off: the first pause is half of it on average.
    pub backoff_base: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
}

/// A failure after which to try again, named as in Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The connection could not be opened: refused, timed out, no TLS.
    ConnectFailure,
    /// The upstream said that it had not looked at the request (HTTP/2 `REFUSED_STREAM`).
    RefusedStream,
    /// The connection broke, or the attempt timed out, before there was an answer.
    Reset,
    /// Any answer from 500 to 599, and no answer at all.
    ServerError,
    /// An answer of 502, 503 or 504.
    GatewayError,
    /// An answer with this status.
    Status(StatusCode),
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// There was an answer with this status.
    Answered(StatusCode),
    /// There was none.
    Unanswered {
        /// Why.
        fault: Fault,
        /// How far the request had come.
        reach: Reach,
    },
}

/// How far a request had come when its attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This proxy never got hold of a connection, by its own rules.
    Held,
    /// No connection could be opened.
    Connecting,
    /// It was never written, or the upstream refused it unseen.
    Refused,
    /// The upstream may have seen it.
    Sent,
}

/// Decides on retries.
#[derive(Debug, Clone)]
pub struct Retry {
    config: Config,
}

impl Retry {
    /// Decides as `config` says.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Whether anything is ever tried again.
    pub fn possible(&self) -> bool {
        self.config.attempts > 0 && !self.config.on.is_empty()
    }

    /// Whether a request with `method`, `retries` times retried already, is to be tried again.
    pub fn wanted(&self, method: &Method, failure: Failure, retries: u32) -> bool {
        let unseen = matches!(failure, Failure::Unanswered { reach: Reach::Connecting | Reach::Refused, .. });
        retries < self.config.attempts
            && (unseen || self.config.methods.contains(method))
            && self.config.on.iter().any(|condition| condition.covers(failure))
    }

    /// How long to pause before retry number `retry`, which counts from 1: uniform between zero
    /// and (2^retry − 1) · base, at most the maximum.
    pub fn pause(&self, retry: u32, random: &mut impl Rng) -> Duration {
        let factor = 1_u32.checked_shl(retry).map_or(u32::MAX, |power| power - 1);
        let ceiling = self.config.backoff_base.saturating_mul(factor).min(self.config.backoff_max);
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random.random_range(0..=nanos))
    }
}

impl Condition {
    fn covers(self, failure: Failure) -> bool {
        match (self, failure) {
            (Self::ConnectFailure, Failure::Unanswered { reach: Reach::Connecting, .. })
            | (Self::RefusedStream, Failure::Unanswered { reach: Reach::Refused, .. })
            | (Self::Reset, Failure::Unanswered { reach: Reach::Sent, .. }) => true,
            (Self::ServerError, Failure::Unanswered { reach, .. }) => reach != Reach::Held,
            (Self::ServerError, Failure::Answered(status)) => status.is_server_error(),
            (Self::GatewayError, Failure::Answered(status)) => matches!(status.as_u16(), 502..=504),
            (Self::Status(wanted), Failure::Answered(status)) => wanted == status,
            _ => false,
        }
    }
}

/// The methods whose requests may be sent twice without harm (RFC 9110, section 9.2.2).
pub fn idempotent_methods() -> Vec<Method> {
    vec![Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    fn retry(on: &[Condition]) -> Retry {
        Retry::new(Config {
            attempts: 2,
            on: on.to_vec(),
            methods: idempotent_methods(),
            backoff_base: Duration::from_millis(25),
            backoff_max: Duration::from_millis(250),
        })
    }

    fn unanswered(reach: Reach) -> Failure {
        Failure::Unanswered { fault: Fault::Reset, reach }
    }

    #[test]
    fn conditions_cover_what_envoy_says() {
        use Condition::{ConnectFailure, GatewayError, RefusedStream, Reset, ServerError, Status};
        let answered = |status| Failure::Answered(StatusCode::from_u16(status).unwrap());
        let table = [
            (ConnectFailure, vec![unanswered(Reach::Connecting)]),
            (RefusedStream, vec![unanswered(Reach::Refused)]),
            (Reset, vec![unanswered(Reach::Sent)]),
            (
                ServerError,
                vec![
                    unanswered(Reach::Connecting),
                    unanswered(Reach::Refused),
                    unanswered(Reach::Sent),
                    answered(500),
                    answered(503),
                ],
            ),
            (GatewayError, vec![answered(503)]),
            (Status(StatusCode::TOO_MANY_REQUESTS), vec![answered(429)]),
        ];
        let all = [
            unanswered(Reach::Held),
            unanswered(Reach::Connecting),
            unanswered(Reach::Refused),
            unanswered(Reach::Sent),
            answered(200),
            answered(429),
            answered(500),
            answered(503),
        ];
        for (condition, covered) in table {
            for failure in all {
                let wanted = retry(&[condition]).wanted(&Method::GET, failure, 0);
                assert_eq!(wanted, covered.contains(&failure), "{condition:?} {failure:?}");
            }
        }
    }

    #[test]
    fn what_may_have_been_seen_is_repeated_only_when_that_is_harmless() {
        let retry = retry(&[Condition::ServerError]);
        assert!(retry.wanted(&Method::POST, unanswered(Reach::Connecting), 0));
        assert!(!retry.wanted(&Method::POST, unanswered(Reach::Sent), 0));
        assert!(retry.wanted(&Method::PUT, unanswered(Reach::Sent), 1));
        assert!(!retry.wanted(&Method::PUT, unanswered(Reach::Sent), 2), "two retries, no more");
    }

    proptest! {
        #[test]
        fn pauses_stay_below_their_ceiling(seed: u64, number in 1_u32..100) {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let pause = retry(&[]).pause(number, &mut random);
            let ceiling = match number { 1 => 25, 2 => 75, 3 => 175, _ => 250 };
            prop_assert!(pause <= Duration::from_millis(ceiling));
        }
    }

    #[test]
    fn the_mean_first_pause_is_half_the_base() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let retry = retry(&[]);
        let sum: Duration = (0..10_000).map(|_| retry.pause(1, &mut random)).sum();
        let mean_us = sum.as_micros() / 10_000;
        assert!((12_200..12_800).contains(&mean_us), "{mean_us}");
    }
}
