//! What exploration found: which rules were broken under which seeds, and what was never exercised. From what
//! each seed showed alone; as text and as a page for people, as JSON for programs.

mod page;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hoplab_sim::explore::coverage::{Exercised, Missed};
use hoplab_sim::explore::{RuleKind, Seen};
use hoplab_sim::journal::Journal;
use hoplab_sim::scenario::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::checksums::Checksums;
use crate::error::Error;
use crate::file;
use crate::format::plural;
use crate::names::{FAILURES, SUMMARY};
use crate::write::put;

/// The version of the summary's shape.
pub const SCHEMA: u32 = 1;

/// How many seeds of a finding are named.
const FIRST: usize = 10;

/// What exploration found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `explore`.
    pub kind: String,
    /// The scenario's name.
    pub scenario: String,
    /// The architectures, in order.
    pub architectures: Vec<String>,
    /// The first seed.
    pub seed: u64,
    /// How many seeds were run.
    pub seeds: u64,
    /// A hash over the digests of the runs, in the order of their seeds.
    pub digest: String,
    /// What was broken, panics first, then invariants, then expectations.
    pub findings: Vec<Finding>,
    /// What was never exercised.
    pub missed: Missed,
    /// What was.
    pub exercised: Exercised,
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// An invariant, `panic`, or an expectation.
    pub rule: String,
    /// What kind of rule.
    pub kind: RuleKind,
    /// Under which architectures.
    pub architectures: Vec<String>,
    /// Under how many seeds.
    pub seeds: u64,
    /// The first of them.
    pub first: Vec<u64>,
    /// What was seen under the first.
    pub text: String,
    /// The faults of the first.
    pub faults: Vec<String>,
    /// The scenario that shows it, relative to the folder.
    pub file: String,
}

impl Summary {
    /// What `seen` shows of an exploration of `plan`, in the order of the seeds.
    pub fn of(plan: &Plan, seen: &[Seen]) -> Self {
        let mut exercised = Exercised::default();
        for of in seen {
            exercised.add(&of.exercised);
        }
        Self {
            schema: SCHEMA,
            kind: "explore".to_owned(),
            scenario: plan.name.clone(),
            architectures: plan.architectures.iter().map(|of| of.name.to_string()).collect(),
            seed: plan.seed,
            seeds: seen.len() as u64,
            digest: Journal::digest_of(seen.iter().map(|of| ("seed", of.digest.as_str()))),
            findings: findings(seen),
            missed: exercised.missed(plan),
            exercised,
        }
    }

