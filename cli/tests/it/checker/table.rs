//! What the table on the terminal must say of each architecture. Owns how it is read, and no figure.

use serde_json::{Map, Value};

use super::figure::{Figure, Precision, mean, percentile};
use super::rebuilt::Rebuilt;
use super::sheet::Sheet;

/// The first table in what `run` prints, by architecture and head of the column. What is too wide for the terminal goes on
/// below, under heads without a title.
pub(super) fn read(printed: &str) -> Value {
    let mut table = Map::new();
    let lines: Vec<&str> = printed.lines().collect();
    let is_rule = |line: Option<&&str>| line.is_some_and(|line| line.starts_with('─'));
    let mut at = lines.iter().position(|line| cells(line).starts_with(&["requests", "mean"])).unwrap();
    while is_rule(lines.get(at + 1)) {
        let head = cells(lines[at]);
        at += 2;
        while let Some(row) = lines.get(at).map(|line| cells(line)).filter(|row| !row.is_empty()) {
            let of = table.entry(row[0]).or_insert_with(|| Value::Object(Map::new()));
            for (head, cell) in head.iter().zip(&row[1..]).filter(|(_, cell)| **cell != "–") {
                of[head] = Value::from(cell.replace(',', ""));
            }
            at += 1;
        }
        at += 1;
    }
    Value::Object(table)
}

/// What stands two blanks apart.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// What the table must say of the run; what there is none of has a column only where another has some.
pub(super) fn sheet(rebuilt: &Rebuilt, written: &Value) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        let traffic = &seen.all.total;
        let edges = || seen.all.edges.values();
        let counts = [
            ("requests", traffic.all.sent),
            ("open", traffic.all.open),
            ("refused", traffic.all.refused),
            ("retries", edges().map(|edge| edge.retries).sum()),
            ("hedges", edges().map(|edge| edge.hedges).sum()),
        ];
        for (head, count) in counts {
            if count > 0 || !written[name][head].is_null() {
                sheet.put(&format!("/{name}/{head}"), Figure::Text(count.to_string()));
            }
        }
        let said = |value: Option<f64>| value.map_or(Figure::Nothing, |value| Figure::Said(value, 0.0));
        let values = &traffic.served_us;
        sheet.put(&format!("/{name}/mean"), said(mean(values)));
        let errors = traffic.all.errors() as f64 / traffic.all.sent as f64;
        sheet.put(&format!("/{name}/errors"), said(Some(errors)));
        for (head, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990), ("p99.9", 999)] {
            let us = percentile(values, per_mille, false);
            let read = |us: i64| Figure::Said(us as f64, Precision::Four.above(us) as f64);
            sheet.put(&format!("/{name}/{head}"), us.map_or(Figure::Nothing, read));
        }
    }
    sheet
}
