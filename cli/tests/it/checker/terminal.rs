//! What `run` prints below its verdict: tables, read by the place of their columns. Owns how they are read and which are
//! not held against traces.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::figure::Figure;
use super::rebuilt::Rebuilt;
use super::sheet::Sheet;
use super::tables;

/// What traces do not say: intervals, and what machines did.
pub(super) const BESIDES: [&str; 6] =
    ["95 % interval", "With 95", "Cores busy", "timeouts", "probes", "reset"];

/// The tables by how their titles begin, each by its rows and the heads of its columns; the first has no title. What is
/// too wide for the terminal goes on below, under heads alone.
pub(super) fn read(printed: &str) -> Value {
    let mut tables = Map::new();
    let lines: Vec<&str> = printed.lines().collect();
    let mut title = String::new();
    for (rule, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with('─')) {
        let first = lines[..rule].iter().rposition(|line| !line.starts_with(' ')).map_or(0, |at| at + 1);
        let above = lines[..first].iter().rposition(|line| line.is_empty()).map_or(0, |at| at + 1);
        if above < first {
            title = lines[above].split(' ').take(2).collect::<Vec<_>>().join(" ");
        }
        let mut heads: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (end, word) in lines[first..rule].iter().flat_map(|line| cells(line)) {
            heads.entry(end).or_default().push(word);
        }
        let table = tables.entry(title.clone()).or_insert_with(|| Value::Object(Map::new()));
        for row in lines[rule + 1..].iter().take_while(|line| !line.is_empty()) {
            let cells = cells(row);
            for (end, cell) in cells[1..].iter().filter(|(_, cell)| *cell != "–") {
                table[cells[0].1][heads[end].join(" ")] = Value::from(cell.replace(',', ""));
            }
        }
    }
    Value::Object(tables)
}

/// What stands two blanks apart, with the place where it ends.
fn cells(line: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let pieces = line.split("  ").map(|piece| {
        let end = at + piece.chars().count();
        at = end + 2;
        (end, piece.trim())
    });
    pieces.filter(|(_, piece)| !piece.is_empty()).collect()
}

/// What the tables must say of the run.
pub(super) fn sheet(rebuilt: &Rebuilt, written: &Value) -> Sheet {
    let mut sheet = Sheet::default();
    tables::side_by_side(&mut sheet, "/", rebuilt, &written[""]);
    tables::added(&mut sheet, "/Mean added", rebuilt);
    for (name, seen) in &rebuilt.architectures {
        tables::network(&mut sheet, "/Packets and", seen, (|edge| format!("{name}: {edge}"), written));
        let Some(against) = &seen.against else { continue };
        let place = &format!("/Against {}/{name}", against.baseline.clone() + ",");
        tables::longer(&mut sheet, place, rebuilt.well_paired(seen).unwrap());
        let total = &against.total;
        let failed = total.saved + total.neither;
        let saved = Figure::Text(format!("{} of {failed}", total.saved));
        let place = |head: &str| format!("{place}/{head}");
        sheet.put(&place("served only here"), if failed == 0 { Figure::Nothing } else { saved });
        sheet.put(&place("no longer served"), Figure::count(total.lost));
    }
    sheet
}
