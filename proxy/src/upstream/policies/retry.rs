//! When to try again, as configuration writes it.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Deserializer, de};

use super::budget::BudgetPolicy;
use super::layer::{layer, whole};
use super::{Contradiction, above_zero, duration};
use crate::policy::retry::{self, Condition, GrpcCode, HeaderMatch, Jitter, Methods, backoff};
use crate::quantity;
use crate::upstream::settings;

layer! {
    /// When to try again. `attempts = 0` switches off what a lower layer says.
    pub struct RetryPolicy {
        /// How often at most, after the first attempt.
        pub attempts: u32,
        /// After which failures: Envoy's names, codes of gRPC, or a status.
        #[serde(deserialize_with = "conditions")]
        pub on: Vec<Condition>,
        /// The fields of an answer for the condition `retriable-headers`.
        #[serde(deserialize_with = "header_matches")]
        pub headers: Vec<HeaderMatch>,
        /// The base and the cap of the back-off.
        pub backoff: quantity::Spread,
        /// How pauses vary: `full`, `equal`, `decorrelated` or `none`.
        #[serde(deserialize_with = "jitter")]
        pub jitter: Jitter,
        /// What becomes of an answer's `Retry-After`: `honour`, `seconds` or `ignore`.
        pub retry_after: RetryAfter,
        /// The longest wait that is honoured.
        #[serde(deserialize_with = "above_zero")]
        pub retry_after_max: Duration,
        /// How many requests may be retries.
        pub budget: BudgetPolicy,
        /// How long one attempt may take until its answer begins.
        #[serde(deserialize_with = "above_zero")]
        pub per_try_timeout: Duration,
        /// The methods whose requests may be sent again once the upstream may have seen them.
        pub methods: Methods,
        /// Whether the codes of gRPC are looked for in trailers, too: `read` or `ignore`.
        pub trailers: Trailers,
        /// From when on after the request began no further attempt is made; zero switches off.
        #[serde(deserialize_with = "duration")]
        pub within: Duration,
        /// How much of a request's content is kept, so that it can be sent again.
        pub body_limit: quantity::Size,
    }
}

/// What becomes of an answer's `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryAfter {
    /// A retry waits as long.
    Honour,
    /// A retry waits as long where it is a number of seconds, as in Envoy; a date is ignored.
    Seconds,
    /// It is an answer like any other.
    Ignore,
}

/// Whether the codes of gRPC are looked for in an answer's trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trailers {
    /// They are waited for, as far as the kept content goes.
    #[default]
    Read,
    /// The head alone counts, as in Envoy.
    Ignore,
}

whole!(Jitter, Methods, RetryAfter, Trailers, Vec<HeaderMatch>);

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

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a list of methods such as [\"GET\"], or \"any\"")]
        enum Written {
            All(String),
            Some(Vec<String>),
        }
        match Written::deserialize(deserializer)? {
            Written::All(name) if name == "any" => Ok(Self::Any),
            Written::All(name) => Err(de::Error::custom(format!(
                "`{name}` is no list of methods: write `[\"{name}\"]`, or `\"any\"` for all"
            ))),
            Written::Some(names) => {
                let methods = names.iter().map(|name| method(name).map_err(de::Error::custom));
                methods.collect::<Result<_, _>>().map(Self::Some)
            }
        }
    }
}

fn each<'de, D, T>(
    deserializer: D,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| read(text).map_err(de::Error::custom)).collect::<Result<_, _>>().map(Some)
}

fn conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Condition>>, D::Error> {
    each(deserializer, condition)
}

fn header_matches<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<HeaderMatch>>, D::Error> {
    each(deserializer, header_match)
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

fn jitter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Jitter>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let jitter = match name.as_str() {
        "full" => Jitter::Full,
        "equal" => Jitter::Equal,
        "decorrelated" => Jitter::Decorrelated,
        "none" => Jitter::None,
        _ => {
            let known = "write `full`, `equal`, `decorrelated` or `none`";
            return Err(de::Error::custom(format!("unknown jitter `{name}`: {known}")));
        }
    };
    Ok(Some(jitter))
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
        toml::from_str(text).map_err(|error| error.message().to_owned())
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
            ("jitter = \"half\"", "unknown jitter `half`: write `full`, `equal`, `decorrelated` or `none`"),
            (
                "retry_after = \"obey\"",
                "unknown variant `obey`, expected one of `honour`, `seconds`, `ignore`",
            ),
            ("methods = \"POST\"", "`POST` is no list of methods: write `[\"POST\"]`, or `\"any\"` for all"),
            ("methods = 3", "expected a list of methods such as"),
            ("trailers = \"wait\"", "unknown variant `wait`, expected `read` or `ignore`"),
            ("retry_after_max = \"0s\"", "must be above zero"),
            ("body_limit = \"-1 KiB\"", "`-1 KiB` is negative: write a size such as `1 KiB`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
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
