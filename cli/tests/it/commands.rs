//! Exit codes, output and files of `run`, `check` and `replay`.

use std::fs;

use serde_json::Value;

use crate::{Folder, code, hoplab, stderr, stdout};

/// Two services and a fault, one second long.
const SMALL: &str = r#"# Does it work at all?
[scenario]
title = "Small"
duration = "2s"
warmup = "100ms"
seed = 1

[compare]
architectures = ["direct", "gateway+mesh"]

[network]
latency = "137us"

[services.shop.endpoints.buy]
steps = [{ call = "bank.pay" }]

[services.bank.endpoints.pay]
steps = [{ work = "exp(2ms)" }]

[load.people]
rate = "200 rps"
mix = { "shop.buy" = 1 }

[[faults]]
name = "slow-bank"
at = "1s"
for = "500ms"
slow = { service = "bank", times = 2 }

[[expect]]
metric = "error_rate"
max = "0%"
"#;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn help_says_what_there_is() {
    let folder = Folder::new("help");
    let mut help = stdout(&hoplab(&folder, &["--help"]));
    let commands =
        ["run", "sweep", "merge", "check", "replay", "report", "trace", "gate", "gateway", "sidecar"];
    for command in commands {
        let of_command = stdout(&hoplab(&folder, &[command, "--help"]));
        help = format!("{help}\n$ hoplab {command} --help\n{of_command}");
    }
    insta::assert_snapshot!(help);
}

