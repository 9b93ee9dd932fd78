//! When to try again, as configuration writes it.

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::{parsed, texts, texts_form};
use hoplab_config::{AboveZero, Choice, Context, Place, Read, Value, quantity, way};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::budget::BudgetPolicy;
use super::layer::{layer, whole};
use super::{Contradiction, Policies, TimeLimit};
use crate::policy::retry::{self, Candidates, Condition, GrpcCode, HeaderMatch, Jitter, Methods, backoff};
use crate::upstream::settings::{self, Retries, Settings};

layer! {
    /// When to try again. `attempts = 0` switches off what a lower layer says.
    pub struct RetryPolicy {
        /// How often at most, after the first.
        pub attempts: u32 = settings::RETRY_ATTEMPTS,
        /// After which failures, by Envoy's names: `connect-failure`, `refused-stream`, `reset`, `reset-before-request`,
        /// `5xx`, `gateway-error` (502 to 504; like `5xx` and `reset` it covers whatever ends an attempt without an
        /// answer), `retriable-4xx` (409), `retriable-headers`, `envoy-ratelimited` (an answer with
        /// `x-envoy-ratelimited`, which no other condition covers), a status such as `503`, or a gRPC code (`cancelled`,
        /// `deadline-exceeded`, `internal`, `resource-exhausted`, `unavailable`) in an answer's head or its trailers: an
        /// answer of one message, up to `body_limit`, is read to its end first, for 25 ms behind that message, and not
        /// while the caller has more to say: what goes on is a stream.
        pub on: Vec<Condition> as Conditions = "`[\"connect-failure\", \"refused-stream\"]`",
        /// For `retriable-headers`: fields of an answer, `"x-should-retry"` or `"x-verdict: again"`.
        pub headers: Vec<HeaderMatch> as HeaderMatches = "none",
        /// Which endpoints a retry may go to.
        pub endpoints: Candidates = "`\"others\"`",
        /// The base and the cap of the back-off.
        pub backoff: quantity::Spread =
            quantity::Spread { from: settings::BACKOFF_BASE, to: settings::BACKOFF_MAX },
        /// How pauses vary.
        pub jitter: Jitter = "`\"full\"`",
        /// What becomes of an answer's `Retry-After`.
        pub retry_after: RetryAfter = "`\"ignore\"`",
        /// The longest wait that is honoured; an answer that asks for more is not tried again.
        pub retry_after_max: Duration as AboveZero = settings::RETRY_AFTER_MAX,
        /// How many requests may be retries: a share of those in flight, `"none"` for any number, or a table.
        pub budget: BudgetPolicy = "none",
        /// How long one attempt may take until its answer begins.
        pub per_try_timeout: TimeLimit = "any time",
        /// The methods whose requests are sent again although the upstream may have seen them, as under `reset` when a
        /// connection that was kept breaks, which nginx does unasked; gRPC needs `["POST"]`.
        pub methods: Methods = "the idempotent ones",
        /// With a gRPC code: whether trailers are looked at, too.
        pub trailers: Trailers = "`\"read\"`",
        /// So long after the request's beginning no further attempt is begun (nginx's `proxy_next_upstream_timeout`);
        /// `"0s"` switches off.
        pub within: Duration = "any time",
        /// How much of a request's content is kept, so that it can be sent again.
        pub body_limit: quantity::Size = quantity::Size(settings::BODY_LIMIT),
    }
}

/// What becomes of an answer's `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// A retry waits as long.
    Honour,
    /// A retry waits as long where it is a number of seconds, as in Envoy; a date is ignored.
    Seconds,
    /// It is an answer like any other.
    Ignore,
}

/// Whether the codes of gRPC are looked for in an answer's trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trailers {
    /// They are waited for, as far as the kept content goes.
    #[default]
    Read,
    /// The head alone counts, as in Envoy.
    Ignore,
}

whole!(Candidates, Jitter, Methods, RetryAfter, Trailers, Vec<HeaderMatch>);

