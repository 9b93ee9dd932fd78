//! From files or kept texts to a plan.

use std::path::Path;

use hoplab_config::{Context, Problems, Source, file, read_kept};

use super::overrides::Overrides;
use super::plan::Plan;
use super::resolve;
use super::schema::{self, App, File};

/// Reads the scenario at `path`, and the files that it names relative to itself.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Plan, Problems> {
    let loaded = file::load(path, |context| document(overrides, context))?;
    Ok(Plan { warnings: loaded.warnings, ..loaded.value })
}

/// Reads a scenario from kept texts, the scenario file first; no disk is touched.
pub fn parse(sources: &[Source], overrides: &Overrides) -> Result<Plan, Problems> {
    let (plan, warnings) = read_kept(sources, |context| document(overrides, context))?;
    Ok(Plan { warnings, ..plan })
}

/// The number of services of an application, which is read by itself; names are only looked up where a scenario uses it.
pub fn application(context: &mut Context<'_>) -> Option<usize> {
    context.document::<App>(0).map(|app| schema::named(app.services).len())
}

fn document(overrides: &Overrides, context: &mut Context<'_>) -> Option<Plan> {
    let file = context.document::<File>(0)?;
    resolve::resolve(file, overrides, context)
}
