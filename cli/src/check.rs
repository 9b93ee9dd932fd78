//! `hoplab check`: reads scenarios and says what is wrong with them, all of it.

use std::io::Write;

use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::CheckArguments;
use crate::end::End;
use crate::plural::plural;
use crate::terminal;

/// Reads every file; [`End::Unusable`] when one is wrong.
pub(crate) fn check(arguments: &CheckArguments) -> anyhow::Result<End> {
    let mut end = End::Well;
    let mut out = anstream::stdout();
    for file in &arguments.files {
        match scenario::load(file, &Overrides::default()) {
            Ok(plan) => {
                terminal::problems(&plan.warnings);
                writeln!(
                    out,
                    "{}: {} ({}, {}, {}, {})",
                    file.display(),
                    plan.title,
                    plural(plan.services.len() as u64, "service"),
                    plural(plan.architectures.len() as u64, "architecture"),
                    plural(plan.faults.len() as u64, "fault"),
                    plural(plan.expectations.len() as u64, "expectation"),
                )?;
            }
            Err(problems) => {
                terminal::problems(&problems);
                end = End::Unusable;
            }
        }
    }
    Ok(end)
}
