//! Two runs side by side: what is told of them, and that the page is sound.

use hoplab_reports::Look;
use hoplab_reports::compare::Comparison;
use hoplab_sim::record::Record;

use crate::fixture;

/// The fixture, and the same with a mesh that got slower, retries more and fails an expectation.
fn pair() -> (Record, Record) {
    let before = fixture::boutique();
    let mut now = before.clone();
    now.seed = 2;
    now.sources[0].text = now.sources[0].text.replace("payment", "payments");
    now.architectures.shift_remove("gateway");
    let mesh = &mut now.architectures["mesh"];
    mesh.digest = "another".into();
    mesh.total.latency = fixture::latencies(mesh.total.latency.count, 3_000.0, 2_000.0, 1.6);
    mesh.total.intervals = fixture::trust::intervals(&mesh.total.latency, mesh.total.requests);
    mesh.total.intervals.quantiles.retain(|of| of.quantile < 0.998);
    mesh.hops[0].breakdown_us.insert("backoff".into(), 1_900.0);
    *mesh.breakdown_us.entry("backoff".into()).or_default() += 1_900.0;
    mesh.edges["checkout → payment"].attempts *= 2;
    mesh.decisions[0].count += 1_000;
    let expectation = &mut mesh.expectations[0];
    expectation.holds = !expectation.holds;
    expectation.outcome = fixture::outcome(expectation.holds);
    (before, now)
}

#[test]
fn what_differs_is_told_in_words_and_figures() {
    let (before, now) = pair();
    let comparison = Comparison::of(("main", &before), ("pr-12", &now)).unwrap();
    insta::assert_snapshot!(comparison.table(Look::PLAIN));
}

/// The same seed: every difference is real, and what another seed may show as well is told apart.
#[test]
fn the_same_requests_are_compared_exactly() {
    let (before, mut now) = pair();
    now.seed = before.seed;
    let mesh = &mut now.architectures["mesh"].total;
    let (latency, requests) = (before.architectures["mesh"].total.latency.clone(), mesh.requests);
    mesh.latency = latency;
    mesh.latency.sum_us += 200 * mesh.latency.count;
    mesh.intervals = fixture::trust::intervals(&mesh.latency, requests);
    let told = Comparison::of(("main", &before), ("pr-12", &now)).unwrap().table(Look::PLAIN);
    assert!(
        told.starts_with("What differs most in pr-12, by no more than another seed may: mean of mesh"),
        "{told}"
    );
    assert!(told.contains(" exact\n") && !told.contains("within chance"), "{told}");
}

#[test]
fn the_page_says_the_same_and_escapes_what_it_is_given() {
    let (before, mut now) = pair();
    let hostile = "<img src=x onerror=alert(1)>";
    now.title = hostile.into();
    now.sources[0].text.push_str(hostile);
    now.architectures["mesh"].hops[0].name = hostile.into();
    now.architectures["mesh"].expectations[0].text = hostile.into();
    let html = Comparison::of((hostile, &before), ("pr-12", &now)).unwrap().page();
    assert!(!html.contains("<img"));
    for text in ["<del>- title", "<ins>+ title", "td class=\"apart\"", " ≠</td>", "By endpoint"] {
        assert!(html.contains(text), "{text}");
    }
    assert_eq!(
        html.matches("stroke-dasharray=\"7 5\"").count(),
        2,
        "one chart for the desk and one for the phone"
    );
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn nothing_differs_from_itself() {
    let record = fixture::boutique();
    let comparison = Comparison::of(("a", &record), ("b", &record)).unwrap();
    assert!(comparison.table(Look::PLAIN).starts_with("Nothing differs"));
    let html = comparison.page();
    assert!(html.contains("Every expectation came out the same.") && !html.contains("id=\"figures\""));
}

#[test]
fn without_an_architecture_in_common_there_is_nothing_to_compare() {
    let (mut before, mut now) = pair();
    before.architectures.retain(|name, _| name == "direct");
    now.architectures.retain(|name, _| name == "mesh");
    let error = Comparison::of(("a", &before), ("b", &now)).unwrap_err().to_string();
    assert!(error.starts_with("a and b have no architecture in common: direct; mesh"), "{error}");
}

#[test]
fn nothing_was_sent_in_one_of_them() {
    let (before, now) = (fixture::silent(), fixture::boutique());
    let comparison = Comparison::of(("a", &before), ("b", &now)).unwrap();
    assert!(comparison.table(Look::PLAIN).contains('–'));
    assert!(comparison.page().contains("–"));
}
