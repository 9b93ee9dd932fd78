//! Every scenario in `scenarios/` is a test: the command runs it without a word on standard error, its faults bite,
//! its expectations hold, and a second run on a machine that is held up at random is the same to the last bit.
//!
//! That no other seed says anything either takes too long to be a test:
//!
//! ```sh
//! for seed in 1 2 3 4 5; do for file in scenarios/*.toml scenarios/[ce-oq-z]*/{,published/}*.toml; do
//!     hoplab run "$file" --seed $seed --out /tmp/seeds 2>&1 >/dev/null | sed "s|^|$file: |"
//! done; done
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::{self, Overrides};

use crate::{Folder, code, hoplab, repository, stderr};

/// The scenarios that show what is warned of.
const WARNED: [&str; 1] = ["double-retries"];

#[test]
fn every_scenario_holds_and_repeats() {
    let files = files(&repository().join("scenarios"));
    assert!(files.len() >= 2, "scenarios are missing");
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = mistakes(file).into_iter().map(|what| format!("{}: {what}", file.display()));
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All that a scenario does not keep of what it promises.
fn mistakes(file: &Path) -> Vec<String> {
    let plan = match scenario::load(file, &Overrides::default()) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => return vec![problems.to_string()],
    };
    let mut wrong = Vec::new();
    let is_warned_of = WARNED.contains(&plan.name.as_str());
    if plan.warnings.is_empty() == is_warned_of {
        wrong.push(plan.warnings.to_string());
    }
    // What is compared with what the second run leaves is what the command wrote.
    let folder = Folder::new(&format!("scenario-{}", plan.name));
    let output = hoplab(&folder, &["run", &file.display().to_string(), "--out", "out"]);
    let errors = stderr(&output);
    // How long it will take is told where a machine takes long.
    let is_progress = |line: &str| line.starts_with("about ") && line.ends_with(" are simulated");
    if code(&output) != 0 || (!is_warned_of && !errors.lines().all(is_progress)) {
        wrong.push(format!("exit code {}, on standard error: {errors}", code(&output)));
    }
    let record = match hoplab_reports::read(&folder.path("out")) {
        Ok(record) => record,
        Err(error) => return [wrong, vec![error.to_string()]].concat(),
    };
    wrong.extend(record.untouched_faults().iter().map(ToString::to_string));
    for (name, seen) in &record.architectures {
        let unmet = seen.expectations.iter().filter(|expectation| !expectation.holds);
        wrong.extend(unmet.map(|unmet| format!("under {name}: {}; seen: {}", unmet.text, unmet.said())));
    }
    let stalls = AtomicU64::new(0);
    if run::run_disturbed(&plan, &Progress::new(&plan), || stall(&stalls)) != record {
        wrong.push("does not repeat when the machine is held up".to_owned());
    }
    wrong
}

/// Holds the thread up for up to 3 ms, one time in a hundred, so that anything that reads the real
/// clock sees another one.
fn stall(count: &AtomicU64) {
    let draw = count.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if draw.is_multiple_of(100) {
        std::thread::sleep(Duration::from_micros(draw % 3_000));
    }
}

/// The scenario files below `folder`, in order; applications and profiles are no scenarios.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "apps" && name != "profiles") {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    files
}
