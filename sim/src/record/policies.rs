//! What policies decided during a run, as a record keeps it, and how to ask for a count.

use serde::{Deserialize, Serialize};

/// Something that a policy decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyEvent {
    /// When.
    pub at_us: u64,
    /// The pod whose proxy decided: `checkout-0`, `gateway-0`.
    pub pod: String,
    /// The upstream that it is about; at an inbound side, the service itself.
    pub upstream: String,
    /// The endpoint that it is about; `None` when it is about none.
    pub endpoint: Option<String>,
    /// `retried`, `ejected`, `rate-limited`, …: `hoplab_proxy::telemetry::Decision::name`.
    pub decision: String,
}

/// How often a policy decided something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// As [`PolicyEvent::pod`].
    pub pod: String,
    /// As [`PolicyEvent::upstream`].
    pub upstream: String,
    /// As [`PolicyEvent::endpoint`].
    pub endpoint: Option<String>,
    /// As [`PolicyEvent::decision`].
    pub decision: String,
    /// How often, all counted.
    pub count: u64,
}

/// How often `decision` was taken about `upstream`, or about any when that is `None`, in all pods.
pub fn decided(counts: &[Decided], decision: &str, upstream: Option<&str>) -> u64 {
    counts
        .iter()
        .filter(|counted| counted.decision == decision)
        .filter(|counted| upstream.is_none_or(|upstream| counted.upstream == upstream))
        .map(|counted| counted.count)
        .sum()
}