impl RetryPolicy {
    pub(super) fn resolve(&self) -> retry::Config {
        let told =
            |dates| retry::Told { max: self.retry_after_max.unwrap_or(settings::RETRY_AFTER_MAX), dates };
        retry::Config {
            attempts: self.attempts.unwrap_or(settings::RETRY_ATTEMPTS),
            on: self.on.clone().unwrap_or_else(|| settings::RETRY_ON.to_vec()),
            headers: self.headers.clone().unwrap_or_default(),
            methods: self.methods.clone().unwrap_or_default(),
            reads_trailers: self.trailers.unwrap_or_default() == Trailers::Read,
            candidates: self.endpoints.unwrap_or_default(),
            backoff: backoff::Config {
                base: self.backoff.map_or(settings::BACKOFF_BASE, |backoff| backoff.from),
                max: self.backoff.map_or(settings::BACKOFF_MAX, |backoff| backoff.to),
                jitter: self.jitter.unwrap_or_default(),
            },
            told: match self.retry_after {
                Some(RetryAfter::Honour) => Some(told(true)),
                Some(RetryAfter::Seconds) => Some(told(false)),
                Some(RetryAfter::Ignore) | None => None,
            },
        }
    }

    /// What it says of requests that may take any time, by itself; or what contradicts itself, by its keys here.
    pub fn resolve_alone(&self) -> Result<Retries, Vec<Contradiction>> {
        let retry = self.resolve();
        let policies = Policies {
            timeout: Some(TimeLimit::Unlimited),
            retry: Some(self.clone()),
            ..Policies::default()
        };
        match policies.resolve() {
            Ok(Settings { retry_within: within, per_try_timeout, budget, body_limit, .. }) => {
                Ok(Retries { retry, within, per_try_timeout, budget, body_limit })
            }
            Err(found) => {
                let here = |key: &'static str| key.strip_prefix("retry.").unwrap_or(key);
                Err(found.into_iter().map(|found| Contradiction { key: here(found.key), ..found }).collect())
            }
        }
    }

    /// Whether anything may be sent again.
    pub(super) fn is_on(&self) -> bool {
        retry::Retry::new(self.resolve()).possible()
    }

    /// What cannot be told from one layer alone.
    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = self.budget.as_ref().map_or_else(Vec::new, BudgetPolicy::contradictions);
        let mut add = |key, fact: &str, hint: &str| {
            found.push(Contradiction { key, fact: fact.to_owned(), hint: hint.to_owned() });
        };
        let on_headers = self.on.as_ref().is_some_and(|on| on.contains(&Condition::RetriableHeaders));
        if self.headers.is_some() && !on_headers {
            add("retry.headers", "nothing looks at these headers", "add \"retriable-headers\" to `on`");
        }
        if self.headers.is_none() && on_headers {
            let hint = "write `headers = [\"x-should-retry\"]`";
            add("retry.on", "`retriable-headers` has no headers to look for", hint);
        }
        if self.retry_after_max.is_some() && self.resolve().told.is_none() {
            add("retry.retry_after_max", "`Retry-After` is not honoured", "write `retry_after = \"honour\"`");
        }
        if self.trailers == Some(Trailers::Ignore)
            && !self.resolve().on.iter().any(|condition| condition.is_grpc())
        {
            let hint = "add a code of gRPC such as \"unavailable\" to `on`";
            add("retry.trailers", "nothing looks for codes of gRPC", hint);
        }
        found
    }
}

impl Choice for RetryAfter {
    const NOUN: &'static str = "way with `Retry-After`";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Honour, "honour", "a retry waits as long"),
        (
            Self::Seconds,
            "seconds",
            "a retry waits as long where it is a number of seconds, as in Envoy; a date is ignored",
        ),
        (Self::Ignore, "ignore", "it is an answer like any other"),
    ];
}

impl Choice for Trailers {
    const NOUN: &'static str = "way with trailers";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Read, "read", "they are waited for, as far as the kept content goes"),
        (
            Self::Ignore,
            "ignore",
            "the head alone counts, as in Envoy, so that only a call that fails without a message is retried",
        ),
    ];
}

impl Choice for Candidates {
    const NOUN: &'static str = "choice of endpoints";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Others,
            "others",
            "one that was not tried yet, while there is one, as with Envoy's `previous_hosts`",
        ),
        (
            Self::Any,
            "any",
            "balancing chooses as it always does, and may choose the same one again, as in Envoy and Kong unasked",
        ),
        (
            Self::Same,
            "same",
            "the one before, while it is a member that may be asked, else another; `HAProxy` without `redispatch`",
        ),
    ];
}

