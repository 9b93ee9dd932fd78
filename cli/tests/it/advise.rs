//! Advice as its readers meet it: what it says of a scenario whose answer is known, that each figure can be seen again by the
//! command it names, and that it is the same whoever runs it in whatever pieces.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::{Folder, code, hoplab, repository, stderr, stdout};

/// A folder with the scenario of three services in a row.
fn three(test: &str) -> Folder {
    let folder = Folder::new(test);
    let text = fs::read_to_string(repository().join("cli/tests/it/advice/three.toml")).unwrap();
    folder.write("three.toml", &text);
    folder
}

fn summary(folder: &Folder, dir: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.path(dir).join("summary.json")).unwrap()).unwrap()
}

#[test]
fn three_in_a_row_are_best_served_as_arithmetic_says() {
    let folder = three("advise-three");
    let advised = hoplab(&folder, &["advise", "three.toml", "--out", "out"]);
    assert_eq!(code(&advised), 0, "{}", stderr(&advised));
    // Half of the attempts meet the pod that is down: who asks again at the other loses none, who does not loses half.
    let advice = summary(&folder, "out");
    let trial = |name: &str| {
        let trials = advice["trials"].as_array().unwrap();
        trials.iter().find(|trial| trial["name"] == name).unwrap().clone()
    };
    let lost = |name: &str, architecture: &str| trial(name)["seen"][architecture]["lost"].as_f64().unwrap();
    for (name, direct, gateway, mesh) in [
        ("crash-at-cart", 0.5, 0.5, 0.0),
        ("crash-at-front", 0.5, 0.0, 0.5),
        ("crash-at-gateway", 0.0, 1.0, 0.0),
    ] {
        let seen = ["direct", "gateway", "mesh"].map(|architecture| lost(name, architecture));
        for (seen, known) in seen.into_iter().zip([direct, gateway, mesh]) {
            assert!((seen - known).abs() < 0.01, "{name}: {seen} instead of {known}");
        }
    }
    assert_eq!(trial("crash-at-cart")["choice"]["architecture"], "mesh");
    assert_eq!(trial("crash-at-front")["choice"]["architecture"], "gateway");
    assert_eq!(trial("as-written")["choice"]["as_good"], serde_json::json!(["mesh", "gateway+mesh"]));
    // A kind of fault counts by its weight at each place, and what the scenario itself has as much as all of them.
    let kinds: Vec<f64> = advice["trials"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|trial| {
            let counts = trial["about"]["fault"].is_object() && trial["seen"]["mesh"]["touched"] == true;
            counts.then(|| trial["seen"]["mesh"]["lost"].as_f64().unwrap())
        })
        .collect();
    let mean = f64::midpoint(lost("as-written", "mesh"), kinds.iter().sum::<f64>() / kinds.len() as f64);
    let told = advice["recommendation"]["lost"]["mesh"].as_f64().unwrap();
    assert!((told - mean).abs() < 1e-9, "{told} instead of {mean}");
    // A hop to a gateway and back, and its own time; two proxies a call to a service that has one, of 0.5 ms each.
    let added = |name: &str| advice["costs"][name]["added_us"].as_f64().unwrap() as u64;
    assert_eq!(["gateway", "mesh", "gateway+mesh"].map(added), [1_000, 2_000, 3_000]);
    assert_snapshot!(stdout(&advised));
}

#[test]
fn every_trial_shows_its_figures_again() {
    let folder = three("advise-again");
    let advised = hoplab(&folder, &["advise", "three.toml", "--arch", "direct,mesh", "--out", "out"]);
    assert_eq!(code(&advised), 0, "{}", stderr(&advised));
    let mut expected = 0;
    for entry in fs::read_dir(folder.path("out/trials")).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        // What reads slowly is never noticed here, as the advice says.
        if text.contains("slow_reader") {
            continue;
        }
        let run = hoplab(&folder, &["run", file.to_str().unwrap(), "--out", "run"]);
        assert_eq!(code(&run), 0, "{}: {}", file.display(), stderr(&run));
        expected += text.matches("[[expect]]").count();
    }
    assert!(expected >= 2 * 22, "{expected} figures are held");
}

#[test]
fn threads_shards_and_interruptions_change_no_advice() {
    let folder = three("advise-shards");
    let advise = |more: &[&str]| {
        let advised = hoplab(&folder, &[&["advise", "three.toml", "--arch", "direct,mesh"], more].concat());
        assert_eq!(code(&advised), 0, "{}", stderr(&advised));
        advised
    };
    advise(&["--threads", "1", "--out", "one"]);
    advise(&["--shard", "1/2", "--out", "a"]);
    advise(&["--shard", "2/2", "--out", "b"]);
    let merged = hoplab(&folder, &["merge", "a", "b", "--out", "merged"]);
    assert_eq!(code(&merged), 0, "{}", stderr(&merged));
    advise(&["--threads", "3", "--out", "three"]);
    fs::remove_file(folder.path("three/record/parts/flood-seed-1.json")).unwrap();
    advise(&["--out", "three"]);
    for other in ["three", "merged"] {
        assert_eq!(summary(&folder, "one"), summary(&folder, other), "{other}");
    }
    let page = |dir: &str| fs::read_to_string(folder.path(dir).join("report.html")).unwrap();
    let (before, trials) = (page("one"), fs::read_dir(folder.path("one/trials")).unwrap().count());
    let reported = hoplab(&folder, &["report", "one"]);
    assert_eq!(code(&reported), 0, "{}", stderr(&reported));
    assert_eq!((page("one"), fs::read_dir(folder.path("one/trials")).unwrap().count()), (before, trials));
    let listed = hoplab(&folder, &["report", "one", "merged", "--out", "index"]);
    assert_eq!(code(&listed), 0, "{}", stderr(&listed));
    assert!(stdout(&listed).contains("advice"), "{}", stdout(&listed));
}

#[test]
fn a_generated_system_is_tried_in_other_sizes() {
    let folder = Folder::new("advise-generated");
    let text = "[scenario]\nduration = \"2s\"\n[compare]\narchitectures = [\"direct\", \"mesh\"]\n[generate]\n\
                services = 20\ncalls = 20\n[load.people]\nrate = \"40 rps\"\n[explore]\nfaults = { slow = 1 }\n";
    folder.write("generated.toml", text);
    let advised = hoplab(&folder, &["advise", "generated.toml", "--out", "out"]);
    assert_eq!(code(&advised), 0, "{}", stderr(&advised));
    let advice = summary(&folder, "out");
    let grown = advice["grown"].as_array().unwrap();
    let sizes: Vec<u64> = grown.iter().map(|of| of["services"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [5, 5, 5, 10, 10, 10, 20, 20, 20, 40, 40, 40]);
    assert!(stdout(&advised).contains("Lost in systems of other sizes"), "{}", stdout(&advised));
}

#[test]
fn one_architecture_is_nothing_to_choose_between() {
    let folder = three("advise-one");
    let advised = hoplab(&folder, &["advise", "three.toml", "--arch", "mesh", "--out", "out"]);
    assert_eq!(code(&advised), 2);
    assert!(stderr(&advised).contains("nothing to choose between"), "{}", stderr(&advised));
    assert!(!folder.path("out").exists());
}
