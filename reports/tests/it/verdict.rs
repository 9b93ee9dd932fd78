//! The verdict on runs that are hard to tell, each a scenario of its own: what it says was read aloud and found true, and
//! is kept. What holds of every verdict is checked beside.

use std::path::Path;
use std::sync::Arc;

use hoplab_reports::summary::{Rule, Summary};
use hoplab_sim::join;
use hoplab_sim::record::{Intervals, Record, Within};
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::plan::Source;
use hoplab_sim::scenario::{self, Overrides};

/// Runs a scenario of this folder with one seed.
fn run_seed(name: &str, seed: u64) -> Record {
    let path = format!("verdict/{name}.toml");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(&path);
    let text = std::fs::read_to_string(file).expect("the scenario is there");
    let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
    let plan =
        scenario::parse(&[Source { path, text }], &overrides).unwrap_or_else(|wrong| panic!("{wrong}"));
    let plan = Arc::new(plan);
    run::run(&plan, &Progress::new(&plan))
}

/// The sentences of a verdict, a paragraph a sentence, each under its rule.
fn told(record: &Record) -> String {
    let summary = Summary::of(record);
    let reasons = &summary.verdict.reasons;
    assert_eq!(reasons[0].rule, Rule::Answer);
    assert!(reasons[1..].iter().all(|reason| reason.rule != Rule::Answer));
    let texts: Vec<&str> = reasons.iter().map(|reason| &*reason.text).collect();
    assert_eq!(summary.verdict.text, texts.join(" "));
    let told = reasons.iter().map(|reason| format!("[{}]\n{}\n", rule(reason.rule), reason.text));
    told.collect::<Vec<_>>().join("\n")
}

fn rule(rule: Rule) -> String {
    serde_json::to_string(&rule).expect("a rule has a name").trim_matches('"').to_owned()
}

#[test]
fn runs_that_are_hard_to_tell_are_told_truthfully() {
    for name in [
        "most-fail",
        "helps-then-hurts",
        "silence",
        "one-in-150",
        "ties",
        "twenty-requests",
        "overlapping",
        "refused",
        "hedge",
        "closed-loop",
        "nobody-comes",
        "one-limit-better",
        "better-while-worse-after",
        "warm-up",
        "short-fault",
        "five-faults",
        "faults-before-and-after",
        "leaves-and-comes-back",
        "between-requests",
    ] {
        insta::assert_snapshot!(name, told(&run_seed(name, 1)));
    }
}

