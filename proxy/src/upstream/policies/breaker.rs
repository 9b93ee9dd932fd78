//! When to stop asking for a while, as configuration writes it.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Deserializer, de};

use super::layer::{layer, whole};
use super::{Contradiction, above_zero};
use crate::policy::breaker::{Blame, Config, FailureRate, Kind};
use crate::quantity::Share;
use crate::upstream::settings::{self, Breakers, Guarded};

layer! {
    /// When to stop asking for a while. `failures = 0` and `failure_rate = "0%"` switch off what a lower layer says.
    pub struct BreakerPolicy {
        /// Failures in a row that open the breaker.
        pub failures: u32,
        /// The share of the requests in `window` that opens it.
        pub failure_rate: Share,
        /// Over how long requests are counted for `failure_rate`.
        #[serde(deserialize_with = "above_zero")]
        pub window: Duration,
        /// How few requests in `window` say nothing about the rate.
        #[serde(deserialize_with = "at_least_one")]
        pub min_requests: u32,
        /// How long it stays open before it probes.
        #[serde(deserialize_with = "above_zero")]
        pub open_for: Duration,
        /// How many times as long after each probe that failed.
        #[serde(deserialize_with = "growth")]
        pub growth: f64,
        /// The longest that growth leads to.
        #[serde(deserialize_with = "above_zero")]
        pub open_max: Duration,
        /// By what share an open time may be longer, at random.
        pub jitter: Share,
        /// How many probes must succeed to close it, and pass at most until then.
        #[serde(deserialize_with = "at_least_one")]
        pub probes: u32,
        /// What counts as a failure: `5xx`, `gateway-error`, a status, `connect-failure`, `reset`, `timeout`.
        #[serde(deserialize_with = "kinds")]
        pub on: Vec<Kind>,
        /// What has a breaker of its own: each `endpoint`, or the `upstream`.
        pub per: Guarded,
    }
}

whole!(Guarded, Vec<Kind>);

impl BreakerPolicy {
    pub(super) fn resolve(&self) -> Option<Breakers> {
        let rate = self.rate();
        // Who asks for a rate alone gets a rate alone.
        let in_a_row = if rate.is_some() { 0 } else { settings::BREAKER_FAILURES };
        let failures = self.failures.unwrap_or(in_a_row);
        let open_for = self.open_for.unwrap_or(settings::BREAKER_OPEN_FOR);
        let config = Config {
            failures,
            rate,
            open_for,
            growth: self.growth.unwrap_or(settings::BREAKER_GROWTH),
            open_max: self.open_max.unwrap_or(settings::BREAKER_OPEN_MAX.max(open_for)),
            jitter: self.jitter.map_or(0.0, |jitter| jitter.0),
            probes: self.probes.unwrap_or(settings::BREAKER_PROBES),
            blame: self.on.as_ref().map_or_else(Blame::default, |on| on.iter().copied().collect()),
        };
        (failures > 0 || rate.is_some()).then(|| Breakers { config, per: self.per.unwrap_or_default() })
    }

    fn rate(&self) -> Option<FailureRate> {
        let share = self.failure_rate.filter(|share| share.0 > 0.0)?.0;
        let window = self.window.unwrap_or(settings::BREAKER_WINDOW);
        let min_requests = self.min_requests.unwrap_or(settings::BREAKER_MIN_REQUESTS);
        Some(FailureRate { share, window, min_requests })
    }

    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        if self.resolve().is_none() {
            return found;
        }
        let mut say = |key, fact: &str, hint: &str| {
            found.push(Contradiction { key, fact: fact.to_owned(), hint: hint.to_owned() });
        };
        let rate = "write `failure_rate = \"50%\"` beside it, or take it out";
        if self.failure_rate.is_none() && self.window.is_some() {
            say("breaker.window", "only a failure rate has a window", rate);
        }
        if self.failure_rate.is_none() && self.min_requests.is_some() {
            say("breaker.min_requests", "only a failure rate has a least number of requests", rate);
        }
        let grows = self.growth.unwrap_or(settings::BREAKER_GROWTH) > 1.0;
        let open_for = self.open_for.unwrap_or(settings::BREAKER_OPEN_FOR);
        match self.open_max {
            Some(_) if !grows => {
                let hint = "write `growth = 2.0` beside it, or take it out";
                say("breaker.open_max", "the open time does not grow, so it has no maximum", hint);
            }
            Some(open_max) if open_max < open_for => {
                let hint = "make `open_max` at least as long as `open_for`";
                say("breaker.open_max", "the longest open time is shorter than the first", hint);
            }
            Some(_) | None => {}
        }
        found
    }
}

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "endpoint" => Ok(Self::Endpoint),
            "upstream" => Ok(Self::Upstream),
            "route" => Err(de::Error::custom("`route` is not there yet: write `endpoint` or `upstream`")),
            other => Err(de::Error::custom(format!(
                "a breaker cannot be per `{other}`: write `endpoint` or `upstream`"
            ))),
        }
    }
}

