//! `report`: the same bytes from the record alone, an index of many runs, two of them side by side.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::{Folder, code, hoplab, stderr, stdout};

/// A gateway before a shop, which fails now and then for a while.
const SMALL: &str = r#"# What does a retry save?
[scenario]
title = "A shop that fails now and then"
duration = "600ms"
warmup = "100ms"
seed = 3

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
at = "200ms"
for = "200ms"
error = { service = "shop", share = "30%" }

[[expect]]
metric = "error_rate"
in = ["gateway"]
max = "9%"
"#;

/// The same at two rates.
const SWEPT: &str = "\n[sweep]\n\"load.people.rate\" = [\"200 rps\", \"300 rps\"]\n";

/// What exploration draws from.
const EXPLORED: &str = "\n[invariants]\nsettle = \"100ms\"\n\n[explore]\nfor = [\"50ms\", \"100ms\"]\n";

fn run(folder: &Folder, arguments: &[&str]) {
    let output = hoplab(folder, arguments);
    assert!(code(&output) < 2, "{arguments:?}: {}", stderr(&output));
}

/// Every file below `dir` by its path.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Removes everything from `dir` but `record/` (and what of an exploration is its record).
fn leave_the_record(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        } else if !path.ends_with("record") {
            fs::remove_dir_all(path).unwrap();
        }
    }
    for entry in fs::read_dir(dir.join("record")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "csv") {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn what_was_recorded_is_rendered_again_to_the_same_bytes() {
    let folder = Folder::new("report-again");
    folder.write("small.toml", SMALL);
    folder.write("swept.toml", &format!("{SMALL}{SWEPT}"));
    let cases: [&[&str]; 3] = [
        &["run", "small.toml", "--out", "out"],
        &["run", "small.toml", "--seeds", "2", "--out", "out"],
        &["sweep", "swept.toml", "--out", "out"],
    ];
    for case in cases {
        run(&folder, case);
        let out = folder.path("out");
        let first = files(&out);
        leave_the_record(&out);
        let again = hoplab(&folder, &["report", "out"]);
        assert_eq!(code(&again), 0, "{case:?}: {}", stderr(&again));
        assert_eq!(files(&out), first, "{case:?}");
        assert_eq!(stdout(&again), stdout(&hoplab(&folder, case)), "{case:?}");

        run(&folder, &["report", "out", "--out", "elsewhere"]);
        let mut elsewhere = files(&folder.path("elsewhere"));
        // They cover what lies there, which is no study and no parts.
        elsewhere.retain(|name, _| !name.ends_with("checksums"));
        assert!(elsewhere.iter().all(|(name, bytes)| first[name] == *bytes), "{case:?}");
        assert!(elsewhere.contains_key("summary.json"), "{case:?}");
        for dir in ["out", "elsewhere"] {
            fs::remove_dir_all(folder.path(dir)).unwrap();
        }
    }
}

#[test]
fn an_exploration_is_told_again() {
    let folder = Folder::new("report-explored");
    folder.write("small.toml", &format!("{SMALL}{EXPLORED}"));
    let explore = ["explore", "small.toml", "--seeds", "2", "--out", "out"];
    run(&folder, &explore);
    let first = files(&folder.path("out"));
    let again = hoplab(&folder, &["report", "out"]);
    assert_eq!(code(&again), 0, "{}", stderr(&again));
    assert_eq!(stdout(&again), stdout(&hoplab(&folder, &explore)));
    assert_eq!(files(&folder.path("out")), first);
}

#[test]
fn a_folder_of_runs_gets_an_index() {
    let folder = Folder::new("report-index");
    folder.write("small.toml", SMALL);
    folder.write("swept.toml", &format!("{SMALL}{SWEPT}"));
    folder.write("explored.toml", &format!("{SMALL}{EXPLORED}"));
    run(&folder, &["run", "small.toml", "--out", "all/main"]);
    run(&folder, &["run", "small.toml", "--seed", "4", "--arch", "gateway", "--out", "all/deep/er"]);
    run(&folder, &["sweep", "swept.toml", "--out", "all/rates & more"]);
    run(&folder, &["explore", "explored.toml", "--seeds", "2", "--out", "all/explored"]);
    fs::create_dir_all(folder.path("all/.hidden/record")).unwrap();
    fs::copy(folder.path("all/main/record/record.json"), folder.path("all/.hidden/record/record.json"))
        .unwrap();
    leave_the_record(&folder.path("all/main"));

    let index = hoplab(&folder, &["report", "all"]);
    assert_eq!(code(&index), 0, "{}", stderr(&index));
    let rows = [
        "deep/er        run  A shop that fails",
        "rates & more      sweep",
        "explored   exploration",
        " index     all/index.html",
    ];
    let told = stdout(&index);
    for row in rows {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&told).contains(&words(row)), "{row} is not in {told}");
    }
    assert!(folder.path("all/main/report.html").exists(), "each is rendered again");
    let page = fs::read_to_string(folder.path("all/index.html")).unwrap();
    for link in ["main/report.html", "deep/er/report.html", "rates%20%26%20more/", "explored/report.html"] {
        assert!(page.contains(&format!("<a href=\"{link}")), "{link}");
    }
    assert!(!page.contains("hidden/"), "hidden folders stay hidden");
    assert_eq!(hoplab(&folder, &["report", "all"]).stdout, index.stdout);
    assert_eq!(fs::read_to_string(folder.path("all/index.html")).unwrap(), page);

    let index = hoplab(&folder, &["report", "all/main", "all/deep", "--out", "pages/index"]);
    assert_eq!(code(&index), 0, "{}", stderr(&index));
    let page = fs::read_to_string(folder.path("pages/index/index.html")).unwrap();
    assert!(page.contains("<a href=\"../../all/deep/er/report.html"));
}

