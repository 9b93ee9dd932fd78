//! How many requests may come in a while, as configuration writes it.

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::checked;
use hoplab_config::{
    AboveZero, AtLeastOne, Choice, Context, Place, REQUIRED, Read, Value, quantity, table, way, wrong_type,
};
use http::HeaderName;

use super::By;
use crate::load_control::settings::{self, Keys, RateLimit};
use crate::policy::limit::{self, Rate, fixed_window, leaky_bucket, sliding_window, token_bucket};
use crate::upstream::Contradiction;
use crate::upstream::policies::layer::{layer, whole};

layer! {
    /// How many requests may come in a while. `algorithm = "none"` switches off what a lower layer says.
    pub struct RatePolicy {
        /// How it is counted.
        pub algorithm: Algorithm = "`\"token-bucket\"`",
        /// So many on average; exact if it is a whole number a second, minute or hour.
        pub rate: quantity::Rate as Average = "required",
        /// Tokens there may be; for `leaky-bucket` and `gcra` how many requests early one may come.
        pub burst: u32 = "a second's worth, at least 1; `0`",
        /// With `leaky-bucket`: how many of the early ones need not wait (nginx's `delay`).
        pub undelayed: u32 = 0,
        /// With windows: `rate` times this is how many may come, a whole number.
        pub window: Duration as AboveZero = settings::WINDOW,
        /// What has a limit of its own.
        pub by: By = "all requests share one",
        /// How many of these are kept; the one asked for the longest time ago makes room, and would begin anew.
        pub max_keys: u32 as AtLeastOne = settings::KEYS_MAX,
    }
}

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

impl Choice for Algorithm {
    const NOUN: &'static str = "algorithm";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::TokenBucket, "token-bucket", "a bucket of tokens, which starts full"),
        (Self::LeakyBucket, "leaky-bucket", "the early ones wait for their turn (nginx's `limit_req`)"),
        (
            Self::Gcra,
            "gcra",
            "the same without waiting (I.371: T is one over the rate, tau is `burst` times T)",
        ),
        (Self::SlidingWindow, "sliding-window", "an exact log"),
        (Self::FixedWindow, "fixed-window", "windows cut from the start on"),
        (Self::None, "none", "switches off what a lower layer says"),
    ];
}

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
            say("rate.rate", "a rate limit without a rate", "write `rate = \"100 rps\"`");
            return found;
        };
        if self.burst.is_some() && windows {
            let hint = "take it out, or write `algorithm = \"token-bucket\"`";
            say("rate.burst", "a window has no burst: all of it may come at once", hint);
        }
        if self.burst == Some(0) && algorithm == Algorithm::TokenBucket {
            let hint = "write 1 or more, or `algorithm = \"gcra\"`, whose burst comes on top of the first";
            say("rate.burst", "a bucket without room for a token lets nothing pass", hint);
        }
        if self.window.is_some() && !windows {
            let hint = "take it out, or write `algorithm = \"sliding-window\"`";
            say("rate.window", "a bucket has no window", hint);
        }
        let window = self.window.unwrap_or(settings::WINDOW);
        if windows && (!rate.is_whole_in(window) || rate.in_time(window) == 0) {
            let hint = "write a longer `window`, in which a whole number of requests may come";
            say("rate.window", "a window of that rate holds no whole number of requests", hint);
        }
        if windows && rate.in_time(window) > u64::from(u32::MAX) {
            say("rate.window", "a window of that rate is too large to count", "write a shorter `window`");
        }
        match self.undelayed {
            Some(_) if algorithm != Algorithm::LeakyBucket => {
                let hint = "take it out, or write `algorithm = \"leaky-bucket\"`";
                say("rate.undelayed", "only a leaky bucket delays", hint);
            }
            Some(undelayed) if undelayed > self.burst.unwrap_or(0) => {
                let hint = "make `burst` at least as large";
                say("rate.undelayed", "more pass at once than the bucket holds", hint);
            }
            Some(_) | None => {}
        }
        if self.max_keys.is_some() && self.by.is_none() {
            let hint = "write `by = { header = \"x-user\" }` beside it, or take it out";
            say("rate.max_keys", "without `by` there are no keys", hint);
        }
        found
    }
}

