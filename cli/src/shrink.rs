//! `hoplab shrink`: makes a failing scenario as small as it can be while it still fails, and writes it.

use std::fmt::Write as _;
use std::io::Write;

use hoplab_config::quantity;
use hoplab_reports as reports;
use hoplab_sim::explore::shrink::{self, CannotShrink, Shrunk, Size};
use hoplab_sim::scenario::Overrides;
use hoplab_sim::scenario::plan::Plan;

use crate::arguments::ShrinkArguments;
use crate::end::End;
use crate::explore;
use crate::interrupt::{self, First};
use crate::plan::plan_of;

/// Shrinks a scenario. Nothing is written when nothing in it fails.
pub(crate) fn shrink(arguments: &ShrinkArguments) -> anyhow::Result<End> {
    let overrides = Overrides {
        architectures: arguments.arch.clone().map(|name| vec![name]),
        seed: arguments.seed,
        ..Overrides::default()
    };
    let Some(plan) = plan_of(&arguments.file, &overrides) else { return Ok(End::Unusable) };
    let path = arguments.out.clone().unwrap_or_else(|| reports::explore::small_file(&arguments.file));
    reports::try_file(&path)?;
    interrupt::listen(First::Finishes("the smallest so far is written"));
    let stop = interrupt::is_asked;
    let mut shrunk = match shrink::shrink(&plan, arguments.expect.as_deref(), arguments.runs, &stop) {
        Err(error @ CannotShrink::Untouched { .. }) => {
            eprintln!("invalid: {error}");
            return Ok(End::Invalid);
        }
        Err(error @ CannotShrink::CannotBeJudged { .. }) => {
            eprintln!("nothing to shrink: {error}");
            return Ok(End::Unsure);
        }
        result => result?,
    };
    shrunk.draft.open_with(&comment(&plan, &shrunk));
    let written = explore::write_sources(&path, shrunk.draft.files());
    let mut out = anstream::stdout();
    write!(out, "{}", table(&shrunk))?;
    written?;
    writeln!(out, "\nrun it with: hoplab run {}", path.display())?;
    if interrupt::is_asked() {
        eprintln!("stopped: more runs may make it smaller");
        return Ok(End::Interrupted);
    }
    if !shrunk.is_smallest {
        eprintln!("the runs were used up: more of them may make it smaller");
    }
    Ok(End::Well)
}

/// What was asked, and what was found.
fn comment(plan: &Plan, shrunk: &Shrunk) -> String {
    let question = if plan.question.is_empty() { &plan.title } else { &plan.question };
    format!(
        "{question}\n\nFails under {} with seed {}: {}; seen: {}.\nMade smaller by hoplab shrink in {} runs.",
        shrunk.architecture, shrunk.seed, shrunk.expectation, shrunk.seen, shrunk.runs
    )
}

fn table(shrunk: &Shrunk) -> String {
    let (before, after) = (&shrunk.before, &shrunk.after);
    let seconds =
        |size: &Size| quantity::Duration(std::time::Duration::from_micros(size.duration_us)).to_string();
    let rows = [
        ("faults", before.faults.to_string(), after.faults.to_string()),
        ("services", before.services.to_string(), after.services.to_string()),
        ("pods", before.pods.to_string(), after.pods.to_string()),
        ("endpoints", before.endpoints.to_string(), after.endpoints.to_string()),
        ("loads", before.loads.to_string(), after.loads.to_string()),
        ("requests", before.requests.to_string(), after.requests.to_string()),
        ("duration", seconds(before), seconds(after)),
    ];
    let mut text = format!(
        "{} fails under {} with seed {}; seen: {}\n\n{:<10} {:>10} {:>10}\n",
        shrunk.expectation, shrunk.architecture, shrunk.seed, shrunk.seen, "", "before", "after"
    );
    for (what, before, after) in rows {
        let _ = writeln!(text, "{what:<10} {before:>10} {after:>10}");
    }
    let _ = writeln!(text, "{:<10} {:>21}", "runs", shrunk.runs);
    text
}
