//! The figures of the catalogue on small scenarios whose exact answers are known: what is an error, what is an
//! attempt, what is fast, what is served in time; and the three outcomes of an expectation.

use std::sync::Arc;

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::join;
use hoplab_sim::record::{Architecture, Edge, Expectation, Outcome, Record};
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::plan::Source;
use hoplab_sim::scenario::{self, Overrides};

/// A run under one architecture without costs and latencies, with `seed`.
fn run_seed(architecture: &str, duration: &str, rest: &str, seed: u64) -> Record {
    let text = format!(
        "[scenario]\nduration = \"{duration}\"\n[compare]\narchitectures = [\"{architecture}\"]\n\
         [network]\nlatency = \"0us\"\n[costs]\ngateway = {{}}\nsidecar = {{}}\n{rest}"
    );
    let source = Source { path: "figures.toml".to_owned(), text };
    let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
    let plan = scenario::parse(&[source], &overrides).unwrap_or_else(|problems| panic!("{problems}"));
    let plan = Arc::new(plan);
    run::run(&plan, &Progress::new(&plan))
}

fn run(architecture: &str, duration: &str, rest: &str) -> Record {
    run_seed(architecture, duration, rest, 1)
}

fn seen(record: &Record) -> &Architecture {
    record.architectures.values().next().unwrap()
}

fn assert_near(seen: f64, wanted: f64) {
    assert!((seen - wanted).abs() < 1e-9, "{seen} is not {wanted}");
}

fn figure(record: &Record, figure: Figure) -> f64 {
    let seconds = (record.duration_us - record.warmup_us) as f64 / 1e6;
    figure.of(&Scope::of(seen(record), seconds)).unwrap()
}

fn expectations(record: &Record) -> &[Expectation] {
    &seen(record).expectations
}

#[test]
fn what_is_left_open_is_an_error_and_no_goodput() {
    // A capacity of 10 a second, asked 300 times a second by clients who wait for ever.
    let record = run(
        "direct",
        "2s",
        "[services.first.endpoints.get]\nsteps = [{ work = \"100ms\" }]\n\
         [load.all]\nrate = \"300 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }\n\
         [[expect]]\nmetric = \"error_rate\"\nmax = \"1%\"\n\
         [[expect]]\nmetric = \"goodput\"\nmin = \"9 rps\"\nmax = \"10 rps\"",
    );
    let requests = seen(&record).total.requests;
    assert_eq!((requests.sent, requests.failed, requests.timed_out), (600, 0, 0));
    assert!(requests.open > 200, "{requests:?}");
    let expected = requests.open as f64 / 600.0;
    assert!((figure(&record, Figure::ErrorRate) - expected).abs() < 1e-12);
    let outcomes: Vec<Outcome> = expectations(&record).iter().map(|of| of.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fails, Outcome::Holds], "{:?}", expectations(&record));
}

#[test]
fn a_refusal_is_not_a_fast_answer_and_no_goodput() {
    let record = run(
        "gateway",
        "10s",
        "[services.first.endpoints.get]\nsteps = [{ work = \"20ms\" }]\n\
         [gateway]\nlimits = { rate = { algorithm = \"gcra\", rate = \"10 rps\" } }\n\
         [load.all]\nrate = \"40 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }",
    );
    let total = &seen(&record).total;
    assert_eq!((total.requests.sent, total.requests.ok, total.requests.refused), (400, 400, 300));
    assert_eq!((total.latency.count, total.latency.min_us, total.latency.max_us), (100, 20_000, 20_000));
    assert_eq!((total.failed_latency.count, total.failed_latency.max_us), (300, 0));
    assert_near(figure(&record, Figure::ErrorRate), 0.0);
    assert_near(figure(&record, Figure::Goodput), 10.0);
    // All the time of those that were served is the service's; the others are in no mean.
    let breakdown: f64 = seen(&record).breakdown_us.values().sum();
    assert!((breakdown - 20_000.0).abs() < 1e-6, "{:?}", seen(&record).breakdown_us);
}

#[test]
fn what_an_open_breaker_refuses_is_no_attempt() {
    let record = run(
        "gateway",
        "10s",
        "[services.first.endpoints.get]\nsteps = [{ sleep = \"1ms\" }]\n\
         [gateway]\ndefaults = { breaker = { failures = 5, open_for = \"60s\" } }\n\
         [load.all]\nrate = \"100 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }\n\
         [[faults]]\nname = \"broken\"\nat = \"5s\"\nfor = \"4s\"\nerror = { service = \"first\", share = \"100%\" }",
    );
    let edge = seen(&record).edges["client → first"];
    // 500 before the fault, five that open the breaker.
    assert_eq!(edge, Edge { requests: 1_000, attempts: 505, unsent: 495, errors: 5, ..Edge::default() });
    assert_eq!(seen(&record).pods["first-0"], 505);
}

