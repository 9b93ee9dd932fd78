//! Where endpoints stand and what they weigh, as configuration writes it beside their addresses: `"payment-0:8080"`, or
//! `{ at = "payment-0:8080", weight = 3, zone = "far", priority = 1 }`. What balancing makes of it is not here.

use std::fmt;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, de};

use super::Config;
use crate::host::Endpoint;
use crate::policy::balance::{Member, Rank};

/// The heaviest that an endpoint may be, so that a weighted turn stays short.
pub const WEIGHT_MAX: u32 = 1_000;

/// The last level of priority; as many as Envoy has.
pub const PRIORITY_MAX: u8 = 127;

/// What balancing goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// How many requests it is to get in relation to others; 1 to [`WEIGHT_MAX`].
    pub weight: u32,
    /// The zone that it stands in.
    pub zone: Option<Arc<str>>,
    /// When it is asked in relation to others.
    pub rank: Rank,
}

impl Default for Placement {
    /// As good as any, and nowhere in particular.
    fn default() -> Self {
        Self { weight: 1, zone: None, rank: Rank::default() }
    }
}

/// An endpoint and its placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// What balancing goes by.
    pub placement: Placement,
}

impl From<Endpoint> for Placed {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint, placement: Placement::default() }
    }
}

impl Placed {
    /// Endpoints, and what balancing goes by, as [`Config`] has them.
    pub fn split(placed: Vec<Self>) -> (Vec<Endpoint>, Vec<Placement>) {
        placed.into_iter().map(|placed| (placed.endpoint, placed.placement)).unzip()
    }
}

impl Config {
    /// The endpoints, as balancing sees them.
    pub(super) fn members(&self) -> Vec<Member> {
        let usual = Placement::default();
        let placements = self.placements.iter().chain(std::iter::repeat(&usual));
        let member = |(endpoint, placement): (&Endpoint, &Placement)| Member {
            name: endpoint.to_string(),
            weight: placement.weight,
            local: self.zone.is_some() && placement.zone == self.zone,
            rank: placement.rank,
        };
        self.endpoints.iter().zip(placements).map(member).collect()
    }
}

/// What a table says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: Endpoint,
    weight: Option<u32>,
    zone: Option<String>,
    priority: Option<u32>,
    #[serde(default)]
    backup: bool,
}

impl<'de> Deserialize<'de> for Placed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Placed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an endpoint such as \"payment-0:8080\" or { at = \"payment-0:8080\", weight = 3 }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Placed, E> {
        Endpoint::deserialize(de::value::StrDeserializer::new(text)).map(Placed::from)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Placed, A::Error> {
        let Written { at, weight, zone, priority, backup } =
            Written::deserialize(MapAccessDeserializer::new(map))?;
        let weight = weight.unwrap_or(1);
        if !(1..=WEIGHT_MAX).contains(&weight) {
            let wrong =
                format!("`{weight}` is no weight: write 1 to {WEIGHT_MAX}, or leave the endpoint out");
            return Err(de::Error::custom(wrong));
        }
        let rank = rank(priority, backup).map_err(de::Error::custom)?;
        Ok(Placed { endpoint: at, placement: Placement { weight, zone: zone.map(Arc::from), rank } })
    }
}

/// The rank of an endpoint that is written with this priority, or as a backup.
pub fn rank(priority: Option<u32>, backup: bool) -> Result<Rank, String> {
    match (priority, backup) {
        (Some(_), true) => {
            Err("a backup stands behind all priorities: take `priority` out, or `backup`".to_owned())
        }
        (None, true) => Ok(Rank::Backup),
        (None, false) => Ok(Rank::default()),
        (Some(priority), false) => match u8::try_from(priority) {
            Ok(level) if level <= PRIORITY_MAX => Ok(Rank::Level(level)),
            _ => {
                Err(format!("`{priority}` is no priority: write 0, which is asked first, to {PRIORITY_MAX}"))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        endpoints: Vec<Placed>,
    }

    fn read(endpoints: &str) -> Result<Vec<Placed>, String> {
        let file = toml::from_str::<File>(&format!("endpoints = [{endpoints}]"));
        file.map(|file| file.endpoints).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_endpoint_is_an_address_or_a_table() {
        let placed = read("\"a:80\", { at = \"b:80\", weight = 3, zone = \"far\" }").unwrap();
        let mut config = Config::new("svc", Vec::new());
        (config.endpoints, config.placements) = Placed::split(placed);
        config.zone = Some("far".into());
        let member = |name: &str, weight, local| {
            let (name, rank) = (name.to_owned(), Rank::default());
            Member { name, weight, local, rank }
        };
        assert_eq!(config.members(), [member("a:80", 1, false), member("b:80", 3, true)]);
        config.placements.truncate(1);
        config.zone = None;
        assert_eq!(config.members(), [member("a:80", 1, false), member("b:80", 1, false)]);
    }

    #[test]
    fn endpoints_have_priorities_or_are_backups() {
        let placed =
            read("\"a:80\", { at = \"b:80\", priority = 1 }, { at = \"c:80\", backup = true }").unwrap();
        let ranks: Vec<_> = placed.into_iter().map(|placed| placed.placement.rank).collect();
        assert_eq!(ranks, [Rank::Level(0), Rank::Level(1), Rank::Backup]);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (endpoint, complaint) in [
            ("\"a\"", "`a` is not host:port"),
            ("{ at = \"a\" }", "`a` is not host:port"),
            ("{ weight = 1 }", "missing field `at`"),
            ("{ at = \"a:80\", weight = 0 }", "`0` is no weight: write 1 to 1000"),
            ("{ at = \"a:80\", weight = 1001 }", "`1001` is no weight: write 1 to 1000"),
            (
                "{ at = \"a:80\", priority = 128 }",
                "`128` is no priority: write 0, which is asked first, to 127",
            ),
            ("{ at = \"a:80\", priority = 1, backup = true }", "a backup stands behind all priorities"),
            ("{ at = \"a:80\", wight = 1 }", "unknown field `wight`"),
            ("80", "invalid type: integer `80`, expected an endpoint such as"),
        ] {
            let error = read(endpoint).unwrap_err();
            assert!(error.starts_with(complaint), "{endpoint}: {error}");
        }
    }
}