/// Reads a count that is above zero.
pub(crate) fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(de::Error::custom("must be at least 1: leave the key out for the default")),
        count => Ok(Some(count)),
    }
}

fn growth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match f64::deserialize(deserializer)? {
        growth if growth >= 1.0 && growth.is_finite() => Ok(Some(growth)),
        growth => Err(de::Error::custom(format!(
            "a breaker cannot grow by {growth}: write 1 for none, or a factor above it such as 2.0"
        ))),
    }
}

fn kinds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Kind>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() {
        return Err(de::Error::custom(
            "a breaker that counts nothing never opens: write `failures = 0` to switch it off",
        ));
    }
    names.iter().map(|name| kind(name).map_err(de::Error::custom)).collect::<Result<_, _>>().map(Some)
}

fn kind(name: &str) -> Result<Kind, String> {
    let status = || name.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    Ok(match name {
        "5xx" => Kind::ServerError,
        "gateway-error" => Kind::GatewayError,
        "connect-failure" => Kind::ConnectFailure,
        "reset" => Kind::Reset,
        "timeout" => Kind::Timeout,
        _ => match status().filter(|status: &StatusCode| (400..600).contains(&status.as_u16())) {
            Some(status) => Kind::Status(status),
            None => {
                return Err(format!(
                    "a breaker does not know the failure `{name}`: write `5xx`, `gateway-error`, \
                     `connect-failure`, `reset`, `timeout`, or a status such as `503`"
                ));
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn policies(breaker: &str) -> Result<Policies, String> {
        toml::from_str(&format!("breaker = {{ {breaker} }}")).map_err(|error| error.message().to_owned())
    }

    fn resolved(breaker: &str) -> Option<Breakers> {
        policies(breaker).unwrap().resolve().unwrap().breaker
    }

    #[test]
    fn what_is_left_out_is_as_known_systems_have_it() {
        let breakers = resolved("open_for = \"5s\"").unwrap();
        assert_eq!(breakers.per, Guarded::Endpoint);
        let config =
            Config { open_max: Duration::from_mins(1), ..Config::consecutive(5, Duration::from_secs(5)) };
        assert_eq!(breakers.config, config);
        let rate = resolved("failure_rate = \"50%\"").unwrap().config;
        let expected = FailureRate { share: 0.5, window: Duration::from_secs(10), min_requests: 20 };
        assert_eq!((rate.failures, rate.rate), (0, Some(expected)));
        assert_eq!(resolved("failures = 0"), None);
        assert_eq!(resolved("failures = 0, failure_rate = \"0%\""), None);
    }

    #[test]
    fn a_whole_breaker_is_read() {
        let text = "failures = 7, open_for = \"1s\", growth = 2, open_max = \"1m\", jitter = \"50%\", probes = 3, \
                    on = [\"gateway-error\", \"429\", \"reset\"], per = \"upstream\"";
        let Breakers { config, per } = resolved(text).unwrap();
        assert_eq!(per, Guarded::Upstream);
        assert_eq!((config.failures, config.growth, config.jitter, config.probes), (7, 2.0, 0.5, 3));
        assert!(config.blame.answered(StatusCode::TOO_MANY_REQUESTS));
        assert!(!config.blame.answered(StatusCode::INTERNAL_SERVER_ERROR));
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("probes = 0", "must be at least 1: leave the key out for the default"),
            ("min_requests = 0", "must be at least 1: leave the key out for the default"),
            ("growth = 0.5", "a breaker cannot grow by 0.5: write 1 for none"),
            ("growth = nan", "a breaker cannot grow by NaN"),
            ("jitter = \"150%\"", "`150%` is over 100%: write a percentage such as `2%`"),
            ("failure_rate = \"101%\"", "`101%` is over 100%"),
            ("open_for = \"0s\"", "must be above zero"),
            ("window = \"0s\"", "must be above zero"),
            ("on = []", "a breaker that counts nothing never opens: write `failures = 0`"),
            ("on = [\"slow\"]", "a breaker does not know the failure `slow`: write `5xx`"),
            ("on = [\"200\"]", "a breaker does not know the failure `200`"),
            ("per = \"service\"", "a breaker cannot be per `service`: write `endpoint`"),
        ] {
            let error = policies(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, key) in [
            ("window = \"10s\"", "breaker.window"),
            ("min_requests = 5", "breaker.min_requests"),
            ("open_max = \"60s\"", "breaker.open_max"),
            ("growth = 2.0, open_for = \"10s\", open_max = \"5s\"", "breaker.open_max"),
        ] {
            let found = policies(text).unwrap().resolve().unwrap_err();
            assert_eq!(found.iter().map(|found| found.key).collect::<Vec<_>>(), [key], "{text}");
        }
        assert!(
            resolved("failure_rate = \"50%\", window = \"1s\", growth = 2.0, open_max = \"60s\"").is_some()
        );
    }
}
