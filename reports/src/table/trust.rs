//! The grids that say how far figures can be trusted: 95 % intervals, and the same requests under the
//! baseline. Where a run has faults they are of the time before.

use hoplab_sim::record::{Architecture, Interval, Record, Traffic};

use super::{Grid, printable};
use crate::added::{self, baseline};
use crate::format::{count, difference, percent, range, share};

/// Where the true figures lie; `None` where the record does not know.
pub(super) fn intervals(record: &Record) -> Option<Grid> {
    let phase = added::compared(record);
    let of = |seen: &Architecture| -> Option<Traffic> {
        let whole = Some(&seen.total).filter(|traffic| traffic.intervals.mean.is_some());
        let part = || seen.phases.get(phase?).map(|phase| &phase.total);
        whole.or_else(part).cloned()
    };
    let whole = record.architectures.values().all(|seen| seen.total.intervals.mean.is_some());
    let mut rows = vec![["", "p50", "p90", "p99", "p99.9", "errors"].map(str::to_owned).to_vec()];
    for (name, seen) in &record.architectures {
        let Some(Traffic { intervals, .. }) = of(seen) else { continue };
        let said = |interval: Option<Interval>, say: fn(f64, f64) -> String| {
            interval.map_or_else(|| "–".to_owned(), |of| say(of.low, of.high))
        };
        let mut row = vec![printable(name)];
        row.extend([0.5, 0.9, 0.99, 0.999].map(|quantile| said(intervals.of(quantile), between)));
        row.push(said(intervals.error_rate, |low, high| match (percent(low), percent(high)) {
            (low, high) if low == high => low,
            (low, high) => format!("{}–{high}", low.trim_end_matches(" %")),
        }));
        let known = row.iter().skip(1).any(|figure| figure != "–");
        rows.extend(known.then_some(row));
    }
    let when = if whole { None } else { added::when(record) };
    let when = when.map_or_else(String::new, |when| format!(", {when}"));
    (rows.len() > 1).then(|| (format!("With 95 % confidence{when}"), without_empty_columns(rows)))
}

/// What is said of each architecture's requests beside the baseline's.
const PAIRED: [&str; 8] = [
    "",
    "median",
    "95 %\ninterval",
    "p99",
    "requests\nslower",
    "requests\nfaster",
    "errors\nsaved",
    "errors\nmade",
];

/// The same requests under the baseline; `None` where nothing was paired.
pub(super) fn paired(record: &Record) -> Option<Grid> {
    let phase = added::compared(record);
    let mut rows = vec![PAIRED.map(str::to_owned).to_vec()];
    for (name, paired) in &record.paired {
        let of = phase.and_then(|phase| paired.phases.get(phase)).unwrap_or(&paired.total);
        let signed = |us: Option<i64>| us.map_or_else(|| "–".to_owned(), |us| difference(us as f64));
        let interval = of.intervals.of(0.5);
        rows.push(vec![
            printable(name),
            signed(of.percentile_us(0.5)),
            interval.map_or_else(|| "–".to_owned(), |of| between(of.low, of.high)),
            signed(of.percentile_us(0.99)),
            share(of.slower, of.both),
            share(of.faster, of.both),
            match paired.total.saved + paired.total.neither {
                0 => "–".to_owned(),
                failed => format!("{} of {}", count(paired.total.saved), count(failed)),
            },
            count(paired.total.lost),
        ]);
    }
    let name = printable(baseline(record)?);
    let title = match added::when(record) {
        Some(when) => {
            format!("Against {name}, request by request: differences {when}, errors over the whole run")
        }
        None => format!("Against {name}, request by request"),
    };
    (rows.len() > 1).then(|| (title, without_empty_columns(rows)))
}

/// `3.1–3.14 ms`; one figure where both ends are written alike.
fn between(low_us: f64, high_us: f64) -> String {
    range(low_us, high_us)
        .map_or_else(|| crate::format::duration(low_us), |range| range.replacen(" to ", "–", 1))
}

/// A column in which no row has a figure says nothing.
fn without_empty_columns(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let empty = |column: usize| rows.iter().skip(1).all(|row| row[column] == "–");
    let kept: Vec<bool> = (0..rows[0].len()).map(|column| column == 0 || !empty(column)).collect();
    for row in &mut rows {
        let mut kept = kept.iter();
        row.retain(|_| *kept.next().unwrap_or(&true));
    }
    rows
}