way!(FieldName: String, Form::Text { what: "a header field", example: "x-user" }, String::read);
way!(Average: quantity::Rate, quantity::Rate::form(), average);

fn average(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<quantity::Rate> {
    let check = |rate: &quantity::Rate| match Rate::per_second(rate.0) {
        Some(_) => Ok(()),
        None if rate.0 <= 0.0 => Err("a rate limit of zero lets nothing pass".to_owned()),
        None => Err(format!("`{rate}` cannot be counted")),
    };
    checked(value, place, context, check, "write a rate such as `100 rps`")
}

table! {
    /// A header field that tells requests apart.
    pub struct Field {
        /// The field; without it, all requests are one caller.
        pub header: String as FieldName = REQUIRED,
    }
}

impl Read for By {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        const HINT: &str = "write `{ header = \"x-user\" }`, `\"source\"` or `\"caller\"`";
        match value.get_ref().as_str() {
            Some("source") => return Some(Self::Source),
            Some("caller") => return Some(Self::Caller),
            Some(other) => {
                context.error(place, format!("limits cannot be by `{other}`")).hint(HINT);
                return None;
            }
            None if value.get_ref().is_table() => {}
            None => {
                wrong_type(value, place, ("what tells requests apart", HINT), context);
                return None;
            }
        }
        let name = Field::read(value, place, context)?.header?;
        header_name(&name.value).map_err(|wrong| context.complaint(name.place, &wrong)).ok().map(Self::Header)
    }
}

impl Describe for By {
    fn form() -> Form {
        let source = Form::Text {
            what: "the address; at a live gateway behind `trusted` hops, the client's",
            example: "source",
        };
        let caller = Form::Text { what: "the identity in a mesh", example: "caller" };
        Form::Either(vec![Field::form(), source, caller])
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
        hoplab_config::read("test.toml", &format!("rate = {{ {rate} }}"))
            .map_err(|problems| problems.in_words().join("; "))
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
            ("rate = 100", "a whole number where a rate belongs: write a rate such as `\"200 rps\"`"),
            ("rate = \"99999999999 rps\"", "`99999999999 rps` cannot be counted: write a rate"),
            ("burst = -1", "`-1` is negative: write 0 or more"),
            ("window = \"0s\"", "must be above zero"),
            ("max_keys = 0", "must be at least 1"),
            (
                "algorithm = \"token\"",
                "unknown algorithm \"token\": there are \"token-bucket\", \"leaky-bucket\", \"gcra\", \"sliding-window\", \"fixed-window\", \"none\"",
            ),
            ("by = \"user\"", "limits cannot be by `user`: write `{ header = \"x-user\" }`"),
            ("by = { header = \"x user\" }", "`x user` is no header field: write a name such as `x-user`"),
            (
                "by = { cookie = \"a\" }",
                "missing key \"header\": write `header = \"x-user\"`; unknown key \"cookie\"",
            ),
            (
                "by = 3",
                "a whole number where what tells requests apart belongs: write `{ header = \"x-user\" }`, `\"source\"` or `\"caller\"`",
            ),
            ("bursts = 3", "unknown key \"bursts\": did you mean \"burst\"?"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, key) in [
            ("burst = 3", "rate.rate"),
            ("rate = \"100 rps\", burst = 0", "rate.burst"),
            ("rate = \"100 rps\", burst = 1, algorithm = \"fixed-window\"", "rate.burst"),
            ("rate = \"100 rps\", window = \"1s\"", "rate.window"),
            ("rate = \"0.5 rps\", algorithm = \"fixed-window\"", "rate.window"),
            ("rate = \"100 rps\", window = \"15ms\", algorithm = \"sliding-window\"", "rate.window"),
            ("rate = \"100 rps\", undelayed = 1", "rate.undelayed"),
            ("rate = \"1 rps\", burst = 1, undelayed = 2, algorithm = \"leaky-bucket\"", "rate.undelayed"),
            ("rate = \"100 rps\", max_keys = 7", "rate.max_keys"),
        ] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!(found.iter().map(|found| found.key).collect::<Vec<_>>(), [key], "{text}");
        }
    }
}
