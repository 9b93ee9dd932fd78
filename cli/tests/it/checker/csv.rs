//! What the CSV files in `record/` must say. A file is read as a tree: the columns that tell its rows apart lead to
//! the others. Owns their columns, and no figure.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::figure::{Figure, Precision, curve, mean, percentile};
use super::pairs::Pairs;
use super::rebuilt::{Part, Rebuilt, Window};
use super::record::counted;
use super::sheet::Sheet;
use super::stretches::{self, Over, Stretch};
use super::sums::{Owned, Traffic};

/// A file: its name, the columns that tell its rows apart, and what it must say.
pub(super) type File = (&'static str, &'static [&'static str], Sheet);

/// Every file of figures, but for what traces do not say.
pub(super) fn files(rebuilt: &Rebuilt) -> Vec<File> {
    vec![
        ("figures.csv", &["architecture", "phase", "endpoint"], figures(rebuilt)),
        ("latency.csv", &["architecture", "endpoint", "percentile"], latency(rebuilt)),
        ("edges.csv", &["architecture", "phase", "edge"], edges(rebuilt)),
        ("breakdown.csv", &["architecture", "phase", "hop", "owner"], breakdown(rebuilt)),
        ("paired.csv", &["architecture", "phase", "endpoint"], paired(rebuilt)),
        ("windows.csv", &["architecture", "from_us"], windows(rebuilt)),
        ("over-time.csv", &["architecture", "figure", "from_us"], over_time(rebuilt)),
    ]
}

/// The rows of a file by the columns called `keys`; an empty cell is nothing.
pub(super) fn read(path: &Path, keys: &[&str]) -> Value {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut tree = Value::Object(Map::new());
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), head.len(), "{line}");
        let column = |key: &&str| head.iter().position(|name| name == key).unwrap();
        let row = keys.iter().fold(&mut tree, |tree, key| &mut tree[cells[column(key)]]);
        assert!(row.is_null(), "{line} is there twice");
        let rest = head.iter().zip(cells).filter(|(name, _)| !keys.contains(name));
        *row = rest.map(|(name, cell)| ((*name).to_owned(), value(cell))).collect();
    }
    tree
}

fn value(cell: &str) -> Value {
    match cell.parse::<i64>() {
        _ if cell.is_empty() => Value::Null,
        Ok(number) => Value::from(number),
        Err(_) => cell.parse::<f64>().map_or_else(|_| Value::from(cell), Value::from),
    }
}

/// All that is reported, called `*`, and the parts of the run.
fn parts<'a>(rebuilt: &'a Rebuilt, name: &str) -> Vec<(&'a str, &'a Part)> {
    let (_, seen) = rebuilt.architectures.iter().find(|(of, _)| of == name).unwrap();
    let parts = seen.parts.iter().map(|(name, part)| (&**name, part));
    std::iter::once(("*", &seen.all)).chain(parts).collect()
}

fn figures(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, _) in &rebuilt.architectures {
        for (phase, part) in parts(rebuilt, name) {
            let endpoints = part.endpoints.iter().map(|(name, traffic)| (&**name, traffic));
            for (endpoint, traffic) in std::iter::once(("*", &part.total)).chain(endpoints) {
                if traffic.all.sent > 0 {
                    requests(
                        &mut sheet,
                        &format!("/{name}/{phase}/{endpoint}"),
                        traffic,
                        rebuilt.seconds(&part.range),
                    );
                }
            }
        }
    }
    sheet
}

fn requests(sheet: &mut Sheet, place: &str, traffic: &Traffic, seconds: f64) {
    for (key, count) in traffic.all.counts() {
        let key = if key == "sent" { "requests" } else { key };
        sheet.whole(&format!("{place}/{key}"), count);
    }
    let errors = traffic.all.failed + traffic.all.timed_out + traffic.all.open;
    sheet.put(&format!("{place}/error_rate"), Figure::Rounded(errors as f64 / traffic.all.sent as f64, 6));
    sheet.put(&format!("{place}/goodput"), Figure::Rounded(traffic.good as f64 / seconds, 6));
    let values = &traffic.served_us;
    let exact = |us: Option<&i64>| us.map_or(Figure::Nothing, |us| Figure::Whole(*us));
    sheet.put(&format!("{place}/min"), exact(values.first()));
    sheet.put(&format!("{place}/max"), exact(values.last()));
    sheet.put(&format!("{place}/mean"), mean(values).map_or(Figure::Nothing, |us| Figure::Rounded(us, 6)));
    for (key, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999)] {
        let us = percentile(values, per_mille, false);
        sheet.put(
            &format!("{place}/{key}"),
            us.map_or(Figure::Nothing, |us| Figure::Read(us, Precision::Four)),
        );
    }
}

fn latency(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        let endpoints = seen.all.endpoints.iter().map(|(name, traffic)| (&**name, traffic));
        for (endpoint, traffic) in std::iter::once(("*", &seen.all.total)).chain(endpoints) {
            for (share, us) in curve(&traffic.served_us) {
                let percent = format!("{:.6}", share * 100.0);
                let percent = percent.trim_end_matches('0').trim_end_matches('.');
                let place = format!("/{name}/{endpoint}/{percent}/latency_us");
                sheet.put(&place, Figure::Read(us, Precision::Four));
            }
        }
    }
    sheet
}

