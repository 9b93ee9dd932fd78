//! Intervals of whole runs: where there are any, what judges by them, and what more seeds say.

use std::sync::Arc;

use hoplab_sim::join;
use hoplab_sim::record::{Architecture, Interval, Outcome, Record};
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::plan::Source;
use hoplab_sim::scenario::{self, Overrides};

/// M/M/1 at 50 %, whose mean is 20 ms, with something `more` in its scenario.
fn run(seed: u64, seconds: u32, more: &str) -> Record {
    let text = format!(
        r#"
        scenario = {{ duration = "{seconds}s" }}
        compare  = {{ architectures = ["direct"] }}
        network  = {{ latency = "0us" }}
        services.server.endpoints.serve = {{ steps = [{{ work = "exp(10ms)" }}] }}
        load.customers = {{ rate = "50 rps", mix = {{ "server.serve" = 1 }} }}
        {more}
        "#
    );
    let source = Source { path: "mm1.toml".to_owned(), text };
    let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
    let plan = scenario::parse(&[source], &overrides).expect("the scenario is right");
    let progress = Progress::new(&plan);
    run::run(&Arc::new(plan), &progress)
}

fn direct(record: &Record) -> &Architecture {
    &record.architectures["direct"]
}

fn holds(interval: Interval, truth: f64) -> bool {
    interval.low <= truth && truth <= interval.high
}

#[test]
fn a_single_run_has_intervals_that_hold_where_it_is_long_enough() {
    let means = (1..=6).filter_map(|seed| direct(&run(seed, 100, "")).total.intervals.mean);
    let means: Vec<_> = means.collect();
    assert!(means.len() >= 4, "{means:?}");
    assert!(means.iter().all(|mean| holds(*mean, 20_000.0)), "{means:?}");
    assert_eq!(direct(&run(1, 5, "")).total.intervals.mean, None, "250 customers say nothing");
}

#[test]
fn a_fault_that_spans_the_run_leaves_intervals_and_one_that_comes_and_goes_takes_those_of_the_whole() {
    let fault = |at: u32, lasts: u32| {
        format!(
            r#"faults = [{{ name = "f", at = "{at}s", for = "{lasts}s", error = {{ service = "server", share = "20%" }} }}]"#
        )
    };
    let spans = run(2, 100, &fault(0, 100));
    let (total, phase) = (&direct(&spans).total, &direct(&spans).phases["f"].total);
    assert_eq!(total.intervals, phase.intervals, "they are the same part");
    assert!(holds(total.intervals.error_rate.expect("twenty in a hundred are told"), 0.2));
    assert!(total.intervals.mean.is_some());
    let passes = run(2, 200, &fault(80, 60));
    assert_eq!(direct(&passes).total.intervals.error_rate, None, "nothing is alike over the whole run");
    assert!(direct(&passes).phases["f"].total.intervals.error_rate.is_some());
}

#[test]
fn a_closed_form_is_judged_by_the_interval() {
    let judged = |seconds: u32, value: &str, within: &str| {
        let more = format!(r#"expect = [{{ metric = "mean", value = "{value}", within = "{within}" }}]"#);
        let record = run(1, seconds, &more);
        let seen = &direct(&record).expectations[0];
        (seen.text.clone(), seen.outcome, seen.takes.clone().unwrap_or_default())
    };
    let (text, outcome, takes) = judged(100, "20ms", "25%");
    assert_eq!((text.as_str(), outcome, takes.as_str()), ("mean = 20ms ± 25%", Outcome::Holds, ""));
    assert_eq!(judged(100, "60ms", "5%").1, Outcome::Fails);
    let (_, outcome, takes) = judged(100, "20ms", "1%");
    assert_eq!(outcome, Outcome::CannotBeJudged);
    assert!(takes.starts_with("its interval takes ") && takes.contains("(--scale "), "{takes}");
    let (_, outcome, takes) = judged(5, "20ms", "25%");
    assert_eq!(outcome, Outcome::CannotBeJudged);
    assert!(takes.contains("too few for an interval (try --scale 10 or --seeds 10)"), "{takes}");
}

#[test]
fn two_seeds_show_what_either_shows() {
    let records: Vec<_> = [1, 2].into_iter().map(|seed| run(seed, 100, "")).collect();
    let own: Vec<_> = records.iter().map(|record| direct(record).total.intervals.clone()).collect();
    let joined = join::join(records).expect("they are of one scenario");
    let joined = &direct(&joined).total.intervals;
    assert!(holds(joined.mean.expect("two runs carry a mean"), 20_000.0));
    for of in own.iter().flat_map(|own| &own.quantiles) {
        assert!(joined.of(of.quantile).is_some(), "{}", of.quantile);
    }
}
