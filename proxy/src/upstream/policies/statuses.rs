//! Which statuses callers are told faults by, as configuration writes it: `statuses = { reset = 503 }`.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::{Deserialize, Deserializer, de};

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

impl<'de> Deserialize<'de> for FaultStatuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<String, u16>::deserialize(deserializer)?;
        let read = |(name, status): (String, u16)| Ok((fault(&name)?, error_status(status)?));
        let read: Result<_, String> = written.into_iter().map(read).collect();
        read.map(Self).map_err(de::Error::custom)
    }
}

fn fault(name: &str) -> Result<Fault, String> {
    Fault::OF_UPSTREAMS.into_iter().find(|fault| fault.name() == name).ok_or_else(|| {
        let [others @ .., last] = Fault::OF_UPSTREAMS.map(|fault| format!("`{}`", fault.name()));
        format!("no upstream has the fault `{name}`: write {} or {last}", others.join(", "))
    })
}

fn error_status(status: u16) -> Result<StatusCode, String> {
    let read = StatusCode::from_u16(status).ok().filter(|_| (400..600).contains(&status));
    read.ok_or_else(|| format!("`{status}` tells of no fault: write 400 to 599"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn read(statuses: &str) -> Result<Policies, String> {
        toml::from_str(&format!("statuses = {{ {statuses} }}")).map_err(|error| error.message().to_owned())
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
            ("resets = 503", "no upstream has the fault `resets`: write `no-endpoint`, `breaker-open`"),
            ("no-route = 503", "no upstream has the fault `no-route`"),
            ("reset = 200", "`200` tells of no fault: write 400 to 599"),
            ("reset = \"503\"", "invalid type: string \"503\", expected u16"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}
