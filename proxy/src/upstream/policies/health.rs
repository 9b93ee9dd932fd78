//! How endpoints are asked whether they are well, as configuration writes it: `http = "/path"`, `tcp = true`
//! or `grpc = "service"`, and what goes with each.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::layer::{Layer, layer, whole};
use super::{Contradiction, above_zero, duration};
use crate::policy::health;
use crate::upstream::settings::{self, Check, Health, Statuses};

/// How endpoints are asked whether they are well. `fall = 0` switches off what a lower layer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthPolicy(pub HealthKeys);

layer! {
    /// The keys of all kinds of checks; exactly one of `http`, `tcp` and `grpc`.
    pub struct HealthKeys {
        /// A GET of this path.
        #[serde(deserialize_with = "path")]
        pub http: String,
        /// Whether it can be connected to.
        #[serde(deserialize_with = "yes")]
        pub tcp: bool,
        /// gRPC's health checking protocol, for this service; the empty name is the server as a whole.
        pub grpc: String,
        /// How often.
        #[serde(deserialize_with = "interval")]
        pub interval: Duration,
        /// How long a check may take.
        #[serde(deserialize_with = "above_zero")]
        pub timeout: Duration,
        /// Checks in a row that must pass for an endpoint to be up again.
        #[serde(deserialize_with = "super::breaker::at_least_one")]
        pub rise: u32,
        /// Checks in a row that must fail for it to be down; 0: it is not checked.
        pub fall: u32,
        /// By how much an interval may be longer, at random.
        #[serde(deserialize_with = "duration")]
        pub jitter: Duration,
        /// With `http`: the statuses of an endpoint that is well.
        #[serde(deserialize_with = "statuses")]
        pub expect: Statuses,
        /// What an endpoint is before its first check.
        pub initial: Initial,
        /// Whether a check that passes ends an ejection by outlier detection.
        pub unejects: bool,
        /// With `http` and `grpc`: what an answer does that is not expected, `counts` or `down`.
        pub unexpected: Unexpected,
    }
}

/// The shortest pause between checks: an endpoint that is checked more often has no time for requests.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let interval = above_zero(deserializer)?;
    if interval.is_some_and(|interval| interval < INTERVAL_MIN) {
        return Err(de::Error::custom("too often: write 1ms or more"));
    }
    Ok(interval)
}

/// What an endpoint is before its first check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Initial {
    /// Up.
    #[default]
    Healthy,
    /// Down, until its first check has passed.
    Unhealthy,
}

/// What an answer does that is not expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unexpected {
    /// It counts towards `fall`, as a check does that is not answered.
    #[default]
    Counts,
    /// The endpoint is down at once, as in Envoy.
    Down,
}

whole!(Initial, Statuses, Unexpected);

impl Layer for HealthPolicy {
    /// A layer that says how to check replaces another way below it; else keys are merged one by one.
    fn over(&self, lower: &Self) -> Self {
        let mut lower = lower.0.clone();
        if !self.0.checks().is_empty() && self.0.checks() != lower.checks() {
            (lower.http, lower.tcp, lower.grpc) = (None, None, None);
            lower.expect = None;
            if self.0.tcp.is_some() {
                lower.unexpected = None;
            }
        }
        Self(self.0.over(&lower))
    }
}

impl HealthPolicy {
    pub(super) fn resolve(&self) -> Option<Health> {
        let keys = &self.0;
        let fall = keys.fall.unwrap_or(settings::HEALTH_FALL);
        let check = match (&keys.http, keys.tcp, &keys.grpc) {
            (Some(path), ..) => Check::Http {
                path: path.clone(),
                expect: keys.expect.clone().unwrap_or_else(|| settings::HEALTH_EXPECT.to_vec().into()),
            },
            (None, Some(true), _) => Check::Tcp,
            (None, _, Some(service)) => Check::Grpc { service: service.clone() },
            (None, None | Some(false), None) => return None,
        };
        (fall > 0).then(|| Health {
            check,
            interval: keys.interval.unwrap_or(settings::HEALTH_INTERVAL),
            timeout: keys.timeout.unwrap_or_else(|| settings::HEALTH_TIMEOUT.min(self.interval())),
            jitter: keys.jitter.unwrap_or_default(),
            rule: health::Config {
                rise: keys.rise.unwrap_or(settings::HEALTH_RISE),
                fall,
                begins_healthy: keys.initial.unwrap_or_default() == Initial::Healthy,
                unexpected_is_down: keys.unexpected.unwrap_or_default() == Unexpected::Down,
            },
            unejects: keys.unejects.unwrap_or(false),
        })
    }

