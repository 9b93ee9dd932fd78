//! What an architecture takes of its machines, by kind of container, as a record keeps it.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// What the containers of one kind took within the reported part of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Cores times time; of several seeds, in all of them.
    pub processor_us: u64,
    /// The mean number of cores that were busy.
    pub cores_mean: f64,
    /// The most cores that were busy at a time.
    pub cores_peak: u64,
    /// The most connections that were open at a time. A connection counts at each of its ends.
    pub connections_peak: u64,
    /// Bytes that their pods sent to others, headers and repetitions included, which are those of the outermost
    /// container: under a mesh the sidecars'. Of several seeds, in all of them.
    pub bytes: u64,
    /// Bytes of memory that proxies take, as far as it is known what they cost: all of them, with the most connections.
    #[serde(default)]
    pub memory: u64,
}

impl Sum for Resources {
    /// What several kinds took together; the peaks at most, since they need not have been at the same time.
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, of| Self {
            processor_us: sum.processor_us + of.processor_us,
            cores_mean: sum.cores_mean + of.cores_mean,
            cores_peak: sum.cores_peak + of.cores_peak,
            connections_peak: sum.connections_peak + of.connections_peak,
            bytes: sum.bytes + of.bytes,
            memory: sum.memory + of.memory,
        })
    }
}
