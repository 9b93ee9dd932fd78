//! What a sweep looks like to people and to programs: from its record alone to a table, figures and a page.
//! Simulates nothing: the same record gives the same bytes.

mod boundary;
mod curves;
mod data;
mod figures;
mod files;
mod heads;
mod heat;
mod knee;
mod limit;
mod page;
mod slice;
mod table;
pub(crate) mod verdict;

use std::path::{Path, PathBuf};

use hoplab_sim::scenario::grid;
use hoplab_sim::sweep::record::{Found, Search, Seen, Sweep};
use serde::Serialize;

use crate::error::Error;
use crate::names::{SUMMARY, SWEEP};
use crate::write::put;
pub use table::table;

/// The figures of a sweep that programs read.
#[derive(Serialize)]
struct Summary<'a> {
    schema: u32,
    kind: &'static str,
    scenario: &'a str,
    seed: u64,
    seeds: u64,
    digest: &'a str,
    verdict: Verdict,
    axes: &'a [hoplab_sim::sweep::record::Axis],
    points: &'a [Seen],
    /// Along each axis of numbers, by architecture, wherever the other axes stand.
    knees: Vec<knee::Located<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<&'a Search>,
}

/// The answer in words.
#[derive(Serialize)]
struct Verdict {
    text: String,
    /// One by one, the answer first.
    sentences: Vec<String>,
}

/// The text of a sweep's `summary.json`.
pub fn summary(sweep: &Sweep) -> String {
    let sentences = verdict::sentences(sweep);
    let summary = Summary {
        schema: sweep.schema,
        kind: "sweep",
        scenario: &sweep.scenario,
        seed: sweep.seed,
        seeds: sweep.seeds,
        digest: &sweep.digest,
        verdict: Verdict { text: sentences.join(" "), sentences },
        axes: &sweep.axes,
        points: &sweep.points,
        knees: knee::all(sweep),
        search: sweep.search.as_ref(),
    };
    let text = serde_json::to_string_pretty(&summary);
    text.expect("a sweep has string keys and numbers, which JSON can say") + "\n"
}

/// The page of a sweep, which needs nothing else.
pub fn page(sweep: &Sweep) -> String {
    page::page(sweep)
}

/// Writes a sweep's record, figures, plots and page into `dir`; `summary.json` comes last.
pub fn write(sweep: &Sweep, dir: &Path) -> Result<(), Error> {
    let encode = |name, reason: String| Error::Encode { name, reason };
    let mut record = serde_json::to_vec(sweep).map_err(|error| encode(SWEEP, error.to_string()))?;
    record.push(b'\n');
    let mut all = vec![(PathBuf::from(SWEEP), record)];
    let tables = data::files(sweep).map_err(|error| encode("record/*.csv", error.to_string()))?;
    all.extend(tables.into_iter().map(|file| (Path::new("record").join(file.name), file.bytes)));
    let plots =
        files::plots(sweep).map_err(|error| Error::Plot { name: error.name, reason: error.reason })?;
    all.extend(plots.into_iter().map(|file| (Path::new("plots").join(file.name), file.bytes)));
    all.push((PathBuf::from("report.html"), page(sweep).into_bytes()));
    all.push((PathBuf::from(SUMMARY), summary(sweep).into_bytes()));
    put(dir, all).map(drop)
}

/// The record of the sweep in `dir`; `None` when what lies there is no sweep.
pub fn read(dir: &Path) -> Result<Option<Sweep>, Error> {
    let path = dir.join(SWEEP);
    match std::fs::read(&path) {
        Ok(bytes) => {
            let not_a_record = |reason| Error::NotARecord { path, reason };
            serde_json::from_slice(&bytes).map(Some).map_err(not_a_record)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Files { action: "read", path, source }),
    }
}

/// What a search found, in one line: `mesh, faults.trigger.for = 2s: load.people.rate up to 340 rps (9 tries)`.
pub fn found(axes: &[grid::Axis], search: &grid::Search, found: &Found) -> String {
    let settings = axes.iter().zip(&found.places);
    let settings =
        settings.filter_map(|(axis, place)| Some(format!("{} = {}", axis.key, axis.values[(*place)?].label)));
    let at: Vec<String> = std::iter::once(found.architecture.clone()).chain(settings).collect();
    let highest = match &found.highest {
        Some(highest) if found.open_ended => format!("at least {highest}"),
        Some(highest) => format!("up to {highest}"),
        None if limit::is_unknown(found) => "cannot be judged".to_owned(),
        None => "not even the lowest".to_owned(),
    };
    let tries = found.tries.len();
    format!("{}: {} {highest} ({tries} tries)", at.join(", "), search.key)
}
