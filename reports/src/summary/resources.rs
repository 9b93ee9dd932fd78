//! What containers took of their machines, as `summary.json` says it.

use hoplab_sim::record;
use serde::{Deserialize, Serialize};

use super::Micros;

/// What the containers of one kind took within the reported part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Seconds of a core; of several seeds, in all of them.
    pub processor_seconds: Micros,
    /// The mean number of cores that were busy.
    pub cores_busy_mean: Micros,
    /// The most cores that were busy at a time.
    pub cores_busy_peak: u64,
    /// The most connections that were open at a time, each counted at each of its ends.
    pub connections_peak: u64,
    /// Bytes that the pods whose outermost container this is sent to others; of several seeds, in all of them.
    pub bytes: u64,
    /// Bytes of memory that proxies take, all of them, as far as it is known what they cost; left out where it is not.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub memory_bytes: u64,
}

impl Resources {
    /// As the record has it.
    pub(super) fn of(of: &record::Resources) -> Self {
        Self {
            processor_seconds: (of.processor_us as f64 / 1e6).into(),
            cores_busy_mean: of.cores_mean.into(),
            cores_busy_peak: of.cores_peak,
            connections_peak: of.connections_peak,
            bytes: of.bytes,
            memory_bytes: of.memory,
        }
    }
}
