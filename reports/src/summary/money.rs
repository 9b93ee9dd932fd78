//! What an architecture costs in money, as `summary.json` says it.

use hoplab_sim::record;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::intervals::millionths;

/// What an architecture costs at the scenario's prices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Money {
    /// The currency.
    pub currency: String,
    /// An hour of it.
    pub hour: f64,
    /// A million requests of clients, at this rate; `null` where there were none.
    pub million_requests: Option<f64>,
    /// An hour of it, by kind of container.
    pub hour_by_kind: IndexMap<String, f64>,
}

impl Money {
    /// As it was computed, at these prices.
    pub(super) fn of(prices: &record::Prices, money: &record::Money) -> Self {
        Self {
            currency: prices.currency.clone(),
            hour: millionths(money.hour),
            million_requests: money.million_requests.map(millionths),
            hour_by_kind: money
                .by_kind
                .iter()
                .map(|(kind, hour)| (kind.clone(), millionths(*hour)))
                .collect(),
        }
    }
}
