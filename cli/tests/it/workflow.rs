//! The workflow and the hooks that are there to be copied: well-formed, and what they run, runs here.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_yaml_ng::Value;

use crate::{Folder, code, hoplab, repository, stderr, stdout};

const SMALL: &str = r#"[scenario]
title = "Small"
duration = "1s"
seed = 1

[compare]
architectures = ["direct"]

[services.shop.endpoints.buy]
steps = [{ work = "1ms" }]

[load.people]
rate = "50 rps"
mix = { "shop.buy" = 1 }
"#;

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&fs::read_to_string(repository().join(path)).unwrap()).unwrap()
}

/// A folder that looks like a repository in which `cargo build --release` has run.
fn built(name: &str) -> Folder {
    let folder = Folder::new(name);
    fs::create_dir_all(folder.path("scenarios/baselines")).unwrap();
    fs::create_dir_all(folder.path("target/release")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hoplab"), folder.path("target/release/hoplab")).unwrap();
    folder.write("scenarios/small.toml", SMALL);
    let baseline = "scenarios/baselines/small.baseline";
    let made = hoplab(&folder, &["gate", "scenarios/small.toml", "--baseline", baseline, "--update"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    folder
}

/// Runs a step as GitHub does.
fn step(folder: &Folder, script: &str) -> Output {
    Command::new("bash")
        .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script])
        .envs([("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "summary.md")])
        .current_dir(&folder.0)
        .output()
        .unwrap()
}

#[test]
fn the_steps_of_the_workflow_run() {
    let workflow = yaml(".github/workflows/hoplab.yml");
    let steps = workflow["jobs"]["gate"]["steps"].as_sequence().unwrap();
    let scripts: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let (build, others) = scripts.split_first().unwrap();
    assert_eq!(*build, "cargo build --release --locked");
    let folder = built("workflow");
    for script in others {
        let end = step(&folder, script);
        assert_eq!(code(&end), 0, "{script}: {}{}", stdout(&end), stderr(&end));
    }
    for left in ["target/gate/small.xml", "target/gate/small/report.html", "summary.md"] {
        assert!(folder.path(left).exists(), "{left}");
    }
    // What is worse fails the step, at the line of the baseline.
    folder.write("scenarios/small.toml", &SMALL.replace("\"1ms\"", "\"2ms\""));
    let end = step(&folder, others.last().unwrap());
    assert_eq!(code(&end), 1, "{}", stdout(&end));
    let place = "::error file=scenarios/baselines/small.baseline,line=";
    assert!(stdout(&end).contains(place), "{}", stdout(&end));
}

#[test]
fn the_hooks_run() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let folder = built("hooks");
    let arguments = [
        &["scenarios/small.toml"][..],
        &["scenarios/small.toml", "--baseline", "scenarios/baselines/small.baseline"],
    ];
    let hooks = hooks.as_sequence().unwrap();
    assert_eq!(hooks.len(), arguments.len());
    for (hook, arguments) in hooks.iter().zip(arguments) {
        let words: Vec<&str> = hook["entry"].as_str().unwrap().split(' ').collect();
        assert_eq!(words[0], "hoplab");
        let end = hoplab(&folder, &[&words[1..], arguments].concat());
        assert_eq!(code(&end), 0, "{hook:?}: {}", stderr(&end));
    }
}

/// Each baseline has its scenario, which the workflow finds by its name.
#[test]
fn baselines_lie_beside_their_scenarios() {
    let folder = repository().join("scenarios/baselines");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = Path::new(path.file_stem().unwrap()).with_extension("toml");
        assert!(repository().join("scenarios").join(name).exists(), "{}", path.display());
    }
}
