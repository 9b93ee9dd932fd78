//! `hoplab report`: renders again what was recorded, lists many runs on one page, lays two of them side
//! by side. Runs nothing and judges nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use hoplab_reports as reports;
use hoplab_reports::folder::{self, Kept};
use hoplab_reports::index::{self, Entry};

use crate::arguments::ReportArguments;
use crate::{End, terminal};

/// Where pages over several folders go unless it is said.
const OUT: &str = "target/hoplab/report";

/// Renders the folders that are asked for.
pub(crate) fn report(arguments: &ReportArguments) -> anyhow::Result<End> {
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
                terminal::error(&error.into());
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

fn entry(dir: &Path, name: &str, out: &Path) -> Result<Entry, reports::write::Error> {
    let kept = Kept::read(dir)?;
    kept.write(dir)?;
    Entry::of(&kept, name, dir, out)
}

/// A folder's own name.
fn title(dir: &Path) -> String {
    let name = dir.file_name().or_else(|| dir.components().next_back().map(|part| part.as_os_str()));
    match name.map(|name| name.to_string_lossy().into_owned()) {
        Some(name) if name != "." && name != ".." => name,
        _ => "Runs".to_owned(),
    }
}