    fn interval(&self) -> Duration {
        self.0.interval.unwrap_or(settings::HEALTH_INTERVAL)
    }

    /// What contradicts itself, beside outlier detection, be it switched off, or without.
    pub(super) fn contradictions(&self, ejects: bool) -> Vec<Contradiction> {
        let keys = &self.0;
        let mut found = Vec::new();
        if keys.fall == Some(0) {
            return found;
        }
        let mut say = |key, fact: &str, hint: &str| {
            found.push(Contradiction { key, fact: fact.to_owned(), hint: hint.to_owned() });
        };
        if keys.checks().is_empty() {
            let hint = "write `http = \"/healthz\"`, `tcp = true` or `grpc = \"\"`";
            say("health", "it does not say how endpoints are checked", hint);
        }
        if keys.timeout.is_some_and(|timeout| timeout > self.interval()) {
            let hint = "make `timeout` at most as long as `interval`";
            say("health.timeout", "a check may take longer than until the next one", hint);
        }
        if keys.expect.is_some() && keys.http.is_none() {
            let hint = "take it out, or write `http = \"/healthz\"`";
            say("health.expect", "only a check over HTTP has a status", hint);
        }
        if keys.unexpected == Some(Unexpected::Down) && keys.tcp.is_some() {
            let hint = "take it out, or write `http = \"/healthz\"`";
            say("health.unexpected", "a check that only connects has no answer", hint);
        }
        if keys.unejects == Some(true) && !ejects {
            let hint = "write `outlier = {}` beside `health`, or take it out";
            say("health.unejects", "nothing ejects an endpoint", hint);
        }
        found
    }
}

impl HealthKeys {
    /// The ways to check that are named.
    fn checks(&self) -> Vec<&'static str> {
        let named =
            [("http", self.http.is_some()), ("tcp", self.tcp.is_some()), ("grpc", self.grpc.is_some())];
        named.into_iter().filter(|(_, is_named)| *is_named).map(|(name, _)| name).collect()
    }
}

impl<'de> Deserialize<'de> for HealthPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = HealthKeys::deserialize(deserializer)?;
        match keys.checks()[..] {
            [one, other, ..] => Err(de::Error::custom(format!(
                "an endpoint is checked in one way, not by `{one}` and `{other}`: take one of them out"
            ))),
            _ => Ok(Self(keys)),
        }
    }
}

impl<'de> Deserialize<'de> for Initial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "healthy" => Ok(Self::Healthy),
            "unhealthy" => Ok(Self::Unhealthy),
            other => Err(de::Error::custom(format!(
                "an endpoint does not begin as `{other}`: write `healthy` or `unhealthy`"
            ))),
        }
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') && path.parse::<http::uri::PathAndQuery>().is_ok() {
        Ok(Some(path))
    } else {
        Err(de::Error::custom(format!("`{path}` is no path: write it from the root, such as `/healthz`")))
    }
}

fn yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    if bool::deserialize(deserializer)? {
        Ok(Some(true))
    } else {
        Err(de::Error::custom("there is nothing else to check: write `fall = 0` to switch checks off"))
    }
}

fn statuses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Statuses>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(de::Error::custom("no status would do: leave the key out for every one from 200 to 399"));
    }
    let all = names.iter().map(|name| {
        status(name).ok_or_else(|| {
            de::Error::custom(format!(
                "`{name}` is no status: write one such as `204`, or a class such as `2xx`"
            ))
        })
    });
    all.collect::<Result<Vec<_>, _>>().map(|ranges| Some(ranges.into()))
}

