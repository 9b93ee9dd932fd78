//! Each way in which `gate` ends, and what it says to people, to GitHub and to programs.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::{Folder, code, hoplab, stderr, stdout};

/// A retry through a mesh, two seconds long.
const SHOP: &str = r#"# What does a retry cost?
[scenario]
title = "Shop"
duration = "2s"
warmup = "100ms"
seed = 1

[compare]
architectures = ["direct", "mesh"]

[services.shop.endpoints.buy]
steps = [{ call = "bank.pay" }]

[services.bank]
replicas = 2

[services.bank.endpoints.pay]
steps = [{ work = "1ms" }]

[load.people]
rate = "200 rps"
mix = { "shop.buy" = 1 }

[mesh.services.bank]
retry = { attempts = 2, on = ["503"], methods = ["POST"], backoff = "5ms..50ms" }

[[faults]]
name = "flaky-bank"
at = "1s"
for = "500ms"
error = { service = "bank", replica = 1, status = 503, share = "20%" }
"#;

const BASELINE: &str = "shop.baseline";

/// A folder with the shop and its baseline, whose digest may move.
fn shop(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("shop.toml", SHOP);
    let made = gate(&folder, &["--update"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    state(&folder, "tolerance digest = 0", "tolerance digest = any");
    folder
}

fn state(folder: &Folder, from: &str, to: &str) {
    let text = fs::read_to_string(folder.path(BASELINE)).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    folder.write(BASELINE, &text.replacen(from, to, 1));
}

fn gate(folder: &Folder, arguments: &[&str]) -> Output {
    hoplab(folder, &[&["gate", "shop.toml", "--baseline", BASELINE], arguments].concat())
}

fn change(folder: &Folder, from: &str, to: &str) {
    assert!(SHOP.contains(from), "{from} is not in the scenario");
    folder.write("shop.toml", &SHOP.replace(from, to));
}

#[test]
fn the_same_run_passes_and_accepting_it_changes_nothing() {
    let folder = shop("gate-pass");
    let baseline = fs::read_to_string(folder.path(BASELINE)).unwrap();
    insta::assert_snapshot!("baseline", baseline);
    let passed = gate(&folder, &[]);
    assert_eq!(code(&passed), 0, "{}", stdout(&passed));
    assert!(stdout(&passed).starts_with("shop: the gate passes ("), "{}", stdout(&passed));
    assert_eq!(stderr(&passed), "");
    assert_eq!(code(&gate(&folder, &["--update"])), 0);
    assert_eq!(fs::read_to_string(folder.path(BASELINE)).unwrap(), baseline);
}

/// A longer back-off: p99 goes up, and the reason is told in every way there is.
#[test]
fn what_is_worse_exits_1_and_is_explained() {
    let folder = shop("gate-worse");
    change(&folder, "5ms..50ms", "25ms..250ms");
    let arguments = ["--annotations", "--junit", "junit.xml", "--markdown", "gate.md"];
    let failed = gate(&folder, &arguments);
    assert_eq!(code(&failed), 1, "{}", stdout(&failed));
    insta::assert_snapshot!("worse", stdout(&failed));
    insta::assert_snapshot!("worse_hint", stderr(&failed));
    insta::assert_snapshot!("worse_markdown", fs::read_to_string(folder.path("gate.md")).unwrap());
    let junit = fs::read_to_string(folder.path("junit.xml")).unwrap();
    let failures = cases(&junit);
    assert!(failures.iter().any(|failure| failure.contains("retry back-off at shop (outbound)")), "{junit}");
    let json: Value = serde_json::from_str(&stdout(&gate(&folder, &["--json"]))).unwrap();
    assert_eq!(json["verdict"], "fail");
    let failing = |finding: &&Value| ["worse", "changed"].contains(&finding["outcome"].as_str().unwrap());
    assert_eq!(json["findings"].as_array().unwrap().iter().filter(failing).count(), failures.len());
    // Accepted, it is the new baseline.
    assert_eq!(code(&gate(&folder, &["--update"])), 0);
    assert_eq!(code(&gate(&folder, &[])), 0);
}

/// The messages of the failures in a `JUnit` file, which must be well-formed and say how many there are.
fn cases(xml: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut failures, mut stated, mut depth) = (Vec::new(), 0, 0);
    loop {
        let attribute = |start: &quick_xml::events::BytesStart, name: &str| {
            start
                .try_get_attribute(name)
                .unwrap()
                .unwrap()
                .normalized_value(quick_xml::XmlVersion::Explicit1_0)
                .unwrap()
                .into_owned()
        };
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(start) => {
                depth += 1;
                match start.name().as_ref() {
                    b"testsuites" => stated = attribute(&start, "failures").parse().unwrap(),
                    b"failure" => failures.push(attribute(&start, "message")),
                    _ => {}
                }
            }
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((depth, failures.len()), (0, stated), "{xml}");
    failures
}

#[test]
fn what_is_better_exits_0_and_says_how_to_keep_it() {
    let folder = shop("gate-better");
    change(&folder, "\"1ms\"", "\"800us\"");
    let passed = gate(&folder, &["--annotations"]);
    assert_eq!(code(&passed), 0, "{}", stdout(&passed));
    assert!(stdout(&passed).contains("something got better"), "{}", stdout(&passed));
    assert!(stdout(&passed).contains("::notice file=shop.baseline,line=1,"), "{}", stdout(&passed));
    let hint = "to keep what was gained: hoplab gate shop.toml --baseline shop.baseline --update\n";
    assert_eq!(stderr(&passed), hint);
}

#[test]
fn a_digest_without_tolerance_fails_in_words_of_its_own() {
    let folder = shop("gate-digest");
    state(&folder, "tolerance digest = any", "tolerance digest = 0");
    change(&folder, "\"1ms\"", "\"800us\"");
    let failed = gate(&folder, &[]);
    assert_eq!(code(&failed), 1);
    let said = stdout(&failed);
    assert!(said.contains("the run differs from the recorded one: digest"), "{said}");
    assert!(said.replace("\n   ", " ").contains("state `tolerance digest = any`"), "{said}");
}

#[test]
fn without_a_baseline_it_exits_2_with_the_command_that_makes_one() {
    let folder = Folder::new("gate-missing");
    folder.write("shop.toml", SHOP);
    let end = gate(&folder, &["--seed", "3"]);
    assert_eq!(code(&end), 2);
    let said = "error: there is no baseline \"shop.baseline\"\n\
                help: make one: hoplab gate shop.toml --baseline shop.baseline --seed 3 --update\n";
    assert_eq!(stderr(&end), said);
    assert_eq!(stdout(&end), "");
}

#[test]
fn a_corrupt_baseline_exits_2_with_place_and_hint_and_stays_as_it_is() {
    let folder = shop("gate-corrupt");
    state(&folder, "tolerance latency.p99_us", "tolerance latency.p9_us");
    let corrupt = fs::read_to_string(folder.path(BASELINE)).unwrap();
    for arguments in [&[][..], &["--update"]] {
        let end = gate(&folder, arguments);
        assert_eq!(code(&end), 2);
        assert!(stderr(&end).starts_with("shop.baseline:11:11: unknown metric"), "{}", stderr(&end));
        assert!(stderr(&end).contains("did you mean"), "{}", stderr(&end));
        assert_eq!(fs::read_to_string(folder.path(BASELINE)).unwrap(), corrupt);
    }
}

#[test]
fn the_baseline_of_another_run_exits_2_and_says_which() {
    let folder = shop("gate-other");
    let cases: [(&[&str], &str); 3] = [
        (&["--seed", "2"], "the baseline is that of seed 1, the run has seed 2"),
        (&["--arch", "mesh"], "the baseline has the architectures direct, mesh, the run has mesh"),
        (&["--scale", "2"], "the baseline is that of --scale 1, the run has 2"),
    ];
    for (arguments, said) in cases {
        let end = gate(&folder, arguments);
        assert_eq!((code(&end), stderr(&end)), (2, format!("error: shop.baseline: {said}\n")));
    }
    folder.write("other.toml", SHOP);
    let end = hoplab(&folder, &["gate", "other.toml", "--baseline", BASELINE, "--update"]);
    let said = "error: shop.baseline: the baseline is that of scenario \"shop\", not of \"other\"\n";
    assert_eq!((code(&end), stderr(&end).as_str()), (2, said));
}

#[test]
fn an_invalid_run_exits_3_and_is_not_accepted() {
    let folder = shop("gate-invalid");
    let idle = "[services.idle.endpoints.rest]\nsteps = [{ work = \"1ms\" }]\n\n[load.people]";
    let text =
        SHOP.replace("[load.people]", idle).replace("service = \"bank\", replica = 1", "service = \"idle\"");
    folder.write("shop.toml", &text);
    let baseline = fs::read_to_string(folder.path(BASELINE)).unwrap();
    for arguments in [&[][..], &["--update"]] {
        let end = gate(&folder, arguments);
        assert_eq!(code(&end), 3, "{}", stderr(&end));
        assert!(stderr(&end).contains("fault \"flaky-bank\" touched nothing"), "{}", stderr(&end));
        assert_eq!(fs::read_to_string(folder.path(BASELINE)).unwrap(), baseline);
    }
}

#[test]
fn an_unmet_expectation_exits_1_also_when_the_figures_are_accepted() {
    let folder = shop("gate-unmet");
    let expect = "\n[[expect]]\nmetric = \"p50\"\nmax = \"1us\"\n";
    folder.write("shop.toml", &(SHOP.to_owned() + expect));
    for arguments in [&["--junit", "junit.xml"][..], &["--update"]] {
        let end = gate(&folder, arguments);
        assert_eq!(code(&end), 1);
        assert!(stderr(&end).contains("unmet under direct: p50 ≤ 1us"), "{}", stderr(&end));
    }
    let failures = cases(&fs::read_to_string(folder.path("junit.xml")).unwrap());
    assert_eq!(failures.len(), 2, "{failures:?}");
}

#[test]
fn on_github_it_annotates_and_summarises_by_itself() {
    let folder = shop("gate-github");
    change(&folder, "5ms..50ms", "25ms..250ms");
    let end = Command::new(env!("CARGO_BIN_EXE_hoplab"))
        .args(["gate", "shop.toml", "--baseline", BASELINE])
        .envs([("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "summary.md")])
        .current_dir(&folder.0)
        .output()
        .unwrap();
    assert_eq!(code(&end), 1);
    assert!(stdout(&end).contains("::error file=shop.baseline,line="), "{}", stdout(&end));
    let summary = fs::read_to_string(folder.path("summary.md")).unwrap();
    assert!(summary.starts_with("### shop: the gate fails ("), "{summary}");
}

/// Nothing runs: the figures are from elsewhere, instruction counts say.
#[test]
fn figures_from_elsewhere_are_gated_alike() {
    let folder = Folder::new("gate-figures");
    folder.write("now", "proxy/policy breaker.admit instructions = 120\n");
    let baseline = "tolerance instructions = 2%\n\nproxy/policy breaker.admit instructions = 100\n";
    folder.write("then", baseline);
    let arguments = ["gate", "--figures", "now", "--baseline", "then"];
    let failed = hoplab(&folder, &arguments);
    assert_eq!(code(&failed), 1);
    assert!(stdout(&failed).contains("+20 %"), "{}", stdout(&failed));
    assert_eq!(code(&hoplab(&folder, &[&arguments[..], &["--update"]].concat())), 0);
    assert_eq!(fs::read_to_string(folder.path("then")).unwrap(), baseline.replace("100", "120"));
    assert_eq!(code(&hoplab(&folder, &arguments)), 0);
    folder.write("now", "proxy/policy breaker.admit instrucions = 120\n");
    assert_eq!(code(&hoplab(&folder, &arguments)), 2);
    fs::remove_file(folder.path("now")).unwrap();
    assert_eq!(code(&hoplab(&folder, &arguments)), 2);
}
