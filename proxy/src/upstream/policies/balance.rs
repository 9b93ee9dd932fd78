//! How an endpoint is chosen, as configuration writes it.

use serde::{Deserialize, Deserializer, de};

use super::layer::whole;

/// How to choose an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
}

whole!(Balance);

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "round-robin" => Ok(Self::RoundRobin),
            "random" | "least-request" | "peak-ewma" | "ring-hash" | "maglev" => {
                Err(de::Error::custom(format!("`{name}` is not there yet: write `round-robin`")))
            }
            _ => Err(de::Error::custom(format!("unknown balance `{name}`: write `round-robin`"))),
        }
    }
}
