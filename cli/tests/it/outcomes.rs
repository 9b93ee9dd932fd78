//! What cannot be judged is neither held nor failed: exit code 3, and what it would take, whatever the command.

use std::fs;

use serde_json::Value;

use crate::{Folder, code, hoplab, stderr, stdout};

/// A service that carries 250 requests a second, asked for 2 s: a 99th percentile takes 381 requests.
const SHORT: &str = r#"[scenario]
title = "Short"
duration = "2s"
[compare]
architectures = ["direct"]
[services.shop.endpoints.buy]
steps = [{ work = "4ms" }]
[load.people]
rate = "50 rps"
arrivals = "uniform"
mix = { "shop.buy" = 1 }
[search]
key = "load.people.rate"
from = "50 rps"
to = "600 rps"
steps = 12
[[expect]]
metric = "p99"
max = "20ms"
"#;

const TAKES: &str = "it takes 381 requests that are served well, there are 100 (--scale 4 or --seeds 4)";

fn short(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("short.toml", SHORT);
    folder
}

#[test]
fn a_run_that_is_too_short_says_what_it_takes_and_that_is_true() {
    let folder = short("outcome-run");
    let run =
        |arguments: &[&str]| hoplab(&folder, &[&["run", "short.toml", "--out", "out"], arguments].concat());
    let output = run(&[]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot be judged under direct: p99 ≤ 20ms"), "{}", stderr(&output));
    assert!(stderr(&output).contains(TAKES), "{}", stderr(&output));
    assert!(stdout(&output).contains("Expectations: 0 of 1 hold, 1 cannot be judged"), "{}", stdout(&output));
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(folder.path("out/summary.json")).unwrap()).unwrap();
    let expectation = &summary["architectures"]["direct"]["expectations"][0];
    assert_eq!(expectation["outcome"], "cannot be judged");
    assert_eq!((&expectation["holds"], &expectation["takes"]), (&Value::Bool(false), &Value::from(TAKES)));

    let output = run(&["--scale", "4"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let output = run(&["--seeds", "4"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stdout(&output).contains("(holds in 0 of 4 seeds, 4 cannot be judged alone)"),
        "{}",
        stdout(&output)
    );
    let output = run(&["--seeds", "2"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("there are 200 (--scale 2 or --seeds 4)"), "{}", stderr(&output));
}

#[test]
fn what_fails_decides_over_what_cannot_be_judged() {
    let folder = short("outcome-fails");
    folder.write("short.toml", &format!("{SHORT}[[expect]]\nmetric = \"mean\"\nmax = \"1ms\"\n"));
    let output = hoplab(&folder, &["run", "short.toml", "--out", "out"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot be judged under direct: p99"), "{}", stderr(&output));
    assert!(stderr(&output).contains("unmet under direct: mean ≤ 1ms"), "{}", stderr(&output));
}

#[test]
fn a_search_is_not_stopped_by_what_is_too_little_to_judge() {
    let folder = short("outcome-search");
    let output = hoplab(&folder, &["sweep", "short.toml", "--json", "--out", "out"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let found = &summary["search"]["found"][0];
    assert_eq!((&found["highest"], &found["fails_from"]), (&Value::from("250 rps"), &Value::from("300 rps")));
    assert_eq!(found["tries"][0]["outcome"], "cannot be judged");
    assert_eq!(found["outcome"], "holds");

    // Where nothing that can be judged holds, nobody knows.
    folder.write(
        "short.toml",
        &SHORT.replace("600 rps", "160 rps").replace("steps = 12", "steps = 12\nat_least = \"150 rps\""),
    );
    let output = hoplab(&folder, &["sweep", "short.toml", "--out", "out"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stdout(&output).contains("cannot be judged up to 160 rps"), "{}", stdout(&output));
    assert!(
        stderr(&output)
            .contains("cannot be judged under direct: the highest value that is known to hold is none")
    );
}

#[test]
fn there_is_nothing_to_shrink_in_what_cannot_be_judged() {
    let folder = short("outcome-shrink");
    let output = hoplab(&folder, &["shrink", "short.toml"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains(TAKES), "{}", stderr(&output));
    assert!(!folder.path("short-small.toml").exists());
}

#[test]
fn the_gate_counts_it_as_neither() {
    let folder = short("outcome-gate");
    let gate = |more: &[&str]| {
        hoplab(&folder, &[&["gate", "short.toml", "--baseline", "short.baseline"], more].concat())
    };
    assert_eq!(code(&gate(&["--update"])), 3);
    let output = gate(&["--junit", "short.xml"]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert!(stdout(&output).contains("an expectation cannot be judged"), "{}", stdout(&output));
    let junit = fs::read_to_string(folder.path("short.xml")).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains("<skipped message=\"p99"), "{junit}");
}
