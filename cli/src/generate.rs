//! `hoplab generate`: prints the application that a scenario's `[generate]` makes, to be looked at, or to be kept as a file
//! that scenarios name as their `app`.

use anyhow::bail;
use hoplab_sim::scenario::Overrides;
use hoplab_sim::scenario::generate::PATH;

use crate::arguments::GenerateArguments;
use crate::end::End;
use crate::plan::plan_of;
use crate::terminal;

/// Prints it; [`End::Unusable`] when the scenario is wrong.
pub(crate) fn generate(arguments: &GenerateArguments) -> anyhow::Result<End> {
    let Some(plan) = plan_of(&arguments.file, &Overrides::default()) else { return Ok(End::Unusable) };
    let Some(application) = plan.sources.iter().find(|source| source.path == PATH) else {
        bail!(
            "{} has no application that is generated: write, say, `[generate]` and `services = 20`",
            arguments.file.display()
        );
    };
    terminal::line(application.text.trim_end())?;
    Ok(End::Well)
}
