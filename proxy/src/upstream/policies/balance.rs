//! How an endpoint is chosen, as configuration writes it: an algorithm's name, or a table.

mod by;

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::quantity::Share;
use hoplab_config::read::checked;
use hoplab_config::{AboveZero, Choice, Context, Place, Read, Value, way, wrong_type};

use super::Contradiction;
use super::layer::{Layer, layer, whole};
use crate::policy::balance::{self, Algorithm, maglev, peak_ewma, ring, zones};
use crate::upstream::By;
use crate::upstream::settings;

/// How to choose an endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BalancePolicy(pub BalanceKeys);

layer! {
    /// The keys of all algorithms, and those that they have in common.
    pub struct BalanceKeys {
        /// The algorithm.
        pub kind: Kind = "`\"round-robin\"`",
        /// With `ring` and `maglev`, which require it: what requests are told apart by; a request without it goes
        /// anywhere.
        pub by: By = "required with them",
        /// With `ring`: how many points it has at least, shared out by weight.
        pub points: u32 as Points = settings::BALANCE_RING_POINTS,
        /// With `maglev`: how many slots the table has, a prime, far above the number of endpoints.
        pub slots: u32 as Slots = settings::BALANCE_MAGLEV_SLOTS,
        /// With `peak-ewma`: after how long an observation weighs a factor of e less.
        pub decay: Duration as AboveZero = settings::BALANCE_DECAY,
        /// With `peak-ewma`: the response time before the first answer.
        pub default_rtt: Duration as AboveZero = settings::BALANCE_DEFAULT_RTT,
        /// With `peak-ewma`: what a failure (500 and above, 429, no answer) counts as at least; `"0s"`: as long as it
        /// took.
        pub penalty: Duration = Duration::ZERO,
        /// While a smaller share of the endpoints is healthy, health is ignored; Envoy has `"50%"`, Istio and Linkerd have
        /// none.
        pub panic: Share = Share(settings::BALANCE_PANIC),
        /// How long the weight of an endpoint that has turned healthy again, or has joined, grows, in a line, from a tenth;
        /// not for `ring` and `maglev`.
        pub slow_start: Duration = Duration::ZERO,
        /// Whether the proxy's own zone comes first.
        pub zone: Preference = "`\"ignore\"`",
        /// Under priorities and with `zone = "prefer"`: so many times as many endpoints as it needs a level or a zone has.
        pub overprovisioning: f64 as Factor = settings::BALANCE_OVERPROVISIONING,
        /// With `least-request` and `peak-ewma`: `true`: both draws may be the same endpoint, as in Envoy, so that the
        /// busier of two gets a quarter.
        pub replacement: bool = false,
        /// A change of health takes effect on balancing at once when the last one is so long ago; those after it take
        /// effect together, so long after the first of them (Envoy's `update_merge_window`); `"0s"`: each at once.
        pub merge_window: Duration = Duration::ZERO,
    }
}

/// The algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// Of two, the one with fewer requests.
    LeastRequest,
    /// Of two, the one that is expected to answer sooner.
    PeakEwma,
    /// Consistent hashing on a ring.
    Ring,
    /// Consistent hashing by a Maglev table.
    Maglev,
}

impl Choice for Kind {
    const NOUN: &'static str = "balance";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::RoundRobin, "round-robin", "one after the other, smoothly weighted"),
        (Self::Random, "random", "any"),
        (
            Self::LeastRequest,
            "least-request",
            "of two drawn by weight, the one with fewer requests until the last byte of their answers, in relation to its \
             weight",
        ),
        (
            Self::PeakEwma,
            "peak-ewma",
            "of two, the one with the lower (requests + 1) x average response time, which follows peaks at once",
        ),
        (
            Self::Ring,
            "ring",
            "consistent hashing on a ring, under which an endpoint that is down moves its own keys alone",
        ),
        (Self::Maglev, "maglev", "the same by a Maglev table"),
    ];
}

impl Choice for Preference {
    const NOUN: &'static str = "preference";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Ignore, "ignore", "zones count for nothing"),
        (
            Self::Prefer,
            "prefer",
            "the proxy's own zone first: as much stays as it is healthy times `overprovisioning`, the rest goes to the \
             others, up to as much as they are",
        ),
    ];
}

impl Kind {
    fn name(self) -> &'static str {
        let word = Self::WORDS.iter().find(|(kind, _, _)| *kind == self);
        word.map_or("", |(_, name, _)| name)
    }

    fn draws_two(self) -> bool {
        matches!(self, Self::LeastRequest | Self::PeakEwma)
    }

    fn hashes(self) -> bool {
        matches!(self, Self::Ring | Self::Maglev)
    }
}

