//! How an endpoint is chosen, as configuration writes it: an algorithm's name, or a table.

mod by;

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use super::layer::{Layer, layer, whole};
use super::{Contradiction, above_zero, duration};
use crate::policy::balance::{self, Algorithm, maglev, peak_ewma, ring, zones};
use crate::quantity::Share;
use crate::upstream::By;
use crate::upstream::settings;

/// How to choose an endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BalancePolicy(pub BalanceKeys);

layer! {
    /// The keys of all algorithms, and those that they have in common.
    pub struct BalanceKeys {
        /// The algorithm; round robin when left out.
        pub kind: Kind,
        /// With `ring` and `maglev`: what requests are told apart by.
        pub by: By,
        /// With `ring`: how many points it has at least.
        #[serde(deserialize_with = "points")]
        pub points: u32,
        /// With `maglev`: how many slots the table has.
        #[serde(deserialize_with = "slots")]
        pub slots: u32,
        /// With `peak-ewma`: after how long an observation weighs a factor of e less.
        #[serde(deserialize_with = "above_zero")]
        pub decay: Duration,
        /// With `peak-ewma`: what a request takes where none has been answered yet.
        #[serde(deserialize_with = "above_zero")]
        pub default_rtt: Duration,
        /// With `peak-ewma`: what a failure counts as at least; zero switches off.
        #[serde(deserialize_with = "duration")]
        pub penalty: Duration,
        /// Below which share of healthy endpoints health is ignored; zero switches off.
        pub panic: Share,
        /// How long an endpoint warms up that comes back; zero switches off.
        #[serde(deserialize_with = "duration")]
        pub slow_start: Duration,
        /// Whether the own zone comes first.
        pub zone: Preference,
        /// Under priorities and with `zone = "prefer"`: by how much the endpoints of a level or zone are more than it
        /// needs.
        #[serde(deserialize_with = "factor")]
        pub overprovisioning: f64,
        /// With `least-request` and `peak-ewma`: whether the same one may be drawn twice.
        pub replacement: bool,
        /// How long changes of health are gathered, after one that took effect; zero switches off.
        #[serde(deserialize_with = "duration")]
        pub merge_window: Duration,
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

impl Kind {
    const ALL: [Self; 6] =
        [Self::RoundRobin, Self::Random, Self::LeastRequest, Self::PeakEwma, Self::Ring, Self::Maglev];

    fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::LeastRequest => "least-request",
            Self::PeakEwma => "peak-ewma",
            Self::Ring => "ring",
            Self::Maglev => "maglev",
        }
    }

    fn draws_two(self) -> bool {
        matches!(self, Self::LeastRequest | Self::PeakEwma)
    }

    fn hashes(self) -> bool {
        matches!(self, Self::Ring | Self::Maglev)
    }

    fn read<E: de::Error>(name: &str) -> Result<Self, E> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let [others @ .., last] = Self::ALL.map(|kind| format!("`{}`", kind.name()));
            E::custom(format!("unknown balance `{name}`: write {} or {last}", others.join(", ")))
        })
    }
}

/// Whether the own zone comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?)
    }
}

impl<'de> Deserialize<'de> for BalancePolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = BalancePolicy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a balance such as \"least-request\" or { kind = \"ring\", by = \"source\" }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<BalancePolicy, E> {
        let kind = Some(Kind::read(name)?);
        Ok(BalancePolicy(BalanceKeys { kind, ..BalanceKeys::default() }))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<BalancePolicy, A::Error> {
        BalanceKeys::deserialize(MapAccessDeserializer::new(map)).map(BalancePolicy)
    }
}

/// Envoy's greatest ring.
const POINTS_MAX: u32 = 8 * 1024 * 1024;
/// Envoy's greatest table, which is a prime.
const SLOTS_MAX: u32 = 5_000_011;

fn points<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let points = u32::deserialize(deserializer)?;
    if (1..=POINTS_MAX).contains(&points) {
        return Ok(Some(points));
    }
    Err(de::Error::custom(format!("a ring cannot have {points} points: write 1 to {POINTS_MAX}")))
}

fn slots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let slots = u32::deserialize(deserializer)?;
    if slots <= SLOTS_MAX && is_prime(slots) {
        return Ok(Some(slots));
    }
    Err(de::Error::custom(format!("`{slots}` is no prime up to {SLOTS_MAX}: write one such as `65537`")))
}

fn is_prime(number: u32) -> bool {
    number >= 2 && (2..=number.isqrt()).all(|factor| !number.is_multiple_of(factor))
}

fn factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let factor = f64::deserialize(deserializer)?;
    if factor >= 1.0 && factor.is_finite() {
        return Ok(Some(factor));
    }
    Err(de::Error::custom("a zone is at least as good as it is healthy: write a factor of 1 or more"))
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    #[derive(Deserialize)]
    struct File {
        balance: BalancePolicy,
    }

    fn read(balance: &str) -> Result<BalancePolicy, String> {
        let file = toml::from_str::<File>(&format!("balance = {balance}"));
        file.map(|file| file.balance).map_err(|error| error.message().to_owned())
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
            ("\"best\"", "unknown balance `best`: write `round-robin`, `random`, `least-request`, "),
            ("{ kind = \"p2c\" }", "unknown balance `p2c`: write `round-robin`"),
            ("3", "invalid type: integer `3`, expected a balance such as"),
            ("{ kind = \"ring\", by = \"user\" }", "`user` tells no requests apart: write"),
            ("{ by = { header = \"x user\" } }", "`x user` is no header field"),
            ("{ by = { cookie = \"a=b\" } }", "`a=b` is no cookie's name"),
            (
                "{ by = { header = \"a\", cookie = \"b\" } }",
                "one of `header` and `cookie` tells requests apart",
            ),
            ("{ by = { query = \"a\" } }", "unknown field `query`"),
            ("{ points = 0 }", "a ring cannot have 0 points: write 1 to 8388608"),
            ("{ slots = 65536 }", "`65536` is no prime up to 5000011: write one such as `65537`"),
            ("{ slots = 1 }", "`1` is no prime"),
            ("{ decay = \"0s\" }", "must be above zero"),
            ("{ panic = \"150%\" }", "`150%` is over 100%"),
            ("{ zone = \"near\" }", "unknown variant `near`, expected `ignore` or `prefer`"),
            (
                "{ overprovisioning = 0.5 }",
                "a zone is at least as good as it is healthy: write a factor of 1",
            ),
            ("{ weight = 3 }", "unknown field `weight`"),
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
