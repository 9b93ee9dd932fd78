//! Every scenario in `scenarios/` is a test: it can be read, its faults bite, its expectations hold,
//! and a second run on a machine that is held up at random is the same to the last bit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::{self, Overrides};

use crate::repository;

#[test]
fn every_scenario_holds_and_repeats() {
    let files = files(&repository().join("scenarios"));
    assert!(files.len() >= 2, "scenarios are missing");
    for file in files {
        holds_and_repeats(&file);
    }
}

fn holds_and_repeats(file: &Path) {
    let plan = scenario::load(file, &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(plan.warnings.is_empty(), "{}", plan.warnings);
    let plan = Arc::new(plan);
    let record = run::run(&plan, &Progress::new(&plan));
    assert_eq!(record.untouched_faults(), Vec::<&str>::new(), "{}", file.display());
    for (name, seen) in &record.architectures {
        for expectation in &seen.expectations {
            let (text, seen) = (&expectation.text, &expectation.seen_text);
            assert!(expectation.holds, "{} under {name}: {text}; seen: {seen}", file.display());
        }
    }
    let stalls = AtomicU64::new(0);
    let again = run::run_disturbed(&plan, &Progress::new(&plan), || stall(&stalls));
    assert!(again == record, "{} does not repeat when the machine is held up", file.display());
}

/// Holds the thread up for up to 3 ms, one time in a hundred, so that anything that reads the real
/// clock sees another one.
fn stall(count: &AtomicU64) {
    let draw = count.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if draw.is_multiple_of(100) {
        std::thread::sleep(Duration::from_micros(draw % 3_000));
    }
}

/// The scenario files below `folder`, in order; applications are no scenarios.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "apps") {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    files
}
