//! `hoplab gate`: runs a scenario, or takes figures that something else measured, compares them with
//! those that were accepted, and says so to whoever asked: terminal, pull request, `JUnit`, GitHub.
//!
//! The baseline is read before anything runs. `--update` accepts what is now, unmet expectations
//! included, which still exit 1: a baseline cannot accept them. Nothing accepts an invalid run.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context;
use hoplab_config::Problems;
use hoplab_reports as reports;
use hoplab_sim::batch::{self, Progress};
use hoplab_sim::record::Record;
use hoplab_sim::run::cores;
use hoplab_sim::scenario::plan::Plan;
use reports::gate::baseline::{Baseline, Origin, Read};
use reports::gate::compare::Verdict;
use reports::gate::figures::{self, Figures};
use reports::gate::{self, Gate};

use crate::arguments::GateArguments;
use crate::end::End;
use crate::plan::{overrides, plan_of};
use crate::verdict::judge;
use crate::{place, terminal};

/// Compares with the baseline, or accepts what is now.
pub(crate) fn gate(arguments: &GateArguments) -> anyhow::Result<End> {
    let accept = accept(arguments);
    let read = match load(&arguments.baseline)? {
        Loaded::Text(Ok(read)) => Some(read),
        Loaded::Text(Err(problems)) => {
            terminal::problems(&problems);
            return Ok(End::Unusable);
        }
        Loaded::Missing if arguments.update => None,
        Loaded::Missing => {
            eprintln!("error: there is no baseline \"{}\"", arguments.baseline.display());
            eprintln!("help: make one: {accept}");
            return Ok(End::Unusable);
        }
    };
    let now = match now(arguments, read.as_ref())? {
        Ok(now) => now,
        Err(end) => return Ok(end),
    };
    if arguments.update {
        update(arguments, read.as_ref(), &now, &accept)?;
    }
    let end = now.end;
    match read {
        Some(read) => compared(arguments, &read, &now, &accept),
        None => Ok(end),
    }
}

/// What is compared with the baseline.
struct Now {
    subject: String,
    origin: Origin,
    figures: Figures,
    /// How the expectations of the run came out.
    end: End,
    record: Option<Record>,
}

/// The figures of now, from a file or a run; how the command ends when there are none.
fn now(arguments: &GateArguments, read: Option<&Read>) -> anyhow::Result<Result<Now, End>> {
    match (&arguments.figures, &arguments.file) {
        (Some(path), _) => measured(path),
        (None, Some(file)) => ran(arguments, file, read),
        (None, None) => unreachable!("the command line asks for one of them"),
    }
}

fn measured(path: &Path) -> anyhow::Result<Result<Now, End>> {
    let Loaded::Text(read) = load(path)? else {
        anyhow::bail!("there is no file \"{}\"", path.display());
    };
    Ok(match read {
        Ok(Read { baseline, .. }) => Ok(Now {
            subject: path.display().to_string(),
            origin: baseline.origin,
            figures: baseline.figures,
            end: End::Well,
            record: None,
        }),
        Err(problems) => {
            terminal::problems(&problems);
            Err(End::Unusable)
        }
    })
}

fn ran(arguments: &GateArguments, file: &Path, read: Option<&Read>) -> anyhow::Result<Result<Now, End>> {
    let overrides = overrides(&arguments.arch, arguments.seed, arguments.scale);
    let Some(plan) = plan_of(file, &overrides) else { return Ok(Err(End::Unusable)) };
    let origin = Origin {
        scenario: Some(plan.name.clone()),
        seed: Some(plan.seed),
        scale: (plan.scale.to_bits() != 1_f64.to_bits()).then_some(plan.scale),
    };
    if let Some(read) = read
        && let Some(other) = other_run(&read.baseline, &origin, &plan, arguments.update)
    {
        eprintln!("error: {}: {other}", arguments.baseline.display());
        return Ok(Err(End::Unusable));
    }
    let claim = arguments.out.as_deref().map(|dir| place::claim(dir, &[])).transpose()?;
    let progress = Progress::new(&plan);
    let record = terminal::with_progress(&progress, || batch::once(cores(), &plan, &progress))?;
    let written = arguments.out.as_deref().map(|dir| reports::write(&record, dir)).transpose();
    drop(claim);
    let mut end = judge(&record);
    if let Err(error) = written {
        // The figures are compared all the same.
        terminal::error(&error.into());
        end = End::Unusable;
    }
    if end == End::Invalid {
        return Ok(Err(end));
    }
    let figures = figures::of(&record);
    Ok(Ok(Now { subject: plan.name.clone(), origin, figures, end, record: Some(record) }))
}