#[test]
fn what_cannot_connect_is_no_attempt_and_its_retry_is_one() {
    let record = run(
        "gateway",
        "4s",
        "[services.first]\nreplicas = 2\n[services.first.endpoints.get]\nmethod = \"GET\"\nsteps = [{ sleep = \"1ms\" }]\n\
         [gateway]\ndefaults = { balance = \"round-robin\", retry = { attempts = 1, on = [\"connect-failure\"], \
         backoff = \"0ms..0ms\", jitter = \"none\" } }\n\
         [load.all]\nrate = \"100 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }\n\
         [[faults]]\nname = \"down\"\nat = \"1s\"\nfor = \"2s\"\ncrash = { service = \"first\", replica = 0 }",
    );
    let edge = seen(&record).edges["client → first"];
    assert_eq!(edge.requests, 400);
    assert!(edge.retries >= 90 && edge.unsent >= 90, "{edge:?}");
    // Each that could not connect was sent elsewhere, so that every request was put on a connection.
    assert_eq!(edge.attempts, 400 + edge.errors, "{edge:?}");
    let retried = hoplab_sim::record::decided(&seen(&record).decisions, "retried", None);
    assert_eq!(edge.retries, retried);
}

#[test]
fn hedges_stand_apart_from_retries_and_losers_have_not_failed() {
    let record = run(
        "gateway",
        "2s",
        "[services.first]\nreplicas = 2\n[services.first.endpoints.get]\nmethod = \"GET\"\nsteps = [{ sleep = \"30ms\" }]\n\
         [gateway]\ndefaults = { hedge = { after = \"10ms\", budget = \"100%\" } }\n\
         [load.all]\nrate = \"50 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }",
    );
    let edge = seen(&record).edges["client → first"];
    assert_eq!(edge, Edge { requests: 100, attempts: 200, hedges: 100, ..Edge::default() });
}

#[test]
fn what_was_sent_again_is_counted_whatever_else_was_never_sent() {
    // Half of the answers are errors, each is tried again once; a breaker refuses many of the calls.
    let record = run(
        "gateway",
        "10s",
        "[services.first.endpoints.get]\nmethod = \"GET\"\nsteps = [{ sleep = \"1ms\" }]\n\
         [gateway]\ndefaults = { retry = { attempts = 1, on = [\"503\"], backoff = \"0ms..0ms\", jitter = \"none\" }, \
         breaker = { failures = 3, open_for = \"200ms\" } }\n\
         [load.all]\nrate = \"200 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }\n\
         [[faults]]\nname = \"broken\"\nat = \"0s\"\nfor = \"10s\"\n\
         error = { service = \"first\", share = \"50%\", status = 503 }",
    );
    let edge = seen(&record).edges["client → first"];
    let difference = edge.attempts as i64 - edge.requests as i64;
    assert!(edge.retries > 100 && difference < 0, "{edge:?}");
    assert!(edge.errors > edge.retries, "{edge:?}");
    // A first attempt, or a retry; what the breaker refused is none.
    assert_near(figure(&record, Figure::Retries), edge.retries as f64);
    let firsts = edge.attempts - edge.retries;
    assert!(firsts < edge.requests, "{edge:?}");
}

#[test]
fn the_share_within_a_time_is_of_all_that_was_sent() {
    // Half of the requests fail at once; the others take 20 ms.
    let record = run(
        "direct",
        "10s",
        "[services.first.endpoints.get]\nsteps = [{ sleep = \"20ms\" }]\n\
         [services.second.endpoints.get]\nsteps = [{ sleep = \"300ms\" }]\n\
         [load.all]\nrate = \"100 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }\n\
         [load.slow]\nrate = \"100 rps\"\narrivals = \"uniform\"\nmix = { \"second.get\" = 1 }\n\
         [[faults]]\nname = \"broken\"\nat = \"0s\"\nfor = \"5s\"\nerror = { service = \"first\", share = \"100%\" }\n\
         [[expect]]\nmetric = \"within\"\nlimit = \"20ms\"\nmin = \"25%\"\nmax = \"25%\"\n\
         [[expect]]\nmetric = \"within\"\nlimit = \"300ms\"\nmin = \"75%\"\nmax = \"75%\"\n\
         [[expect]]\nmetric = \"within\"\nlimit = \"299ms\"\nof = \"second.get\"\nmax = \"0%\"\n\
         [[expect]]\nmetric = \"within\"\nlimit = \"20ms\"\nof = \"first.get\"\nduring = \"recovery\"\nmin = \"100%\"",
    );
    for expectation in expectations(&record) {
        assert_eq!(expectation.outcome, Outcome::Holds, "{expectation:?}");
    }
    assert_eq!(expectations(&record)[2].text, "share of second.get within 299ms ≤ 0%");
}

