//! What a command runs: a scenario file, and what the command line says over it.

use std::path::Path;
use std::sync::Arc;

use hoplab_sim::scenario::plan::Plan;
use hoplab_sim::scenario::{self, Overrides};

use crate::terminal;

/// The plan of a scenario file; `None` when there is none. Says what is wrong with it, or worth a look.
pub(crate) fn plan_of(file: &Path, overrides: &Overrides) -> Option<Arc<Plan>> {
    match scenario::load(file, overrides) {
        Ok(plan) => {
            terminal::problems(&plan.warnings);
            Some(Arc::new(plan))
        }
        Err(problems) => {
            terminal::problems(&problems);
            None
        }
    }
}

/// What the command line says over the file. An architecture that is asked for twice runs once.
pub(crate) fn overrides(architectures: &[String], seed: Option<u64>, scale: f64) -> Overrides {
    let mut asked = architectures.to_vec();
    asked.sort_by_key(|name| architectures.iter().position(|first| first == name));
    asked.dedup();
    Overrides { architectures: (!asked.is_empty()).then_some(asked), seed, scale }
}