/// Why a baseline is not that of this run, in words. `--update` may change all but the scenario.
fn other_run(baseline: &Baseline, origin: &Origin, plan: &Plan, update: bool) -> Option<String> {
    let Origin { scenario, seed, scale } = &baseline.origin;
    if *scenario != origin.scenario {
        let of = scenario.as_ref().map_or("no scenario".to_owned(), |name| format!("scenario \"{name}\""));
        return Some(format!("the baseline is that of {of}, not of \"{}\"", plan.name));
    }
    if update {
        return None;
    }
    if *seed != origin.seed {
        let of = seed.map_or("no seed".to_owned(), |seed| format!("seed {seed}"));
        return Some(format!("the baseline is that of {of}, the run has seed {}", plan.seed));
    }
    if scale.map(f64::to_bits) != origin.scale.map(f64::to_bits) {
        return Some(format!(
            "the baseline is that of --scale {}, the run has {}",
            scale.unwrap_or(1.0),
            plan.scale
        ));
    }
    let mut run: Vec<&str> = plan.architectures.iter().map(|architecture| &*architecture.name).collect();
    run.sort_unstable();
    let recorded = baseline.scopes();
    (recorded != run).then(|| {
        format!("the baseline has the architectures {}, the run has {}", recorded.join(", "), run.join(", "))
    })
}

fn update(arguments: &GateArguments, read: Option<&Read>, now: &Now, accept: &str) -> anyhow::Result<()> {
    let before = read.map(|read| &read.baseline);
    let after = gate::accepted(before, now.origin.clone(), accept, now.figures.clone());
    for dropped in before.iter().flat_map(|before| &before.tolerances) {
        if !after.tolerances.contains(dropped) {
            eprintln!("dropped: a tolerance of {}, of which no figure is left", dropped.metric.name());
        }
    }
    let path = &arguments.baseline;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    write(path, &after.to_string())?;
    let count = after.figures.len();
    eprintln!("accepted: {count} figures are now the baseline {}", path.display());
    Ok(())
}

/// Compares, and says so to whoever asked.
fn compared(arguments: &GateArguments, read: &Read, now: &Now, accept: &str) -> anyhow::Result<End> {
    let path = arguments.baseline.display().to_string();
    let mut gate = Gate::new(&now.subject, &path, accept, read, &now.figures);
    if let Some(record) = &now.record {
        gate = gate.expecting(record);
    }
    let mut out = anstream::stdout();
    if arguments.json {
        writeln!(out, "{}", gate.json())?;
    } else {
        write!(out, "{}", gate.table(terminal::look()))?;
    }
    if let Some(path) = &arguments.junit {
        write(path, &gate.junit())?;
    }
    if let Some(path) = &arguments.markdown {
        write(path, &gate.markdown())?;
    }
    if arguments.update {
        return Ok(now.end);
    }
    if arguments.annotations || variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        // GitHub reads both streams; JSON wants its own.
        let text = gate.annotations();
        if arguments.json { eprint!("{text}") } else { write!(out, "{text}")? }
    }
    if let Some(path) = variable("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        append(Path::new(&path), &gate.markdown())?;
    }
    if let Some(hint) = gate.hint() {
        eprintln!("{hint}");
    }
    Ok(if gate.verdict() == Verdict::Fail { End::Unmet } else { now.end })
}

/// The command that accepts what is now.
fn accept(arguments: &GateArguments) -> String {
    let mut words = vec!["hoplab gate".to_owned()];
    words.extend(arguments.file.iter().map(|file| quoted(&file.display().to_string())));
    if let Some(figures) = &arguments.figures {
        words.push(format!("--figures {}", quoted(&figures.display().to_string())));
    }
    words.push(format!("--baseline {}", quoted(&arguments.baseline.display().to_string())));
    if !arguments.arch.is_empty() {
        words.push(format!("--arch {}", arguments.arch.join(",")));
    }
    words.extend(arguments.seed.map(|seed| format!("--seed {seed}")));
    if arguments.scale.to_bits() != 1_f64.to_bits() {
        words.push(format!("--scale {}", arguments.scale));
    }
    words.push("--update".to_owned());
    words.join(" ")
}

/// As a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "+-_.:/@,=".contains(char);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A file in a baseline's format, read or not.
enum Loaded {
    Text(Result<Read, Problems>),
    Missing,
}

fn load(path: &Path) -> anyhow::Result<Loaded> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Loaded::Text(Baseline::parse(&path.display().to_string(), &text))),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(Loaded::Missing),
        Err(why) => Err(why).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn append(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "GitHub says where it is and what it wants in its environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