#[test]
fn a_recovery_ends_when_the_figure_is_back_and_stays() {
    // One core, 10 ms, 50 a second: 2 s at a quarter of the speed leave a queue, which takes a while to be served.
    let scenario = |duration: &str, max: &str| {
        run(
            "direct",
            duration,
            &format!(
                "[services.first.endpoints.get]\nsteps = [{{ work = \"10ms\" }}]\n\
                 [services.other.endpoints.get]\nsteps = [{{ sleep = \"1ms\" }}]\n\
                 [load.all]\nrate = \"50 rps\"\narrivals = \"uniform\"\nmix = {{ \"first.get\" = 1 }}\n\
                 [load.other]\nrate = \"50 rps\"\narrivals = \"uniform\"\nmix = {{ \"other.get\" = 1 }}\n\
                 [[faults]]\nname = \"broken\"\nat = \"2s\"\nfor = \"2s\"\n\
                 error = {{ service = \"first\", share = \"100%\" }}\n\
                 [[faults]]\nname = \"slow\"\nat = \"4s\"\nfor = \"2s\"\nslow = {{ service = \"first\", times = 4 }}\n\
                 [[expect]]\nmetric = \"recovery_time\"\nafter = \"slow\"\nof = \"first.get\"\nfigure = \"mean\"\n\
                 bound = \"20ms\"\nmax = \"{max}\"\n\
                 [[expect]]\nmetric = \"recovery_time\"\nafter = \"broken\"\nfigure = \"error_rate\"\n\
                 bound = \"0%\"\nmax = \"0s\"\n\
                 [[expect]]\nmetric = \"recovery_time\"\nafter = \"slow\"\nof = \"other.get\"\nfigure = \"p50\"\n\
                 bound = \"1010us\"\nmax = \"0s\""
            ),
        )
    };
    let record = scenario("20s", "9s");
    let outcomes: Vec<Outcome> = expectations(&record).iter().map(|of| of.outcome).collect();
    assert_eq!(outcomes, [Outcome::Holds; 3], "{:?}", expectations(&record));
    let recovered_us = expectations(&record)[0].seen.unwrap();
    assert!((500_000.0..9_000_000.0).contains(&recovered_us), "{recovered_us}");
    // A run that ends while it is still slow cannot tell whether it would have been in time, or can tell that not.
    let cut = scenario("6500ms", "9s");
    assert_eq!(expectations(&cut)[0].outcome, Outcome::CannotBeJudged, "{:?}", expectations(&cut));
    let late = scenario("6500ms", "400ms");
    assert_eq!(expectations(&late)[0].outcome, Outcome::Fails, "{:?}", expectations(&late));
    assert_eq!(expectations(&late)[0].text, "recovery of first.get after slow until mean ≤ 20ms ≤ 400ms");
}

#[test]
fn a_purchase_that_a_retry_higher_up_does_twice_is_seen() {
    // The shop charges, then takes too long: the gateway asks again, and the shop charges again, as another call.
    let scenario = |once: &str| {
        run(
            "gateway",
            "2s",
            &format!(
                "[services.shop]\nendpoints.buy = {{ method = \"POST\", steps = [{{ call = \"payment.charge\" }}, \
                 {{ sleep = \"100ms\" }}] }}\n\
                 [services.payment]\nendpoints.charge = {{ once = {once}, steps = [{{ work = \"1ms\" }}] }}\n\
                 [gateway]\ndefaults = {{ retry = {{ attempts = 1, per_try_timeout = \"50ms\", on = [\"reset\"], \
                 methods = [\"POST\"], backoff = \"0ms..0ms\", jitter = \"none\" }} }}\n\
                 [load.all]\nrate = \"5 rps\"\narrivals = \"uniform\"\nmix = {{ \"shop.buy\" = 1 }}\n\
                 [[expect]]\nmetric = \"violations\"\ninvariant = \"once-only\"\nmax = 0"
            ),
        )
    };
    let by_call = scenario("true");
    assert_eq!(expectations(&by_call)[0].outcome, Outcome::Holds);
    let by_request = scenario("\"request\"");
    assert_eq!(expectations(&by_request)[0].outcome, Outcome::Fails);
    assert_eq!(expectations(&by_request)[0].seen, Some(10.0));
    let first = &seen(&by_request).violations[0].first[0];
    assert!(first.starts_with("payment.charge completed again for the same request at "), "{first}");
}

