//! Whether a failed attempt is made again, and after how long: conditions in `condition`, pauses in
//! `backoff`. Owns no clock, no endpoints and no budget ([`super::budget`]); the caller brings the randomness.

pub mod backoff;
pub mod condition;

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, Method};

pub use backoff::{Backoff, Jitter};
pub use condition::{Condition, Failure, GrpcCode, HeaderMatch, Reach};

/// Marks an answer that a rate limit gave, by Envoy's name.
const RATE_LIMITED: HeaderName = HeaderName::from_static("x-envoy-ratelimited");

/// When to try again.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How often at most, after the first attempt: Envoy's `num_retries`.
    pub attempts: u32,
    /// After which failures.
    pub on: Vec<Condition>,
    /// The fields by which an answer asks for another try, for [`Condition::RetriableHeaders`].
    pub headers: Vec<HeaderMatch>,
    /// For which methods, once a request may have reached the upstream.
    pub methods: Methods,
    /// Whether codes of gRPC are looked for in trailers, too, which are waited for then.
    pub reads_trailers: bool,
    /// Which endpoints it may go to.
    pub candidates: Candidates,
    /// How long to pause.
    pub backoff: backoff::Config,
    /// How `Retry-After` is honoured; it is not when `None`.
    pub told: Option<Told>,
}

/// How `Retry-After` is honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Up to which pause; a longer one leaves it to the back-off.
    pub max: Duration,
    /// Whether it may be a date; Envoy ignores those.
    pub dates: bool,
}

/// Which endpoints a retry may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Candidates {
    /// One that was not tried yet, while there is one: Envoy's `previous_hosts`, which Istio writes.
    #[default]
    Others,
    /// Any: balancing chooses as it always does, as in plain Envoy and Kong.
    Any,
    /// The one before, while it may be asked: `HAProxy` without `redispatch`.
    Same,
}

/// Some methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// All of them, as in Envoy.
    Any,
    /// These.
    Some(Vec<Method>),
}

impl Methods {
    /// Whether `method` is one of them.
    pub fn contains(&self, method: &Method) -> bool {
        match self {
            Self::Any => true,
            Self::Some(methods) => methods.contains(method),
        }
    }
}

impl Default for Methods {
    /// The methods whose requests may be sent twice without harm (RFC 9110, section 9.2.2).
    fn default() -> Self {
        let idempotent =
            [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE];
        Self::Some(idempotent.to_vec())
    }
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
    pub fn wanted(&self, method: &Method, failure: Failure<'_>, retries: u32) -> bool {
        let unseen = matches!(failure, Failure::Unanswered { reach, .. } if reach.is_unseen());
        self.has_left(retries) && (unseen || self.config.methods.contains(method)) && self.covers(failure)
    }

    /// Whether a request that was retried `retries` times already may be once more.
    pub fn has_left(&self, retries: u32) -> bool {
        retries < self.config.attempts
    }

    /// Whether it is a failure after which requests are tried again.
    pub fn covers(&self, failure: Failure<'_>) -> bool {
        let Config { on, headers: retriable, reads_trailers, .. } = &self.config;
        let failure = match failure {
            Failure::Answered { headers, .. } if headers.contains_key(RATE_LIMITED) => {
                return on.contains(&Condition::EnvoyRateLimited);
            }
            Failure::Answered { status, headers, trailers } => {
                Failure::Answered { status, headers, trailers: trailers.filter(|_| *reads_trailers) }
            }
            failure @ Failure::Unanswered { .. } => failure,
        };
        on.iter().any(|condition| condition.covers(failure, retriable))
    }

    /// Whether trailers matter, in which the codes of gRPC may stand.
    pub fn reads_trailers(&self) -> bool {
        self.config.reads_trailers && self.config.on.iter().any(|condition| condition.is_grpc())
    }

    /// Which endpoints it may go to.
    pub fn candidates(&self) -> Candidates {
        self.config.candidates
    }

    /// The pauses of a request.
    pub fn backoff(&self) -> Backoff {
        Backoff::new(self.config.backoff)
    }

    /// How long the upstream asks to wait (`Retry-After`, RFC 9110, section 10.2.3: seconds or a date), where that
    /// is honoured. `wall` is only asked for a date.
    pub fn told(&self, headers: &HeaderMap, wall: impl FnOnce() -> SystemTime) -> Option<Duration> {
        let Told { max, dates } = self.config.told?;
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let wanted = match text.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) if !dates => return None,
            Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(wall()).unwrap_or_default(),
        };
        (wanted <= max).then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Fault;
    use http::{HeaderValue, StatusCode};

    fn retry() -> Retry {
        retry_on(vec![Condition::ServerError])
    }

    fn retry_on(on: Vec<Condition>) -> Retry {
        Retry::new(Config {
            attempts: 2,
            on,
            headers: Vec::new(),
            methods: Methods::default(),
            reads_trailers: true,
            candidates: Candidates::Others,
            backoff: backoff::Config {
                base: Duration::from_millis(25),
                max: Duration::from_millis(250),
                jitter: Jitter::Full,
            },
            told: Some(Told { max: Duration::from_secs(300), dates: true }),
        })
    }

    fn unanswered(reach: Reach) -> Failure<'static> {
        Failure::Unanswered { fault: Fault::Reset, reach }
    }

    #[test]
    fn what_may_have_been_seen_is_repeated_only_when_that_is_harmless() {
        let retry = retry();
        for unseen in [Reach::Connecting, Reach::Unwritten, Reach::Refused] {
            assert!(retry.wanted(&Method::POST, unanswered(unseen), 0));
        }
        assert!(!retry.wanted(&Method::POST, unanswered(Reach::Sent), 0));
        assert!(retry.wanted(&Method::PUT, unanswered(Reach::Sent), 1));
        assert!(!retry.wanted(&Method::PUT, unanswered(Reach::Sent), 2), "two retries, no more");
    }

    #[test]
    fn what_a_rate_limit_refused_is_covered_by_its_own_condition_alone() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let [limited, plain] = ["x-envoy-ratelimited", "x-else"].map(|name| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("true"));
            headers
        });
        let covers = |condition, headers| {
            retry_on(vec![condition]).covers(Failure::Answered { status, headers, trailers: None })
        };
        for condition in [Condition::ServerError, Condition::Status(status)] {
            assert!(covers(condition, &plain) && !covers(condition, &limited));
        }
        assert!(
            covers(Condition::EnvoyRateLimited, &limited) && !covers(Condition::EnvoyRateLimited, &plain)
        );
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_up_to_the_limit() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let told = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            retry().told(&headers, || now)
        };
        assert_eq!(told("7"), Some(Duration::from_secs(7)));
        assert_eq!(told("Sun, 06 Nov 1994 08:49:57 GMT"), Some(Duration::from_secs(20)));
        assert_eq!(told("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "a date that has passed");
        assert_eq!(told("300"), Some(Duration::from_secs(300)));
        for ignored in ["301", "soon", "-1", "1.5"] {
            assert_eq!(told(ignored), None, "{ignored}");
        }
        assert_eq!(retry().told(&HeaderMap::new(), || now), None);
    }
}
