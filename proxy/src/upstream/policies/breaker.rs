//! When to stop asking for a while, as configuration writes it.

use std::time::Duration;

use hoplab_config::form::Form;
use hoplab_config::quantity::Share;
use hoplab_config::read::{checked, texts, texts_form};
use hoplab_config::{AboveZero, AtLeastOne, Choice, Context, Place, Value, way};
use http::StatusCode;

use super::Contradiction;
use super::layer::{layer, whole};
use crate::policy::breaker::{Blame, Config, FailureRate, Kind};
use crate::upstream::settings::{self, Breakers, Guarded};

layer! {
    /// When to stop asking for a while. `failures = 0` and `failure_rate = "0%"` switch off what a lower layer says.
    pub struct BreakerPolicy {
        /// Failures in a row that open the breaker; `0`: none do.
        pub failures: u32 = "`5`; `0` beside `failure_rate`",
        /// The share of the requests in `window` that opens it, reached after any outcome; `"0%"`: none does.
        pub failure_rate: Share = "none",
        /// Over how long requests are counted for `failure_rate`: the current tenth of it and the nine before, so 90 %
        /// to 100 % of it; forgotten when the breaker closes.
        pub window: Duration as AboveZero = settings::BREAKER_WINDOW,
        /// With fewer requests in `window`, the rate says nothing.
        pub min_requests: u32 as AtLeastOne = settings::BREAKER_MIN_REQUESTS,
        /// How long everything is refused before it probes.
        pub open_for: Duration as AboveZero = settings::BREAKER_OPEN_FOR,
        /// How many times as long it is open after each probe that fails.
        pub growth: f64 as Growth = settings::BREAKER_GROWTH,
        /// The longest open time that `growth` leads to.
        pub open_max: Duration as AboveZero = settings::BREAKER_OPEN_MAX,
        /// By what share an open time is longer at most, at random, over `open_max` too.
        pub jitter: Share = Share(0.0),
        /// How many probes must succeed to close it; no more pass until then.
        pub probes: u32 as AtLeastOne = settings::BREAKER_PROBES,
        /// What counts as a failure; another status is a success.
        pub on: Vec<Kind> as Kinds = "`[\"5xx\", \"connect-failure\", \"reset\", \"timeout\"]`",
        /// What has a breaker of its own.
        pub per: Guarded = "`\"endpoint\"`",
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

impl Choice for Guarded {
    const NOUN: &'static str = "place of a breaker";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Endpoint, "endpoint", "each endpoint"),
        (Self::Upstream, "upstream", "the upstream as a whole"),
    ];
}

way!(Growth: f64, Form::Number { least: 1.0 }, growth);
way!(Kinds: Vec<Kind>, texts_form("`5xx`, `gateway-error`, `connect-failure`, `reset`, `timeout` or a status", "503"), kinds);

fn growth(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<f64> {
    let check = |growth: &f64| {
        if *growth >= 1.0 { Ok(()) } else { Err(format!("a breaker cannot grow by {growth}")) }
    };
    checked(value, place, context, check, "write 1 for none, or a factor above it such as 2.0")
}

fn kinds(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Vec<Kind>> {
    let kinds = texts(value, place, context, kind)?;
    if kinds.is_empty() {
        let hint = "write `failures = 0` to switch it off";
        context.error(place, "a breaker that counts nothing never opens").hint(hint);
        return None;
    }
    Some(kinds)
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
        hoplab_config::read("test.toml", &format!("breaker = {{ {breaker} }}"))
            .map_err(|problems| problems.in_words().join("; "))
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
            ("growth = nan", "`nan` is no finite number: write, say, `1.5`"),
            ("jitter = \"150%\"", "`150%` is over 100%: write a percentage such as `2%`"),
            ("failure_rate = \"101%\"", "`101%` is over 100%"),
            ("open_for = \"0s\"", "must be above zero"),
            ("window = \"0s\"", "must be above zero"),
            ("on = []", "a breaker that counts nothing never opens: write `failures = 0`"),
            ("on = [\"slow\"]", "a breaker does not know the failure `slow`: write `5xx`"),
            ("on = [\"200\"]", "a breaker does not know the failure `200`"),
            (
                "per = \"service\"",
                "unknown place of a breaker \"service\": there are \"endpoint\", \"upstream\"",
            ),
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
