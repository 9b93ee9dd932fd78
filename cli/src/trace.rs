//! `hoplab trace`: runs a record again under one architecture while looking at some of its requests, draws them, and
//! writes them for other viewers.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use hoplab_reports as reports;
use hoplab_reports::study::Study;
use hoplab_sim::lens::{ALIKE_MAX, Lens, Seen, Wanted};
use hoplab_sim::record::{Architecture, Record, VERSION};
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::TraceArguments;
use crate::end::End;
use crate::plural::plural;
use crate::study::seed_name;
use crate::terminal;

/// Looks into the run in a folder; [`End::Invalid`] when it does not repeat itself.
pub(crate) fn trace(arguments: &TraceArguments) -> anyhow::Result<End> {
    let record = of_seed(reports::read(&arguments.dir)?, arguments)?;
    let (name, recorded) = architecture(&record, arguments.arch.as_deref())?;
    let lens = Lens {
        requests: Some(wanted(arguments, recorded)?),
        packets: arguments.pcap.as_ref().map_or(0, |_| arguments.packets),
        keys: arguments.pcap.is_some() || arguments.keys.is_some(),
    };
    let overrides = Overrides {
        architectures: Some(vec![name.to_owned()]),
        seed: Some(record.seed),
        scale: record.scale,
    };
    let plan = match scenario::parse(&record.sources, &overrides) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => {
            terminal::problems(&problems);
            eprintln!("the scenario in the record cannot be read");
            return Ok(End::Invalid);
        }
    };
    let progress = Progress::new(&plan);
    let (fresh, seen) = terminal::with_progress(&progress, || run::look(&plan, 0, &lens, &progress))?;
    let mut out = anstream::stdout();
    if fresh.digest != recorded.digest {
        writeln!(out, "differs: {name}: digest {} was recorded, {} now", recorded.digest, fresh.digest)?;
        if record.version != VERSION {
            eprintln!("recorded by hoplab {}, run again by {}", record.version, VERSION);
        }
        return Ok(End::Invalid);
    }
    check_found(arguments, &seen, name)?;
    write_files(arguments, &seen)?;
    if arguments.all {
        let open = seen.requests.iter().filter(|request| request.end_nanos.is_none()).count();
        writeln!(out, "{} requests of {name}, {open} left open", seen.requests.len())?;
        return Ok(End::Well);
    }
    for (place, request) in seen.requests.iter().enumerate() {
        let gap = if place > 0 { "\n" } else { "" };
        let waterfall = reports::trace::waterfall(request, &record, name, terminal::look());
        write!(out, "{gap}{waterfall}")?;
    }
    Ok(End::Well)
}

/// The record of the seed that is asked for: of several, that of the first when none is.
fn of_seed(record: Record, arguments: &TraceArguments) -> anyhow::Result<Record> {
    let seeds = record.seed..record.seed + record.runs();
    let seed = arguments.seed.unwrap_or(seeds.start);
    let known = match &record.seeds {
        None => format!("the record has {seed}", seed = seeds.start),
        Some(_) => format!("the record has {} to {}", seeds.start, seeds.end - 1),
    };
    if !seeds.contains(&seed) {
        bail!("--seed: {known}, nothing else");
    }
    if record.seeds.is_none() {
        return Ok(record);
    }
    let dir = &arguments.dir;
    let part = if Study::is_in(dir) {
        Study::read(dir)?.parts_in(dir).of_any_build::<Record>(&seed_name(seed))
    } else {
        None
    };
    let part = part.with_context(|| {
        format!("{} has no run of seed {seed} by itself: `hoplab run --seed {seed}` makes one", dir.display())
    })?;
    eprintln!("seed {seed}: {known}");
    Ok(part)
}

