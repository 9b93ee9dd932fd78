//! The names of the files that hoplab leaves in a folder, and what a folder holds by them. Owns nothing of what is in
//! the files but the summary's `kind`.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// The summary of whatever a folder holds.
pub(crate) const SUMMARY: &str = "summary.json";
/// The folder of the scenarios that an exploration found to fail.
pub(crate) const FAILURES: &str = "failures/";
/// The folder of the scenarios that an advice rests on.
pub(crate) const TRIALS: &str = "trials/";
/// The record of a run.
pub(crate) const RUN: &str = "record/record.json";
/// The record of a sweep.
pub(crate) const SWEEP: &str = "record/sweep.json";
/// What a study is.
pub(crate) const STUDY: &str = "record/study.json";
/// The folder of a study's parts.
pub(crate) const PARTS: &str = "record/parts";
/// Which share of its study a folder was asked for.
pub(crate) const SHARE: &str = "record/share";
/// The checksums of all files.
pub(crate) const CHECKSUMS: &str = "record/checksums";
/// What a command holds while it writes into a folder.
pub(crate) const LOCK: &str = "record/lock";
/// How the name of a file ends until the file is whole.
pub(crate) const PARTIAL: &str = "partial";

/// Whether a file of a folder of parts is called as they are.
pub(crate) fn is_part_called(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|is| is == "json") && !file.contains('/')
}

/// What is recorded in a folder.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Run,
    Sweep,
    Exploration,
    Advice,
}

/// Whether something was recorded in `dir` itself, or parts that wait to be joined.
pub fn holds(dir: &Path) -> bool {
    kind(dir).is_some() || dir.join(STUDY).is_file() || dir.join(CHECKSUMS).is_file()
}

/// What `dir` holds. The summary is written last, so where several commands left their records it is
/// the summary that tells whose they are; without one, the record itself does.
pub(crate) fn kind(dir: &Path) -> Option<Kind> {
    let there = |name: &str| dir.join(name).is_file();
    let summary = fs::read(dir.join(SUMMARY)).ok();
    let said = summary.and_then(|bytes| serde_json::from_slice::<Said>(&bytes).ok());
    match said.as_ref().map(|said| said.kind.as_str()) {
        Some("explore") => Some(Kind::Exploration),
        Some("advise") => Some(Kind::Advice),
        Some("sweep") if there(SWEEP) => Some(Kind::Sweep),
        _ if there(RUN) => Some(Kind::Run),
        _ if there(SWEEP) => Some(Kind::Sweep),
        _ => None,
    }
}

/// The part that every summary has but a run's.
#[derive(Deserialize)]
struct Said {
    kind: String,
}