#[test]
fn mistakes_are_told() {
    let folder = Folder::new("report-mistakes");
    folder.write("small.toml", SMALL);
    run(&folder, &["run", "small.toml", "--out", "all/good"]);
    run(&folder, &["run", "small.toml", "--seeds", "2", "--shard", "1/2", "--out", "all/shard"]);
    run(&folder, &["run", "small.toml", "--out", "all/old"]);
    let record = folder.path("all/old/record/record.json");
    let text = fs::read_to_string(&record).unwrap();
    let older = text.replacen("\"schema\":1", "\"schema\":0", 1);
    fs::write(&record, &older).unwrap();
    crate::integrity::sign(&folder.path("all/old"), text.as_bytes(), older.as_bytes());
    fs::create_dir_all(folder.path("empty")).unwrap();
    let said = |arguments: &[&str]| {
        let output = hoplab(&folder, &[&["report"], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        format!("$ hoplab report {}\n{}", arguments.join(" "), stderr(&output))
    };
    let mut all = Vec::new();
    for arguments in [&["empty"][..], &["nowhere"], &["all/shard"], &["all/old"], &["all"], &[]] {
        all.push(said(arguments));
    }
    insta::assert_snapshot!("mistakes", all.join("\n"));
    let page = fs::read_to_string(folder.path("all/index.html")).unwrap();
    assert!(page.contains("good/report.html"), "what can be read is there");
}

/// A run, the same seed with another text, and another seed.
fn two_runs(folder: &Folder) {
    folder.write("small.toml", SMALL);
    run(folder, &["run", "small.toml", "--out", "main"]);
    folder.write("small.toml", &SMALL.replace("exp(1ms)", "exp(2ms)"));
    run(folder, &["run", "small.toml", "--out", "pr-12"]);
    folder.write("small.toml", SMALL);
    run(folder, &["run", "small.toml", "--seed", "4", "--out", "seed-4"]);
}

#[test]
fn two_runs_are_laid_side_by_side() {
    let folder = Folder::new("report-compare");
    two_runs(&folder);
    let compared = hoplab(&folder, &["report", "main", "pr-12", "--compare"]);
    assert_eq!(code(&compared), 0, "{}", stderr(&compared));
    let told = stdout(&compared);
    let texts = [
        "What differs most in pr-12",
        "Both ran the same requests, so that every difference is real, to the microsecond",
        "- steps = [{ work = \"exp(1ms)\" }]",
        "+ steps = [{ work = \"exp(2ms)\" }]",
        "all requests, errors",
        "service work at shop",
        "main: digest ",
        " report: target/hoplab/report/compare.html",
    ];
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in texts {
        assert!(words(&told).contains(&words(text)), "{text} is not in {told}");
    }
    let page = fs::read_to_string(folder.path("target/hoplab/report/compare.html")).unwrap();
    for text in
        ["main and pr-12, side by side", "<del>", "<ins>", "stroke-dasharray=\"7 5\"", "By part of the run"]
    {
        assert!(page.contains(text), "{text} is not in the page");
    }
    let labels = ["report", "main", "pr-12", "--compare", "--labels", "then,now", "--out", "out"];
    let labelled = stdout(&hoplab(&folder, &labels));
    assert!(labelled.contains("What differs most in now"), "{labelled}");
    assert!(folder.path("out/compare.html").exists());
    assert_eq!(stdout(&hoplab(&folder, &labels)), labelled);
    let seeds = stdout(&hoplab(&folder, &["report", "main", "seed-4", "--compare"]));
    assert!(words(&seeds).contains("seed 3 4"), "{seeds}");
    assert!(seeds.starts_with("Mostly it cannot be told: "), "{seeds}");
    assert!(seeds.contains("no interval") && !seeds.contains('≠'), "{seeds}");
}

/// A queue at half load, long enough for intervals, that fails more for a while.
const QUEUE: &str = r#"
[scenario]
title = "A queue"
duration = "110s"
warmup = "10s"

[compare]
architectures = ["direct", "gateway"]

[services.shop.endpoints]
buy = { steps = [{ work = "exp(8ms)" }] }
look = { steps = [{ work = "exp(3ms)" }] }

[load.people]
rate = "80 rps"
mix = { "shop.buy" = 1, "shop.look" = 1 }

[[faults]]
name = "flaky"
at = "50s"
for = "20s"
error = { service = "shop", share = "10%" }
"#;

/// Chance makes every figure of two seeds differ; at most 3 of 28 pairs may be told to.
#[test]
fn two_seeds_of_one_scenario_differ_in_nothing_most_of_the_time() {
    const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;
    let folder = Folder::new("report-seeds");
    folder.write("queue.toml", QUEUE);
    for seed in SEEDS {
        run(&folder, &["run", "queue.toml", "--seed", &seed.to_string(), "--out", &format!("seed-{seed}")]);
    }
    let compare = |first: u64, second: &str| {
        stdout(&hoplab(&folder, &["report", &format!("seed-{first}"), second, "--compare", "--out", "out"]))
    };
    let pairs = SEEDS.flat_map(|first| (first + 1..=*SEEDS.end()).map(move |second| (first, second)));
    let told: Vec<String> = pairs.map(|(first, second)| compare(first, &format!("seed-{second}"))).collect();
    assert_eq!(told.len(), 28);
    let claims: Vec<&String> = told.iter().filter(|told| told.contains('≠')).collect();
    assert!(claims.len() <= 3, "{} claims, such as {}", claims.len(), claims[0]);
    let nothing = told.iter().filter(|told| {
        let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
        words.contains("differ by more than chance explains")
            || words.contains("differs by more than chance explains")
    });
    assert!(nothing.count() >= 25, "{}", told[0]);

    // What does differ is told, with other seeds as well.
    folder.write("queue.toml", &QUEUE.replace("exp(8ms)", "exp(5ms)"));
    run(&folder, &["run", "queue.toml", "--seed", "9", "--out", "quick"]);
    let quick = compare(1, "quick");
    assert!(quick.starts_with("What differs most in quick:") && quick.contains("faster"), "{quick}");
}

#[test]
fn of_the_same_run_nothing_differs() {
    let folder = Folder::new("report-same");
    folder.write("small.toml", SMALL);
    run(&folder, &["run", "small.toml", "--out", "a/out"]);
    run(&folder, &["run", "small.toml", "--out", "b/out"]);
    let compared = hoplab(&folder, &["report", "a/out", "b/out", "--compare"]);
    assert_eq!(code(&compared), 0, "{}", stderr(&compared));
    let told = stdout(&compared);
    assert!(
        told.starts_with("Nothing differs: every figure is the same, and so are the digests.\n"),
        "{told}"
    );
    assert!(told.contains("\nThe same was run\n"), "{told}");
    assert!(told.contains(" a/out: digest"), "{told}");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let folder = Folder::new("report-incomparable");
    folder.write("small.toml", SMALL);
    folder.write("swept.toml", &format!("{SMALL}{SWEPT}"));
    run(&folder, &["run", "small.toml", "--arch", "direct", "--out", "direct"]);
    run(&folder, &["run", "small.toml", "--arch", "gateway", "--out", "gateway"]);
    run(&folder, &["sweep", "swept.toml", "--out", "swept"]);
    let said = |arguments: &[&str]| {
        let output = hoplab(&folder, &[&["report"], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        format!("$ hoplab report {}\n{}", arguments.join(" "), stderr(&output))
    };
    let cases: [&[&str]; 7] = [
        &["--compare", "direct"],
        &["--compare", "direct", "gateway", "swept"],
        &["--compare", "direct", "swept"],
        &["--compare", "direct", "gateway"],
        &["--compare", "direct", "nowhere"],
        &["--compare", "direct", "direct", "--labels", "a,a"],
        &["direct", "--labels", "a,b"],
    ];
    insta::assert_snapshot!("incomparable", cases.map(said).join("\n"));
    assert!(!folder.path("target").exists(), "nothing is left behind");
}
