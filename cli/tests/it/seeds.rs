//! Many seeds: the same bytes whatever the threads, the shards and the interruptions.

use std::fs;

use serde_json::Value;

use crate::{Folder, code, hoplab, stderr, stdout};

/// A service that fails now and then, a quarter of a second long.
pub(crate) const QUICK: &str = r#"# Does it add up?
[scenario]
title = "Quick"
duration = "300ms"
warmup = "50ms"
seed = 5

[compare]
architectures = ["direct", "gateway"]

[services.shop.endpoints.buy]
method = "GET"
steps = [{ work = "exp(1ms)" }]

[load.people]
rate = "300 rps"
mix = { "shop.buy" = 1 }

[gateway]
defaults = { retry = { attempts = 2, on = ["5xx"] } }

[[faults]]
name = "flaky"
at = "100ms"
for = "100ms"
error = { service = "shop", share = "30%" }

[[expect]]
metric = "error_rate"
in = ["gateway"]
max = "9%"
"#;

/// The files that a run of seeds leaves, by their contents.
fn files(folder: &Folder, dir: &str) -> Vec<Vec<u8>> {
    let names = ["summary.json", "record/record.json", "report.html", "record/windows.csv"];
    names.map(|name| fs::read(folder.path(dir).join(name)).unwrap()).to_vec()
}

fn run(folder: &Folder, arguments: &[&str]) -> String {
    let output = hoplab(folder, &[&["run", "quick.toml", "--seeds", "6"], arguments].concat());
    assert!(code(&output) < 2, "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn threads_shards_and_interruptions_change_not_one_byte() {
    let folder = Folder::new("seeds");
    folder.write("quick.toml", QUICK);
    run(&folder, &["--threads", "1", "--out", "one"]);
    let whole = files(&folder, "one");

    run(&folder, &["--threads", "2", "--out", "two"]);
    assert_eq!(files(&folder, "two"), whole);

    let output = hoplab(&folder, &["merge", "one"]);
    assert!(code(&output) < 2);
    assert_eq!(files(&folder, "one"), whole);

    for shard in ["1/3", "2/3", "3/3"] {
        let dir = format!("shard-{}", &shard[..1]);
        run(&folder, &["--shard", shard, "--out", &dir]);
        assert!(!folder.path(&dir).join("summary.json").exists(), "a shard is no whole");
    }
    let output = hoplab(&folder, &["merge", "shard-1", "shard-3", "--out", "joined"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("2 of 6 seeds are missing: 6, 9"), "{}", stderr(&output));
    let output = hoplab(&folder, &["merge", "shard-1", "shard-2", "shard-3", "--out", "joined"]);
    assert!(code(&output) < 2, "{}", stderr(&output));
    assert_eq!(files(&folder, "joined"), whole);

    // As if it had been killed: two seeds are there, of which one was cut short by whoever copied it, the others not.
    run(&folder, &["--shard", "1/3", "--out", "halted"]);
    let part = folder.path("halted/record/parts/seed-8.json");
    let text = fs::read(&part).unwrap();
    fs::write(&part, &text[..text.len() / 2]).unwrap();
    let output = hoplab(&folder, &["run", "quick.toml", "--seeds", "6", "--out", "halted"]);
    assert_eq!(code(&output), 2);
    let said = stderr(&output);
    assert!(said.contains("record/parts/seed-8.json was altered\nhelp: remove these files, and"), "{said}");
    fs::remove_file(&part).unwrap();
    let said = run(&folder, &["--out", "halted"]);
    assert!(said.contains("1 of 6 seeds are in halted already"), "{said}");
    assert_eq!(files(&folder, "halted"), whole);
}

#[test]
fn joined_seeds_say_how_far_they_can_be_trusted() {
    let folder = Folder::new("joined");
    folder.write("quick.toml", QUICK);
    run(&folder, &["--out", "out"]);
    let record: Value =
        serde_json::from_slice(&fs::read(folder.path("out/record/record.json")).unwrap()).unwrap();
    assert_eq!(record["seeds"]["digests"].as_array().unwrap().len(), 6);
    let total = &record["architectures"]["direct"]["total"];
    let sent = |seed: u64| {
        let dir = format!("alone-{seed}");
        let seed = seed.to_string();
        hoplab(&folder, &["run", "quick.toml", "--seed", &seed, "--out", &dir]);
        let text = fs::read(folder.path(&dir).join("record/record.json")).unwrap();
        let record: Value = serde_json::from_slice(&text).unwrap();
        record["architectures"]["direct"]["total"]["requests"]["sent"].as_u64().unwrap()
    };
    assert_eq!(total["requests"]["sent"].as_u64().unwrap(), (5..11).map(sent).sum::<u64>());
    let mean = total["latency"]["sum_us"].as_f64().unwrap() / total["latency"]["count"].as_f64().unwrap();
    let interval = &total["intervals"]["mean"];
    assert!(interval["low"].as_f64().unwrap() < mean && mean < interval["high"].as_f64().unwrap());
    let pairs = &record["paired"]["gateway"]["phases"]["flaky"];
    assert!(pairs["saved"].as_u64().unwrap() > 0, "{pairs}");
    let expected = &record["architectures"]["gateway"]["expectations"][0];
    assert_eq!(expected["holds"].as_bool().unwrap(), expected.get("failed_in").is_none());

    let output = hoplab(&folder, &["replay", "out"]);
    assert_eq!((code(&output), &stdout(&output)[..4]), (0, "same"));
}

#[test]
fn mistakes_are_told() {
    let folder = Folder::new("seeds-mistakes");
    folder.write("quick.toml", QUICK);
    let said = |arguments: &[&str]| {
        let output = hoplab(&folder, arguments);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        stderr(&output)
    };
    assert!(said(&["run", "quick.toml", "--shard", "1/2"]).contains("say how many with --seeds"));
    assert!(said(&["run", "quick.toml", "--seeds", "3", "--shard", "3/2"]).contains("write, say, 1/4"));
    assert!(said(&["merge", "nowhere"]).contains("holds no study"));
    run(&folder, &["--shard", "1/2", "--out", "a"]);
    hoplab(&folder, &["run", "quick.toml", "--seeds", "4", "--shard", "2/2", "--out", "b"]);
    assert!(said(&["merge", "a", "b", "--out", "c"]).contains("a and b are not of the same study"));
}

#[test]
fn single_requests_of_each_seed_are_drawn() {
    let folder = Folder::new("traced");
    folder.write("quick.toml", QUICK);
    run(&folder, &["--out", "six"]);
    for (seed, said) in
        [(None, "seed 5: the record has 5 to 10\n"), (Some("8"), "seed 8: the record has 5 to 10\n")]
    {
        let asked: Vec<_> = seed.into_iter().flat_map(|seed| ["--seed", seed]).collect();
        let output = hoplab(&folder, &[&["trace", "six"], &asked[..]].concat());
        assert_eq!((code(&output), &*stderr(&output)), (0, said));
        assert!(stdout(&output).contains("shop"), "{}", stdout(&output));
    }
    let output = hoplab(&folder, &["trace", "six", "--seed", "11"]);
    assert_eq!(
        (code(&output), &*stderr(&output)),
        (2, "error: --seed: the record has 5 to 10, nothing else\n")
    );
}