fn edges(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, _) in &rebuilt.architectures {
        for (phase, part) in parts(rebuilt, name) {
            for (edge, of) in &part.edges {
                let place = format!("/{name}/{phase}/{edge}");
                for (key, count) in of.counts() {
                    sheet.whole(&format!("{place}/{key}"), count);
                }
                let amplification =
                    of.amplification().map_or(Figure::Nothing, |ratio| Figure::Rounded(ratio, 3));
                sheet.put(&format!("{place}/amplification"), amplification);
            }
        }
    }
    sheet
}

fn breakdown(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    let mut put = |place: &str, owned: &Owned, hop: Option<&str>| {
        let visits = hop.map_or(1.0, |hop| owned.visits[hop] as f64 / owned.requests as f64);
        for (owner, us) in owned.mean_us(hop) {
            sheet.put(&format!("{place}/{owner}/mean_us"), Figure::Rounded(us, 3));
            sheet.put(&format!("{place}/{owner}/visits_per_request"), Figure::Rounded(visits, 3));
        }
    };
    for (name, seen) in &rebuilt.architectures {
        for (phase, part) in parts(rebuilt, name) {
            put(&format!("/{name}/{phase}/*"), &part.owned, None);
        }
        for hop in seen.all.owned.visits.keys() {
            put(&format!("/{name}/*/{hop}"), &seen.all.owned, Some(hop));
        }
    }
    sheet
}

fn paired(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        let Some(against) = &seen.against else { continue };
        let all = [("*", "*", &against.total)];
        let parts = against.parts.iter().map(|(phase, of)| (&**phase, "*", of));
        let endpoints = against.endpoints.iter().map(|(endpoint, of)| ("*", &**endpoint, of));
        for (phase, endpoint, of) in all.into_iter().chain(parts).chain(endpoints) {
            let place = &format!("/{name}/{phase}/{endpoint}");
            sheet.put(&format!("{place}/baseline"), Figure::Text(against.baseline.clone()));
            pairs(&mut sheet, place, of);
        }
    }
    sheet
}

fn pairs(sheet: &mut Sheet, place: &str, pairs: &Pairs) {
    for (key, count) in counted(pairs) {
        sheet.whole(&format!("{place}/{key}"), count);
    }
    let values = &pairs.longer_us;
    sheet.whole(&format!("{place}/both"), pairs.both());
    let exact = |us: Option<&i64>| us.map_or(Figure::Nothing, |us| Figure::Whole(*us));
    sheet.put(&format!("{place}/min_us"), exact(values.first()));
    sheet.put(&format!("{place}/max_us"), exact(values.last()));
    sheet.put(&format!("{place}/mean_us"), mean(values).map_or(Figure::Nothing, |us| Figure::Rounded(us, 3)));
    for per_mille in [10, 100, 250, 500, 750, 900, 950, 990, 999] {
        let us = percentile(values, per_mille, true);
        let place = format!("{place}/p{}_us", per_mille as f64 / 10.0);
        sheet.put(&place, us.map_or(Figure::Nothing, |us| Figure::Read(us, Precision::Four)));
    }
}

/// A percentile that a window does not carry is empty; the last window may be narrower.
fn windows(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        for (range, of) in rebuilt.frame.windows().zip(&seen.windows) {
            let place = format!("/{name}/{}", range.start / 1_000);
            let Window { traffic, calls, attempts } = of;
            let Traffic { all, good, served_us, .. } = traffic;
            let range = range.start..range.end.min(rebuilt.frame.end);
            let counts = [
                ("until_us", (range.end / 1_000) as i64),
                ("sent", all.sent),
                ("ok", all.ok),
                ("refused", all.refused),
                ("errors", all.failed + all.timed_out),
                ("open", all.open),
                ("good", *good),
                ("calls", *calls),
                ("attempts", *attempts),
            ];
            for (key, count) in counts {
                sheet.whole(&format!("{place}/{key}"), count);
            }
            sheet.put(&format!("{place}/seconds"), Figure::Rounded(rebuilt.seconds(&range), 6));
            let exact = |us: Option<&i64>| us.map_or(Figure::Nothing, |us| Figure::Whole(*us));
            sheet.put(&format!("{place}/min_us"), exact(served_us.first()));
            sheet.put(&format!("{place}/max_us"), exact(served_us.last()));
            for (key, per_mille) in [("p50_us", 500), ("p90_us", 900), ("p99_us", 990)] {
                let us = percentile(served_us, per_mille, false);
                let read = us.map_or(Figure::Nothing, |us| Figure::Read(us, Precision::Two));
                sheet.put(&format!("{place}/{key}"), read);
            }
        }
    }
    sheet
}

/// The lines of the plots over time.
fn over_time(rebuilt: &Rebuilt) -> Sheet {
    let shown = [
        ("p50", Over::PerMille(500)),
        ("p99", Over::PerMille(990)),
        ("goodput", Over::Goodput),
        ("error_rate", Over::Errors),
    ];
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        for (figure, over) in shown {
            for Stretch { time, value, .. } in stretches::of(rebuilt, seen, over) {
                let place = format!("/{name}/{figure}/{}", time.start / 1_000);
                sheet.whole(&format!("{place}/until_us"), (time.end / 1_000) as i64);
                let written = match (value, over) {
                    (None, _) => Figure::Nothing,
                    (Some(us), Over::PerMille(_)) => Figure::Read(us as i64, Precision::Two),
                    (Some(value), _) => Figure::Rounded(value, 6),
                };
                sheet.put(&format!("{place}/value"), written);
            }
        }
    }
    sheet
}
