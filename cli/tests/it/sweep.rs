//! Sweeps and searches: the same bytes whatever the threads, the shards and the interruptions, and how they exit.

use std::fs;

use serde_json::Value;

use crate::{Folder, code, hoplab, repository, stderr, stdout};

/// A queue that is full at 250 requests a second, a second long.
pub(crate) const QUEUE: &str = r#"# How much does a queue carry?
[scenario]
title = "Queue"
duration = "1s"
warmup = "100ms"
seed = 3

[compare]
architectures = ["direct", "gateway"]

[services.shop]
endpoints.buy = { method = "GET", steps = [{ work = "exp(4ms)" }] }

[load.people]
rate = "100 rps"
mix = { "shop.buy" = 1 }

[sweep]
"load.people.rate" = ["50 rps", "150 rps", "400 rps"]
"services.shop.cores" = [1, 2]

[search]
key = "load.people.rate"
from = "50 rps"
to = "550 rps"
steps = 6

[[expect]]
metric = "mean"
max = "15ms"
"#;

/// The files that a sweep leaves, by their contents.
fn files(folder: &Folder, dir: &str) -> Vec<Vec<u8>> {
    let names =
        ["summary.json", "record/sweep.json", "report.html", "record/search.csv", "plots/curves-rate.svg"];
    names.map(|name| fs::read(folder.path(dir).join(name)).unwrap()).to_vec()
}

