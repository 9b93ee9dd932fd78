//! `hoplab check`: reads scenarios and says what is wrong with them, all of it.

use std::io::Write;

use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::CheckArguments;
use crate::end::End;
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
                    "{}: {} ({} services, {} architectures, {} faults, {} expectations)",
                    file.display(),
                    plan.title,
                    plan.services.len(),
                    plan.architectures.len(),
                    plan.faults.len(),
                    plan.expectations.len(),
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
