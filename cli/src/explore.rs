//! `hoplab explore`: draws faults from seeds, runs each scenario, keeps what each showed, and says what was
//! broken and what was never exercised.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hoplab_reports::explore::{Summary, failure_file};
use hoplab_reports::study::{Kind, Parts, Study};
use hoplab_reports::{self as reports};
use hoplab_sim::batch::{self, Progress};
use hoplab_sim::explore::{CannotExplore, Drawn, Exploration, RuleKind, Seen};
use hoplab_sim::scenario;
use hoplab_sim::scenario::plan::Plan;

use crate::arguments::ExploreArguments;
use crate::end::End;
use crate::interrupt::{self, First};
use crate::joining::{Joining, Missing};
use crate::plan::{overrides, plan_of};
use crate::{place, terminal};

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
    let _claim = place::claim(&dir, &[])?;
    let parts = place::open(&study, &dir, &arguments.machine)?;
    interrupt::listen(First::Finishes("the seeds that run are finished"));
    let there = |seed: &u64| parts.has(&name(*seed));
    let (kept, missing): (Vec<u64>, Vec<u64>) =
        seeds(&study).filter(|seed| arguments.machine.takes(seed - study.seed)).partition(there);
    if !kept.is_empty() {
        eprintln!("{} seeds are in {} already", kept.len(), dir.display());
    }
    let until = arguments.time.and_then(|time| now().checked_add(time));
    run(&exploration, &missing, until, &parts, arguments)?;
    if let Some(shard) = arguments.machine.shard {
        let done = seeds(&study).filter(there).count();
        writeln!(anstream::stdout(), "shard {shard}: {done} seeds are in {}", dir.display())?;
        if interrupt::is_asked() {
            return Ok(End::Interrupted);
        }
        eprintln!("join the shards with: hoplab merge DIR… --out DIR");
        return Ok(End::Well);
    }
    let joining = Joining { study: &study, parts: &parts, dir: &dir, from: &[], json: arguments.json };
    finish(&exploration, &joining)
}

/// Reports on the parts of a study that were put together.
pub(crate) fn merge(joining: &Joining<'_>) -> anyhow::Result<End> {
    let study = joining.study;
    let plan = scenario::parse(&study.sources, &study.overrides())?;
    finish(&Exploration::of(&Arc::new(plan))?, joining)
}

fn seeds(study: &Study) -> impl Iterator<Item = u64> + use<> {
    let count = if study.seeds == 0 { SEEDS_MAX } else { study.seeds };
    study.seed..study.seed + count
}

fn name(seed: u64) -> String {
    format!("seed-{seed}")
}

#[expect(clippy::disallowed_methods, reason = "a time budget is one of the person who waits")]
fn now() -> Instant {
    Instant::now()
}

/// Runs the `missing` seeds, in order, until the time is over, and keeps what each showed.
fn run(
    exploration: &Exploration,
    missing: &[u64],
    until: Option<Instant>,
    parts: &Parts,
    arguments: &ExploreArguments,
) -> anyhow::Result<()> {
    let progress = Progress::default();
    progress.expect(exploration.plan(), if until.is_some() { 0 } else { missing.len() as u64 });
    let draws: Mutex<Vec<Option<Drawn>>> = Mutex::new(missing.iter().map(|_| None).collect());
    let refused: Mutex<Option<CannotExplore>> = Mutex::default();
    let draw = |number: usize| -> Option<Arc<Plan>> {
        let seed = *missing.get(number)?;
        if interrupt::is_asked() || until.is_some_and(|until| now() >= until) {
            return None;
        }
        match exploration.draw(seed) {
            Ok(drawn) => {
                let plan = Arc::clone(&drawn.plan);
                draws.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(drawn);
                Some(plan)
            }
            Err(error) => {
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        }
    };
    let mut failed = Ok(());
    terminal::with_progress(&progress, || {
        batch::run(arguments.machine.threads(), &draw, &progress, &mut |number, result| {
            let drawn = draws.lock().unwrap_or_else(PoisonError::into_inner)[number].take();
            let Some(drawn) = drawn else { return };
            if let Err(error) = parts.put(&name(drawn.seed), &exploration.judge(&drawn, &result)) {
                failed = Err(error);
            }
        });
    });
    if let Some(error) = refused.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error.into());
    }
    Ok(failed?)
}

/// Says what all seeds showed, and writes the scenarios that fail.
fn finish(exploration: &Exploration, joining: &Joining<'_>) -> anyhow::Result<End> {
    let &Joining { study, parts, dir, json, .. } = joining;
    let mut missing = Missing::default();
    let part = |seed: u64| missing.note(parts.get::<Seen>(&name(seed)), seed - study.seed, &seed);
    let seen: Vec<Seen> = seeds(study).filter_map(part).collect();
    // Where only a time was asked for, there are as many as there was time for.
    if study.seeds > 0 && !interrupt::is_asked() {
        joining.whole(&missing, "seeds", study.seeds)?;
    }
    let mut failures = Vec::new();
    for of in seen.iter().filter(|of| !of.broken.is_empty()) {
        let sources = exploration.draw(of.seed)?.failing(of)?.sources();
        failures.extend(placed(Path::new(&failure_file(of.seed)), sources));
    }
    let summary = Summary::of(exploration.plan(), &seen);
    let files = failures.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    let written = reports::explore::write(&summary, files, dir);
    let mut out = anstream::stdout();
    if json {
        writeln!(out, "{}", summary.to_json())?;
    } else {
        write!(out, "{}", summary.to_text())?;
    }
    written?;
    if interrupt::is_asked() {
        eprintln!(
            "stopped: this is what {} seeds show; the same command goes on where it stopped",
            seen.len()
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
