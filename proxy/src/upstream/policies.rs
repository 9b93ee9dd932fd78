//! The policies of an upstream as configuration writes them: every key optional, unknown keys
//! refused, in layers. [`Policies::resolve`] fills in the defaults and gives [`Settings`].

use std::time::Duration;

use http::{Method, StatusCode};
use serde::{Deserialize, Deserializer, de};

use super::retry::{self, Condition};
use super::settings::{Limits, Settings};
use super::{breaker, settings};
use crate::quantity;

/// How an upstream is called. What is left out comes from the layer below, at last from [`Settings`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policies {
    /// How long a request may take, all its attempts and the whole answer included.
    #[serde(default, deserialize_with = "above_zero")]
    pub timeout: Option<Duration>,
    /// How long opening a connection may take, the TLS handshake included.
    #[serde(default, deserialize_with = "above_zero")]
    pub connect_timeout: Option<Duration>,
    /// When to try again.
    #[serde(default)]
    pub retry: Option<RetryPolicy>,
    /// When to stop asking an endpoint for a while.
    #[serde(default)]
    pub breaker: Option<BreakerPolicy>,
    /// How to choose an endpoint.
    #[serde(default)]
    pub balance: Option<Balance>,
    /// How many connections and waiting requests there may be.
    #[serde(default)]
    pub pool: Option<PoolPolicy>,
}

/// When to try again. `attempts = 0` switches off what a lower layer says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// How often at most, after the first attempt.
    #[serde(default)]
    pub attempts: Option<u32>,
    /// After which failures: `connect-failure`, `refused-stream`, `reset`, `5xx`, `gateway-error`, or a status.
    #[serde(default, deserialize_with = "conditions")]
    pub on: Option<Vec<Condition>>,
    /// The base and the cap of the back-off.
    #[serde(default)]
    pub backoff: Option<quantity::Spread>,
    /// How many requests in flight may be retries.
    #[serde(default)]
    pub budget: Option<quantity::Share>,
    /// How long one attempt may take until its answer begins.
    #[serde(default, deserialize_with = "above_zero")]
    pub per_try_timeout: Option<Duration>,
    /// The methods whose requests may be sent again once the upstream may have seen them.
    #[serde(default, deserialize_with = "methods")]
    pub methods: Option<Vec<Method>>,
}

/// When to stop asking an endpoint for a while. `failures = 0` switches off what a lower layer says.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerPolicy {
    /// Failures in a row that open the breaker.
    #[serde(default)]
    pub failures: Option<u32>,
    /// How long it stays open before it probes.
    #[serde(default, deserialize_with = "above_zero")]
    pub open_for: Option<Duration>,
}

/// How many connections and waiting requests there may be, per endpoint.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolPolicy {
    /// Connections (HTTP/1.1) or requests on the connection (HTTP/2) at most.
    #[serde(default)]
    pub connections: Option<u32>,
    /// Requests that wait for one at most.
    #[serde(default)]
    pub pending: Option<u32>,
    /// How long a connection may be idle.
    #[serde(default, deserialize_with = "above_zero")]
    pub idle_timeout: Option<Duration>,
}

/// How to choose an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
}

impl Policies {
    /// These policies where they say something, else those of `lower`.
    #[must_use]
    pub fn over(&self, lower: &Self) -> Self {
        Self {
            timeout: self.timeout.or(lower.timeout),
            connect_timeout: self.connect_timeout.or(lower.connect_timeout),
            retry: layered(self.retry.as_ref(), lower.retry.as_ref(), RetryPolicy::over),
            breaker: layered(self.breaker.as_ref(), lower.breaker.as_ref(), BreakerPolicy::over),
            balance: self.balance.or(lower.balance),
            pool: layered(self.pool.as_ref(), lower.pool.as_ref(), PoolPolicy::over),
        }
    }

    /// The policies with every default filled in.
    pub fn resolve(&self) -> Settings {
        let pool = self.pool.clone().unwrap_or_default();
        Settings {
            timeout: self.timeout.unwrap_or(settings::TIMEOUT),
            connect_timeout: self.connect_timeout.unwrap_or(settings::CONNECT_TIMEOUT),
            per_try_timeout: self.retry.as_ref().and_then(|retry| retry.per_try_timeout),
            retry: self.retry.as_ref().map(RetryPolicy::resolve),
            budget: self.retry.as_ref().and_then(|retry| retry.budget).map(|share| share.0),
            breaker: self.breaker.as_ref().and_then(BreakerPolicy::resolve),
            limits: Limits {
                connections: pool.connections.unwrap_or(settings::CONNECTIONS_MAX),
                pending: pool.pending.unwrap_or(settings::PENDING_MAX),
                idle_timeout: pool.idle_timeout.unwrap_or(settings::IDLE_TIMEOUT),
            },
        }
    }
}

impl RetryPolicy {
    fn over(&self, lower: &Self) -> Self {
        Self {
            attempts: self.attempts.or(lower.attempts),
            on: self.on.clone().or_else(|| lower.on.clone()),
            backoff: self.backoff.or(lower.backoff),
            budget: self.budget.or(lower.budget),
            per_try_timeout: self.per_try_timeout.or(lower.per_try_timeout),
            methods: self.methods.clone().or_else(|| lower.methods.clone()),
        }
    }

    fn resolve(&self) -> retry::Config {
        retry::Config {
            attempts: self.attempts.unwrap_or(settings::RETRY_ATTEMPTS),
            on: self.on.clone().unwrap_or_else(|| settings::RETRY_ON.to_vec()),
            methods: self.methods.clone().unwrap_or_else(retry::idempotent_methods),
            backoff_base: self.backoff.map_or(settings::BACKOFF_BASE, |backoff| backoff.from),
            backoff_max: self.backoff.map_or(settings::BACKOFF_MAX, |backoff| backoff.to),
        }
    }
}

