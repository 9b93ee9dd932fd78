//! How long users wait: what takes longer is as good as lost. As the scenario says, where it expects all requests to be
//! served within a time; else so many times as long as 99 % take with the baseline when all is well (`[invariants]
//! slower`), but no less than a tenth of a second, below which people feel no delay (Miller, *Response time in man-computer
//! conversational transactions*, 1968).

use std::time::Duration;

use hoplab_sim::record::Latencies;
use hoplab_sim::scenario::plan::{During, Expectation, Metric, Plan};
use serde::{Deserialize, Serialize};

use crate::format::{duration, significant};

/// What people feel, µs.
const FELT_US: f64 = 1e5;

/// How long users wait, and why so long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Patience {
    /// How long, µs.
    pub us: u64,
    /// Why.
    pub why: Why,
}

/// Why users wait so long and no longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The scenario expects it.
    Expected,
    /// It is so many times what they are used to.
    Slower(f64),
    /// They would not feel less.
    Felt,
}

/// Whether it is said of all requests, at all times, in each architecture.
fn is_of_all(expected: &Expectation, plan: &Plan) -> bool {
    expected.of.is_none()
        && expected.during == During::All
        && expected.architectures.len() == plan.architectures.len()
}

impl Patience {
    /// By what the requests of the baseline take when all is well.
    pub(super) fn of(plan: &Plan, well: &Latencies) -> Self {
        let limit = plan.expectations.iter().find_map(|expected| match expected.metric {
            Metric::Within { limit_us } if is_of_all(expected, plan) => Some(limit_us),
            _ => None,
        });
        if let Some(us) = limit {
            return Self { us, why: Why::Expected };
        }
        let times = plan.invariants.slower;
        let slower = well.percentile_us(0.99).unwrap_or(well.max_us) as f64 * times;
        if slower < FELT_US {
            return Self { us: FELT_US as u64, why: Why::Felt };
        }
        Self { us: slower.round() as u64, why: Why::Slower(times) }
    }

    /// The same as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.us)
    }

    /// `406 ms, which is 2 times what 99 % take with direct when all is well`.
    pub(super) fn told(self, baseline: &str) -> String {
        let time = duration(self.us as f64);
        match self.why {
            Why::Expected => format!("{time}, as the scenario expects of all requests"),
            Why::Slower(times) => {
                format!(
                    "{time}, {} times what 99 % take with {baseline} when all is well",
                    significant(times)
                )
            }
            Why::Felt => format!(
                "{time} (below that people feel no delay; an `[[expect]]` on `within` says otherwise)"
            ),
        }
    }
}
