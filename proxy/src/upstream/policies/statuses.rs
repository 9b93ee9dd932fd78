//! Which statuses callers are told faults by, as configuration writes it: `statuses = { reset = 503 }`.

use std::collections::BTreeMap;

use hoplab_config::form::{Describe, Form, Key};
use hoplab_config::{Context, Place, Read, Table, Value};
use http::StatusCode;

use super::layer::Layer;
use crate::telemetry::Fault;

/// Statuses other than those of [`Fault::status`]. Known systems differ: where a connection breaks before an answer, Envoy
/// says 503, nginx and `HAProxy` 502.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultStatuses(BTreeMap<Fault, StatusCode>);

impl FaultStatuses {
    /// The status that tells a caller of `fault`.
    pub fn of(&self, fault: Fault) -> StatusCode {
        self.0.get(&fault).copied().unwrap_or_else(|| fault.status())
    }
}

impl Layer for FaultStatuses {
    fn over(&self, Self(lower): &Self) -> Self {
        let mut merged = lower.clone();
        merged.extend(&self.0);
        Self(merged)
    }
}

impl Read for FaultStatuses {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let mut statuses = BTreeMap::new();
        for fault in Fault::OF_UPSTREAMS {
            let Some(written) = table.optional::<u16>(fault.name(), context) else { continue };
            match error_status(written.value) {
                Some(status) => drop(statuses.insert(fault, status)),
                None => context
                    .error(written.place, format!("`{}` tells of no fault", written.value))
                    .hint("write 400 to 599"),
            }
        }
        table.refuse_rest(context);
        Some(Self(statuses))
    }
}

impl Describe for FaultStatuses {
    fn form() -> Form {
        let key = |fault: Fault| Key {
            name: fault.name(),
            about: format!("{fault}."),
            form: Form::Whole { least: 400, most: 599 },
            default: Some(format!("`{}`", fault.status().as_u16())),
            is_required: false,
        };
        Form::Table(Fault::OF_UPSTREAMS.map(key).into())
    }
}

fn error_status(status: u16) -> Option<StatusCode> {
    StatusCode::from_u16(status).ok().filter(|_| (400..600).contains(&status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn read(statuses: &str) -> Result<Policies, String> {
        hoplab_config::read("test.toml", &format!("statuses = {{ {statuses} }}"))
            .map_err(|problems| problems.in_words().join("; "))
    }

    #[test]
    fn what_is_not_said_is_as_ever_and_layers_are_merged() {
        let (lower, upper) = (read("reset = 503, timeout = 503").unwrap(), read("timeout = 408").unwrap());
        let statuses = upper.over(&lower).resolve().unwrap().statuses;
        let told =
            [Fault::Reset, Fault::Timeout, Fault::ConnectTimeout].map(|fault| statuses.of(fault).as_u16());
        assert_eq!(told, [503, 408, 504]);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("resets = 503", "unknown key \"resets\": did you mean \"reset\"?"),
            (
                "no-route = 503",
                "unknown key \"no-route\": there are \"no-endpoint\", \"breaker-open\", \"failfast\", \"throttled\", \"overflow\", \"pending-timeout\", \"exhausted\", \"refused\", \"connect-timeout\", \"tls\", \"reset\", \"protocol-error\", \"timeout\", \"deadline-passed\"",
            ),
            ("reset = 200", "`200` tells of no fault: write 400 to 599"),
            ("reset = \"503\"", "a text where a whole number belongs: write, say, `3`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}
