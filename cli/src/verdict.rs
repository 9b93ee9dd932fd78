//! What the record of a run, or of several that were joined, says to the one who asked: its table or summary, and
//! how the command ends that made it.

use std::io::Write;
use std::path::Path;

use hoplab_reports as reports;
use hoplab_sim::record::{Expectation, Outcome, Record, Seeds};

use crate::end::End;
use crate::terminal;

/// Writes the report on a record into `dir`, prints what it says, and judges it.
pub(crate) fn report(record: &Record, dir: &Path, json: bool) -> anyhow::Result<End> {
    let written = reports::write(record, dir);
    // What cannot be written is printed all the same.
    let mut out = anstream::stdout();
    if json {
        writeln!(out, "{}", reports::Summary::of(record).to_json())?;
    } else {
        write!(out, "{}", reports::table(record, Some(dir), terminal::look()))?;
    }
    let end = judge(record);
    written?;
    Ok(end)
}

/// The exit code that a record deserves; says on standard error why it is not 0.
pub(crate) fn judge(record: &Record) -> End {
    let untouched = record.untouched_faults();
    for fault in &untouched {
        eprintln!("invalid: {fault}");
    }
    if !untouched.is_empty() {
        return End::Invalid;
    }
    let all = || {
        let architectures = record.architectures.iter();
        architectures.flat_map(|(name, seen)| seen.expectations.iter().map(move |of| (name, of)))
    };
    for (name, expectation) in all() {
        let said = expectation.said();
        match expectation.outcome {
            Outcome::Holds => {}
            Outcome::Fails => {
                let seeds =
                    record.seeds.as_ref().map_or_else(String::new, |seeds| failed(expectation, seeds));
                eprintln!("unmet under {name}{seeds}: {}; seen: {said}", expectation.text);
            }
            Outcome::CannotBeJudged => {
                eprintln!("cannot be judged under {name}: {}; {said}", expectation.text);
            }
        }
    }
    Outcome::of_all(all().map(|(_, expectation)| expectation.outcome)).into()
}

/// In which of several seeds an expectation fails.
fn failed(expectation: &Expectation, seeds: &Seeds) -> String {
    if expectation.failed_in.is_empty() {
        return format!(" over {} seeds together", seeds.count());
    }
    let failed: Vec<String> = expectation.failed_in.iter().take(5).map(u64::to_string).collect();
    let more = if expectation.failed_in.len() > failed.len() { ", …" } else { "" };
    let (unmet, of) = (expectation.failed_in.len(), seeds.count());
    format!(" in {unmet} of {of} seeds ({}{more})", failed.join(", "))
}
