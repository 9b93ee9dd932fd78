//! What of what must always hold did not.

use serde::{Deserialize, Serialize};

/// How often a rule was broken in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The rule: `conservation`, `once-only`, … as `crate::invariants::Invariant::name` says it.
    pub invariant: String,
    /// How often.
    pub count: u64,
    /// The first few, in words, with their times.
    pub first: Vec<String>,
}

/// How often `invariant` was broken, or any when that is `None`.
pub fn violated(violations: &[Violation], invariant: Option<&str>) -> u64 {
    let of = violations.iter().filter(|found| invariant.is_none_or(|name| found.invariant == name));
    of.map(|found| found.count).sum()
}
