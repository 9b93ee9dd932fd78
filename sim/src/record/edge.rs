//! Calls between two services, and what became of them on the way.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// Calls between two services. An attempt is a request that was put on a connection; what a breaker or the throttle
/// refused, what was shed or waited in a queue in vain, what found no endpoint or could not connect is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Calls that the caller wanted to make.
    pub requests: u64,
    /// Attempts that were made for them: first ones, retries and hedges.
    pub attempts: u64,
    /// Attempts that were made again after a first one failed, by whatever way it failed.
    #[serde(default)]
    pub retries: u64,
    /// Attempts that were made beside another because its answer was late.
    #[serde(default)]
    pub hedges: u64,
    /// What would have been an attempt and was never put on a connection.
    #[serde(default)]
    pub unsent: u64,
    /// Attempts that failed; those that were given up, such as the losers of hedges, did not.
    pub errors: u64,
}

impl Edge {
    /// Attempts per request; 0 when there was none.
    pub fn amplification(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.attempts as f64 / self.requests as f64 }
    }
}

impl Sum for Edge {
    fn sum<I: Iterator<Item = Self>>(edges: I) -> Self {
        edges.fold(Self::default(), |sum, edge| Self {
            requests: sum.requests + edge.requests,
            attempts: sum.attempts + edge.attempts,
            retries: sum.retries + edge.retries,
            hedges: sum.hedges + edge.hedges,
            unsent: sum.unsent + edge.unsent,
            errors: sum.errors + edge.errors,
        })
    }
}
