//! What must always hold: each rule is seen broken by a run that breaks it, and by no other.

use std::collections::BTreeMap;

use hoplab_sim::record::Architecture;

use crate::runs;

/// How often which rule was broken in 20 s, 20 requests a second, under `architecture`; `rest` says what they meet.
fn broken(architecture: &str, rest: &str) -> BTreeMap<String, u64> {
    let seen = seen(architecture, rest);
    for violation in &seen.violations {
        assert!(!violation.first.is_empty() && violation.first.len() <= 5, "{violation:?}");
    }
    seen.violations.iter().map(|found| (found.invariant.clone(), found.count)).collect()
}

fn seen(architecture: &str, rest: &str) -> Architecture {
    let text = format!(
        "[scenario]\nduration = \"20s\"\n[compare]\narchitectures = [\"{architecture}\"]\n\
         [invariants]\nsettle = \"5s\"\n\
         [load.client]\nrate = \"20 rps\"\narrivals = \"uniform\"\nmix = {{ \"first.get\" = 1 }}\n{rest}"
    );
    let record = runs::run(&text);
    record.architectures.values().next().unwrap().clone()
}

fn only(invariant: &str, count: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(invariant.to_owned(), count)])
}

const FAULT: &str = "[[faults]]\nname = \"it\"\nat = \"5s\"\nfor = \"2s\"\n";

#[test]
fn requests_that_outlive_the_run_are_open_and_break_nothing() {
    // Nobody gives up, and the last are behind a minute of work when the run has drained for 30 s.
    let slow = "[services.first]\nendpoints.get.steps = [{ work = \"250ms\" }]\n[gateway]\ndefaults.timeout = \"1h\"\n";
    let seen = seen("direct", slow);
    let requests = &seen.total.requests;
    assert_eq!(
        (requests.sent, requests.ok, requests.open),
        (400, 199, 201),
        "50 s of four a second, and the last one comes too late"
    );
    assert!(seen.violations.is_empty(), "{:?}", seen.violations);
    assert!(broken("direct", "[services.first.endpoints.get]\nsteps = [{ work = \"10ms\" }]").is_empty());
}

#[test]
fn what_is_marked_once_is_watched_call_by_call() {
    let retries = |methods: &str| {
        format!(
            "[services.first]\nreplicas = 2\ncores = 20\non_cancel = \"continue\"\n[services.first.endpoints.get]\nonce = true\n\
             steps = [{{ sleep = \"70ms\" }}]\n\
             [gateway]\ndefaults = {{ retry = {{ per_try_timeout = \"30ms\", on = [\"reset\"], methods = [{methods}] }} }}"
        )
    };
    // Each of the 400 is sent twice, and both attempts complete, but that the run ends before the very last does.
    assert_eq!(broken("gateway", &retries("\"POST\"")), only("once-only", 399));
    assert!(broken("gateway", &retries("\"PUT\"")).is_empty());
}

#[test]
fn who_is_refused_is_not_served() {
    let limited = "[services.first.endpoints.get]\n[gateway]\nlimits.rate = { rate = \"10 rps\", burst = 1 }";
    assert!(broken("gateway", limited).is_empty(), "half of them are refused and none of those is served");
}

#[test]
fn breakers_close_once_all_is_well_unless_they_cannot() {
    let breaker = |open_for: &str| {
        format!(
            "[services.first.endpoints.get]\n{FAULT}error = {{ service = \"first\" }}\n\
             [gateway]\ndefaults.breaker = {{ failures = 5, open_for = \"{open_for}\" }}"
        )
    };
    assert!(broken("gateway", &breaker("1s")).is_empty());
    let stuck = broken("gateway", &breaker("1h"));
    assert_eq!(stuck, BTreeMap::from([("breakers-close".to_owned(), 1), ("recovery".to_owned(), 1)]));
}

#[test]
fn latency_that_stays_high_after_a_fault_is_no_recovery() {
    // A backlog of 2 s worth of work, of which a tenth goes away each second.
    let backlog = |work: &str| {
        format!(
            "[services.first.endpoints.get]\nsteps = [{{ work = \"{work}\" }}]\n{FAULT}slow = {{ service = \"first\", times = 10 }}"
        )
    };
    assert_eq!(broken("direct", &backlog("48ms")).get("recovery"), Some(&1));
    assert!(broken("direct", &backlog("5ms")).is_empty());
}
