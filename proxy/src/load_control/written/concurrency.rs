//! How many requests may be in progress, as configuration writes it: a number, or the keys of an adaptive limit.

use std::fmt;
use std::time::Duration;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::load_control::settings;
use crate::policy::concurrency::{Config, gradient};
use crate::quantity::Share;
use crate::upstream::Contradiction;
use crate::upstream::policies::layer::{Layer, layer, whole};
use crate::upstream::policies::{above_zero, at_least_one};

/// How many requests may be in progress.
#[derive(Debug, Clone, PartialEq)]
pub enum ConcurrencyPolicy {
    /// So many; 0 switches off what a lower layer says.
    Fixed(u32),
    /// As many as latencies suggest.
    Adaptive(AdaptivePolicy),
}

layer! {
    /// A limit that follows latencies, in the terms of Envoy's gradient controller.
    pub struct AdaptivePolicy {
        /// Which percentile of latencies is compared.
        pub percentile: Quantile,
        /// How often the limit moves.
        #[serde(deserialize_with = "above_zero")]
        pub interval: Duration,
        /// The least it may be, also while the latency without load is measured.
        #[serde(deserialize_with = "at_least_one")]
        pub min: u32,
        /// The most it may be.
        #[serde(deserialize_with = "at_least_one")]
        pub max: u32,
        /// By what share the latency without load may be exceeded without effect.
        pub buffer: Share,
        /// How long after a measurement of the latency without load the next one begins.
        #[serde(deserialize_with = "above_zero")]
        pub min_rtt_interval: Duration,
        /// By what share of itself that is longer at most, at random.
        pub min_rtt_jitter: Share,
        /// How many requests a measurement takes.
        #[serde(deserialize_with = "at_least_one")]
        pub min_rtt_requests: u32,
    }
}

/// A percentile as a quantile, between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile(pub f64);

whole!(Quantile);

impl Layer for ConcurrencyPolicy {
    fn over(&self, lower: &Self) -> Self {
        match (self, lower) {
            (Self::Adaptive(upper), Self::Adaptive(lower)) => Self::Adaptive(upper.over(lower)),
            (upper, _) => upper.clone(),
        }
    }
}

impl ConcurrencyPolicy {
    pub(super) fn resolve(&self) -> Option<Config> {
        match self {
            Self::Fixed(limit) => (*limit > 0).then_some(Config::Fixed(*limit)),
            Self::Adaptive(adaptive) => Some(Config::Gradient(adaptive.resolve())),
        }
    }

    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let Self::Adaptive(adaptive) = self else { return Vec::new() };
        let gradient::Config { limit_min, limit_max, .. } = adaptive.resolve();
        let mut found = Vec::new();
        if limit_min > limit_max {
            found.push(Contradiction {
                key: "limits.concurrency.min",
                fact: format!("the least limit is {limit_min}, above the most, which is {limit_max}"),
                hint: "make `min` at most as large as `max`".to_owned(),
            });
        }
        found
    }
}

impl AdaptivePolicy {
    fn resolve(&self) -> gradient::Config {
        gradient::Config {
            quantile: self.percentile.map_or(settings::GRADIENT_QUANTILE, |quantile| quantile.0),
            interval: self.interval.unwrap_or(settings::GRADIENT_INTERVAL),
            limit_min: self.min.unwrap_or(settings::GRADIENT_MIN),
            limit_max: self.max.unwrap_or(settings::GRADIENT_MAX),
            buffer: self.buffer.map_or(settings::GRADIENT_BUFFER, |share| share.0),
            min_rtt_interval: self.min_rtt_interval.unwrap_or(settings::MIN_RTT_INTERVAL),
            min_rtt_jitter: self.min_rtt_jitter.map_or(settings::MIN_RTT_JITTER, |share| share.0),
            min_rtt_requests: self.min_rtt_requests.unwrap_or(settings::MIN_RTT_REQUESTS),
        }
    }
}

impl<'de> Deserialize<'de> for Quantile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let percent = text.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
        match percent {
            Some(percent) if percent > 0.0 && percent < 100.0 => Ok(Self(percent / 100.0)),
            _ => Err(de::Error::custom(format!("`{text}` is no percentile: write one such as `p50`"))),
        }
    }
}

impl<'de> Deserialize<'de> for ConcurrencyPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ConcurrencyVisitor)
    }
}

struct ConcurrencyVisitor;

impl<'de> Visitor<'de> for ConcurrencyVisitor {
    type Value = ConcurrencyPolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of requests such as 100, or a table such as { min = 3, max = 1000 }")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ConcurrencyPolicy, E> {
        let limit = u32::try_from(number);
        limit
            .map(ConcurrencyPolicy::Fixed)
            .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ConcurrencyPolicy, E> {
        let limit = u32::try_from(number);
        limit
            .map(ConcurrencyPolicy::Fixed)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConcurrencyPolicy, A::Error> {
        let adaptive = AdaptivePolicy::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(ConcurrencyPolicy::Adaptive(adaptive))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_control::LimitsPolicy;

    fn read(concurrency: &str) -> Result<LimitsPolicy, String> {
        toml::from_str(&format!("concurrency = {concurrency}")).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_number_or_a_table() {
        let resolved = |text: &str| read(text).unwrap().resolve().unwrap().concurrency;
        assert_eq!(resolved("100"), Some(Config::Fixed(100)));
        assert_eq!(resolved("0"), None);
        let envoy = gradient::Config {
            quantile: 0.5,
            interval: Duration::from_millis(100),
            limit_min: 3,
            limit_max: 1_000,
            buffer: 0.25,
            min_rtt_interval: Duration::from_mins(1),
            min_rtt_jitter: 0.15,
            min_rtt_requests: 50,
        };
        assert_eq!(resolved("{}"), Some(Config::Gradient(envoy)));
        let adaptive = gradient::Config { quantile: 0.9, limit_max: 50, ..envoy };
        assert_eq!(resolved("{ percentile = \"p90\", max = 50 }"), Some(Config::Gradient(adaptive)));
        let both = read("{ max = 50 }").unwrap().over(&read("{ percentile = \"p90\", max = 7 }").unwrap());
        assert_eq!(both.resolve().unwrap().concurrency, Some(Config::Gradient(adaptive)));
        assert_eq!(read("{}").unwrap().over(&read("7").unwrap()), read("{}").unwrap());
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("-1", "invalid value: integer `-1`, expected a number of requests such as 100, or a table"),
            ("\"many\"", "invalid type: string \"many\", expected a number of requests such as 100"),
            ("{ min = 0 }", "must be at least 1: leave the key out for the default"),
            ("{ percentile = \"p100\" }", "`p100` is no percentile: write one such as `p50`"),
            ("{ buffer = \"120%\" }", "`120%` is over 100%"),
            ("{ interval = \"0s\" }", "must be above zero"),
            ("{ limit = 3 }", "unknown field `limit`, expected one of `percentile`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
        for text in ["{ min = 10, max = 5 }", "{ max = 2 }"] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!(found[0].key, "limits.concurrency.min", "{text}");
        }
    }
}