impl BreakerPolicy {
    fn over(&self, lower: &Self) -> Self {
        Self { failures: self.failures.or(lower.failures), open_for: self.open_for.or(lower.open_for) }
    }

    fn resolve(&self) -> Option<breaker::Config> {
        let failures = self.failures.unwrap_or(settings::BREAKER_FAILURES);
        let open_for = self.open_for.unwrap_or(settings::BREAKER_OPEN_FOR);
        (failures > 0).then_some(breaker::Config { failures, open_for })
    }
}

impl PoolPolicy {
    fn over(&self, lower: &Self) -> Self {
        Self {
            connections: self.connections.or(lower.connections),
            pending: self.pending.or(lower.pending),
            idle_timeout: self.idle_timeout.or(lower.idle_timeout),
        }
    }
}

fn layered<T: Clone>(upper: Option<&T>, lower: Option<&T>, over: impl Fn(&T, &T) -> T) -> Option<T> {
    match (upper, lower) {
        (Some(upper), Some(lower)) => Some(over(upper, lower)),
        (upper, lower) => upper.or(lower).cloned(),
    }
}

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "round-robin" => Ok(Self::RoundRobin),
            "random" | "least-request" | "peak-ewma" | "ring-hash" | "maglev" => {
                Err(de::Error::custom(format!("`{name}` is not there yet: write `round-robin`")))
            }
            _ => Err(de::Error::custom(format!("unknown balance `{name}`: write `round-robin`"))),
        }
    }
}

/// Reads a duration that is above zero.
pub fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let quantity::Duration(duration) = quantity::Duration::deserialize(deserializer)?;
    if duration.is_zero() {
        return Err(de::Error::custom("must be above zero: leave the key out for the default"));
    }
    Ok(Some(duration))
}

fn conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Condition>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| condition(name).map_err(de::Error::custom)).collect::<Result<_, _>>().map(Some)
}

fn condition(name: &str) -> Result<Condition, String> {
    let status = || name.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    Ok(match name {
        "connect-failure" => Condition::ConnectFailure,
        "refused-stream" => Condition::RefusedStream,
        "reset" => Condition::Reset,
        "5xx" => Condition::ServerError,
        "gateway-error" => Condition::GatewayError,
        "retriable-headers" | "cancelled" | "deadline-exceeded" | "internal" | "resource-exhausted"
        | "unavailable" => return Err(format!("the retry condition `{name}` is not there yet")),
        _ => match status().filter(|status: &StatusCode| status.as_u16() >= 400) {
            Some(status) => Condition::Status(status),
            None => {
                return Err(format!(
                    "unknown retry condition `{name}`: write `connect-failure`, `refused-stream`, `reset`, \
                     `5xx`, `gateway-error`, or a status such as `503`"
                ));
            }
        },
    })
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Method>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| method(name).map_err(de::Error::custom)).collect::<Result<_, _>>().map(Some)
}

/// Reads a method's name; names are case-sensitive, so `get` is a mistake.
pub fn method(name: &str) -> Result<Method, String> {
    let method = Method::from_bytes(name.as_bytes()).ok().filter(|_| name == name.to_ascii_uppercase());
    method.ok_or_else(|| format!("`{name}` is no method: write it in capitals, such as `GET`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Policies, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_whole_policy_is_read_and_resolved() {
        let policies = read(
            r#"
            timeout = "1s"
            retry = { attempts = 2, on = ["connect-failure", "503"], backoff = "25ms..250ms", budget = "20%" }
            breaker = { failures = 5, open_for = "5s" }
            balance = "round-robin"
            "#,
        )
        .unwrap();
        let settings = policies.resolve();
        assert_eq!(settings.timeout, Duration::from_secs(1));
        assert_eq!(settings.budget, Some(0.2));
        assert_eq!(settings.breaker, Some(breaker::Config { failures: 5, open_for: Duration::from_secs(5) }));
        let retry = settings.retry.unwrap();
        assert_eq!(retry.attempts, 2);
        assert_eq!(retry.on, [Condition::ConnectFailure, Condition::Status(StatusCode::SERVICE_UNAVAILABLE)]);
    }

    #[test]
    fn layers_are_merged_key_by_key() {
        let lower = read("timeout = \"1s\"\nretry = { attempts = 2, budget = \"20%\" }").unwrap();
        let upper = read("retry = { attempts = 0 }\nbreaker = { failures = 0 }").unwrap();
        let merged = upper.over(&lower);
        assert_eq!(merged.timeout, Some(Duration::from_secs(1)));
        let retry = merged.retry.as_ref().unwrap();
        assert_eq!((retry.attempts, retry.budget), (Some(0), Some(quantity::Share(0.2))));
        assert_eq!(merged.resolve().breaker, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("balance = \"peak-ewma\"", "`peak-ewma` is not there yet: write `round-robin`"),
            ("balance = \"best\"", "unknown balance `best`: write `round-robin`"),
            ("timeout = \"0s\"", "must be above zero: leave the key out for the default"),
            ("timeout = \"-1s\"", "`-1s` is negative: write a duration such as `250us`"),
            ("retry = { on = [\"unavailable\"] }", "the retry condition `unavailable` is not there yet"),
            ("retry = { on = [\"200\"] }", "unknown retry condition `200`"),
            ("retry = { methods = [\"get\"] }", "`get` is no method: write it in capitals, such as `GET`"),
            ("retry = { budget = \"120%\" }", "`120%` is over 100%: write a percentage such as `2%`"),
            ("retry = { attempts = -1 }", "invalid value: integer `-1`, expected u32"),
            ("retries = 3", "unknown field `retries`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}