impl Choice for Jitter {
    const NOUN: &'static str = "jitter";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Full, "full", "anything up to the back-off"),
        (Self::Equal, "equal", "half of it, and anything up to the other half"),
        (Self::Decorrelated, "decorrelated", "from the base up to three times the last pause"),
        (Self::Added, "added", "the back-off, and up to as much again, at most the cap, as in Linkerd"),
        (Self::None, "none", "exactly the back-off"),
    ];
}

impl Read for Methods {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        const EXPECTED: (&str, &str) = ("a list of methods", "write, say, `[\"GET\"]`, or `\"any\"`");
        if value.get_ref().is_array() {
            return texts(value, place, context, method).map(Self::Some);
        }
        parsed(value, place, EXPECTED, context, |text| match text {
            "any" => Ok(Self::Any),
            _ => Err(format!("`{text}` is no list of methods: write `[\"{text}\"]`, or `\"any\"` for all")),
        })
    }
}

impl Describe for Methods {
    fn form() -> Form {
        Form::Either(vec![
            texts_form("a method", "GET"),
            Form::Text { what: "all methods, as in Envoy", example: "any" },
        ])
    }
}

way!(Conditions: Vec<Condition>, texts_form("a condition", "connect-failure"), conditions);
way!(HeaderMatches: Vec<HeaderMatch>, texts_form("a header field", "x-should-retry"), header_matches);

