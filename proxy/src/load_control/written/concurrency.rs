//! How many requests may be in progress, as configuration writes it: a number, or the keys of an adaptive limit.

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::quantity::Share;
use hoplab_config::read::parsed;
use hoplab_config::{AboveZero, AtLeastOne, Context, Place, Read, Value, wrong_type};

use crate::load_control::settings;
use crate::policy::concurrency::{Config, gradient};
use crate::upstream::Contradiction;
use crate::upstream::policies::layer::{Layer, layer, whole};

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
        /// Which percentile of the latencies of each interval is compared with the latency without load.
        pub percentile: Quantile = "`\"p50\"`",
        /// How often the limit moves.
        pub interval: Duration as AboveZero = settings::GRADIENT_INTERVAL,
        /// The least it may be, which it begins at, and is while the latency without load is measured.
        pub min: u32 as AtLeastOne = settings::GRADIENT_MIN,
        /// The most it may be.
        pub max: u32 as AtLeastOne = settings::GRADIENT_MAX,
        /// By what share the latency without load may be exceeded without effect.
        pub buffer: Share = Share(settings::GRADIENT_BUFFER),
        /// How long after a measurement of the latency without load the next one begins.
        pub min_rtt_interval: Duration as AboveZero = settings::MIN_RTT_INTERVAL,
        /// By what share of itself that is longer at most, at random.
        pub min_rtt_jitter: Share = Share(settings::MIN_RTT_JITTER),
        /// How many requests a measurement takes.
        pub min_rtt_requests: u32 as AtLeastOne = settings::MIN_RTT_REQUESTS,
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
                key: "concurrency.min",
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

impl Read for Quantile {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        parsed(value, place, ("a percentile", "write one such as `\"p50\"`"), context, |text| {
            let percent = text.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
            match percent {
                Some(percent) if percent > 0.0 && percent < 100.0 => Ok(Self(percent / 100.0)),
                _ => Err(format!("`{text}` is no percentile: write one such as `p50`")),
            }
        })
    }
}

impl Describe for Quantile {
    fn form() -> Form {
        Form::Text { what: "a percentile", example: "p50" }
    }
}

impl Read for ConcurrencyPolicy {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().as_integer().is_some() {
            return u32::read(value, place, context).map(Self::Fixed);
        }
        if !value.get_ref().is_table() {
            let expected =
                ("a number of requests or a table", "write `100` or, say, `{ min = 3, max = 1000 }`");
            wrong_type(value, place, expected, context);
            return None;
        }
        AdaptivePolicy::read(value, place, context).map(Self::Adaptive)
    }
}

impl Describe for ConcurrencyPolicy {
    fn form() -> Form {
        Form::Either(vec![u32::form(), AdaptivePolicy::form()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_control::LimitsPolicy;

    fn read(concurrency: &str) -> Result<LimitsPolicy, String> {
        hoplab_config::read("test.toml", &format!("concurrency = {concurrency}"))
            .map_err(|problems| problems.in_words().join("; "))
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
            ("-1", "`-1` is negative: write 0 or more"),
            (
                "\"many\"",
                "a text where a number of requests or a table belongs: write `100` or, say, `{ min = 3, max = 1000 }`",
            ),
            ("{ min = 0 }", "must be at least 1: leave the key out for the default"),
            ("{ percentile = \"p100\" }", "`p100` is no percentile: write one such as `p50`"),
            ("{ buffer = \"120%\" }", "`120%` is over 100%"),
            ("{ interval = \"0s\" }", "must be above zero"),
            (
                "{ limit = 3 }",
                "unknown key \"limit\": there are \"percentile\", \"interval\", \"min\", \"max\", \"buffer\", \"min_rtt_interval\", \"min_rtt_jitter\", \"min_rtt_requests\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
        for text in ["{ min = 10, max = 5 }", "{ max = 2 }"] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!(found[0].key, "concurrency.min", "{text}");
        }
    }
}
