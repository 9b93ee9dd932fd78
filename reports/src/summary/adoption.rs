//! What a phase of an adoption gained and cost over the one before it, as `summary.json` says it.

use serde::{Deserialize, Serialize};

use super::intervals::millionths;
use super::paired::Paired;
use crate::adoption;

/// A phase against the one before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Request by request; its baseline is the phase before.
    pub paired: Paired,
    /// How much longer the median request takes while all is well, in microseconds; `null` where it cannot be told.
    pub median_us: Option<i64>,
    /// Cores that are busy besides, on average.
    pub cores: f64,
    /// Memory of proxies besides, in bytes.
    pub memory_bytes: i64,
    /// What an hour costs besides, at the scenario's prices; left out where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<f64>,
}

impl Step {
    /// As it was computed.
    pub(super) fn of(step: &adoption::Step<'_>) -> Self {
        Self {
            paired: Paired::of(step.paired),
            median_us: step.median_us,
            cores: millionths(step.cores),
            memory_bytes: step.memory,
            hour: step.hour.map(millionths),
        }
    }
}
