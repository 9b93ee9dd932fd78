//! What `record/record.json` must say. Owns its keys, and no figure.

use hoplab_sim::lens::Request;
use serde_json::Value;

use super::figure::{Figure, Precision, at, percentile};
use super::packets;
use super::pairs::Pairs;
use super::rebuilt::{Part, Rebuilt, Seen, Window};
use super::sheet::Sheet;
use super::sums::{Edge, Ends, Owned, Traffic, latency_us};

/// What a record says besides, that traces do not: intervals, the machines' side, expectations, and what policies and
/// breakers did.
pub(super) const BESIDES: [&str; 22] = [
    "digest",
    "intervals",
    "work",
    "resources",
    "decisions",
    "decisions_in_warmup",
    "policies",
    "policies_left_out",
    "policies_cut_us",
    "breakers",
    "breakers_left_out",
    "breakers_cut_us",
    "changes",
    "violations",
    "faults",
    "expectations",
    "endpoint_windows",
    "timeouts",
    "tail_probes",
    "resets",
    "path",
    "effort",
];

/// What the record must say of the run.
pub(super) fn sheet(rebuilt: &Rebuilt, written: &Value) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        let place = &format!("/architectures/{name}");
        let written = &written["architectures"][name];
        part(&mut sheet, place, &seen.all, written);
        hops(&mut sheet, place, &seen.all.owned, &written["hops"]);
        owned(&mut sheet, &format!("{place}/failed_breakdown_us"), &seen.others);
        for (phase, of) in &seen.parts {
            let place = &format!("{place}/phases/{phase}");
            part(&mut sheet, place, of, &written["phases"][phase]);
            sheet.whole(&format!("{place}/from_us"), (of.range.start / 1_000) as i64);
            sheet.whole(&format!("{place}/until_us"), (of.range.end / 1_000) as i64);
        }
        for (index, of) in seen.windows.iter().enumerate() {
            window(&mut sheet, &format!("{place}/windows/{index}"), of);
        }
        if let Some(count) = seen.at_gateway {
            sheet.whole(&format!("{place}/at_gateway"), count);
        }
        network(&mut sheet, &format!("{place}/network"), &seen.network);
        slowest(&mut sheet, &format!("{place}/slowest"), &seen.longest, &written["slowest"]);
        paired(&mut sheet, name, seen);
    }
    sheet
}

fn part(sheet: &mut Sheet, place: &str, part: &Part, written: &Value) {
    traffic(sheet, &format!("{place}/total"), &part.total, &written["total"]);
    for (name, of) in &part.endpoints {
        traffic(sheet, &format!("{place}/endpoints/{name}"), of, &written["endpoints"][name]);
    }
    for (name, of) in &part.edges {
        edge(sheet, &format!("{place}/edges/{name}"), of);
    }
    for (name, attempts) in &part.pods {
        sheet.whole(&format!("{place}/pods/{name}"), *attempts);
    }
    owned(sheet, &format!("{place}/breakdown_us"), &part.owned);
}

fn traffic(sheet: &mut Sheet, place: &str, traffic: &Traffic, written: &Value) {
    ends(sheet, &format!("{place}/requests"), traffic.all);
    // Of each seed, where there are several.
    for (index, written) in written["seeds"].as_array().into_iter().flatten().enumerate() {
        let nothing = Traffic::default();
        let of = traffic.seeds.get(index).unwrap_or(&nothing);
        let place = &format!("{place}/seeds/{index}");
        ends(sheet, place, of.all);
        within(sheet, place, of, written);
        percentiles(sheet, place, of);
    }
    sheet.whole(&format!("{place}/good"), traffic.good);
    for (key, values) in [("latency", &traffic.served_us), ("failed_latency", &traffic.others_us)] {
        times(sheet, &format!("{place}/{key}"), values, "count");
    }
    within(sheet, place, traffic, written);
}

fn within(sheet: &mut Sheet, place: &str, traffic: &Traffic, written: &Value) {
    for (index, within) in written["within"].as_array().into_iter().flatten().enumerate() {
        let limit = within["limit_us"].as_i64().unwrap();
        let place = &format!("{place}/within/{index}");
        sheet.whole(&format!("{place}/limit_us"), limit);
        let within = traffic.served_us.iter().filter(|us| **us <= limit).count() as i64;
        sheet.whole(&format!("{place}/requests"), within);
    }
}

/// Those that a seed carries.
fn percentiles(sheet: &mut Sheet, place: &str, traffic: &Traffic) {
    let carried = [500, 900, 950, 990, 999]
        .into_iter()
        .filter_map(|per_mille| Some((per_mille, percentile(&traffic.served_us, per_mille, false)?)));
    for (index, (per_mille, us)) in carried.enumerate() {
        let place = &format!("{place}/percentiles/{index}");
        sheet.put(&format!("{place}/quantile"), Figure::Real(per_mille as f64 / 1_000.0));
        sheet.put(&format!("{place}/us"), Figure::Read(us, Precision::Four));
    }
}

/// Refusals are left out where there are none.
pub(super) fn ends(sheet: &mut Sheet, place: &str, ends: Ends) {
    for (key, count) in ends.counts() {
        let figure = if key == "refused" { Figure::Counted(count) } else { Figure::Whole(count) };
        sheet.put(&format!("{place}/{key}"), figure);
    }
}

