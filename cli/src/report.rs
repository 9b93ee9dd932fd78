//! `hoplab report`: renders again what was recorded, lists many runs on one page, lays two of them side
//! by side. Runs nothing and judges nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use hoplab_reports as reports;
use hoplab_reports::compare::Comparison;
use hoplab_reports::folder::{self, Kept};
use hoplab_reports::index::{self, Entry};
use hoplab_sim::record::Record;

use crate::arguments::ReportArguments;
use crate::end::End;
use crate::{place, terminal};

/// Where pages over several folders go unless it is said.
const OUT: &str = "target/hoplab/report";

/// Renders the folders that are asked for.
pub(crate) fn report(arguments: &ReportArguments) -> anyhow::Result<End> {
    if arguments.compare {
        return compare(arguments);
    }
    match arguments.dirs.as_slice() {
        [dir] if folder::holds(dir) => one(dir, arguments.out.as_deref().unwrap_or(dir)),
        [dir] => {
            let out = arguments.out.as_deref().unwrap_or(dir);
            let found = folder::inside(dir)?;
            let name = |path: &PathBuf| path.strip_prefix(dir).unwrap_or(path).display().to_string();
            many(found.iter().map(|path| (path.clone(), name(path))), &title(dir), out)
        }
        dirs => {
            let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(OUT));
            let mut found = BTreeSet::new();
            for dir in dirs {
                if folder::holds(dir) {
                    found.insert(dir.clone());
                } else {
                    found.extend(folder::inside(dir)?);
                }
            }
            let name = |path: PathBuf| (path.clone(), path.display().to_string());
            many(found.into_iter().map(name), "Runs", &out)
        }
    }
}

/// Renders what lies in `dir` again, into `out`.
fn one(dir: &Path, out: &Path) -> anyhow::Result<End> {
    let kept = Kept::read(dir)?;
    let _claim = place::claim(out, &[])?;
    kept.write(out)?;
    write!(anstream::stdout(), "{}", kept.table(out, terminal::look()))?;
    Ok(End::Well)
}

/// Renders each of the named folders again, and an index of them into `out`. What cannot be read is told
/// and left out.
fn many(dirs: impl Iterator<Item = (PathBuf, String)>, title: &str, out: &Path) -> anyhow::Result<End> {
    let page = out.join("index.html");
    // Links lead from a folder that is there.
    reports::write_file(&page, "")?;
    let mut entries = Vec::new();
    let mut end = End::Well;
    for (dir, name) in dirs {
        match entry(&dir, &name, out) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                terminal::error(&error);
                end = End::Unusable;
            }
        }
    }
    let mut stdout = anstream::stdout();
    write!(stdout, "{}", index::table(&entries, terminal::look()))?;
    reports::write_file(&page, &index::page(title, entries))?;
    writeln!(stdout, "\n index     {}", page.display())?;
    Ok(end)
}

fn entry(dir: &Path, name: &str, out: &Path) -> anyhow::Result<Entry> {
    let kept = Kept::read(dir)?;
    let _claim = place::claim(dir, &[])?;
    kept.write(dir)?;
    Ok(Entry::of(&kept, name, dir, out)?)
}

/// Lays two runs side by side.
fn compare(arguments: &ReportArguments) -> anyhow::Result<End> {
    let [first, second] = arguments.dirs.as_slice() else {
        bail!("--compare lays two runs side by side: name two folders, not {}", arguments.dirs.len());
    };
    let labels = labels(first, second, &arguments.labels)?;
    let (before, now) = (recorded_run(first)?, recorded_run(second)?);
    let comparison = Comparison::of((&labels[0], &before), (&labels[1], &now))?;
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(OUT));
    let page = out.join("compare.html");
    reports::write_file(&page, &comparison.page())?;
    let mut stdout = anstream::stdout();
    write!(stdout, "{}", comparison.table(terminal::look()))?;
    writeln!(stdout, " report: {}", page.display())?;
    Ok(End::Well)
}

/// The run that was recorded in `dir`; nothing else can be laid beside one.
fn recorded_run(dir: &Path) -> anyhow::Result<Record> {
    match Kept::read(dir)? {
        Kept::Run(record) => Ok(*record),
        other => {
            let (place, noun) = (dir.display(), other.noun());
            bail!("{place} holds the record of a {noun}\nhelp: --compare lays two runs side by side")
        }
    }
}

/// What the two are called: as is asked for, or by the last parts of their paths that differ.
fn labels(first: &Path, second: &Path, asked: &[String]) -> anyhow::Result<[String; 2]> {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    match asked {
        [] => Ok(match (last(first), last(second)) {
            (Some(first), Some(second)) if first != second => [first, second],
            _ if first != second => [first, second].map(|path| path.display().to_string()),
            _ => ["first", "second"].map(str::to_owned),
        }),
        [first, second] if !first.is_empty() && !second.is_empty() && first != second => {
            Ok([first.clone(), second.clone()])
        }
        _ => bail!("--labels: write two different names, such as main,pr-12"),
    }
}

/// A folder's own name.
fn title(dir: &Path) -> String {
    let name = dir.file_name().or_else(|| dir.components().next_back().map(std::path::Component::as_os_str));
    match name.map(|name| name.to_string_lossy().into_owned()) {
        Some(name) if name != "." && name != ".." => name,
        _ => "Runs".to_owned(),
    }
}
