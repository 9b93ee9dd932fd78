//! Where endpoints stand and what they weigh, as configuration writes it beside their addresses: `"payment-0:8080"`, or
//! `{ at = "payment-0:8080", weight = 3, zone = "far", priority = 1 }`. What balancing makes of it is not here.

use std::sync::Arc;

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::checked;
use hoplab_config::{Context, Place, REQUIRED, Read, Value, table, way, wrong_type};

use super::{Config, Fleet};
use crate::host::Endpoint;
use crate::policy::balance::Rank;

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
    /// The endpoints that are listed, as members.
    pub fn fleet(&self) -> Fleet {
        let placements = self.placements.iter().cloned().chain(std::iter::repeat(Placement::default()));
        let placed = self.endpoints.iter().cloned().zip(placements);
        Fleet::of(placed.map(|(endpoint, placement)| Placed { endpoint, placement }))
    }
}

table! {
    /// An endpoint with what balancing goes by.
    pub struct Written {
        /// `host:port`.
        pub at: Endpoint = REQUIRED,
        /// How many requests it is to get in relation to the others, 1 to 1000.
        pub weight: u32 as Weight = 1,
        /// The zone that it stands in.
        pub zone: String = "none",
        /// When it is asked, 0 to 127: as much goes to those of the lowest number as they are healthy times
        /// `overprovisioning`, the rest to the next, as in Envoy.
        pub priority: u32 as Priority = 0,
        /// `true`: it is asked when nobody else can be, as in nginx and HAProxy.
        pub backup: bool = false,
    }
}

way!(pub(super) Weight: u32, Form::Whole { least: 1, most: WEIGHT_MAX.into() }, weight);
way!(pub(super) Priority: u32, Form::Whole { least: 0, most: PRIORITY_MAX.into() }, u32::read);

fn weight(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<u32> {
    let check = |weight: &u32| match weight {
        1..=WEIGHT_MAX => Ok(()),
        _ => Err(format!("`{weight}` is no weight")),
    };
    checked(value, place, context, check, &format!("write 1 to {WEIGHT_MAX}, or leave the endpoint out"))
}

impl Read for Placed {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().is_str() {
            return Endpoint::read(value, place, context).map(Self::from);
        }
        if !value.get_ref().is_table() {
            let hint = "write `\"payment-0:8080\"` or, say, `{ at = \"payment-0:8080\", weight = 3 }`";
            wrong_type(value, place, ("an endpoint", hint), context);
            return None;
        }
        let written = Written::read(value, place, context)?;
        let backup = written.backup.is_some_and(|backup| backup.value);
        let rank = match rank(written.priority.as_ref().map(|priority| priority.value), backup) {
            Ok(rank) => rank,
            Err(wrong) => {
                context.complaint(written.priority.map_or(place, |priority| priority.place), &wrong);
                return None;
            }
        };
        let weight = written.weight.map_or(1, |weight| weight.value);
        let placement = Placement { weight, zone: written.zone.map(|zone| Arc::from(zone.value)), rank };
        Some(Self { endpoint: written.at?.value, placement })
    }
}

impl Describe for Placed {
    fn form() -> Form {
        Form::Either(vec![Endpoint::form(), Written::form()])
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
    use hoplab_config::At;

    use super::*;

    fn read(endpoints: &str) -> Result<Vec<Placed>, String> {
        let list = hoplab_config::read_value::<Vec<At<Placed>>>(&format!("[{endpoints}]"));
        list.map(|list| list.into_iter().map(|at| at.value).collect())
            .map_err(|problems| problems.in_words().join("; "))
    }

    #[test]
    fn an_endpoint_is_an_address_or_a_table() {
        let placed = read("\"a:80\", { at = \"b:80\", weight = 3, zone = \"far\" }").unwrap();
        let mut config = Config::new("svc", Vec::new());
        (config.endpoints, config.placements) = Placed::split(placed);
        let members = |config: &Config| -> Vec<_> {
            let fleet = config.fleet();
            let members = fleet.members().iter();
            let zone = |placement: &Placement| placement.zone.as_deref().map(str::to_owned);
            members.map(|m| (m.id.to_string(), m.placement.weight, zone(&m.placement))).collect()
        };
        let member =
            |name: &str, weight, zone: Option<&str>| (name.to_owned(), weight, zone.map(str::to_owned));
        assert_eq!(members(&config), [member("a:80", 1, None), member("b:80", 3, Some("far"))]);
        config.placements.truncate(1);
        assert_eq!(members(&config), [member("a:80", 1, None), member("b:80", 1, None)]);
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
            ("{ weight = 1 }", "missing key \"at\""),
            ("{ at = \"a:80\", weight = 0 }", "`0` is no weight: write 1 to 1000"),
            ("{ at = \"a:80\", weight = 1001 }", "`1001` is no weight: write 1 to 1000"),
            (
                "{ at = \"a:80\", priority = 128 }",
                "`128` is no priority: write 0, which is asked first, to 127",
            ),
            ("{ at = \"a:80\", priority = 1, backup = true }", "a backup stands behind all priorities"),
            ("{ at = \"a:80\", wight = 1 }", "unknown key \"wight\": did you mean \"weight\"?"),
            (
                "80",
                "a whole number where an endpoint belongs: write `\"payment-0:8080\"` or, say, `{ at = \"payment-0:8080\", weight = 3 }`",
            ),
        ] {
            let error = read(endpoint).unwrap_err();
            assert!(error.starts_with(complaint), "{endpoint}: {error}");
        }
    }
}