fn times(sheet: &mut Sheet, place: &str, values: &[i64], count: &str) {
    let figures = [
        (count, values.len() as i64),
        ("sum_us", values.iter().sum()),
        ("min_us", values.first().copied().unwrap_or(0)),
        ("max_us", values.last().copied().unwrap_or(0)),
    ];
    for (key, figure) in figures {
        sheet.whole(&format!("{place}/{key}"), figure);
    }
    sheet.put(&format!("{place}/buckets"), Figure::Histogram(values.to_vec(), Precision::Four));
}

fn edge(sheet: &mut Sheet, place: &str, edge: &Edge) {
    for (key, count) in edge.counts() {
        sheet.whole(&format!("{place}/{key}"), count);
    }
}

/// What became of packets and connections.
pub(super) fn network(sheet: &mut Sheet, place: &str, edges: &packets::Edges) {
    for (edge, of) in edges {
        for (key, _, count) in of.counts() {
            sheet.whole(&format!("{place}/{edge}/{key}"), count);
        }
    }
}

fn owned(sheet: &mut Sheet, place: &str, owned: &Owned) {
    for (owner, us) in owned.mean_us(None) {
        sheet.put(&format!("{place}/{owner}"), Figure::Real(us));
    }
}

/// The hops stand in the order in which requests met them.
fn hops(sheet: &mut Sheet, place: &str, owned: &Owned, written: &Value) {
    let names = written.as_array().unwrap().iter().map(|hop| hop["name"].as_str().unwrap());
    let names: Vec<&str> = names.collect();
    for (name, visits) in &owned.visits {
        let index = names.iter().position(|written| written == name);
        let index = index.map_or_else(|| "missing".to_owned(), |index| index.to_string());
        let place = &format!("{place}/hops/{index}");
        sheet.put(&format!("{place}/name"), Figure::Text(name.clone()));
        let visits = *visits as f64 / owned.requests as f64;
        sheet.put(&format!("{place}/visits"), Figure::Real(visits));
        for (owner, us) in owned.mean_us(Some(name)) {
            sheet.put(&format!("{place}/breakdown_us/{owner}"), Figure::Real(us));
        }
    }
}

fn window(sheet: &mut Sheet, place: &str, window: &Window) {
    let Window { traffic, calls, attempts } = window;
    let counts = [
        ("sent", traffic.all.sent),
        ("ok", traffic.all.ok),
        ("errors", traffic.all.failed + traffic.all.timed_out),
        ("refused", traffic.all.refused),
        ("good", traffic.good),
        ("calls", *calls),
        ("attempts", *attempts),
        ("sum_us", traffic.served_us.iter().sum()),
    ];
    for (key, count) in counts {
        sheet.whole(&format!("{place}/{key}"), count);
    }
    let exact = |us: Option<&i64>| us.map_or(Figure::Nothing, |us| Figure::Whole(*us));
    sheet.put(&format!("{place}/min_us"), exact(traffic.served_us.first()));
    sheet.put(&format!("{place}/max_us"), exact(traffic.served_us.last()));
    for (key, per_mille) in [("p50_us", 500), ("p90_us", 900), ("p99_us", 990)] {
        let read = at(&traffic.served_us, per_mille).map(|us| Figure::Read(us, Precision::Two));
        sheet.put(&format!("{place}/{key}"), read.unwrap_or(Figure::Nothing));
    }
    sheet.put(&format!("{place}/buckets"), Figure::Histogram(traffic.served_us.clone(), Precision::Two));
}

/// The twenty slowest; of those that took as long, any may stand in any order.
fn slowest(sheet: &mut Sheet, place: &str, longest: &[Request], written: &Value) {
    for (index, slow) in longest.iter().take(20).enumerate() {
        let place = &format!("{place}/{index}");
        let alike = longest.iter().filter(|other| latency_us(other) == latency_us(slow));
        let named = alike.into_iter().find(|other| written[index]["id"] == other.id).unwrap_or(slow);
        sheet.put(&format!("{place}/id"), Figure::Text(named.id.clone()));
        sheet.put(&format!("{place}/endpoint"), Figure::Text(named.endpoint.clone()));
        sheet.whole(&format!("{place}/at_us"), (named.start_nanos / 1_000) as i64);
        sheet.whole(&format!("{place}/latency_us"), latency_us(named).unwrap());
        sheet.put(&format!("{place}/outcome"), Figure::Text(named.outcome.as_ref().unwrap().text.clone()));
    }
}

fn paired(sheet: &mut Sheet, name: &str, seen: &Seen) {
    let Some(against) = &seen.against else { return };
    sheet.put(&format!("/paired/{name}/baseline"), Figure::Text(against.baseline.clone()));
    pairs(sheet, &format!("/paired/{name}/total"), &against.total);
    for (phase, of) in &against.parts {
        pairs(sheet, &format!("/paired/{name}/phases/{phase}"), of);
    }
    for (endpoint, of) in &against.endpoints {
        pairs(sheet, &format!("/paired/{name}/endpoints/{endpoint}"), of);
    }
}

fn pairs(sheet: &mut Sheet, place: &str, pairs: &Pairs) {
    times(sheet, place, &pairs.longer_us, "both");
    for (key, count) in counted(pairs) {
        sheet.whole(&format!("{place}/{key}"), count);
    }
}

/// The counts of pairs, by their keys in records and summaries.
pub(super) fn counted(pairs: &Pairs) -> [(&'static str, i64); 6] {
    let count = |is: fn(&i64) -> bool| pairs.longer_us.iter().filter(|us| is(us)).count() as i64;
    [
        ("pairs", pairs.all()),
        ("saved", pairs.saved),
        ("lost", pairs.lost),
        ("neither", pairs.neither),
        ("slower", count(|us| *us > 0)),
        ("faster", count(|us| *us < 0)),
    ]
}