fn sweep(folder: &Folder, arguments: &[&str]) -> String {
    let output = hoplab(folder, &[&["sweep", "queue.toml", "--seeds", "2"], arguments].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn threads_shards_and_interruptions_change_not_one_byte() {
    let folder = Folder::new("sweep");
    folder.write("queue.toml", QUEUE);
    sweep(&folder, &["--threads", "1", "--out", "one"]);
    let whole = files(&folder, "one");

    sweep(&folder, &["--threads", "2", "--out", "two"]);
    assert_eq!(files(&folder, "two"), whole);

    for shard in ["1/2", "2/2"] {
        sweep(&folder, &["--shard", shard, "--out", &format!("shard-{}", &shard[..1])]);
    }
    let output = hoplab(&folder, &["merge", "shard-1", "--out", "joined"]);
    assert_eq!(code(&output), 2, "half of it is missing: {}", stderr(&output));
    let output = hoplab(&folder, &["merge", "shard-1", "shard-2", "--out", "joined"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(files(&folder, "joined"), whole);

    // As if it had been killed: a part was not finished, and those of the second shard are not there.
    let part = fs::read_dir(folder.path("shard-1/record/parts")).unwrap().next().unwrap().unwrap().path();
    fs::rename(&part, part.with_extension("json.partial")).unwrap();
    sweep(&folder, &["--out", "shard-1"]);
    assert_eq!(files(&folder, "shard-1"), whole);
}

#[test]
fn a_key_that_is_searched_along_is_searched_once_for_all_its_values() {
    let folder = Folder::new("sweep-once");
    folder.write("queue.toml", QUEUE);
    let output = hoplab(&folder, &["sweep", "queue.toml", "--json", "--out", "out"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(summary["points"].as_array().unwrap().len(), 6);
    let found = summary["search"]["found"].as_array().unwrap();
    assert_eq!(found.len(), 4, "two numbers of cores, two architectures");
    assert_eq!(found[1]["places"], serde_json::json!([null, 1]));
    for found in found {
        let highest = found["number"].as_f64().unwrap();
        for tried in found["tries"].as_array().unwrap() {
            assert_eq!(tried["holds"].as_bool().unwrap(), tried["number"].as_f64().unwrap() <= highest);
        }
    }
    let two_cores = |architecture: usize| found[architecture * 2 + 1]["number"].as_f64().unwrap();
    assert!(two_cores(0) > found[0]["number"].as_f64().unwrap(), "two cores carry more than one");
}

/// A fault that hurts in the middle of the load, and hardly at its ends.
const HURTS_BETWEEN: &str = r#"[scenario]
title = "When does it hurt?"
duration = "4s"
warmup = "1s"

[compare]
architectures = ["direct"]

[services.shop]
endpoints.buy = { method = "GET", steps = [{ sleep = "1ms" }] }

[load.people]
rate = [{ at = "0s", rate = "1000 rps" }, { at = "2999ms", rate = "1000 rps" }, { at = "3s", rate = "0 rps" }]
mix = { "shop.buy" = 1 }

[[faults]]
name = "gone"
at = "1s"
for = "400ms"
error = { service = "shop", share = "100%" }

[sweep]
"faults.gone.at" = ["1500ms", "2s"]

[search]
key = "faults.gone.at"
from = "100ms"
to = "2900ms"
steps = 29

[[expect]]
metric = "error_rate"
max = "12%"
"#;

#[test]
fn where_the_grid_contradicts_a_search_it_goes_on_between() {
    let folder = Folder::new("sweep-between");
    folder.write("hurts.toml", HURTS_BETWEEN);
    let output = hoplab(&folder, &["sweep", "hurts.toml", "--json", "--out", "out"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let found = &summary["search"]["found"][0];
    let values = |of: &Value| of.as_array().unwrap().iter().map(|of| of["value"].clone()).collect::<Vec<_>>();
    assert_eq!(values(&found["tries"])[..2], ["100ms", "2900ms"], "both ends hold");
    assert!(found["tries"].as_array().unwrap().len() > 4, "{found}");
    // 400 ms of 2 s are 20 %: 12 % are reached when 240 ms of them lie behind the warm-up.
    assert_eq!((&found["highest"], &found["fails_from"]), (&"800ms".into(), &"900ms".into()), "{found}");
    assert_eq!(found["holds_again"], serde_json::json!(["2900ms"]));

    // What is there already is not tried again.
    let again = hoplab(&folder, &["sweep", "hurts.toml", "--json", "--out", "out"]);
    assert_eq!(stdout(&again), stdout(&output));
    assert!(!stderr(&again).contains("the grid knows better"), "{}", stderr(&again));
}

#[test]
fn a_limit_that_is_too_low_is_told() {
    let folder = Folder::new("sweep-unmet");
    folder.write("queue.toml", &QUEUE.replace("steps = 6", "steps = 6\nat_least = \"550 rps\""));
    let output = hoplab(&folder, &["sweep", "queue.toml", "--out", "out"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("unmet under direct: the highest value that holds is"),
        "{}",
        stderr(&output)
    );
    let page = fs::read_to_string(folder.path("out/report.html")).unwrap();
    assert!(page.contains("limits below 550 rps"), "the page says so, too");
}

#[test]
fn mistakes_are_told() {
    let folder = Folder::new("sweep-mistakes");
    let said = |text: &str| {
        folder.write("queue.toml", text);
        let output = hoplab(&folder, &["sweep", "queue.toml", "--out", "out"]);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        stderr(&output)
    };
    let unknown = said(&QUEUE.replace("services.shop.cores", "services.shop.coers"));
    assert!(unknown.contains("coers") && unknown.contains("did you mean \"cores\"?"), "{unknown}");
    let nothing = QUEUE.split("[sweep]").next().unwrap();
    assert!(said(nothing).contains("nothing to sweep"));
    let unexpected = QUEUE.split("[[expect]]").next().unwrap();
    assert!(said(unexpected).contains("a [search] without an [[expect]] to meet"));
}

#[test]
fn the_sweeps_of_the_repository_have_scenarios_at_all_their_points() {
    let folder = Folder::new("sweep-small");
    for name in ["knee", "metastable-boundary", "services"] {
        let file = repository().join(format!("scenarios/sweeps/{name}.toml"));
        let file = file.to_str().unwrap();
        let output = hoplab(&folder, &["sweep", file, "--shard", "1/1000", "--out", name]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
}
