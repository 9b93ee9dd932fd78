//! The launchers run for real: shards by GNU parallel, by a Slurm cluster of one node, and by the commands of the
//! Kubernetes jobs give the bytes that one machine gives.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_yaml_ng::Value;

use crate::seeds::QUICK;
use crate::{Folder, code, hoplab, programs, repository, stderr};

/// A folder with a scenario in it, and the summary that one machine gives.
fn whole(name: &str) -> (Folder, Vec<u8>) {
    let folder = Folder::new(name);
    folder.write("quick.toml", QUICK);
    let output = hoplab(&folder, &["run", "quick.toml", "--seeds", "5", "--out", "whole"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let summary = fs::read(folder.path("whole/summary.json")).unwrap();
    (folder, summary)
}

fn launcher(name: &str) -> PathBuf {
    repository().join("launchers").join(name)
}

/// Runs a program in `folder` that finds this build of hoplab by `HOPLAB`.
fn run(folder: &Folder, program: &PathBuf, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&folder.0).env("HOPLAB", env!("CARGO_BIN_EXE_hoplab"));
    command.env("SBATCH_WAIT", "1").output().unwrap()
}

#[test]
fn gnu_parallel_gives_what_one_machine_gives() {
    if !programs::are_there("launchers::gnu_parallel", &["parallel"]) {
        return;
    }
    let (folder, whole) = whole("parallel");
    let study = ["2", "joined", "run", "quick.toml", "--seeds", "5"];
    let output = run(&folder, &launcher("parallel.sh"), &study);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read(folder.path("joined/summary.json")).unwrap(), whole);

    let output =
        run(&folder, &launcher("parallel.sh"), &["2", "joined", "run", "nothing.toml", "--seeds", "5"]);
    assert_ne!(code(&output), 0);
    assert!(stderr(&output).contains("there is no file \"nothing.toml\""), "{}", stderr(&output));
    assert_eq!(code(&run(&folder, &launcher("parallel.sh"), &["2"])), 2);
}

#[test]
fn slurm_gives_what_one_machine_gives() {
    if !programs::are_there("launchers::slurm", &["slurmctld", "slurmd", "sbatch", "munged"]) {
        return;
    }
    let (folder, whole) = whole("slurm");
    let cluster = repository().join("cli/tests/it/slurm.sh");
    let (place, script) = (folder.path("cluster"), launcher("slurm.sh"));
    let (place, script) = (place.to_str().unwrap(), script.to_str().unwrap());
    let out = folder.path("joined");
    let study = ["2", out.to_str().unwrap(), "run", "quick.toml", "--seeds", "5"];
    let output = run(&folder, &cluster, &[&[place, script], &study[..]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read(folder.path("joined/summary.json")).unwrap(), whole);

    // A scenario that is not there: the shards fail, and so does what joins them.
    let study = ["2", out.to_str().unwrap(), "run", "nothing.toml", "--seeds", "5"];
    fs::remove_dir_all(&out).unwrap();
    let output = run(&folder, &cluster, &[&[place, script], &study[..]].concat());
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}

#[test]
fn the_kubernetes_jobs_give_what_one_machine_gives() {
    let (folder, whole) = whole("kubernetes");
    let text = fs::read_to_string(launcher("kubernetes.yaml")).unwrap();
    let jobs: Vec<Value> =
        text.split("\n---\n").map(|document| serde_yaml_ng::from_str(document).unwrap()).collect();
    let [shards, merge] = &jobs[..] else { panic!("two jobs belong there") };
    assert_eq!((&shards["kind"], &merge["spec"]["suspend"]), (&"Job".into(), &true.into()));
    assert_eq!(shards["spec"]["completionMode"], Value::from("Indexed"));
    let shard_count = shards["spec"]["completions"].as_u64().unwrap();
    let named = container(shards)["env"].as_sequence().unwrap().iter();
    let said = named.clone().find(|variable| variable["name"] == "SHARDS").unwrap();
    assert_eq!(said["value"].as_str().unwrap(), shard_count.to_string(), "completions and SHARDS agree");
    for index in 0..2 {
        start(&folder, shards, &[("JOB_COMPLETION_INDEX", &index.to_string())]);
    }
    start(&folder, merge, &[]);
    assert_eq!(fs::read(folder.path("joined/summary.json")).unwrap(), whole);
}

fn container(job: &Value) -> &Value {
    &job["spec"]["template"]["spec"]["containers"][0]
}

/// Runs what a job's container runs, on a smaller study.
fn start(folder: &Folder, job: &Value, variables: &[(&str, &str)]) {
    let words = [&container(job)["command"], &container(job)["args"]];
    let words = words.into_iter().flat_map(|list| list.as_sequence().unwrap());
    let words: Vec<&str> = words.map(|word| word.as_str().unwrap()).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(&folder.0).env("HOPLAB", env!("CARGO_BIN_EXE_hoplab"));
    command.envs([("SCENARIO", "quick.toml"), ("SEEDS", "5"), ("SHARDS", "2"), ("OUT", "joined")]);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}