#[test]
fn what_one_seed_cannot_judge_several_may() {
    let seed = |seed: u64| {
        run_seed(
            "direct",
            "2s",
            "[services.first.endpoints.get]\nsteps = [{ sleep = \"exp(10ms)\" }]\n\
             [load.all]\nrate = \"100 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }\n\
             [[expect]]\nmetric = \"p99\"\nmax = \"200ms\"\n\
             [[expect]]\nmetric = \"p99.9\"\nmax = \"200ms\"\n\
             [[expect]]\nmetric = \"p99\"\nduring = \"steady\"\nmax = \"200ms\"",
            seed,
        )
    };
    let alone = seed(1);
    let unjudged = &expectations(&alone)[0];
    assert_eq!((unjudged.outcome, unjudged.holds, unjudged.seen), (Outcome::CannotBeJudged, false, None));
    let takes = "it takes 381 requests that are served well, there are 200 (--scale 2 or --seeds 2)";
    assert_eq!(unjudged.takes.as_deref(), Some(takes));
    let takes = "it takes 381 requests that are served well, there are 200 (--seeds 2)";
    assert_eq!(expectations(&alone)[2].takes.as_deref(), Some(takes));
    // It says so truthfully.
    let joined = join::join(vec![seed(1), seed(2)]).unwrap();
    let judged = &expectations(&joined)[0];
    assert_eq!((judged.outcome, judged.holds), (Outcome::Holds, true), "{judged:?}");
    assert_eq!((judged.unjudged_in.len(), judged.failed_in.len()), (2, 0));
    let still = &expectations(&joined)[1];
    assert_eq!(still.outcome, Outcome::CannotBeJudged);
    let takes = "it takes 3,838 requests that are served well, there are 400 (--scale 10 or --seeds 20)";
    assert_eq!(still.takes.as_deref(), Some(takes));
}

#[test]
fn an_answer_after_the_load_s_end_is_no_goodput_and_one_before_it_is_though_asked_earlier() {
    let record = run(
        "direct",
        "4s",
        "[services.first.endpoints.get]\nsteps = [{ sleep = \"1s\" }]\n\
         [load.all]\nrate = \"10 rps\"\narrivals = \"uniform\"\nmix = { \"first.get\" = 1 }",
    );
    let total = &seen(&record).total;
    assert_eq!((total.requests.ok, total.good), (40, 30));
    assert_near(figure(&record, Figure::Goodput), 7.5);
    let by_window: u64 = seen(&record).windows.iter().map(|window| window.good).sum();
    assert_eq!(by_window, 30);
}

/// A managed gateway charges for what reaches it: not for requests that found nobody there, and for each attempt of a client.
#[test]
fn what_reached_the_gateway_is_counted_there() {
    let seen = |rest: &str| {
        crate::runs::run(&format!(
            "[scenario]\nduration = \"10s\"\n[compare]\narchitectures = [\"direct\", \"gateway\"]\n\
             [services.shop.endpoints.get]\n[load.people]\nrate = \"100 rps\"\nmix = {{ \"shop.get\" = 1 }}\n{rest}"
        ))
    };
    let counted = |record: &Record| {
        let seen = &record.architectures["gateway"];
        assert_eq!(record.architectures["direct"].at_gateway, None);
        (seen.total.requests, seen.at_gateway.unwrap())
    };
    let (requests, at_gateway) = counted(&seen(""));
    assert_eq!((requests.sent, at_gateway), (requests.ok, requests.ok));
    let crash = "[[faults]]\nname = \"away\"\nat = \"2s\"\nfor = \"4s\"\ncrash = { service = \"gateway\" }\n";
    let (requests, at_gateway) = counted(&seen(crash));
    assert!(requests.failed > 300, "{requests:?}");
    assert!((requests.ok..requests.ok + 5).contains(&at_gateway), "{at_gateway} of {requests:?}");
    let retried = "calls = { retry = { attempts = 1, on = [\"500\"], methods = \"any\" } }\n\
                   [[faults]]\nname = \"down\"\nat = \"0s\"\nfor = \"10s\"\nerror = { service = \"shop\" }\n";
    let (requests, at_gateway) = counted(&seen(retried));
    // What is retried after the end of the fault, which is that of the load, is served, and not counted.
    assert!(requests.ok < 5, "{requests:?}");
    assert!(
        (2 * requests.sent - 5..=2 * requests.sent).contains(&at_gateway),
        "{at_gateway} of {requests:?}"
    );
}