/// The text of the sentences that follow a rule.
fn by_rule(record: &Record, wanted: Rule) -> String {
    let reasons = Summary::of(record).verdict.reasons;
    let texts = reasons.into_iter().filter(|reason| reason.rule == wanted).map(|reason| reason.text);
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_difference_is_claimed_beyond_its_interval_only() {
    let mut record = run_seed("overlapping", 1);
    assert!(by_rule(&record, Rule::Answer).starts_with("With mesh, "));
    assert!(by_rule(&record, Rule::ErrorsOverTheRun).contains("beyond chance: fewer fail with mesh"));
    // Without windows nothing says how evenly errors came.
    record.architectures.values_mut().for_each(|seen| seen.windows.clear());
    let answer = by_rule(&record, Rule::Answer);
    assert!(
        answer.starts_with("With which architecture fewest requests fail cannot be told from 3,624 requests"),
        "{answer}"
    );
    let text = Summary::of(&record).verdict.text;
    assert!(!text.contains("beyond chance: ") && text.contains("--seeds 5 may tell"), "{text}");
}

#[test]
fn what_is_refused_is_cited_as_unserved_and_not_as_an_error() {
    let record = run_seed("refused", 1);
    let cited = Summary::of(&record).verdict.reasons.into_iter().flat_map(|reason| reason.figures);
    let cited: Vec<_> = cited.filter(|of| ["error_rate", "unserved_rate"].contains(&&*of.figure)).collect();
    for (name, seen) in &record.architectures {
        let requests = &seen.total.requests;
        let share = |part: u64| Some(part as f64 / requests.sent as f64);
        let own = |figure: &str| {
            cited.iter().find(|of| {
                of.architecture == *name && of.figure == figure && of.over.is_none() && of.during.is_none()
            })
        };
        assert_eq!(own("error_rate").unwrap().value, share(requests.errors()));
        assert_eq!(own("unserved_rate").unwrap().value, share(requests.sent - requests.served()));
    }
    let mut differences = cited.iter().filter(|of| of.over.is_some());
    assert!(differences.clone().count() > 0 && differences.all(|of| of.figure == "unserved_rate"));
}

#[test]
fn errors_at_one_moment_alone_are_no_claim_about_the_next_run() {
    let mut record = run_seed("ties", 1);
    let gateway = record.architectures.get_mut("gateway").unwrap();
    // Forty requests more fail in one window of the quiet time after the fault.
    let recovery = gateway.phases.get_mut("recovery").unwrap();
    for requests in [&mut gateway.total.requests, &mut recovery.total.requests] {
        requests.ok -= 40;
        requests.failed += 40;
    }
    let late = &mut gateway.windows[90];
    (late.sent, late.errors) = (late.sent + 40, late.errors + 40);
    let told = by_rule(&record, Rule::ErrorsOverTheRun);
    assert!(
        told.contains("Whether fewer or more fail with gateway than with direct cannot be told"),
        "{told}"
    );
    let after = by_rule(&record, Rule::AfterFaults);
    assert!(after.contains("none fail with direct and 40 "), "it is told all the same: {after}");
}

#[test]
fn all_is_well_only_before_a_fault_and_where_hardly_a_request_fails() {
    let mut record = run_seed("ties", 1);
    assert!(by_rule(&record, Rule::Cost).starts_with("When all is well (2 s to 8 s)"));
    let steady = record.architectures["gateway"].phases.get_mut("steady").unwrap();
    steady.total.requests.ok -= 5;
    steady.total.requests.failed += 5;
    assert!(by_rule(&record, Rule::Cost).starts_with("Of what is served well"));
    let no_fault = run_seed("most-fail", 1);
    assert!(!Summary::of(&no_fault).verdict.text.contains("all is well"));
}

#[test]
fn what_the_sample_does_not_carry_is_not_spoken_of() {
    let record = run_seed("twenty-requests", 1);
    let text = Summary::of(&record).verdict.text;
    assert!(!text.contains("99 of 100"), "20 requests carry no 99th percentile: {text}");
    assert!(text.contains("the longest takes"), "{text}");
}

#[test]
fn a_fault_that_lasts_to_the_end_leaves_the_recovery_open() {
    let mut record = run_seed("ties", 1);
    let duration_us = record.duration_us;
    record.faults[0].for_us = duration_us - record.faults[0].at_us;
    for seen in record.architectures.values_mut() {
        seen.phases.shift_remove("recovery");
    }
    assert_eq!(
        by_rule(&record, Rule::AfterFaults),
        "The load ends with it: whether the system recovers is not known."
    );
}

#[test]
fn nothing_measured_is_all_that_is_said() {
    let record = crate::fixture::silent();
    let reasons = Summary::of(&record).verdict.reasons;
    assert_eq!(reasons.len(), 1);
    assert_eq!((reasons[0].rule, &*reasons[0].text), (Rule::NothingMeasured, "No request was measured."));
}

#[test]
fn the_figures_behind_a_sentence_are_those_of_the_summary() {
    let record = run_seed("overlapping", 1);
    let summary = Summary::of(&record);
    let mut checked = 0;
    for reason in &summary.verdict.reasons {
        let of_the_run = |of: &&hoplab_reports::summary::Cited| of.during.is_none() && of.over.is_none();
        for cited in reason.figures.iter().filter(of_the_run) {
            let seen = &summary.architectures[&cited.architecture];
            let whole = |us: Option<u64>| us.map(|us| us as f64);
            let known = match &*cited.figure {
                "error_rate" => seen.error_rate,
                "p50" => whole(seen.latency_us.p50),
                "p99" => whole(seen.latency_us.p99),
                _ => continue,
            };
            let (cited, known) = (cited.value.unwrap(), known.unwrap());
            assert!((cited - known).abs() <= 1e-6 * known.max(1.0), "{cited} is not {known}");
            checked += 1;
        }
    }
    assert!(checked >= 9, "{checked}");
}

#[test]
fn seeds_that_disagree_are_told_to_disagree() {
    let records = (1..=4).map(|seed| run_seed("four-seeds", seed)).collect();
    let joined = join::join(records).unwrap();
    assert!(by_rule(&joined, Rule::ErrorsOverTheRun).contains("fewer in 2 seeds and more in 2 of 4"));
    insta::assert_snapshot!("four-seeds", told(&joined));
}

/// The same with what is asked of the quick left out, so that the mesh is better by all that is asked.
fn only_slow_limit(record: &mut Record) {
    let is_asked = |within: &Within| within.limit_us == 100_000;
    for seen in record.architectures.values_mut() {
        seen.total.within.retain(is_asked);
        seen.total.seeds.iter_mut().for_each(|seed| seed.within.retain(is_asked));
    }
}

#[test]
fn what_is_served_in_time_is_claimed_by_the_seeds_that_agree() {
    let mut joined = join::join((1..=3).map(|seed| run_seed("one-limit-better", seed)).collect()).unwrap();
    let answer = by_rule(&joined, Rule::Answer);
    assert!(answer.contains("fastest with direct"), "the quick are fewer: {answer}");
    only_slow_limit(&mut joined);
    let claim = "with mesh 99.7 % of requests are served well within 100 ms instead of 95.1 % with direct";
    let reasons = Summary::of(&joined).verdict.reasons;
    assert!(reasons[0].text.contains(claim), "{}", reasons[0].text);
    let cited = reasons[0].figures.iter().find(|of| of.figure == "within 100000us").unwrap();
    let (value, interval) = (cited.value.unwrap(), cited.interval.unwrap());
    assert!(interval.low > 0.0 && interval.low <= value && value <= interval.high, "{cited:?}");
    // A seed in which it is the other way around.
    let [direct, mesh] = ["direct", "mesh"].map(|name| joined.architectures[name].total.seeds[0].clone());
    joined.architectures["direct"].total.seeds[0] = mesh;
    joined.architectures["mesh"].total.seeds[0] = direct;
    let answer = by_rule(&joined, Rule::Answer);
    assert!(!answer.contains("within 100 ms"), "{answer}");
}

#[test]
fn slow_requests_are_claimed_by_the_seeds_that_agree() {
    let mut record = run_seed("hedge", 1);
    let mut joined = join::join((1..=3).map(|seed| run_seed("hedge", seed)).collect()).unwrap();
    for record in [&mut record, &mut joined] {
        record.architectures.values_mut().for_each(|seen| seen.total.within.clear());
    }
    let answer = by_rule(&record, Rule::Answer);
    let claim = "of 100 requests that are served well take at most";
    assert!(answer.contains(claim), "{answer}");
    assert!(by_rule(&joined, Rule::Answer).contains(claim), "{}", by_rule(&joined, Rule::Answer));
    // A seed in which it is the other way around.
    let seed = |joined: &Record, name: &str| joined.architectures[name].total.seeds[0].percentiles.clone();
    let [direct, mesh] = ["direct", "mesh"].map(|name| seed(&joined, name));
    joined.architectures["direct"].total.seeds[0].percentiles = mesh;
    joined.architectures["mesh"].total.seeds[0].percentiles = direct;
    assert!(!by_rule(&joined, Rule::Answer).contains(claim), "{}", by_rule(&joined, Rule::Answer));
}

#[test]
fn a_record_without_the_parts_of_its_run_is_told_as_a_whole() {
    let mut record = run_seed("overlapping", 1);
    for seen in record.architectures.values_mut() {
        seen.phases.clear();
        seen.windows.clear();
        seen.total.intervals = Intervals::default();
    }
    record.paired.clear();
    let reasons = Summary::of(&record).verdict.reasons;
    let rules: Vec<Rule> = reasons.iter().map(|reason| reason.rule).collect();
    assert!(rules.starts_with(&[Rule::Answer, Rule::ErrorsOverTheRun, Rule::LatencyOverTheRun]), "{rules:?}");
    assert!(!rules.contains(&Rule::WhileFaults) && !rules.contains(&Rule::Silence), "{rules:?}");
    let text = Summary::of(&record).verdict.text;
    assert!(!text.contains("beyond chance: ") && !text.contains("all is well"), "{text}");
}

#[test]
fn eight_architectures_are_told_by_the_first_the_least_and_the_most() {
    let mut record = run_seed("overlapping", 1);
    let others = ["ambient", "bff", "bff+mesh", "microgateway", "gateway+ambient"];
    for (place, name) in others.iter().enumerate() {
        let like = ["gateway", "mesh"][place % 2];
        let seen = record.architectures[like].clone();
        record.architectures.insert((*name).to_owned(), seen);
        let pairs = record.paired[like].clone();
        record.paired.insert((*name).to_owned(), pairs);
    }
    insta::assert_snapshot!("eight-architectures", told(&record));
}