    /// The summary that an exploration left in `dir`: all that is kept of it as a whole.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(SUMMARY);
        let bytes = file::read(&path, || Error::Nothing { dir: dir.to_owned() })?;
        serde_json::from_slice(&bytes).map_err(|reason| Error::NotARecord { path, reason })
    }

    /// The answer in a sentence.
    pub(crate) fn headline(&self) -> String {
        let rules: Vec<String> = self
            .findings
            .iter()
            .map(|finding| format!("{} in {} of {}", finding.rule, finding.seeds, plural(self.seeds, "seed")))
            .collect();
        if rules.is_empty() {
            "Nothing was broken.".to_owned()
        } else {
            format!("Broken: {}.", rules.join("; "))
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary has string keys and finite numbers")
    }

    /// As text; the page lies in `dir`.
    pub fn to_text(&self, dir: &Path) -> String {
        let mut text = String::new();
        let mut line = |words: String| {
            let _ = writeln!(text, "{words}");
        };
        line(format!(
            "{}: {} from {} on, under {}",
            self.scenario,
            plural(self.seeds, "seed"),
            self.seed,
            self.architectures.join(", ")
        ));
        line(format!("digest {}", self.digest));
        line(String::new());
        if self.findings.is_empty() {
            line("nothing was broken".to_owned());
        }
        for finding in &self.findings {
            let first: Vec<String> = finding.first.iter().map(u64::to_string).collect();
            let more = if finding.seeds > first.len() as u64 { ", …" } else { "" };
            line(format!("broken: {} under {}", finding.rule, finding.architectures.join(", ")));
            line(format!("  in {} of {} seeds: {}{more}", finding.seeds, self.seeds, first.join(", ")));
            line(format!("  seen: {}", finding.text));
            line(format!("  faults: {}", finding.faults.join("; ")));
            line(format!("  scenario: {}", finding.file));
        }
        line(String::new());
        let missed = self.missed();
        if missed.is_empty() {
            line("everything was exercised".to_owned());
        }
        for (what, names) in missed {
            line(format!("{what}: {}", names.join(", ")));
        }
        line(String::new());
        line(format!("report: {}", dir.join(PAGE).display()));
        text
    }

    /// What was never exercised, as far as there is any.
    fn missed(&self) -> Vec<(&'static str, &[String])> {
        let Missed { never_drawn, never_hit, never_called, never_failed, never_retried, never_decided } =
            &self.missed;
        let all: [(&'static str, &[String]); 6] = [
            ("never drawn", never_drawn),
            ("never touched anything", never_hit),
            ("never called", never_called),
            ("never failed", never_failed),
            ("never tried again", never_retried),
            ("never decided", never_decided),
        ];
        all.into_iter().filter(|(_, names)| !names.is_empty()).collect()
    }
}

/// Writes a summary and its page into `dir`, and the scenarios that fail, by their paths in it.
pub fn write(summary: &Summary, failures: Vec<(PathBuf, Vec<u8>)>, dir: &Path) -> Result<(), Error> {
    let texts = failures.iter().map(|(path, bytes)| (path, String::from_utf8_lossy(bytes).into_owned()));
    let mut texts: BTreeMap<String, String> =
        texts.map(|(path, text)| (path.to_string_lossy().into_owned(), text)).collect();
    texts.extend(made_small(summary, dir));
    let mut files = failures;
    files.push((PathBuf::from(PAGE), page(summary, &texts).into_bytes()));
    files.push((PathBuf::from(SUMMARY), (summary.to_json() + "\n").into_bytes()));
    put(dir, files).map(drop)
}

/// Writes a summary and its page into `dir` again; the scenarios that lie there stay.
pub(crate) fn write_again(summary: &Summary, dir: &Path) -> Result<(), Error> {
    let checksums = Checksums::read(dir)?.unwrap_or_default();
    let failures = checksums.paths().filter(|path| path.starts_with(FAILURES));
    let there = |path: &str| Some((PathBuf::from(path), fs::read(dir.join(path)).ok()?));
    write(summary, failures.filter_map(there).collect(), dir)
}

/// The page of a summary, beside which scenarios with these texts lie by their paths.
pub fn page(summary: &Summary, texts: &BTreeMap<String, String>) -> String {
    page::page(summary, texts)
}

/// The page, in the folder of a summary.
const PAGE: &str = "report.html";

/// What became of the scenarios of the findings when they were made small, as far as they were, in `dir`.
fn made_small(summary: &Summary, dir: &Path) -> Vec<(String, String)> {
    let files = summary.findings.iter().map(|finding| small_file(Path::new(&finding.file)));
    let texts = files.filter_map(|file| {
        let text = fs::read_to_string(dir.join(&file)).ok()?;
        Some((file.to_string_lossy().into_owned(), text))
    });
    texts.collect()
}

/// Where a scenario goes that is made small, unless something else is asked for: beside itself.
pub fn small_file(file: &Path) -> PathBuf {
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    file.with_file_name(format!("{stem}-small.toml"))
}

/// Where the scenario of a seed goes, relative to the folder.
pub fn failure_file(seed: u64) -> String {
    format!("{FAILURES}{seed}.toml")
}

/// Every rule that was broken, over all seeds.
fn findings(seen: &[Seen]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for of in seen {
        for broken in &of.broken {
            let known =
                findings.iter_mut().find(|known| known.rule == broken.rule && known.kind == broken.kind);
            let Some(known) = known else {
                findings.push(Finding {
                    rule: broken.rule.clone(),
                    kind: broken.kind,
                    architectures: vec![broken.architecture.clone()],
                    seeds: 1,
                    first: vec![of.seed],
                    text: broken.text.clone(),
                    faults: of.faults.iter().map(|fault| fault.text.clone()).collect(),
                    file: failure_file(of.seed),
                });
                continue;
            };
            if !known.architectures.contains(&broken.architecture) {
                known.architectures.push(broken.architecture.clone());
            }
            if known.first.last() != Some(&of.seed) && known.first.len() < FIRST {
                known.first.push(of.seed);
            }
            known.seeds = count(seen, &broken.rule);
        }
    }
    findings.sort_by_key(|finding| finding.kind);
    findings
}

/// Under how many seeds `rule` was broken.
fn count(seen: &[Seen], rule: &str) -> u64 {
    seen.iter().filter(|of| of.broken.iter().any(|broken| broken.rule == rule)).count() as u64
}
