//! The contract of `summary.json`.

use hoplab_reports::Summary;
use serde_json::Value;

use crate::fixture;

#[test]
fn says_what_the_contract_says() {
    insta::assert_snapshot!(Summary::of(&fixture::boutique()).to_json());
}

#[test]
fn reads_back_what_it_wrote() {
    let summary = Summary::of(&fixture::boutique());
    let read: Summary = serde_json::from_str(&summary.to_json()).unwrap();
    assert_eq!(read, summary);
}

#[test]
fn a_percentile_that_the_sample_cannot_carry_is_null() {
    let mut record = fixture::boutique();
    let direct = &mut record.architectures["direct"];
    direct.total.latency = fixture::latencies(200, 1_000.0, 500.0, 1.0);
    let summary: Value = serde_json::from_str(&Summary::of(&record).to_json()).unwrap();
    let latency = &summary["architectures"]["direct"]["latency_us"];
    assert!(latency["p90"].is_u64() && latency["p99"].is_null() && latency["p999"].is_null());
}

#[test]
fn of_nothing_every_figure_is_null() {
    let summary: Value = serde_json::from_str(&Summary::of(&fixture::silent()).to_json()).unwrap();
    let direct = &summary["architectures"]["direct"];
    assert_eq!(direct["requests"]["sent"], 0);
    let latency = direct["latency_us"].as_object().unwrap();
    assert!(latency.values().all(Value::is_null), "{latency:?}");
}

#[test]
fn whole_numbers_have_no_decimals_and_others_at_most_three() {
    let mut record = fixture::boutique();
    let breakdown = &mut record.architectures["mesh"].breakdown_us;
    breakdown.insert("wire".into(), 500.0);
    breakdown.insert("tls".into(), 1.0 / 3.0);
    breakdown.insert("pool".into(), -0.000_01);
    let text = Summary::of(&record).to_json();
    for line in ["\"wire\": 500\n", "\"tls\": 0.333,", "\"pool\": 0,"] {
        assert!(text.contains(line), "{line}");
    }
}

#[test]
fn joined_seeds_are_named_and_so_are_those_that_failed() {
    let summary: Value = serde_json::from_str(&Summary::of(&fixture::joined()).to_json()).unwrap();
    assert_eq!(summary["seeds"]["digests"].as_array().unwrap().len(), 20);
    assert_eq!(summary["architectures"]["direct"]["expectations"][0]["failed_in"][1], 11);
    assert!(summary["architectures"]["direct"].get("paired").is_none(), "the baseline has no pairs");
    assert_eq!(summary["architectures"]["mesh"]["paired"]["baseline"], "direct");
}
