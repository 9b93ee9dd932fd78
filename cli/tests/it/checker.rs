//! A second implementation, as a test: runs of several kinds are rebuilt from their traces, request by request and
//! span by span, and every file that they leave is held against that. Shares no code with `reports`, nor with what
//! adds up in `sim`: it reads what is written as a stranger would, and adds up with lists and loops.
//!
//! Every figure is looked at twice: it must be what the traces say, and the least that can be wrong with it (one
//! request, one microsecond, one attempt, one in the last digit) must be noticed.
//!
//! | file | owns |
//! |---|---|
//! | `traces` | the requests of a run, every one whole, and how the run is cut |
//! | `account` | whose a request's time was |
//! | `sums`, `pairs` | what the words mean: ok, refused, attempt, retry, saved, … |
//! | `rebuilt` | all sums of a run |
//! | `figure` | how exact what is written must be |
//! | `sheet` | what a file must say, by its place there |
//! | `record`, `summary`, `csv` | what of it stands in which file |

mod account;
mod csv;
mod figure;
mod pairs;
mod rebuilt;
mod record;
mod sheet;
mod summary;
mod sums;
mod traces;

use std::fs;

use serde_json::{Value, json};

use crate::{Folder, code, hoplab, repository, stderr};
use rebuilt::Rebuilt;
use sheet::Sheet;
use traces::Traces;

/// A run that left its files in a folder, and what they must say.
struct Run {
    folder: Folder,
    rebuilt: Rebuilt,
}

impl Run {
    /// Of the scenario in `text`, for the test called `name`.
    fn of(name: &str, text: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new(&format!("checker-{name}"));
        fs::create_dir_all(folder.path("apps")).unwrap();
        let app = "apps/online-boutique.toml";
        fs::copy(repository().join("scenarios").join(app), folder.path(app)).unwrap();
        folder.write("it.toml", text);
        let run = hoplab(&folder, &[&["run", "it.toml", "--out", "out"], arguments].concat());
        // What is expected of a scenario is not expected of a short one.
        assert!([0, 1, 3].contains(&code(&run)), "{}", stderr(&run));
        let record = json(&folder, "out/record/record.json");
        Self { folder, rebuilt: Rebuilt::of(Traces::of(&record)) }
    }

    /// Everything that is written otherwise than the traces say, and what is written and they do not say.
    fn differences(&self) -> Vec<String> {
        let record = self.json("record/record.json");
        let figures = json!({ "architectures": record["architectures"], "paired": record["paired"] });
        let mut differences = Vec::new();
        let mut compare = |file: &str, sheet: &Sheet, written: &Value, besides: &[&str]| {
            let found = sheet.differences(written).into_iter().chain(sheet.unsaid(written, besides));
            differences.extend(found.map(|difference| format!("{file}: {difference}")));
        };
        compare("record.json", &record::sheet(&self.rebuilt, &record), &figures, &record::BESIDES);
        let summary = self.json("summary.json");
        let figures = json!({ "architectures": summary["architectures"] });
        compare("summary.json", &summary::sheet(&self.rebuilt, &summary), &figures, &summary::BESIDES);
        for (name, keys, sheet) in csv::files(&self.rebuilt) {
            let table = csv::read(&self.folder.path(&format!("out/record/{name}")), keys);
            compare(name, &sheet, &table, &["p50_low_us", "p50_high_us"]);
        }
        differences
    }

    fn json(&self, name: &str) -> Value {
        json(&self.folder, &format!("out/{name}"))
    }
}

fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.path(name)).unwrap()).unwrap()
}

/// A scenario of the repository, five times as quick: what is said in whole seconds is a fifth as long.
fn quick(name: &str) -> String {
    let text = fs::read_to_string(repository().join("scenarios").join(name)).unwrap();
    let line = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let is_time = ["duration", "warmup", "at", "for"].contains(&key.trim());
        let seconds: u64 = value.trim().strip_prefix('"')?.strip_suffix("s\"")?.parse().ok()?;
        is_time.then(|| format!("{key}= \"{}ms\"", seconds * 200))
    };
    text.lines().map(|old| line(old).unwrap_or_else(|| old.to_owned()) + "\n").collect()
}

fn check(name: &str, text: &str, arguments: &[&str]) {
    let differences = Run::of(name, text, arguments).differences();
    let first: Vec<&String> = differences.iter().take(20).collect();
    assert!(differences.is_empty(), "{} differences, the first of them: {first:#?}", differences.len());
}

#[test]
fn checkout_is_what_its_traces_say() {
    check("checkout", &quick("checkout.toml"), &[]);
}

#[test]
fn retry_budgets_are_what_their_traces_say() {
    check("retry-budgets", &quick("resilience/retry-budgets.toml"), &[]);
}

#[test]
fn shedding_by_priority_is_what_its_traces_say() {
    check("shedding", &quick("resilience/shedding-by-priority.toml"), &[]);
}
