//! How endpoints are asked whether they are well, as configuration writes it: `http = "/path"`, `tcp = true`
//! or `grpc = "service"`, and what goes with each.

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::{checked, parsed, texts, texts_form};
use hoplab_config::{AboveZero, AtLeastOne, Choice, Context, Place, Read, Value, way};

use super::Contradiction;
use super::layer::{Layer, layer, whole};
use crate::policy::health;
use crate::upstream::settings::{self, Check, Health, Statuses};

/// How endpoints are asked whether they are well. `fall = 0` switches off what a lower layer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthPolicy(pub HealthKeys);

layer! {
    /// The keys of all kinds of checks; exactly one of `http`, `tcp` and `grpc`.
    pub struct HealthKeys {
        /// A GET of this path.
        pub http: String as Path,
        /// `true`: whether it can be connected to.
        pub tcp: bool as Yes,
        /// `grpc.health.v1.Health/Check` for this service, over HTTP/2; `""` is the whole server.
        pub grpc: String,
        /// From the start of a check to the start of the next.
        pub interval: Duration as Interval = settings::HEALTH_INTERVAL,
        /// How long a check may take.
        pub timeout: Duration as AboveZero = settings::HEALTH_TIMEOUT,
        /// Checks in a row that must pass for an endpoint to be up again.
        pub rise: u32 as AtLeastOne = settings::HEALTH_RISE,
        /// Checks in a row that must fail for it to be down.
        pub fall: u32 = settings::HEALTH_FALL,
        /// How much longer an interval is at most, at random.
        pub jitter: Duration = Duration::ZERO,
        /// With `http`: the statuses of an endpoint that is well, such as `"204"` or `"2xx"`.
        pub expect: Statuses as Expected = "200 to 399",
        /// What an endpoint is before its first check.
        pub initial: Initial = "`\"healthy\"`",
        /// Whether a check that passes ends an ejection by `outlier`, as in Envoy, also where only requests fail.
        pub unejects: bool = false,
        /// With `http` and `grpc`: what an answer does that is not expected.
        pub unexpected: Unexpected = "`\"counts\"`",
    }
}

/// The shortest pause between checks: an endpoint that is checked more often has no time for requests.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

way!(Interval: Duration, Duration::form(), interval);
way!(Path: String, Form::Text { what: "a path", example: "/healthz" }, path);
way!(Yes: bool, Form::Truth, yes);
way!(Expected: Statuses, texts_form("a status or a class of them", "2xx"), statuses);

fn interval(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Duration> {
    let check = |interval: &Duration| if *interval < INTERVAL_MIN { Err("too often") } else { Ok(()) };
    checked(value, place, context, check, "write 1ms or more")
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

impl Read for HealthPolicy {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let keys = HealthKeys::read(value, place, context)?;
        if let [one, other, ..] = keys.checks()[..] {
            let fact = format!("an endpoint is checked in one way, not by `{one}` and `{other}`");
            context.error(place, fact).hint("take one of them out");
            return None;
        }
        Some(Self(keys))
    }
}

impl Describe for HealthPolicy {
    fn form() -> Form {
        HealthKeys::form()
    }
}

impl Choice for Initial {
    const NOUN: &'static str = "beginning of an endpoint";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Healthy, "healthy", "up"),
        (Self::Unhealthy, "unhealthy", "down until its very first check passes, else until `rise` have"),
    ];
}

impl Choice for Unexpected {
    const NOUN: &'static str = "consequence";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Counts, "counts", "it counts towards `fall`, as a check does that is not answered"),
        (
            Self::Down,
            "down",
            "the endpoint is down at once, as in Envoy, where `fall` is for checks without an answer",
        ),
    ];
}

fn path(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<String> {
    const HINT: &str = "write it from the root, such as `/healthz`";
    parsed(value, place, ("a path", HINT), context, |text| {
        let is_path = text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok();
        if is_path { Ok(text.to_owned()) } else { Err(format!("`{text}` is no path: {HINT}")) }
    })
}

fn yes(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<bool> {
    let check = |yes: &bool| if *yes { Ok(()) } else { Err("there is nothing else to check") };
    checked(value, place, context, check, "write `fall = 0` to switch checks off")
}

fn statuses(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Statuses> {
    let ranges = texts(value, place, context, |name| {
        let wrong = "write one such as `204`, or a class such as `2xx`";
        status(name).ok_or_else(|| format!("`{name}` is no status: {wrong}"))
    })?;
    if ranges.is_empty() {
        let hint = "leave the key out for every one from 200 to 399";
        context.error(place, "no status would do").hint(hint);
        return None;
    }
    Some(ranges.into())
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
        hoplab_config::read("test.toml", text).map_err(|problems| problems.in_words().join("; "))
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
            ("tcp = true, interval = \"0s\"", "too often: write 1ms or more"),
            ("http = \"/\", expect = []", "no status would do"),
            ("http = \"/\", expect = [\"600\"]", "`600` is no status: write one such as `204`"),
            ("http = \"/\", expect = [\"+20\"]", "`+20` is no status"),
            ("http = \"/\", expect = [\"9xx\"]", "`9xx` is no status"),
            (
                "tcp = true, initial = \"sick\"",
                "unknown beginning of an endpoint \"sick\": there are \"healthy\", \"unhealthy\"",
            ),
            ("https = \"/\"", "unknown key \"https\": did you mean \"http\"?"),
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
