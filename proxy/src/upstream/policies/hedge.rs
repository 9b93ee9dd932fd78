//! When to send a second attempt beside a late one, as configuration writes it.

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::parsed;
use hoplab_config::{AboveZero, Context, Place, Read, Value, quantity};

use super::layer::{layer, whole};
use super::{Allotted, Contradiction};
use crate::policy::hedge;
use crate::policy::retry::Methods;
use crate::upstream::settings;

layer! {
    /// When to hedge. `max = 0` switches off what a lower layer says.
    pub struct HedgePolicy {
        /// When an answer is late: after a duration, or beyond a percentile of the latencies of `window`, such as `"p95"`.
        pub after: HedgeAfter = "`\"p95\"`",
        /// Hedges of one request at most.
        pub max: u32 = settings::HEDGES_MAX,
        /// Hedges as a share of the requests of the last ten seconds.
        pub budget: quantity::Share = quantity::Share(settings::HEDGE_SHARE),
        /// With a percentile: how many answers it takes to tell.
        pub min_samples: u32 = settings::HEDGE_SAMPLES_MIN,
        /// With a percentile: over how long it is taken.
        pub window: Duration as AboveZero = settings::HEDGE_WINDOW,
        /// The methods whose requests may be sent twice.
        pub methods: Methods = "the idempotent ones",
    }
}

/// When an answer is late.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HedgeAfter {
    /// After so long.
    Delay(Duration),
    /// Beyond this quantile, between 0 and 1.
    Quantile(f64),
}

whole!(HedgeAfter);

impl HedgePolicy {
    pub(super) fn resolve(&self) -> Option<hedge::Config> {
        let hedges_max = self.max.unwrap_or(settings::HEDGES_MAX);
        let after = match self.after.unwrap_or(HedgeAfter::Quantile(settings::HEDGE_QUANTILE)) {
            HedgeAfter::Delay(delay) => hedge::After::Delay(delay),
            HedgeAfter::Quantile(quantile) => hedge::After::Percentile {
                quantile,
                samples_min: self.min_samples.unwrap_or(settings::HEDGE_SAMPLES_MIN),
                window: self.window.unwrap_or(settings::HEDGE_WINDOW),
            },
        };
        (hedges_max > 0).then(|| hedge::Config {
            after,
            hedges_max,
            share: self.budget.map_or(settings::HEDGE_SHARE, |share| share.0),
            methods: self.methods.clone().unwrap_or_default(),
        })
    }

    /// What cannot be told from one key alone; the request has the time `allotted`, and one try of it `per_try`, if that is
    /// limited.
    pub(super) fn contradictions(
        &self,
        allotted: &Allotted,
        per_try: Option<Duration>,
    ) -> Vec<Contradiction> {
        let mut found = Vec::new();
        if self.resolve().is_none() {
            return found;
        }
        let say =
            |key, fact: &str, hint: &str| Contradiction { key, fact: fact.to_owned(), hint: hint.to_owned() };
        if let Some(HedgeAfter::Delay(delay)) = self.after {
            if allotted.is_over_after(delay) {
                found.push(allotted.contradiction("hedge.after", "its answer is late"));
            } else if per_try.is_some_and(|per_try| delay >= per_try) {
                let fact = "a try is over before its answer is late";
                found.push(say("hedge.after", fact, "make `after` shorter than `per_try_timeout`"));
            }
            if self.min_samples.is_some() || self.window.is_some() {
                let fact = "`min_samples` and `window` are for a percentile";
                found.push(say("hedge.after", fact, "leave them out, or write `after = \"p95\"`"));
            }
        }
        found
    }
}

impl Read for HedgeAfter {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let expected = ("a duration or a percentile", "write `\"50ms\"` or, say, `\"p95\"`");
        parsed(value, place, expected, context, |text| {
            let Some(percent) = text.strip_prefix('p') else {
                let delay = text.parse::<quantity::Duration>().map_err(|wrong| wrong.to_string())?;
                return Ok(Self::Delay(delay.0));
            };
            match percent.parse::<f64>() {
                Ok(percent) if percent > 0.0 && percent < 100.0 => Ok(Self::Quantile(percent / 100.0)),
                _ => Err(format!("`{text}` is no percentile: write one such as `p95`")),
            }
        })
    }
}

impl Describe for HedgeAfter {
    fn form() -> Form {
        Form::Text { what: "a duration or a percentile", example: "p95" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::TimeLimit;

    fn read(text: &str) -> Result<HedgePolicy, String> {
        hoplab_config::read("test.toml", text).map_err(|problems| problems.in_words().join("; "))
    }

    #[test]
    fn a_delay_or_a_percentile() {
        let config = read("after = \"50ms\"\nbudget = \"100%\"").unwrap().resolve().unwrap();
        assert_eq!(config.after, hedge::After::Delay(Duration::from_millis(50)));
        assert_eq!((config.hedges_max, config.share), (1, 1.0));
        let config = read("after = \"p99.5\"\nmin_samples = 7\nwindow = \"1s\"").unwrap().resolve().unwrap();
        let window = Duration::from_secs(1);
        assert_eq!(config.after, hedge::After::Percentile { quantile: 0.995, samples_min: 7, window });
        assert_eq!(read("max = 0").unwrap().resolve(), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("after = \"p0\"", "`p0` is no percentile: write one such as `p95`"),
            ("after = \"p100\"", "`p100` is no percentile"),
            ("after = \"95%\"", "`95%` has the unit `%`"),
            ("after = \"-1ms\"", "`-1ms` is negative"),
            ("window = \"0s\"", "must be above zero"),
            ("budget = \"120%\"", "`120%` is over 100%"),
            ("methods = [\"get\"]", "`get` is no method"),
            (
                "delay = \"1s\"",
                "unknown key \"delay\": there are \"after\", \"max\", \"budget\", \"min_samples\", \"window\", \"methods\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
        let allotted = Allotted::of(Some(TimeLimit::Within(Duration::from_secs(1))), None);
        let facts = |text: &str| read(text).unwrap().contradictions(&allotted, None).len();
        assert_eq!(facts("after = \"1s\""), 1);
        assert_eq!(facts("after = \"50ms\"\nmin_samples = 3"), 1);
        assert_eq!(facts("after = \"p95\"\nmin_samples = 3"), 0);
    }
}
