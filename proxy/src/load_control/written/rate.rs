//! How many requests may come in a while, as configuration writes it.

use std::fmt;
use std::time::Duration;

use http::HeaderName;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::By;
use crate::load_control::settings::{self, Keys, RateLimit};
use crate::policy::limit::{self, Rate, fixed_window, leaky_bucket, sliding_window, token_bucket};
use crate::quantity;
use crate::upstream::Contradiction;
use crate::upstream::policies::layer::{layer, whole};
use crate::upstream::policies::{above_zero, at_least_one};

layer! {
    /// How many requests may come in a while. `algorithm = "none"` switches off what a lower layer says.
    pub struct RatePolicy {
        /// How it is counted.
        pub algorithm: Algorithm,
        /// How many requests a second.
        #[serde(deserialize_with = "rate")]
        pub rate: quantity::Rate,
        /// Buckets: how many may come at once (token bucket), or early (leaky bucket, GCRA).
        pub burst: u32,
        /// Leaky bucket: how many of the early ones need not wait.
        pub undelayed: u32,
        /// Windows: the stretch of time in which as many may come as the rate says.
        #[serde(deserialize_with = "above_zero")]
        pub window: Duration,
        /// What has a limit of its own: `{ header = "x-user" }`, `"source"` or `"caller"`.
        pub by: By,
        /// How many of these are kept at most.
        #[serde(deserialize_with = "at_least_one")]
        pub max_keys: u32,
    }
}

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// They are not.
    None,
    /// See [`token_bucket`].
    #[default]
    TokenBucket,
    /// See [`leaky_bucket`]; what is early waits.
    LeakyBucket,
    /// See [`leaky_bucket`]; nothing waits.
    Gcra,
    /// See [`sliding_window`].
    SlidingWindow,
    /// See [`fixed_window`].
    FixedWindow,
}

whole!(Algorithm, By);

impl RatePolicy {
    pub(super) fn resolve(&self) -> Option<RateLimit> {
        let rate = Rate::per_second(self.rate?.0)?;
        let window = self.window.unwrap_or(settings::WINDOW);
        let limit = u32::try_from(rate.in_time(window)).unwrap_or(u32::MAX).max(1);
        let limit = match self.algorithm.unwrap_or_default() {
            Algorithm::None => return None,
            Algorithm::TokenBucket => {
                let usual = u32::try_from(rate.in_time(settings::BURST_TIME)).unwrap_or(u32::MAX).max(1);
                limit::Config::TokenBucket(token_bucket::Config { rate, burst: self.burst.unwrap_or(usual) })
            }
            Algorithm::LeakyBucket => {
                let (burst, undelayed) = (self.burst.unwrap_or(0), self.undelayed.unwrap_or(0));
                limit::Config::LeakyBucket(leaky_bucket::Config { rate, burst, undelayed })
            }
            Algorithm::Gcra => {
                let burst = self.burst.unwrap_or(0);
                limit::Config::LeakyBucket(leaky_bucket::Config { rate, burst, undelayed: burst })
            }
            Algorithm::SlidingWindow => {
                limit::Config::SlidingWindow(sliding_window::Config { limit, window })
            }
            Algorithm::FixedWindow => limit::Config::FixedWindow(fixed_window::Config { limit, window }),
        };
        let keys_max = self.max_keys.unwrap_or(settings::KEYS_MAX);
        let by = self.by.clone().map(|by| Keys { by, keys_max });
        Some(RateLimit { limit, by })
    }

    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        let mut say = |key, fact: &str, hint: &str| {
            found.push(Contradiction { key, fact: fact.to_owned(), hint: hint.to_owned() });
        };
        let algorithm = self.algorithm.unwrap_or_default();
        if algorithm == Algorithm::None {
            return found;
        }
        let windows = matches!(algorithm, Algorithm::SlidingWindow | Algorithm::FixedWindow);
        let Some(rate) = self.rate.and_then(|rate| Rate::per_second(rate.0)) else {
            say("limits.rate.rate", "a rate limit without a rate", "write `rate = \"100 rps\"`");
            return found;
        };
        if self.burst.is_some() && windows {
            let hint = "take it out, or write `algorithm = \"token-bucket\"`";
            say("limits.rate.burst", "a window has no burst: all of it may come at once", hint);
        }
        if self.burst == Some(0) && algorithm == Algorithm::TokenBucket {
            let hint = "write 1 or more, or `algorithm = \"gcra\"`, whose burst comes on top of the first";
            say("limits.rate.burst", "a bucket without room for a token lets nothing pass", hint);
        }
        if self.window.is_some() && !windows {
            let hint = "take it out, or write `algorithm = \"sliding-window\"`";
            say("limits.rate.window", "a bucket has no window", hint);
        }
        let window = self.window.unwrap_or(settings::WINDOW);
        if windows && (!rate.is_whole_in(window) || rate.in_time(window) == 0) {
            let hint = "write a longer `window`, in which a whole number of requests may come";
            say("limits.rate.window", "a window of that rate holds no whole number of requests", hint);
        }
        if windows && rate.in_time(window) > u64::from(u32::MAX) {
            say(
                "limits.rate.window",
                "a window of that rate is too large to count",
                "write a shorter `window`",
            );
        }
        match self.undelayed {
            Some(_) if algorithm != Algorithm::LeakyBucket => {
                let hint = "take it out, or write `algorithm = \"leaky-bucket\"`";
                say("limits.rate.undelayed", "only a leaky bucket delays", hint);
            }
            Some(undelayed) if undelayed > self.burst.unwrap_or(0) => {
                let hint = "make `burst` at least as large";
                say("limits.rate.undelayed", "more pass at once than the bucket holds", hint);
            }
            Some(_) | None => {}
        }
        if self.max_keys.is_some() && self.by.is_none() {
            let hint = "write `by = { header = \"x-user\" }` beside it, or take it out";
            say("limits.rate.max_keys", "without `by` there are no keys", hint);
        }
        found
    }
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<quantity::Rate>, D::Error> {
    let rate = quantity::Rate::deserialize(deserializer)?;
    match Rate::per_second(rate.0) {
        Some(_) => Ok(Some(rate)),
        None if rate.0 <= 0.0 => {
            Err(de::Error::custom("a rate limit of zero lets nothing pass: write a rate such as `100 rps`"))
        }
        None => Err(de::Error::custom(format!("`{rate}` cannot be counted: write a rate such as `100 rps`"))),
    }
}

