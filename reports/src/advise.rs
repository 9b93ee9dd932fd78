//! What to choose, and why: the answer to a [`Question`](hoplab_sim::advise::Question), from the records of its trials alone. As text and as a page for
//! people, as JSON for programs.
//!
//! Read `lost` (shares of requests, and what two differ by beyond chance), `choice` (which to choose by them), `trial` (what is lost while something is wrong),
//! `cost` (what is paid when nothing is), `growth` (both in other sizes), then what is made of them: `tried` and
//! `recommendation` (the rules by which one is chosen, and their sentences), `criteria` (the five questions of an assessment), and `advice` (all of it). `text` and
//! `page` show it.
//!
//! A request is *lost* that was not served well in time: it failed, was refused, or took longer than users wait
//! (`patience`).

mod advice;
mod charts;
mod choice;
mod cost;
mod criteria;
mod growth;
mod lost;
mod page;
mod patience;
mod recommendation;
mod text;
mod trial;
mod tried;

use std::path::{Path, PathBuf};

use hoplab_sim::scenario::plan::Source;
use indexmap::IndexMap;

use crate::Look;
use crate::checksums::Checksums;
use crate::error::Error;
use crate::names::{SUMMARY, TRIALS};
use crate::write::put;

pub use advice::{Advice, Came, SCHEMA, carried};
pub use cost::{Cost, Tls};
pub use criteria::{Criterion, Finding};
pub use growth::{Grown, Price};
pub use patience::{Patience, Why};
pub use recommendation::{Condition, Recommendation};
pub use trial::{Choice, Seen, Trial};

/// The page, in the folder of an advice.
const PAGE: &str = "report.html";

/// An advice that lies in `dir` as text, for a terminal of that look.
pub fn text(advice: &Advice, dir: &Path, look: Look) -> String {
    let trials = dir.join(TRIALS);
    let seeds = if advice.seeds > 1 { format!(" --seeds {}", advice.seeds) } else { String::new() };
    let again = format!("repeat a figure: hoplab run {}NAME.toml{seeds}\n", trials.display());
    let page = format!("report: {}\n", dir.join(PAGE).display());
    text::text(advice, look) + if trials.is_dir() { &again } else { "" } + &page
}

/// Writes an advice and its page into `dir`, and the scenarios of its trials, each a text with those that it names.
pub fn write(advice: &Advice, trials: Vec<(String, Vec<Source>)>, dir: &Path) -> Result<(), Error> {
    let placed = trials.into_iter().flat_map(|(name, sources)| {
        sources.into_iter().enumerate().map(move |(index, source)| {
            let file = if index == 0 { format!("{name}.toml") } else { source.path };
            (PathBuf::from(format!("{TRIALS}{file}")), source.text.into_bytes())
        })
    });
    let files: IndexMap<PathBuf, Vec<u8>> = placed.collect();
    write_all(advice, files.into_iter().collect(), dir)
}

/// Writes an advice and its page into `dir` again; the scenarios that lie there stay.
pub(crate) fn write_again(advice: &Advice, dir: &Path) -> Result<(), Error> {
    let checksums = Checksums::read(dir)?.unwrap_or_default();
    let trials = checksums.paths().filter(|path| path.starts_with(TRIALS));
    let there = |path: &str| Some((PathBuf::from(path), std::fs::read(dir.join(path)).ok()?));
    write_all(advice, trials.filter_map(there).collect(), dir)
}

fn write_all(advice: &Advice, mut files: Vec<(PathBuf, Vec<u8>)>, dir: &Path) -> Result<(), Error> {
    files.push((PathBuf::from(PAGE), page::page(advice).into_bytes()));
    files.push((PathBuf::from(SUMMARY), (advice.to_json() + "\n").into_bytes()));
    put(dir, files).map(drop)
}
