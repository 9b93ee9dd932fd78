//! What is counted, bounded, and said again; with a reader of the format that takes nothing but what it allows.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::instant::Instant;
use crate::telemetry::{AttemptKind, Fault, SpanId, TraceId};

fn at(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

fn attempt(upstream: &str, endpoint: Option<&str>, outcome: Outcome) -> Attempt {
    let endpoint = endpoint.map(Arc::from);
    let (kind, is_sent) = (AttemptKind::First, endpoint.is_some());
    let (start, end) = (at(10), at(20));
    let (id, upstream, connection) = (SpanId(1), upstream.into(), None);
    Attempt { id, upstream, endpoint, kind, is_sent, connection, start, end, outcome }
}

fn span(outcome: Outcome, attempts: Vec<Attempt>) -> Report {
    Report::Span(Span {
        trace: TraceId(1),
        parent: None,
        role: Role::Gateway,
        start: at(0),
        end: at(1_000),
        segments: Vec::new(),
        attempts,
        outcome,
        facts: None,
    })
}

fn moved(upstream: &str, endpoint: Option<&str>, state: BreakerState) -> Report {
    let endpoint = endpoint.map(Arc::from);
    Report::Breaker(BreakerMoved { at: at(1), upstream: upstream.into(), endpoint, state })
}

fn decided(upstream: &str, decision: Decision) -> Report {
    Report::Policy(PolicyEvent { at: at(1), upstream: upstream.into(), endpoint: None, decision })
}

/// The samples of a text, each as it stands. Panics where the text is not what the format allows.
fn samples(text: &str) -> Vec<(String, f64)> {
    assert!(text.ends_with('\n'));
    let (mut families, mut samples) = (BTreeSet::new(), Vec::new());
    let (mut family, mut kind) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("a help has words");
            assert!(!words.is_empty() && families.insert(name.to_owned()), "{name} is there once");
            (family, kind) = (name.to_owned(), String::new());
        } else if let Some(of) = line.strip_prefix("# TYPE ") {
            assert!(kind.is_empty(), "{line}");
            let (name, of) = of.split_once(' ').expect("a type");
            assert_eq!(name, family);
            assert!(["counter", "gauge", "histogram"].contains(&of), "{line}");
            assert_eq!(of == "counter", name.ends_with("_total"), "{line}");
            of.clone_into(&mut kind);
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let name = series.split('{').next().expect("a name");
            let suffix = name.strip_prefix(&*family).unwrap_or_else(|| panic!("{line} is not of {family}"));
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&suffix), "{line}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            labels(&series[name.len()..]);
            samples.push((series.to_owned(), value.parse().expect("a number")));
        }
    }
    let series: BTreeSet<_> = samples.iter().map(|(series, _)| series).collect();
    assert_eq!(series.len(), samples.len(), "a series is there once");
    samples
}

/// Reads `{name="value",…}` or nothing.
fn labels(text: &str) {
    if text.is_empty() {
        return;
    }
    let mut rest = text.strip_prefix('{').expect("labels begin with a brace");
    loop {
        let (name, value) = rest.split_once("=\"").expect("a label has a value");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{text}");
        let mut escaped = false;
        let end = value.char_indices().find(|(_, character)| {
            let ends = *character == '"' && !escaped;
            assert!(!escaped || ['\\', '"', 'n'].contains(character), "{text}");
            escaped = *character == '\\' && !escaped;
            ends
        });
        let (end, _) = end.expect("a value ends");
        match &value[end + 1..] {
            "}" => return,
            more => rest = more.strip_prefix(',').expect("labels are separated"),
        }
    }
}

fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let samples = samples(&metrics.text());
    samples.into_iter().find(|(found, _)| found == series).map(|(_, value)| value)
}

