//! `hoplab explore`: draws faults from seeds, runs each scenario, keeps what each showed, and says what was
//! broken and what was never exercised.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hoplab_reports as reports;
use hoplab_reports::explore::{Summary, failure_file};
use hoplab_reports::study::{Kind, Study};
use hoplab_sim::batch::Progress;
use hoplab_sim::explore::{CannotExplore, Drawn, Exploration, RuleKind, Seen};
use hoplab_sim::scenario;
use hoplab_sim::scenario::plan::Plan;

use crate::arguments::ExploreArguments;
use crate::end::End;
use crate::interrupt::{self, First};
use crate::place;
use crate::plan::{overrides, plan_of};
use crate::plural::plural;
use crate::study::{Missing, OpenStudy, end_of_share, run_each, seed_name};

/// How many seeds are run when neither a number nor a time is asked for.
const SEEDS: u64 = 100;
/// How many seeds there are at most when only a time is.
const SEEDS_MAX: u64 = 100_000;

/// Explores a scenario.
pub(crate) fn explore(arguments: &ExploreArguments) -> anyhow::Result<End> {
    let overrides = overrides(&arguments.arch, arguments.seed, 1.0);
    let Some(plan) = plan_of(&arguments.file, &overrides) else { return Ok(End::Unusable) };
    let exploration = Exploration::of(&plan)?;
    let dir = place::report_dir(arguments.out.as_deref(), &plan);
    // No number: as many as the time allows.
    let count = match (arguments.seeds, arguments.time) {
        (Some(count), _) => count,
        (None, Some(_)) => 0,
        (None, None) => SEEDS,
    };
    let study = Study::of(Kind::Explore, &plan, count);
    let open = OpenStudy::open(study, &dir, &arguments.machine, arguments.json)?;
    interrupt::listen(First::Finishes("the seeds that run are finished"));
    let (kept, missing) = open.share(seeds(&open.study), seed_name);
    if kept > 0 {
        eprintln!("{} in {} already", plural(kept as u64, "seed"), dir.display());
    }
    let until = arguments.time.and_then(|time| now().checked_add(time));
    run_missing(&exploration, &missing, until, &open)?;
    if let Some(shard) = open.machine.shard {
        let done = open.done(seeds(&open.study), seed_name);
        return end_of_share(&format!("shard {shard}: {} in {}", plural(done as u64, "seed"), dir.display()));
    }
    finish(&exploration, &open)
}

/// Reports on the parts of a study that were put together.
pub(crate) fn merge(open: &OpenStudy) -> anyhow::Result<End> {
    let study = &open.study;
    let plan = scenario::parse(&study.sources, &study.overrides())?;
    finish(&Exploration::of(&Arc::new(plan))?, open)
}

fn seeds(study: &Study) -> impl Iterator<Item = u64> + use<> {
    let count = if study.seeds == 0 { SEEDS_MAX } else { study.seeds };
    study.seed..study.seed + count
}

#[expect(clippy::disallowed_methods, reason = "a time budget is one of the person who waits")]
fn now() -> Instant {
    Instant::now()
}

/// Runs the `missing` seeds, in order, until the time is over, and keeps what each showed.
fn run_missing(
    exploration: &Exploration,
    missing: &[u64],
    until: Option<Instant>,
    open: &OpenStudy,
) -> anyhow::Result<()> {
    let progress = Progress::default();
    progress.expect(exploration.plan(), if until.is_some() { 0 } else { missing.len() as u64 });
    let draws: Mutex<BTreeMap<u64, Drawn>> = Mutex::default();
    let refused: Mutex<Option<CannotExplore>> = Mutex::default();
    let draw = |seed: u64| -> Option<Arc<Plan>> {
        if until.is_some_and(|until| now() >= until) {
            return None;
        }
        match exploration.draw(seed) {
            Ok(drawn) => {
                let plan = Arc::clone(&drawn.plan);
                draws.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, drawn);
                Some(plan)
            }
            Err(error) => {
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    };
    let kept = run_each(open.machine.threads(), missing, &progress, draw, |seed, result| {
        let drawn = draws.lock().unwrap_or_else(PoisonError::into_inner).remove(&seed);
        let drawn = drawn.expect("what has run was drawn");
        Ok(open.parts.put(&seed_name(seed), &exploration.judge(&drawn, &result))?)
    });
    match refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error.into()),
        None => kept,
    }
}

/// Says what all seeds showed, and writes the scenarios that fail.
fn finish(exploration: &Exploration, open: &OpenStudy) -> anyhow::Result<End> {
    let OpenStudy { study, parts, dir, json, .. } = open;
    let mut missing = Missing::default();
    let part = |seed: u64| missing.note(parts.get::<Seen>(&seed_name(seed)), seed - study.seed, &seed);
    let seen: Vec<Seen> = seeds(study).filter_map(part).collect();
    // Where only a time was asked for, there are as many as there was time for.
    if study.seeds > 0 && !interrupt::is_asked() {
        open.whole(&missing, "seeds", study.seeds)?;
    }
    let mut failures = Vec::new();
    for of in seen.iter().filter(|of| !of.broken.is_empty()) {
        let sources = exploration.draw(of.seed)?.failing(of)?.files();
        failures.extend(placed(Path::new(&failure_file(of.seed)), sources));
    }
    let summary = Summary::of(exploration.plan(), &seen);
    let files = failures.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    let written = reports::explore::write(&summary, files, dir);
    let mut out = anstream::stdout();
    if *json {
        writeln!(out, "{}", summary.to_json())?;
    } else {
        write!(out, "{}", summary.to_text(dir))?;
    }
    written?;
    if interrupt::is_asked() {
        eprintln!(
            "stopped: this is what {} showed; the same command goes on where it stopped",
            plural(seen.len() as u64, "seed")
        );
        return Ok(End::Interrupted);
    }
    Ok(judge(&summary, &seen, dir))
}

/// The exit code that an exploration deserves; says on standard error why it is not 0, and what to do about it.
fn judge(summary: &Summary, seen: &[Seen], dir: &Path) -> End {
    let (panics, others): (Vec<_>, Vec<_>) =
        summary.findings.iter().partition(|finding| finding.kind == RuleKind::Panic);
    if let Some(finding) = others.first() {
        eprintln!("make one smaller with: hoplab shrink {}", dir.join(&finding.file).display());
    }
    let panicked = seen.iter().find_map(|of| Some((of, of.panicked()?)));
    if let Some((of, broken)) = panicked {
        eprintln!("invalid: {} (under {}, seed {})", broken.text, broken.architecture, of.seed);
    }
    match (panics.is_empty(), others.is_empty()) {
        (true, true) => End::Well,
        (true, false) => End::Unmet,
        (false, _) => End::Invalid,
    }
}

/// Writes a scenario's text to `path` and the files that it names beside it.
pub(crate) fn write_sources(path: &Path, sources: Vec<scenario::plan::Source>) -> anyhow::Result<()> {
    for (path, text) in placed(path, sources) {
        reports::write_file(&path, &text)?;
    }
    Ok(())
}

/// Where a scenario's text goes that is to be at `path`, and where the files that it names beside it.
fn placed(path: &Path, sources: Vec<scenario::plan::Source>) -> impl Iterator<Item = (PathBuf, String)> {
    sources.into_iter().enumerate().map(|(index, source)| {
        let path = if index == 0 { path.to_owned() } else { path.with_file_name(&source.path) };
        (path, source.text)
    })
}