impl<'de> Deserialize<'de> for By {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ByVisitor)
    }
}

struct ByVisitor;

impl<'de> Visitor<'de> for ByVisitor {
    type Value = By;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ header = \"x-user\" }, \"source\" or \"caller\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<By, E> {
        match text {
            "source" => Ok(By::Source),
            "caller" => Ok(By::Caller),
            other => Err(E::custom(format!(
                "limits cannot be by `{other}`: write `{{ header = \"x-user\" }}`, `\"source\"` or `\"caller\"`"
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<By, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Keys {
            header: String,
        }
        let Keys { header } = Keys::deserialize(de::value::MapAccessDeserializer::new(map))?;
        header_name(&header).map(By::Header).map_err(de::Error::custom)
    }
}

/// The name of a header field, however it is written.
pub(super) fn header_name(text: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("`{text}` is no header field: write a name such as `x-user`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_control::LimitsPolicy;

    fn read(rate: &str) -> Result<LimitsPolicy, String> {
        toml::from_str(&format!("rate = {{ {rate} }}")).map_err(|error| error.message().to_owned())
    }

    fn resolved(rate: &str) -> RateLimit {
        read(rate).unwrap().resolve().unwrap().rate.unwrap()
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let rate = Rate::per_second(100.0).unwrap();
        let limit = limit::Config::TokenBucket(token_bucket::Config { rate, burst: 100 });
        assert_eq!(resolved("rate = \"100 rps\""), RateLimit { limit, by: None });
        let limit = limit::Config::LeakyBucket(leaky_bucket::Config { rate, burst: 5, undelayed: 5 });
        assert_eq!(resolved("rate = \"100 rps\", burst = 5, algorithm = \"gcra\"").limit, limit);
        let limit = limit::Config::LeakyBucket(leaky_bucket::Config { rate, burst: 5, undelayed: 0 });
        assert_eq!(resolved("rate = \"100 rps\", burst = 5, algorithm = \"leaky-bucket\"").limit, limit);
        let window = Duration::from_secs(60);
        let limit = limit::Config::SlidingWindow(sliding_window::Config { limit: 10, window });
        let written = "rate = \"10/min\", window = \"1m\", algorithm = \"sliding-window\"";
        assert_eq!(resolved(written).limit, limit);
        let by = |by| Some(Keys { by, keys_max: 10_000 });
        let header = By::Header(HeaderName::from_static("x-user"));
        assert_eq!(resolved("rate = \"1 rps\", by = { header = \"X-User\" }").by, by(header));
        assert_eq!(resolved("rate = \"1 rps\", by = \"source\"").by, by(By::Source));
        assert_eq!(resolved("rate = \"1 rps\", by = \"caller\"").by, by(By::Caller));
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("rate = \"0 rps\"", "a rate limit of zero lets nothing pass: write a rate such as `100 rps`"),
            ("rate = \"-1 rps\"", "`-1 rps` is negative: write a rate such as `200 rps`"),
            ("rate = 100", "invalid type: integer `100`, expected a rate such as \"200 rps\""),
            ("rate = \"99999999999 rps\"", "`99999999999 rps` cannot be counted: write a rate"),
            ("burst = -1", "invalid value: integer `-1`, expected u32"),
            ("window = \"0s\"", "must be above zero"),
            ("max_keys = 0", "must be at least 1"),
            ("algorithm = \"token\"", "unknown variant `token`, expected one of `none`, `token-bucket`"),
            ("by = \"user\"", "limits cannot be by `user`: write `{ header = \"x-user\" }`"),
            ("by = { header = \"x user\" }", "`x user` is no header field: write a name such as `x-user`"),
            ("by = { cookie = \"a\" }", "unknown field `cookie`, expected `header`"),
            (
                "by = 3",
                "invalid type: integer `3`, expected { header = \"x-user\" }, \"source\" or \"caller\"",
            ),
            ("bursts = 3", "unknown field `bursts`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, key) in [
            ("burst = 3", "limits.rate.rate"),
            ("rate = \"100 rps\", burst = 0", "limits.rate.burst"),
            ("rate = \"100 rps\", burst = 1, algorithm = \"fixed-window\"", "limits.rate.burst"),
            ("rate = \"100 rps\", window = \"1s\"", "limits.rate.window"),
            ("rate = \"0.5 rps\", algorithm = \"fixed-window\"", "limits.rate.window"),
            ("rate = \"100 rps\", window = \"15ms\", algorithm = \"sliding-window\"", "limits.rate.window"),
            ("rate = \"100 rps\", undelayed = 1", "limits.rate.undelayed"),
            (
                "rate = \"1 rps\", burst = 1, undelayed = 2, algorithm = \"leaky-bucket\"",
                "limits.rate.undelayed",
            ),
            ("rate = \"100 rps\", max_keys = 7", "limits.rate.max_keys"),
        ] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!(found.iter().map(|found| found.key).collect::<Vec<_>>(), [key], "{text}");
        }
    }
}
