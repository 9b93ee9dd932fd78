//! A scenario that is run to decide, what it is for, and why there may be none.

use std::sync::Arc;
use std::time::Duration;

use hoplab_config::Problems;
use serde::{Deserialize, Serialize};
use toml_edit::Value;

use super::shape::Shape;
use crate::fault::dice::text;
use crate::scenario::edit::{Draft, NotEdited, table};
use crate::scenario::plan::{Plan, Source};

/// How far a share may be from what was seen when a trial is run again: it is counted by windows when it is judged.
const TO_THE_PER_CENT: f64 = 0.01;

/// A scenario that is run to decide.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What it is called, and its file without the extension: `well`, `slow-at-payment`.
    pub name: String,
    /// What it is for.
    pub about: About,
    /// What it means.
    pub plan: Arc<Plan>,
    pub(super) draft: Draft,
}

/// What a trial is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// What everything costs when nothing goes wrong.
    Well,
    /// What becomes of requests with the faults that the scenario itself has.
    Written,
    /// The same with one kind of fault alone.
    Fault {
        /// The kind, as `[explore]` knows it.
        kind: String,
        /// Where: a service, or `gateway`.
        at: String,
        /// How likely it is in relation to others.
        weight: f64,
    },
    /// The same when many more clients come for a while.
    Flood {
        /// How many times as many.
        times: f64,
        /// From when, µs.
        from_us: u64,
        /// Until when, µs.
        until_us: u64,
    },
    /// What so many times the load of the scenario does when nothing else goes wrong.
    Load {
        /// How many times as much.
        times: f64,
    },
    /// What TLS between sidecars costs: the same without.
    InTheClear,
    /// What becomes of costs and savings in a larger or smaller system, a pod of which is slow for a while.
    Grown {
        /// How many services it has.
        services: u32,
        /// What it is drawn with.
        seed: u64,
        /// What it is made of.
        shape: Shape,
    },
}

/// Why there is nothing to decide by.
#[derive(Debug, thiserror::Error)]
pub enum NoQuestion {
    /// There is one architecture.
    #[error("there is nothing to choose between: {0} is the only architecture; compare it with another")]
    OneArchitecture(Arc<str>),
    /// The scenario's text cannot be changed.
    #[error(transparent)]
    NotEdited(#[from] NotEdited),
    /// What was made of it is no scenario.
    #[error("\"{trial}\" is no scenario:\n{problems}")]
    NotAScenario {
        /// Of which trial.
        trial: String,
        /// What is wrong.
        problems: Problems,
    },
}

impl Trial {
    /// Its text, and those that it names, to be written beside each other.
    pub fn files(&self) -> Vec<Source> {
        self.draft.files()
    }

    /// The same, with what was seen in it as what is expected: under each architecture the share of requests that was
    /// served well within `limit` while the fault was on, to the per cent, so that who runs it sees the figure again. Without
    /// that where not one fault is what is wrong.
    pub fn expecting(&self, limit: Duration, within: &[(&str, f64)]) -> Result<Vec<Source>, NotEdited> {
        let [fault] = &self.plan.faults[..] else { return Ok(self.files()) };
        let mut draft = self.draft.clone();
        for (architecture, seen) in within {
            let percent = |share: f64| Value::from(format!("{:.1}%", share.clamp(0.0, 1.0) * 100.0));
            let expected = table([
                ("metric", Value::from("within")),
                ("limit", text(limit)),
                ("in", Value::Array([*architecture].into_iter().collect())),
                ("during", Value::from(fault.name.as_str())),
                ("min", percent(seen - TO_THE_PER_CENT)),
                ("max", percent(seen + TO_THE_PER_CENT)),
            ]);
            draft.push("expect", expected)?;
        }
        Ok(draft.files())
    }
}