/// The architecture that is asked for; the last one when none is.
fn architecture<'a>(record: &'a Record, asked: Option<&str>) -> anyhow::Result<(&'a str, &'a Architecture)> {
    let found = match asked {
        Some(name) => record.architectures.get_key_value(name),
        None => record.architectures.last(),
    };
    let known = || record.architectures.keys().cloned().collect::<Vec<_>>().join(", ");
    let (name, architecture) =
        found.with_context(|| format!("--arch: the record has {}, nothing else", known()))?;
    Ok((name, architecture))
}

/// What is to be looked at.
fn wanted(arguments: &TraceArguments, recorded: &Architecture) -> anyhow::Result<Wanted> {
    if let Some(digits) = &arguments.request {
        let digits = digits.to_ascii_lowercase();
        if digits.is_empty() || digits.len() > 32 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            bail!("REQUEST: a request is named by its trace id, up to 32 hexadecimal digits");
        }
        return Ok(if digits.len() == 32 { Wanted::Named(vec![digits]) } else { Wanted::Alike(digits) });
    }
    if arguments.all {
        return Ok(Wanted::All);
    }
    if let Some(most) = arguments.failed {
        return Ok(Wanted::Failed(most));
    }
    let most = arguments.slowest.unwrap_or(1);
    // With their names more can be kept: what was done for them after they had ended.
    Ok(match recorded.slowest.get(..most) {
        Some(slowest) => Wanted::Named(slowest.iter().map(|trace| trace.id.clone()).collect()),
        None => Wanted::Slowest(most),
    })
}

/// Whether what was asked for is there.
fn check_found(arguments: &TraceArguments, seen: &Seen, architecture: &str) -> anyhow::Result<()> {
    let hint = "help: `--slowest 5` and `--failed 5` show requests with their ids";
    match &arguments.request {
        Some(digits) if seen.requests.is_empty() => {
            bail!("no request of {architecture} has an id that begins or ends with {digits}\n{hint}")
        }
        Some(digits) if seen.requests_found > 1 => {
            let mut ids: Vec<_> = seen.requests.iter().map(|request| request.id.clone()).collect();
            ids.sort();
            let more = if seen.requests_found > ALIKE_MAX as u64 { ", …" } else { "" };
            bail!(
                "{} requests of {architecture} have ids that begin or end with {digits}: {}{more}\n\
                 help: give more digits",
                seen.requests_found,
                ids.join(", ")
            )
        }
        None if seen.requests.is_empty() && arguments.failed.is_some() => {
            bail!("no request failed under {architecture} after the warm-up")
        }
        None if seen.requests.is_empty() => bail!("no request ended under {architecture} after the warm-up"),
        _ => {}
    }
    let shown = seen.requests.len() as u64;
    if arguments.failed.is_some() && seen.requests_found > shown {
        eprintln!("{shown} of {} requests that failed", seen.requests_found);
    }
    Ok(())
}

/// Writes what other viewers open, and says what is in it.
fn write_files(arguments: &TraceArguments, seen: &Seen) -> anyhow::Result<()> {
    let write = |path: &Path, bytes: Vec<u8>, content: String| {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("{} has {content}", path.display());
        anyhow::Ok(())
    };
    let requests = || plural(seen.requests.len() as u64, "request");
    if let Some(path) = &arguments.perfetto {
        write(path, reports::trace::perfetto(&seen.requests).into_bytes(), requests())?;
    }
    if let Some(path) = &arguments.otlp {
        write(path, reports::trace::otlp(seen).into_bytes(), requests())?;
    }
    if let Some(path) = &arguments.pcap {
        let kept = plural(seen.packets.len() as u64, "packet");
        let content = match seen.packets_left_out {
            0 => format!("the whole run: {kept}"),
            left_out => format!("the first {kept}; {left_out} more were left out (--packets)"),
        };
        write(path, reports::trace::pcapng(seen), content)?;
    }
    if let Some(path) = &arguments.keys {
        write(path, reports::trace::key_log(seen).into_bytes(), "the keys of TLS connections".to_owned())?;
    }
    Ok(())
}
