//! Exploration finds what was planted, whoever runs it in whatever pieces, and shrinking leaves a small scenario
//! that fails the same way.

use std::fs;

use crate::{Folder, code, hoplab, repository, stderr, stdout};

/// A planted bug: where it stands, which invariant it breaks, and under which architecture.
struct Bug {
    name: &'static str,
    invariant: &'static str,
    architecture: &'static str,
}

#[test]
fn a_retry_that_charges_twice_is_found_and_made_small() {
    found_and_made_small(&Bug { name: "double-charge", invariant: "once-only", architecture: "mesh" });
}

#[test]
fn a_breaker_that_never_closes_is_found_and_made_small() {
    found_and_made_small(&Bug {
        name: "stuck-breaker",
        invariant: "breakers-close",
        architecture: "gateway",
    });
}

fn found_and_made_small(bug: &Bug) {
    let folder = planted(bug.name);
    let explored = hoplab(&folder, &["explore", "planted.toml", "--seeds", "12", "--out", "out"]);
    assert_eq!(code(&explored), 1, "{}{}", stdout(&explored), stderr(&explored));
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path("out/summary.json")).unwrap()).unwrap();
    let findings = summary["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["rule"] == bug.invariant).unwrap();
    assert!(
        finding["architectures"].as_array().unwrap().iter().all(|name| name == bug.architecture),
        "{finding}"
    );
    let failing = format!("out/{}", finding["file"].as_str().unwrap());
    fails_by(&folder, &failing, bug);

    let shrunk = hoplab(&folder, &["shrink", &failing, "--expect", bug.invariant, "--out", "small.toml"]);
    assert_eq!(code(&shrunk), 0, "{}", stderr(&shrunk));
    let small = fs::read_to_string(folder.path("small.toml")).unwrap();
    assert!(small.matches("[[faults]]").count() <= 2, "{small}");
    assert!(small.len() < fs::read_to_string(folder.path(&failing)).unwrap().len(), "{small}");
    fails_by(&folder, "small.toml", bug);
    let again = hoplab(&folder, &["shrink", &failing, "--expect", bug.invariant, "--out", "again.toml"]);
    assert_eq!(code(&again), 0);
    assert_eq!(fs::read_to_string(folder.path("again.toml")).unwrap(), small, "shrinking repeats");
}

/// Running `file` fails by the expectation on the bug's invariant.
fn fails_by(folder: &Folder, file: &str, bug: &Bug) {
    let run = hoplab(folder, &["run", file, "--out", "run"]);
    assert_eq!(code(&run), 1, "{}", stderr(&run));
    let unmet = format!("unmet under {}: violations of {} ≤ 0", bug.architecture, bug.invariant);
    assert!(stderr(&run).contains(&unmet), "{}", stderr(&run));
}

#[test]
fn threads_shards_and_interruptions_change_nothing() {
    let folder = planted("double-charge");
    let explore = |more: &[&str]| {
        let all = [&["explore", "planted.toml", "--seeds", "12"], more].concat();
        hoplab(&folder, &all)
    };
    let whole = explore(&["--threads", "1", "--out", "one"]);
    assert_eq!(code(&whole), 1, "{}", stderr(&whole));
    explore(&["--threads", "3", "--out", "three"]);
    assert_eq!(code(&explore(&["--shard", "1/2", "--out", "a"])), 0);
    assert_eq!(code(&explore(&["--shard", "2/2", "--out", "b"])), 0);
    assert_eq!(code(&hoplab(&folder, &["merge", "a", "b", "--out", "merged"])), 1);
    fs::remove_file(folder.path("three/record/parts/seed-3.json")).unwrap();
    let resumed = explore(&["--out", "three"]);
    assert!(stderr(&resumed).contains("11 seeds in three already"), "{}", stderr(&resumed));
    let summary = |dir: &str| fs::read_to_string(folder.path(dir).join("summary.json")).unwrap();
    for other in ["three", "merged"] {
        assert_eq!(summary("one"), summary(other), "{other}");
    }
    assert_eq!(stdout(&whole).replace("one/report.html", "three/report.html"), stdout(&resumed));
}

#[test]
fn a_good_scenario_stays_clean_and_there_is_nothing_to_shrink() {
    let folder = Folder::new("explore-clean");
    let file = repository().join("scenarios/exploration/checkout-once.toml");
    let file = file.to_str().unwrap();
    let explored =
        hoplab(&folder, &["explore", file, "--seeds", "3", "--arch", "gateway+mesh", "--out", "out"]);
    assert_eq!(code(&explored), 0, "{}{}", stdout(&explored), stderr(&explored));
    assert!(stdout(&explored).contains("nothing was broken"));
    assert!(!folder.path("out/failures").exists());
    let shrunk = hoplab(&folder, &["shrink", file, "--out", "small.toml"]);
    assert_eq!(code(&shrunk), 2);
    assert!(stderr(&shrunk).contains("nothing to shrink"), "{}", stderr(&shrunk));
    assert!(!folder.path("small.toml").exists());
}

/// A folder with a planted bug in `planted.toml`.
fn planted(name: &str) -> Folder {
    // Two tests may use the same bug.
    let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
    let folder = Folder::new(&format!("{name}-{test}"));
    let text =
        fs::read_to_string(repository().join("cli/tests/it/planted").join(format!("{name}.toml"))).unwrap();
    folder.write("planted.toml", &text);
    folder
}
