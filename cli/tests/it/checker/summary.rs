//! What `summary.json` must say. Owns its keys, and no figure.

use super::figure::{Figure, Precision, mean, percentile};
use super::pairs::Pairs;
use super::rebuilt::{Rebuilt, Seen};
use super::record::{counted, ends, network};
use super::sheet::Sheet;
use super::sums::{Edge, Owned, Traffic};
use serde_json::Value;

/// What a summary says besides, that traces do not.
pub(super) const BESIDES: [&str; 15] = [
    "digest",
    "intervals",
    "breakers",
    "breakers_left_out",
    "breakers_cut_us",
    "policies",
    "wasted",
    "work",
    "resources",
    "faults",
    "violations",
    "expectations",
    "timeouts",
    "tail_probes",
    "resets",
];

/// Digits after the point: of microseconds and rates, and of shares.
const THREE: i32 = 3;
const SIX: i32 = 6;

/// What the summary must say of the run.
pub(super) fn sheet(rebuilt: &Rebuilt, written: &Value) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        let place = &format!("/architectures/{name}");
        let written = &written["architectures"][name];
        let seconds = rebuilt.seconds(&seen.all.range);
        traffic(&mut sheet, place, (&seen.all.total, seconds), written);
        for (endpoint, of) in &seen.all.endpoints {
            let place = &format!("{place}/endpoints/{endpoint}");
            traffic(&mut sheet, place, (of, seconds), &written["endpoints"][endpoint]);
        }
        owned(&mut sheet, &format!("{place}/breakdown_us"), &seen.all.owned);
        owned(&mut sheet, &format!("{place}/failed_breakdown_us"), &seen.others);
        for (name, of) in &seen.all.edges {
            edge(&mut sheet, &format!("{place}/edges/{name}"), of);
        }
        network(&mut sheet, &format!("{place}/network"), &seen.network);
        paired(&mut sheet, &format!("{place}/paired"), seen);
    }
    sheet
}

fn traffic(sheet: &mut Sheet, place: &str, (traffic, seconds): (&Traffic, f64), written: &Value) {
    ends(sheet, &format!("{place}/requests"), traffic.all);
    times(sheet, &format!("{place}/latency_us"), &traffic.served_us);
    times(sheet, &format!("{place}/failed_latency_us"), &traffic.others_us);
    let goodput = traffic.good as f64 / seconds;
    sheet.put(&format!("{place}/goodput_rps"), Figure::Rounded(goodput, THREE));
    let share = |count: i64| match traffic.all.sent {
        0 => Figure::Nothing,
        sent => Figure::Rounded(count as f64 / sent as f64, SIX),
    };
    sheet.put(&format!("{place}/error_rate"), share(traffic.all.errors()));
    for (limit, _) in written["within"].as_object().into_iter().flatten() {
        let limit_us: i64 = limit.parse().unwrap();
        let within = traffic.served_us.iter().filter(|us| **us <= limit_us).count() as i64;
        sheet.put(&format!("{place}/within/{limit}"), share(within));
    }
}

fn times(sheet: &mut Sheet, place: &str, values: &[i64]) {
    let exact = |us: Option<&i64>| us.map_or(Figure::Nothing, |us| Figure::Whole(*us));
    sheet.put(&format!("{place}/min"), exact(values.first()));
    sheet.put(&format!("{place}/max"), exact(values.last()));
    let mean = mean(values).map_or(Figure::Nothing, |us| Figure::Rounded(us, THREE));
    sheet.put(&format!("{place}/mean"), mean);
    for (key, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990), ("p999", 999)] {
        sheet.put(&format!("{place}/{key}"), read(percentile(values, per_mille, false)));
    }
}

fn read(us: Option<i64>) -> Figure {
    us.map_or(Figure::Nothing, |us| Figure::Read(us, Precision::Four))
}

fn owned(sheet: &mut Sheet, place: &str, owned: &Owned) {
    for (owner, us) in owned.mean_us(None) {
        sheet.put(&format!("{place}/{owner}"), Figure::Rounded(us, THREE));
    }
}

fn edge(sheet: &mut Sheet, place: &str, edge: &Edge) {
    for (key, count) in edge.counts() {
        sheet.whole(&format!("{place}/{key}"), count);
    }
    let amplification = edge.amplification().unwrap_or(0.0);
    sheet.put(&format!("{place}/amplification"), Figure::Rounded(amplification, THREE));
}

fn paired(sheet: &mut Sheet, place: &str, seen: &Seen) {
    let Some(against) = &seen.against else { return };
    sheet.put(&format!("{place}/baseline"), Figure::Text(against.baseline.clone()));
    pairs(sheet, place, &against.total);
    for (phase, of) in &against.parts {
        pairs(sheet, &format!("{place}/phases/{phase}"), of);
    }
    for (endpoint, of) in &against.endpoints {
        pairs(sheet, &format!("{place}/endpoints/{endpoint}"), of);
    }
}

fn pairs(sheet: &mut Sheet, place: &str, pairs: &Pairs) {
    for (key, count) in counted(pairs) {
        sheet.whole(&format!("{place}/{key}"), count);
    }
    let values = &pairs.longer_us;
    sheet.whole(&format!("{place}/both"), pairs.both());
    let place = &format!("{place}/difference_us");
    let exact = |us: Option<&i64>| us.map_or(Figure::Nothing, |us| Figure::Whole(*us));
    sheet.put(&format!("{place}/min"), exact(values.first()));
    sheet.put(&format!("{place}/max"), exact(values.last()));
    let mean = mean(values).map_or(Figure::Nothing, |us| Figure::Rounded(us, THREE));
    sheet.put(&format!("{place}/mean"), mean);
    for (key, per_mille) in [("p1", 10), ("p50", 500), ("p90", 900), ("p99", 990)] {
        sheet.put(&format!("{place}/{key}"), read(percentile(values, per_mille, true)));
    }
}