/// Whether the own zone comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// Zones count for nothing.
    #[default]
    Ignore,
    /// It does, as long as enough of it is healthy.
    Prefer,
}

whole!(Kind, Preference, By);

impl Layer for BalancePolicy {
    /// A layer that names an algorithm replaces another one below it, with the keys that are its own; else keys are
    /// merged one by one.
    fn over(&self, Self(lower): &Self) -> Self {
        let Self(upper) = self;
        let mut lower = lower.clone();
        if upper.kind.is_some_and(|kind| lower.kind.is_some_and(|below| below != kind)) {
            let both_hash = upper.kind.is_some_and(Kind::hashes) && lower.kind.is_some_and(Kind::hashes);
            lower = BalanceKeys {
                by: lower.by.filter(|_| both_hash),
                points: None,
                slots: None,
                decay: None,
                default_rtt: None,
                penalty: None,
                replacement: lower.replacement.filter(|_| upper.kind.is_some_and(Kind::draws_two)),
                ..lower
            };
        }
        Self(upper.over(&lower))
    }
}

impl BalancePolicy {
    pub(super) fn resolve(&self) -> settings::Balance {
        let Self(keys) = self;
        let kind = keys.kind.unwrap_or_default();
        let algorithm = match kind {
            Kind::RoundRobin => Algorithm::RoundRobin,
            Kind::Random => Algorithm::Random,
            Kind::LeastRequest => Algorithm::LeastRequest,
            Kind::PeakEwma => Algorithm::PeakEwma(peak_ewma::Config {
                decay: keys.decay.unwrap_or(settings::BALANCE_DECAY),
                default_rtt: keys.default_rtt.unwrap_or(settings::BALANCE_DEFAULT_RTT),
                penalty: keys.penalty.filter(|penalty| !penalty.is_zero()),
            }),
            Kind::Ring => Algorithm::Ring(ring::Config {
                points_min: keys.points.unwrap_or(settings::BALANCE_RING_POINTS),
            }),
            Kind::Maglev => Algorithm::Maglev(maglev::Config {
                slots: keys.slots.unwrap_or(settings::BALANCE_MAGLEV_SLOTS),
            }),
        };
        let overprovisioning = keys.overprovisioning.unwrap_or(settings::BALANCE_OVERPROVISIONING);
        let config = balance::Config {
            algorithm,
            panic: keys.panic.map_or(settings::BALANCE_PANIC, |share| share.0),
            slow_start: keys.slow_start.filter(|slow_start| !slow_start.is_zero()),
            zones: (keys.zone == Some(Preference::Prefer)).then_some(zones::Config { overprovisioning }),
            overprovisioning,
            replacement: keys.replacement.unwrap_or(false),
        };
        settings::Balance {
            config,
            by: keys.by.clone().filter(|_| kind.hashes()),
            merge_window: keys.merge_window.filter(|window| !window.is_zero()),
        }
    }

    /// What cannot be told from one layer alone.
    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let Self(keys) = self;
        let kind = keys.kind.unwrap_or_default();
        let mut found = Vec::new();
        let mut say = |key, fact: String, hint: &str| {
            found.push(Contradiction { key, fact, hint: hint.to_owned() });
        };
        if let Some((key, of)) = keys.stray(kind) {
            let fact = format!("`{key}` belongs to `{}`, not to `{}`", of.name(), kind.name());
            say("balance", fact, "leave it out, or name the `kind` it belongs to");
        }
        if kind.hashes() && keys.by.is_none() {
            let hint = "write `by = { header = \"x-user\" }`, `{ cookie = \"session\" }` or `\"source\"`";
            say("balance.by", "it does not say what requests are told apart by".to_owned(), hint);
        }
        if kind.hashes() && keys.slow_start.is_some_and(|slow_start| !slow_start.is_zero()) {
            let fact = format!("a key belongs where it belongs: `{}` starts nothing slowly", kind.name());
            say("balance.slow_start", fact, "leave it out, or choose another `kind`");
        }
        found
    }
}

impl BalanceKeys {
    /// A key that does not belong to `kind`, and the one it belongs to.
    fn stray(&self, kind: Kind) -> Option<(&'static str, Kind)> {
        let belongs = [
            ("by", self.by.is_some() && !kind.hashes(), Kind::Ring),
            ("replacement", self.replacement.is_some() && !kind.draws_two(), Kind::LeastRequest),
            ("points", self.points.is_some(), Kind::Ring),
            ("slots", self.slots.is_some(), Kind::Maglev),
            ("decay", self.decay.is_some(), Kind::PeakEwma),
            ("default_rtt", self.default_rtt.is_some(), Kind::PeakEwma),
            ("penalty", self.penalty.is_some(), Kind::PeakEwma),
        ];
        let stray = belongs.into_iter().find(|(_, there, of)| *there && *of != kind);
        stray.map(|(key, _, of)| (key, of))
    }
}