#[test]
fn nothing_has_happened_yet() {
    let metrics = Metrics::default();
    let version = format!("hoplab_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    let zero = |series: &str| (series.to_owned(), 0.0);
    let expected = [
        (version, 1.0),
        zero("hoplab_panics_total"),
        zero("hoplab_reloads_total{result=\"refused\"}"),
        zero("hoplab_reloads_total{result=\"applied\"}"),
        zero("hoplab_tls_handshake_failures_total{peer=\"endpoint\"}"),
        zero("hoplab_tls_handshake_failures_total{peer=\"caller\"}"),
    ];
    assert_eq!(samples(&metrics.text()), expected);
}

#[test]
fn a_request_is_counted_by_role_and_its_attempts_by_edge() {
    let metrics = Metrics::default();
    metrics.observe(&Report::Arrived(Role::Gateway));
    metrics.observe(&Report::Arrived(Role::Gateway));
    let failed = attempt("cart", Some("cart-0:80"), Outcome::Failed(Fault::Reset));
    let answered = attempt("cart", Some("cart-1:80"), Outcome::Answered(204));
    metrics.observe(&span(Outcome::Answered(204), vec![failed.clone(), answered]));
    for (series, expected) in [
        ("hoplab_requests_total{role=\"gateway\",outcome=\"2xx\"}", 1.0),
        ("hoplab_request_duration_seconds_bucket{role=\"gateway\",le=\"0.0005\"}", 0.0),
        ("hoplab_request_duration_seconds_bucket{role=\"gateway\",le=\"0.001\"}", 1.0),
        ("hoplab_request_duration_seconds_sum{role=\"gateway\"}", 0.001),
        ("hoplab_requests_in_flight{role=\"gateway\"}", 1.0),
        (
            "hoplab_attempts_total{role=\"gateway\",upstream=\"cart\",endpoint=\"cart-0:80\",outcome=\"reset\"}",
            1.0,
        ),
        (
            "hoplab_attempts_total{role=\"gateway\",upstream=\"cart\",endpoint=\"cart-1:80\",outcome=\"2xx\"}",
            1.0,
        ),
        (
            "hoplab_attempt_duration_seconds_count{role=\"gateway\",upstream=\"cart\",endpoint=\"cart-1:80\"}",
            1.0,
        ),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series}");
    }
    let unplaced = attempt("cart", None, Outcome::Failed(Fault::NoEndpoint));
    metrics.observe(&span(Outcome::Failed(Fault::NoEndpoint), vec![unplaced]));
    metrics.observe(&span(Outcome::Answered(503), vec![failed]));
    let none = "hoplab_attempts_unsent_total{role=\"gateway\",upstream=\"cart\",endpoint=\"\",outcome=\"no-endpoint\"}";
    assert_eq!(value(&metrics, none), Some(1.0));
    assert_eq!(value(&metrics, "hoplab_requests_in_flight{role=\"gateway\"}"), Some(0.0));
    assert_eq!(metrics.served(), Served { requests: 3, failed: 2, panicked: 0 });
}

#[test]
fn breakers_have_one_state_and_all_their_moves() {
    let metrics = Metrics::default();
    for state in [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Open] {
        metrics.observe(&moved("cart", Some("cart-0:80"), state));
    }
    metrics.observe(&moved("payment", None, BreakerState::Closed));
    let labels = "upstream=\"cart\",endpoint=\"cart-0:80\"";
    for (state, is_in, moves) in
        [("open", 1.0, Some(2.0)), ("half-open", 0.0, Some(1.0)), ("closed", 0.0, None)]
    {
        let series = |name: &str| format!("hoplab_breaker_{name}{{{labels},state=\"{state}\"}}");
        assert_eq!(value(&metrics, &series("state")), Some(is_in), "{state}");
        assert_eq!(value(&metrics, &series("moves_total")), moves, "{state}");
    }
    let left = PolicyEvent {
        at: at(2),
        upstream: "cart".into(),
        endpoint: Some("cart-0:80".into()),
        decision: Decision::Left,
    };
    metrics.observe(&Report::Policy(left));
    let series = |name: &str| format!("hoplab_breaker_{name}{{{labels},state=\"open\"}}");
    assert_eq!(value(&metrics, &series("state")), None, "who has left has no breaker");
    assert_eq!(value(&metrics, &series("moves_total")), Some(2.0));
    let whole = "hoplab_breaker_state{upstream=\"payment\",endpoint=\"\",state=\"closed\"}";
    assert_eq!(value(&metrics, whole), Some(1.0));
}

#[test]
fn decisions_panics_and_dropped_lines_are_counted() {
    let metrics = Metrics::default();
    for decision in [Decision::Retried, Decision::Retried, Decision::Ejected] {
        metrics.observe(&decided("cart", decision));
    }
    metrics.observe(&Report::Panicked);
    metrics.writes("spans", &Sink::Stdout);
    metrics.writes("access_log", &Sink::Stdout);
    metrics.dropped("spans");
    for (series, expected) in [
        ("hoplab_retries_total{upstream=\"cart\"}", 2.0),
        ("hoplab_policy_decisions_total{upstream=\"cart\",decision=\"retried\"}", 2.0),
        ("hoplab_policy_decisions_total{upstream=\"cart\",decision=\"ejected\"}", 1.0),
        ("hoplab_panics_total", 1.0),
        ("hoplab_telemetry_dropped_total{lines=\"spans\"}", 1.0),
        ("hoplab_telemetry_dropped_total{lines=\"access_log\"}", 0.0),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series}");
    }
}