fn conditions(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Vec<Condition>> {
    texts(value, place, context, condition)
}

fn header_matches(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Vec<HeaderMatch>> {
    texts(value, place, context, header_match)
}

fn condition(name: &str) -> Result<Condition, String> {
    let status = || name.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    Ok(match name {
        "connect-failure" => Condition::ConnectFailure,
        "refused-stream" => Condition::RefusedStream,
        "reset" => Condition::Reset,
        "reset-before-request" => Condition::ResetBeforeRequest,
        "5xx" => Condition::ServerError,
        "gateway-error" => Condition::GatewayError,
        "retriable-4xx" => Condition::Retriable4xx,
        "retriable-headers" => Condition::RetriableHeaders,
        "envoy-ratelimited" => Condition::EnvoyRateLimited,
        "cancelled" => Condition::Grpc(GrpcCode::Cancelled),
        "deadline-exceeded" => Condition::Grpc(GrpcCode::DeadlineExceeded),
        "internal" => Condition::Grpc(GrpcCode::Internal),
        "resource-exhausted" => Condition::Grpc(GrpcCode::ResourceExhausted),
        "unavailable" => Condition::Grpc(GrpcCode::Unavailable),
        _ => match status().filter(|status: &StatusCode| status.as_u16() >= 400) {
            Some(status) => Condition::Status(status),
            None => {
                return Err(format!(
                    "unknown retry condition `{name}`: write `connect-failure`, `refused-stream`, `reset`, \
                     `reset-before-request`, `5xx`, `gateway-error`, `retriable-4xx`, `retriable-headers`, \
                     `envoy-ratelimited`, a gRPC code such as `unavailable`, or a status such as `503`"
                ));
            }
        },
    })
}

/// Reads `name` or `name: value`.
fn header_match(text: &str) -> Result<HeaderMatch, String> {
    let (name, value) =
        text.split_once(':').map_or((text, None), |(name, value)| (name.trim(), Some(value.trim())));
    let wrong = || format!("`{text}` is no header: write a name such as `x-should-retry`, or `name: value`");
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
    let value = value.map(HeaderValue::from_str).transpose().map_err(|_| wrong())?;
    Ok(HeaderMatch { name, value })
}

/// Reads a method's name; names are case-sensitive, so `get` is a mistake.
pub fn method(name: &str) -> Result<Method, String> {
    let method = Method::from_bytes(name.as_bytes()).ok().filter(|_| name == name.to_ascii_uppercase());
    method.ok_or_else(|| format!("`{name}` is no method: write it in capitals, such as `GET`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RetryPolicy, String> {
        hoplab_config::read("test.toml", text).map_err(|problems| problems.in_words().join("; "))
    }

    #[test]
    fn every_key_is_read() {
        let policy = read(
            r#"
            on = ["reset-before-request", "retriable-4xx", "retriable-headers", "unavailable"]
            headers = ["x-should-retry", "x-verdict: again"]
            jitter = "decorrelated"
            retry_after = "honour"
            body_limit = "1 MiB"
            "#,
        )
        .unwrap();
        assert_eq!(policy.contradictions(), []);
        assert_eq!(policy.body_limit, Some(quantity::Size(1 << 20)));
        let config = policy.resolve();
        assert_eq!(config.on[3], Condition::Grpc(GrpcCode::Unavailable));
        assert_eq!(config.headers[0].value, None);
        assert_eq!(config.headers[1].value, Some(HeaderValue::from_static("again")));
        assert_eq!(config.backoff.jitter, Jitter::Decorrelated);
        let told = |dates| Some(retry::Told { max: Duration::from_secs(300), dates });
        assert_eq!((config.told, config.methods.clone()), (told(true), Methods::default()));
        assert!(config.reads_trailers);
        assert_eq!(read("").unwrap().resolve().told, None);
        let envoy =
            "on = [\"unavailable\"]\nretry_after = \"seconds\"\nmethods = \"any\"\ntrailers = \"ignore\"";
        let envoy = read(envoy).unwrap().resolve();
        assert_eq!((envoy.told, envoy.methods, envoy.reads_trailers), (told(false), Methods::Any, false));
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("on = [\"200\"]", "unknown retry condition `200`: write `connect-failure`"),
            ("headers = [\"a b\"]", "`a b` is no header: write a name such as `x-should-retry`"),
            (
                "jitter = \"half\"",
                "unknown jitter \"half\": there are \"full\", \"equal\", \"decorrelated\", \"added\", \"none\"",
            ),
            (
                "endpoints = \"new\"",
                "unknown choice of endpoints \"new\": there are \"others\", \"any\", \"same\"",
            ),
            (
                "retry_after = \"obey\"",
                "unknown way with `Retry-After` \"obey\": there are \"honour\", \"seconds\", \"ignore\"",
            ),
            ("methods = \"POST\"", "`POST` is no list of methods: write `[\"POST\"]`, or `\"any\"` for all"),
            (
                "methods = 3",
                "a whole number where a list of methods belongs: write, say, `[\"GET\"]`, or `\"any\"`",
            ),
            ("trailers = \"wait\"", "unknown way with trailers \"wait\": there are \"read\", \"ignore\""),
            ("retry_after_max = \"0s\"", "must be above zero"),
            ("body_limit = \"-1 KiB\"", "`-1 KiB` is negative: write a size such as `1 KiB`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn a_policy_of_retries_stands_by_itself() {
        let retries =
            read("attempts = 2\non = [\"reset-before-request\"]\nbudget = \"20%\"\nwithin = \"1h\"").unwrap();
        let retries = retries.resolve_alone().unwrap();
        assert_eq!((retries.retry.attempts, retries.within), (2, Some(Duration::from_hours(1))));
        assert!(retries.budget.is_some() && retries.body_limit == settings::BODY_LIMIT);
        let settings = Settings::default().retrying(retries.clone());
        assert_eq!((settings.retry, settings.budget), (Some(retries.retry), retries.budget));
        let found = read("headers = [\"x-should-retry\"]").unwrap().resolve_alone().unwrap_err();
        assert_eq!(found[0].key, "headers");
    }

    #[test]
    fn keys_that_need_each_other_are_asked_for() {
        for (text, key) in [
            ("headers = [\"x-should-retry\"]", "retry.headers"),
            ("on = [\"retriable-headers\"]", "retry.on"),
            ("retry_after_max = \"1s\"", "retry.retry_after_max"),
            ("budget = { min = 3 }", "retry.budget"),
            ("trailers = \"ignore\"", "retry.trailers"),
        ] {
            let found = read(text).unwrap().contradictions();
            assert_eq!(found.iter().map(|found| found.key).collect::<Vec<_>>(), [key], "{text}");
        }
    }
}
