//! What tables must say, wherever they are printed: the architectures side by side, what each adds to the mean and to
//! whom it goes, and the same requests under the baseline. Owns no layout.

use std::collections::BTreeMap;

use serde_json::Value;

use super::figure::{Figure, mean};
use super::owners::{added_us, together};
use super::pairs::Pairs;
use super::rebuilt::{Rebuilt, Seen};
use super::sheet::Sheet;
use super::sums::Traffic;

/// What is added by these owners is shown only where it is anything.
const OPTIONAL: [&str; 4] = ["proxy latency", "service work", "back-off, delay", "client, unknown"];

/// The architectures side by side; what there is none of has a column only where another has some.
pub(super) fn side_by_side(sheet: &mut Sheet, place: &str, rebuilt: &Rebuilt, written: &Value) {
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
                sheet.put(&format!("{place}/{name}/{head}"), Figure::count(count));
            }
        }
        let mean = mean(&traffic.served_us).map_or(Figure::Nothing, |us| Figure::Said(us, 0.0));
        sheet.put(&format!("{place}/{name}/mean"), mean);
        for (head, per_mille) in [("p90", 900), ("p99.9", 999)] {
            let figure = Figure::told(&traffic.served_us, per_mille, false);
            sheet.put(&format!("{place}/{name}/{head}"), figure);
        }
        times_and_errors(sheet, &format!("{place}/{name}"), traffic);
    }
}

/// The figures that stand for some requests in tables of many.
pub(super) fn times_and_errors(sheet: &mut Sheet, place: &str, traffic: &Traffic) {
    for (head, per_mille) in [("p50", 500), ("p99", 990)] {
        sheet.put(&format!("{place}/{head}"), Figure::told(&traffic.served_us, per_mille, false));
    }
    sheet.put(&format!("{place}/errors"), Figure::share(traffic.all.errors(), traffic.all.sent));
}

/// What each architecture adds over the baseline, while all was well.
pub(super) fn added(sheet: &mut Sheet, place: &str, rebuilt: &Rebuilt) {
    let Some(baseline) = rebuilt.architectures.iter().find(|(_, seen)| seen.against.is_none()) else {
        return;
    };
    let baseline = rebuilt.well(&baseline.1);
    let others = rebuilt.architectures.iter().filter(|(_, seen)| seen.against.is_some());
    let heads = |seen: &Seen| {
        let (total, by_owner) = added_us(baseline, rebuilt.well(seen))?;
        let mut heads: BTreeMap<&str, f64> = BTreeMap::new();
        for (owner, us) in by_owner {
            *heads.entry(together(owner)).or_default() += us;
        }
        Some((total, heads))
    };
    let all: Vec<_> = others.filter_map(|(name, seen)| Some((name, heads(seen)?))).collect();
    let is_shown = |head: &str| {
        !OPTIONAL.contains(&head) || all.iter().any(|(_, (_, heads))| heads[head].abs() >= 0.005)
    };
    for (name, (total, heads)) in &all {
        sheet.put(&format!("{place}/{name}/total"), Figure::Said(*total, 0.0));
        for (head, us) in heads.iter().filter(|(head, _)| is_shown(head)) {
            sheet.put(&format!("{place}/{name}/{head}"), Figure::Said(*us, 0.0));
        }
    }
}

/// What became of packets and connections, in rows that the caller names; what there is nowhere has no column, and
/// edges without trouble may have no row.
pub(super) fn network(
    sheet: &mut Sheet,
    place: &str,
    seen: &Seen,
    (row, written): (impl Fn(&str) -> String, &Value),
) {
    for (edge, of) in &seen.network {
        let row = row(edge);
        for (_, head, count) in of.counts() {
            let place = format!("{place}/{row}/{head}");
            let is_written = written.pointer(&place).is_some();
            if is_written || count > 0 && !["packets", "opened"].contains(&head) {
                sheet.put(&place, Figure::count(count));
            }
        }
    }
}

/// How much longer requests take that are served well under both.
pub(super) fn longer(sheet: &mut Sheet, place: &str, pairs: &Pairs) {
    let values = &pairs.longer_us;
    sheet.put(&format!("{place}/median"), Figure::told(values, 500, true));
    sheet.put(&format!("{place}/p99"), Figure::told(values, 990, true));
    let count = |is: fn(&i64) -> bool| values.iter().filter(|us| is(us)).count() as i64;
    let (slower, faster) = (count(|us| *us > 0), count(|us| *us < 0));
    sheet.put(&format!("{place}/requests slower"), Figure::share(slower, pairs.both()));
    sheet.put(&format!("{place}/requests faster"), Figure::share(faster, pairs.both()));
}
