//! What the table on the terminal must say of each architecture. Owns how it is read, and no figure.

use serde_json::{Map, Value};

use super::figure::{Figure, Precision, mean, percentile};
use super::rebuilt::Rebuilt;
use super::sheet::Sheet;

/// The first table in what `run` prints, by architecture and head of the column; a list for each where it would be too
/// wide.
pub(super) fn read(printed: &str) -> Value {
    let is_head = |line: &&str| ["requests", "mean", "errors"].iter().all(|head| cells(line).contains(head));
    let mut table = Map::new();
    let mut put = |name: &str, head: &str, cell: &str| {
        let row = table.entry(name).or_insert_with(|| Value::Object(Map::new()));
        if cell != "–" {
            row[head] = Value::from(cell.replace(',', ""));
        }
    };
    if let Some(head) = printed.lines().find(is_head) {
        let rows = printed.lines().skip_while(|line| !is_head(line)).skip(2);
        for row in rows.take_while(|line| !line.is_empty()).map(cells) {
            cells(head).iter().zip(&row[1..]).for_each(|(head, cell)| put(row[0], head, cell));
        }
    } else {
        let mut name = "";
        let is_first = |line: &&str| cells(line).first() == Some(&"requests");
        let from = printed.lines().position(|line| is_first(&line)).unwrap() - 1;
        for line in printed.lines().skip(from).take_while(|line| !line.is_empty()) {
            match cells(line)[..] {
                [head, cell] => put(name, head, cell),
                _ => name = line.trim(),
            }
        }
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
