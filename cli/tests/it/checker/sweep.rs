//! What the files of a sweep must say of one of its points: the keys of `summary.json`, of which `record/sweep.json`
//! has the same, and the columns of `record/sweep.csv`. Owns no figure.

use super::figure::{Figure, Precision, mean, percentile};
use super::rebuilt::{Rebuilt, Seen};
use super::record::ends;
use super::sheet::Sheet;

/// What a sweep says besides of a point, that traces do not.
pub(super) const BESIDES: [&str; 9] = [
    "digest",
    "interval",
    "expectations",
    "held",
    "cannot_be_judged",
    "seeds",
    "seeds_held",
    "p99_us_low",
    "p99_us_high",
];

/// What the files must say of a point.
pub(super) fn point(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        let place = &format!("/architectures/{name}");
        ends(&mut sheet, &format!("{place}/requests"), seen.all.total.all);
        for (key, figure) in figures(rebuilt, seen) {
            let is_estimate = !matches!(key, "offered_rps" | "goodput_rps" | "amplification");
            let value = if is_estimate && !matches!(figure, Figure::Nothing) { "/value" } else { "" };
            sheet.put(&format!("{place}/{key}{value}"), figure);
        }
    }
    sheet
}

/// What the rows of a point must say.
pub(super) fn rows(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in &rebuilt.architectures {
        sheet.whole(&format!("/{name}/sent"), seen.all.total.all.sent);
        for (key, figure) in figures(rebuilt, seen) {
            sheet.put(&format!("/{name}/{key}"), figure);
        }
    }
    sheet
}

/// Of one architecture; what is counted by the second is that of one seed.
fn figures(rebuilt: &Rebuilt, seen: &Seen) -> Vec<(&'static str, Figure)> {
    let traffic = &seen.all.total;
    let seconds = rebuilt.seconds(&seen.all.range);
    let real = |value: Option<f64>| value.map_or(Figure::Nothing, Figure::Real);
    let by = |part: i64, whole: i64| real((whole > 0).then(|| part as f64 / whole as f64));
    let sum = |of: fn(&super::sums::Edge) -> i64| seen.all.edges.values().map(of).sum::<i64>();
    let mut figures = vec![
        ("offered_rps", Figure::Real(traffic.all.sent as f64 / seconds)),
        ("goodput_rps", Figure::Real(traffic.good as f64 / seconds)),
        ("error_rate", by(traffic.all.errors(), traffic.all.sent)),
        ("amplification", by(sum(|edge| edge.attempts), sum(|edge| edge.calls))),
        ("mean_us", real(mean(&traffic.served_us))),
    ];
    for (key, per_mille) in [("p50_us", 500), ("p90_us", 900), ("p99_us", 990), ("p999_us", 999)] {
        let us = percentile(&traffic.served_us, per_mille, false);
        figures.push((key, us.map_or(Figure::Nothing, |us| Figure::Read(us, Precision::Four))));
    }
    figures
}