#[test]
fn a_run_leaves_a_summary_a_record_plots_and_a_page() {
    let folder = Folder::new("run");
    folder.write("small.toml", SMALL);
    let run = hoplab(&folder, &["run", "small.toml"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    assert!(stdout(&run).contains("gateway+mesh"));
    assert_eq!(stderr(&run), "");
    let out = folder.path("target/hoplab/small");
    for file in ["summary.json", "record", "plots", "report.html"] {
        assert!(out.join(file).exists(), "{file}");
    }
    let summary = json(&fs::read_to_string(out.join("summary.json")).unwrap());
    assert_eq!(summary["schema"], 1);
    let direct = &summary["architectures"]["direct"];
    let requests = &direct["requests"];
    let sum: u64 =
        ["ok", "failed", "timed_out", "open"].iter().map(|key| requests[key].as_u64().unwrap()).sum();
    assert_eq!(requests["sent"].as_u64().unwrap(), sum);
    let mean = direct["latency_us"]["mean"].as_f64().unwrap();
    let owned: f64 =
        direct["breakdown_us"].as_object().unwrap().values().map(|us| us.as_f64().unwrap()).sum();
    assert!((mean - owned).abs() < 0.01, "{mean} µs, of which {owned} have an owner");
    assert_eq!(direct["edges"]["shop → bank"]["amplification"], 1.0);
}

#[test]
fn the_summary_can_be_printed_and_another_seed_is_another_run() {
    let folder = Folder::new("json");
    folder.write("small.toml", SMALL);
    let printed = |arguments: &[&str]| {
        let run = hoplab(&folder, &[&["run", "small.toml", "--json", "--out", "out"], arguments].concat());
        assert_eq!(code(&run), 0, "{}", stderr(&run));
        json(&stdout(&run))
    };
    let first = printed(&[]);
    assert_eq!(first, printed(&[]));
    assert_ne!(first["digest"], printed(&["--seed", "2"])["digest"]);
    let only = printed(&["--arch", "direct"]);
    assert_eq!(only["architectures"].as_object().unwrap().len(), 1);
    assert_eq!(only["architectures"]["direct"], first["architectures"]["direct"]);
}

#[test]
fn an_expectation_that_fails_exits_1_and_is_named() {
    let folder = Folder::new("unmet");
    folder.write("small.toml", &SMALL.replace("error_rate", "mean").replace("\"0%\"", "\"1ms\""));
    let run = hoplab(&folder, &["run", "small.toml"]);
    assert_eq!(code(&run), 1);
    assert!(stderr(&run).contains("unmet under direct: mean ≤ 1ms"), "{}", stderr(&run));
}

#[test]
fn a_fault_that_touches_nothing_exits_3_and_is_named() {
    let folder = Folder::new("untouched");
    let idle = "[services.idle.endpoints.rest]\nsteps = [{ work = \"1ms\" }]\n\n[load.people]";
    let text = SMALL.replace("[load.people]", idle).replace("service = \"bank\"", "service = \"idle\"");
    folder.write("small.toml", &text);
    let run = hoplab(&folder, &["run", "small.toml"]);
    assert_eq!(code(&run), 3, "{}", stderr(&run));
    assert!(stderr(&run).contains("slow-bank"), "{}", stderr(&run));
}

/// What is wrong is located, has a hint, exits 2, and leaves nothing behind.
#[test]
fn a_scenario_that_cannot_be_read_exits_2_and_writes_nothing() {
    let cases = [
        (
            "unknown service",
            SMALL.replace("bank.pay", "bnak.pay"),
            "small.toml:15:19",
            "did you mean \"bank\"?",
        ),
        (
            "unknown key",
            SMALL.replace("latency =", "latncy ="),
            "small.toml:12:1",
            "did you mean \"latency\"?",
        ),
        ("bad unit", SMALL.replace("137us", "137 parsecs"), "small.toml:12:11", "write a duration"),
        ("percentage over 100", SMALL.replace("\"0%\"", "\"101%\""), "small.toml:32:7", "write a percentage"),
        (
            "cycle",
            SMALL.replace("{ work = \"exp(2ms)\" }", "{ call = \"shop.buy\" }"),
            "small.toml:18:19",
            "shop.buy → bank.pay → shop.buy",
        ),
        ("missing app", SMALL.replace("title", "app = \"gone.toml\"\ntitle"), "small.toml:3:7", "gone.toml"),
    ];
    for (case, text, place, hint) in cases {
        let folder = Folder::new("unreadable");
        folder.write("small.toml", &text);
        for command in ["run", "check"] {
            let end = hoplab(&folder, &[command, "small.toml"]);
            let said = stderr(&end);
            assert_eq!(code(&end), 2, "{case}: {said}");
            assert!(said.contains(place), "{case}: {place} is missing in {said}");
            assert!(said.contains(hint), "{case}: {hint} is missing in {said}");
            assert_eq!(stdout(&end), "", "{case}");
        }
        assert!(!folder.path("target").exists(), "{case}");
    }
    let folder = Folder::new("missing");
    let end = hoplab(&folder, &["run", "missing.toml"]);
    assert_eq!(code(&end), 2);
    assert!(stderr(&end).contains("missing.toml"), "{}", stderr(&end));
    assert_eq!(code(&hoplab(&folder, &["run"])), 2);
}

#[test]
fn a_replay_tells_the_same_run_from_one_that_was_tampered_with() {
    let folder = Folder::new("replay");
    folder.write("small.toml", SMALL);
    assert_eq!(code(&hoplab(&folder, &["run", "small.toml", "--out", "out"])), 0);
    // What is replayed is the record: the scenario file may be gone.
    fs::remove_file(folder.path("small.toml")).unwrap();
    let replay = hoplab(&folder, &["replay", "out"]);
    assert_eq!(code(&replay), 0, "{}", stdout(&replay));
    assert!(stdout(&replay).starts_with("same: digest "));

    let record = folder.path("out/record/record.json");
    let summary = folder.path("out/summary.json");
    let tampered = [
        (&record, "\"seed\":1,", "\"seed\":2,"),
        (&record, "exp(2ms)", "exp(3ms)"),
        (&record, "\"ok\":", "\"ok\":1"),
        (&summary, "\"amplification\": 1", "\"amplification\": 2"),
    ];
    for (file, from, to) in tampered {
        let text = fs::read_to_string(file).unwrap();
        let spaced = |text: &str| text.replace("\":", "\": ");
        let (from, to) =
            if text.contains(from) { (from.to_owned(), to.to_owned()) } else { (spaced(from), spaced(to)) };
        assert!(text.contains(&from), "{from} is not in {}", file.display());
        fs::write(file, text.replacen(&from, &to, 1)).unwrap();
        let replay = hoplab(&folder, &["replay", "out"]);
        assert_eq!(code(&replay), 3, "{from}: {}{}", stdout(&replay), stderr(&replay));
        assert!(stdout(&replay).contains("differs: "));
        fs::write(file, text).unwrap();
    }
    assert_eq!(code(&hoplab(&folder, &["replay", "out"])), 0);
    let nowhere = hoplab(&folder, &["replay", "nowhere"]);
    assert_eq!(code(&nowhere), 2);
    assert!(stderr(&nowhere).contains("nowhere"));
}

/// An application that is generated.
const GENERATED: &str = r#"# Is it the same application when it is kept?
[scenario]
duration = "1s"

[compare]
architectures = ["direct", "mesh"]

[generate]
services = 6

[load.people]
rate = "50 rps"
"#;

#[test]
fn a_generated_application_is_printed_and_can_be_kept() {
    let folder = Folder::new("generate");
    folder.write("generated.toml", GENERATED);
    let application = stdout(&hoplab(&folder, &["generate", "generated.toml"]));
    let mix = application.lines().find_map(|line| line.strip_prefix("# mix = ")).unwrap();
    let kept = GENERATED.replace("[generate]\nservices = 6\n", "");
    let kept = kept.replace("[scenario]", "[scenario]\napp = \"app.toml\"");
    folder.write("kept.toml", &format!("{kept}mix = {mix}\n"));
    folder.write("app.toml", &application);
    let seen = |name: &str| {
        let run = hoplab(&folder, &["run", name, "--json"]);
        assert_eq!(code(&run), 0, "{}", stderr(&run));
        json(&stdout(&run))["architectures"].to_string()
    };
    assert_eq!(seen("generated.toml"), seen("kept.toml"));
    assert!(stdout(&hoplab(&folder, &["check", "app.toml"])).contains("an application of 6 services"));
    let replayed = hoplab(&folder, &["replay", "target/hoplab/generated"]);
    assert_eq!(code(&replayed), 0, "{}", stderr(&replayed));
    folder.write("small.toml", SMALL);
    let none = hoplab(&folder, &["generate", "small.toml"]);
    assert_eq!(code(&none), 2);
    assert!(stderr(&none).contains("small.toml has no application that is generated"), "{}", stderr(&none));
}