/// A status, or a class of them, as a range.
fn status(name: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (low, high) = match name.strip_suffix("xx") {
        Some(class) => (class.parse::<u16>().ok()? * 100, class.parse::<u16>().ok()? * 100 + 99),
        None => (name.parse().ok()?, name.parse().ok()?),
    };
    (name.len() == 3 && low >= 100 && high <= 599).then_some(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn policies(text: &str) -> Result<Policies, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    fn resolved(text: &str) -> Option<Health> {
        policies(text).unwrap().resolve().unwrap().health
    }

    #[test]
    fn a_check_is_read() {
        let health = resolved("health = { http = \"/healthz\" }").unwrap();
        let expect = Statuses::from(settings::HEALTH_EXPECT.to_vec());
        assert_eq!(health.check, Check::Http { path: "/healthz".to_owned(), expect });
        assert_eq!((health.interval, health.timeout), (Duration::from_secs(5), Duration::from_secs(1)));
        assert_eq!(
            health.rule,
            health::Config { rise: 2, fall: 3, begins_healthy: true, unexpected_is_down: false }
        );
        assert!(!health.unejects);
        let quick =
            resolved("health = { tcp = true, interval = \"100ms\", initial = \"unhealthy\" }").unwrap();
        assert_eq!((quick.check, quick.timeout), (Check::Tcp, Duration::from_millis(100)));
        assert!(!quick.rule.begins_healthy);
        let grpc = resolved("health = { grpc = \"\", unejects = true }\noutlier = {}").unwrap();
        assert_eq!((grpc.check, grpc.unejects), (Check::Grpc { service: String::new() }, true));
        assert_eq!(resolved("health = { http = \"/\", fall = 0 }"), None);
        assert_eq!(resolved("health = { fall = 0 }"), None);
        let all_the_time = policies("health = { tcp = true, interval = \"1us\" }").unwrap_err();
        assert!(all_the_time.contains("too often: write 1ms or more"), "{all_the_time}");
    }

    #[test]
    fn statuses_are_read() {
        let health = resolved("health = { http = \"/\", expect = [\"2xx\", \"404\"] }").unwrap();
        let Check::Http { expect, .. } = health.check else { panic!() };
        let expected = [200, 204, 299, 404].map(|status| expect.contains(status));
        let others = [199, 300, 403, 405, 500].map(|status| expect.contains(status));
        assert_eq!((expected, others), ([true; 4], [false; 5]));
    }

    #[test]
    fn a_layer_replaces_the_way_and_keeps_the_rest() {
        let lower = policies("health = { http = \"/\", expect = [\"204\"], interval = \"2s\" }").unwrap();
        let upper = policies("health = { tcp = true }").unwrap();
        let health = upper.over(&lower).resolve().unwrap().health.unwrap();
        assert_eq!((health.check, health.interval), (Check::Tcp, Duration::from_secs(2)));
        let upper = policies("health = { http = \"/up\" }").unwrap();
        let health = upper.over(&lower).resolve().unwrap().health.unwrap();
        assert!(
            matches!(health.check, Check::Http { path, expect } if path == "/up" && expect.contains(204))
        );
        let off = policies("health = { fall = 0 }").unwrap();
        assert_eq!(off.over(&lower).resolve().unwrap().health, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("http = \"healthz\"", "`healthz` is no path: write it from the root, such as `/healthz`"),
            ("http = \"/\", tcp = true", "an endpoint is checked in one way, not by `http` and `tcp`"),
            ("tcp = false", "there is nothing else to check: write `fall = 0`"),
            ("tcp = true, rise = 0", "must be at least 1"),
            ("tcp = true, interval = \"0s\"", "must be above zero"),
            ("http = \"/\", expect = []", "no status would do"),
            ("http = \"/\", expect = [\"600\"]", "`600` is no status: write one such as `204`"),
            ("http = \"/\", expect = [\"+20\"]", "`+20` is no status"),
            ("http = \"/\", expect = [\"9xx\"]", "`9xx` is no status"),
            ("tcp = true, initial = \"sick\"", "an endpoint does not begin as `sick`: write `healthy`"),
            ("https = \"/\"", "unknown field `https`"),
        ] {
            let error = policies(&format!("health = {{ {text} }}")).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, key) in [
            ("interval = \"2s\"", "health"),
            ("tcp = true, interval = \"1s\", timeout = \"2s\"", "health.timeout"),
            ("tcp = true, expect = [\"200\"]", "health.expect"),
            ("tcp = true, unejects = true", "health.unejects"),
            ("tcp = true, unexpected = \"down\"", "health.unexpected"),
        ] {
            let found = policies(&format!("health = {{ {text} }}")).unwrap().resolve().unwrap_err();
            assert_eq!(found.iter().map(|found| found.key).collect::<Vec<_>>(), [key], "{text}");
        }
    }
}