#[test]
fn names_beyond_the_limit_are_counted_together() {
    let metrics = Metrics::default();
    let more = 50;
    for number in 0..SERIES_MAX + more {
        let upstream = format!("service-{number}");
        metrics.observe(&span(
            Outcome::Answered(200),
            vec![attempt(&upstream, Some("a:80"), Outcome::Answered(200))],
        ));
        metrics.observe(&decided(&upstream, Decision::Hedged));
        metrics.observe(&moved(&upstream, None, BreakerState::Open));
    }
    let samples = samples(&metrics.text());
    let sum = |family: &str| {
        samples.iter().filter(|(series, _)| series.starts_with(family)).map(|(_, v)| v).sum::<f64>()
    };
    for family in ["hoplab_attempts_total{", "hoplab_policy_decisions_total{", "hoplab_breaker_moves_total{"]
    {
        let count = samples.iter().filter(|(series, _)| series.starts_with(family)).count();
        assert_eq!(count, SERIES_MAX + 1, "{family}");
        assert_eq!(sum(family) as usize, SERIES_MAX + more, "{family}");
    }
    let other = format!("hoplab_policy_decisions_total{{upstream=\"{OTHER}\",decision=\"hedged\"}}");
    assert_eq!(value(&metrics, &other), Some(more as f64));
    let state = format!("hoplab_breaker_state{{upstream=\"{OTHER}\",endpoint=\"\",state=\"open\"}}");
    assert_eq!(value(&metrics, &state), None, "many breakers are in no one state");
}

proptest! {
    #[test]
    fn the_text_is_well_formed_whatever_the_names(
        names in proptest::collection::vec("\\PC{0,8}|[\"\\\\\n{},=]{1,6}", 1..8),
        statuses in proptest::collection::vec(0..700_u16, 1..8),
    ) {
        let metrics = Metrics::default();
        for (name, status) in names.iter().zip(statuses.iter().cycle()) {
            let outcome = Outcome::Answered(*status);
            metrics.observe(&span(outcome, vec![attempt(name, Some(name), outcome)]));
            metrics.observe(&decided(name, Decision::Retried));
            metrics.observe(&moved(name, Some(name), BreakerState::HalfOpen));
        }
        let text = metrics.text();
        samples(&text);
        prop_assert_eq!(text, metrics.text());
    }
}

#[test]
fn a_histogram_is_as_long_as_it_says() {
    let metrics = Metrics::default();
    let ended = span(Outcome::Answered(200), vec![attempt("a", Some("a:1"), Outcome::Answered(200))]);
    metrics.observe(&ended);
    let text = metrics.text();
    let of_edge = text.lines().filter(|line| line.starts_with("hoplab_attempt_duration_seconds")).count();
    assert_eq!(of_edge, 19, "as the limit's reason says");
    assert!(text.len() < 16 * 1024, "{} bytes", text.len());
}

#[test]
fn who_has_left_is_forgotten_after_a_while_and_leaves_room_for_others() {
    let metrics = Metrics::default();
    let minute = 60_000_000;
    let decide = |endpoint: &str, decision, micros| {
        let (at, endpoint) = (at(micros), Some(endpoint.into()));
        metrics.observe(&Report::Policy(PolicyEvent { at, upstream: "cart".into(), endpoint, decision }));
    };
    let called = |endpoint: &str| {
        let answered = attempt("cart", Some(endpoint), Outcome::Answered(200));
        metrics.observe(&span(Outcome::Answered(200), vec![answered]));
    };
    let is_told = |endpoint: &str| metrics.text().contains(&format!("endpoint=\"{endpoint}\""));
    for endpoint in ["gone:80", "back:80", "new:80"] {
        called(endpoint);
        metrics.observe(&moved("cart", Some(endpoint), BreakerState::Open));
    }
    decide("gone:80", Decision::Left, 0);
    decide("back:80", Decision::Left, 0);
    decide("back:80", Decision::Joined, minute);
    decide("new:80", Decision::Left, 9 * minute);
    assert!(is_told("gone:80"), "its last requests may not be scraped yet");
    decide("other:80", Decision::Left, 10 * minute);
    assert!(!is_told("gone:80") && is_told("back:80") && is_told("new:80"));
    // Pods that come and go for a day.
    for pod in 0..u64::try_from(SERIES_MAX).unwrap() * 2 {
        let endpoint = format!("pod-{pod}:80");
        decide(&endpoint, Decision::Joined, (20 + pod) * minute);
        called(&endpoint);
        decide(&endpoint, Decision::Left, (20 + pod) * minute);
        assert!(is_told(&endpoint));
    }
    assert!(!metrics.text().contains(OTHER) && !is_told("pod-0:80") && is_told("back:80"));
}