impl Read for BalancePolicy {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().is_str() {
            let kind = Some(Kind::read(value, place, context)?);
            return Some(Self(BalanceKeys { kind, ..BalanceKeys::default() }));
        }
        if !value.get_ref().is_table() {
            let hint = "write `\"least-request\"` or, say, `{ kind = \"ring\", by = \"source\" }`";
            wrong_type(value, place, ("a balance", hint), context);
            return None;
        }
        BalanceKeys::read(value, place, context).map(Self)
    }
}

impl Describe for BalancePolicy {
    fn form() -> Form {
        Form::Either(vec![Kind::form(), BalanceKeys::form()])
    }
}

/// Envoy's greatest ring.
const POINTS_MAX: u32 = 8 * 1024 * 1024;
/// Envoy's greatest table, which is a prime.
const SLOTS_MAX: u32 = 5_000_011;

way!(Points: u32, Form::Whole { least: 1, most: POINTS_MAX.into() }, points);
way!(Slots: u32, Form::Whole { least: 2, most: SLOTS_MAX.into() }, slots);
way!(Factor: f64, Form::Number { least: 1.0 }, factor);

fn points(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<u32> {
    let check = |points: &u32| match points {
        1..=POINTS_MAX => Ok(()),
        _ => Err(format!("a ring cannot have {points} points")),
    };
    checked(value, place, context, check, &format!("write 1 to {POINTS_MAX}"))
}

fn slots(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<u32> {
    let check = |slots: &u32| {
        if *slots <= SLOTS_MAX && is_prime(*slots) {
            Ok(())
        } else {
            Err(format!("`{slots}` is no prime up to {SLOTS_MAX}"))
        }
    };
    checked(value, place, context, check, "write one such as `65537`")
}

fn is_prime(number: u32) -> bool {
    number >= 2 && (2..=number.isqrt()).all(|factor| !number.is_multiple_of(factor))
}

fn factor(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<f64> {
    let check = |factor: &f64| {
        if *factor >= 1.0 { Ok(()) } else { Err("a zone is at least as good as it is healthy") }
    };
    checked(value, place, context, check, "write a factor of 1 or more")
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    fn read(balance: &str) -> Result<BalancePolicy, String> {
        hoplab_config::read_value(balance).map_err(|problems| problems.in_words().join("; "))
    }

    fn resolved(balance: &str) -> settings::Balance {
        let policy = read(balance).unwrap();
        assert_eq!(policy.contradictions(), [], "{balance}");
        policy.resolve()
    }

    #[test]
    fn every_kind_is_read_with_its_defaults() {
        let algorithm = |text: &str| resolved(text).config.algorithm;
        assert_eq!(resolved("{}"), settings::Balance::default());
        assert_eq!(algorithm("\"round-robin\""), Algorithm::RoundRobin);
        assert_eq!(algorithm("\"random\""), Algorithm::Random);
        assert_eq!(algorithm("{ kind = \"least-request\" }"), Algorithm::LeastRequest);
        let ewma = |penalty| {
            let (decay, default_rtt) = (Duration::from_secs(10), Duration::from_millis(30));
            Algorithm::PeakEwma(peak_ewma::Config { decay, default_rtt, penalty })
        };
        assert_eq!(algorithm("\"peak-ewma\""), ewma(None));
        let penalised = algorithm("{ kind = \"peak-ewma\", penalty = \"5s\" }");
        assert_eq!(penalised, ewma(Some(Duration::from_secs(5))));
        assert_eq!(algorithm("{ kind = \"peak-ewma\", penalty = \"0s\" }"), ewma(None));
        let ring = resolved("{ kind = \"ring\", by = { header = \"X-User\" } }");
        assert_eq!(ring.config.algorithm, Algorithm::Ring(ring::Config { points_min: 1_024 }));
        assert_eq!(ring.by, Some(By::Header(HeaderName::from_static("x-user"))));
        let maglev = resolved("{ kind = \"maglev\", by = { cookie = \"session\" } }");
        assert_eq!(maglev.config.algorithm, Algorithm::Maglev(maglev::Config { slots: 65_537 }));
        assert_eq!(maglev.by, Some(By::Cookie("session".to_owned())));
        assert_eq!(resolved("{ kind = \"ring\", by = \"source\", points = 64 }").by, Some(By::Source));
        let config = resolved("{ panic = \"50%\", slow_start = \"30s\", zone = \"prefer\" }").config;
        assert_eq!((config.panic, config.slow_start), (0.5, Some(Duration::from_secs(30))));
        assert_eq!(config.zones, Some(zones::Config { overprovisioning: 1.4 }));
    }

    #[test]
    fn another_kind_drops_the_keys_of_the_one_below() {
        let merged = |upper: &str, lower: &str| read(upper).unwrap().over(&read(lower).unwrap());
        let lower = "{ kind = \"peak-ewma\", penalty = \"5s\", panic = \"50%\" }";
        assert_eq!(
            merged("\"random\"", lower),
            read("{ kind = \"random\", panic = \"50%\" }").unwrap(),
            "panic is no algorithm's own"
        );
        assert_eq!(merged("\"peak-ewma\"", lower), read(lower).unwrap());
        assert_eq!(merged("{ panic = \"0%\" }", lower).0.penalty, Some(Duration::from_secs(5)));
        let ring = "{ kind = \"ring\", by = \"source\", points = 64 }";
        assert_eq!(merged("\"maglev\"", ring), read("{ kind = \"maglev\", by = \"source\" }").unwrap());
        assert_eq!(merged("\"random\"", ring), read("\"random\"").unwrap());
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (balance, complaint) in [
            (
                "\"best\"",
                "unknown balance \"best\": there are \"round-robin\", \"random\", \"least-request\", \"peak-ewma\", \"ring\", \"maglev\"",
            ),
            (
                "{ kind = \"p2c\" }",
                "unknown balance \"p2c\": there are \"round-robin\", \"random\", \"least-request\", \"peak-ewma\", \"ring\", \"maglev\"",
            ),
            (
                "3",
                "a whole number where a balance belongs: write `\"least-request\"` or, say, `{ kind = \"ring\", by = \"source\" }`",
            ),
            ("{ kind = \"ring\", by = \"user\" }", "`user` tells no requests apart: write"),
            ("{ by = { header = \"x user\" } }", "`x user` is no header field"),
            ("{ by = { cookie = \"a=b\" } }", "`a=b` is no cookie's name"),
            (
                "{ by = { header = \"a\", cookie = \"b\" } }",
                "one of `header` and `cookie` tells requests apart",
            ),
            (
                "{ by = { query = \"a\" } }",
                "one of `header` and `cookie` tells requests apart: write `{ header = \"x-user\" }`, `{ cookie = \"session\" }` or `\"source\"`; unknown key \"query\": there are \"header\", \"cookie\"",
            ),
            ("{ points = 0 }", "a ring cannot have 0 points: write 1 to 8388608"),
            ("{ slots = 65536 }", "`65536` is no prime up to 5000011: write one such as `65537`"),
            ("{ slots = 1 }", "`1` is no prime"),
            ("{ decay = \"0s\" }", "must be above zero"),
            ("{ panic = \"150%\" }", "`150%` is over 100%"),
            ("{ zone = \"near\" }", "unknown preference \"near\": there are \"ignore\", \"prefer\""),
            (
                "{ overprovisioning = 0.5 }",
                "a zone is at least as good as it is healthy: write a factor of 1",
            ),
            (
                "{ weight = 3 }",
                "unknown key \"weight\": there are \"kind\", \"by\", \"points\", \"slots\", \"decay\", \"default_rtt\", \"penalty\", \"panic\", \"slow_start\", \"zone\", \"overprovisioning\", \"replacement\", \"merge_window\"",
            ),
        ] {
            let error = read(balance).unwrap_err();
            assert!(error.starts_with(complaint), "{balance}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_found_once_the_layers_are_merged() {
        for (balance, complaint) in [
            ("{ penalty = \"5s\" }", "`penalty` belongs to `peak-ewma`, not to `round-robin`"),
            ("{ kind = \"random\", by = \"source\" }", "`by` belongs to `ring`, not to `random`"),
            (
                "{ kind = \"maglev\", by = \"source\", points = 9 }",
                "`points` belongs to `ring`, not to `maglev`",
            ),
            ("\"ring\"", "it does not say what requests are told apart by"),
            (
                "{ kind = \"ring\", by = \"source\", slow_start = \"1s\" }",
                "a key belongs where it belongs: `ring` starts nothing slowly",
            ),
        ] {
            let contradictions = read(balance).unwrap().contradictions();
            assert_eq!(contradictions.len(), 1, "{balance}");
            assert_eq!(contradictions[0].fact, complaint, "{balance}");
        }
    }
}
