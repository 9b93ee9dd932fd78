//! The grids that say how far figures can be trusted: 95 % intervals, and the same requests under the
//! baseline. Where a run has faults they are of the time before.

use hoplab_sim::figures::Unit;
use hoplab_sim::record::{Architecture, Difference, Interval, Paired, Record, Traffic};

use super::{Grid, printable};
use crate::added;
use crate::column;
use crate::format::count;

/// Where the true figures lie; `None` where the record does not know.
pub(super) fn intervals(record: &Record) -> Option<Grid> {
    let phase = added::compared(record);
    let served = || record.architectures.values().filter(|seen| seen.total.latency.count > 0);
    let whole = phase.is_none() || served().all(|seen| seen.total.intervals.mean.is_some());
    let of = |seen: &Architecture| -> Option<Traffic> {
        let part = || seen.phases.get(phase?).map(|phase| &phase.total);
        if whole { Some(&seen.total) } else { part() }.cloned()
    };
    let known: Vec<(String, Traffic)> = (record.architectures.iter())
        .filter_map(|(name, seen)| Some((printable(name), of(seen)?)))
        .filter(|(_, traffic)| {
            let of = &traffic.intervals;
            of.error_rate.is_some() || [0.5, 0.9, 0.99, 0.999].into_iter().any(|at| of.of(at).is_some())
        })
        .collect();
    let ranges = |unit: Unit, of: &dyn Fn(&Traffic) -> Option<Interval>| {
        let ends = |(_, traffic): &(String, Traffic)| of(traffic).map(|of| (of.low, of.high));
        column::ranges(unit, &known.iter().map(ends).collect::<Vec<_>>())
    };
    let percentiles = [0.5, 0.9, 0.99, 0.999].map(|at| ranges(Unit::Micros, &|of| of.intervals.of(at)));
    let errors = ranges(Unit::Share, &|of| of.intervals.error_rate);
    let mut rows = vec![["", "p50", "p90", "p99", "p99.9", "errors"].map(str::to_owned).to_vec()];
    for (index, (name, _)) in known.iter().enumerate() {
        let cells = percentiles.iter().chain([&errors]).map(|column| column[index].clone());
        rows.push(std::iter::once(name.clone()).chain(cells).collect());
    }
    let when = if whole { None } else { added::when(record) };
    let when = when.map_or_else(String::new, |when| format!(", {when}"));
    let rows = without_empty_columns(rows);
    let is_known = |row: &Vec<String>| row.iter().skip(1).any(|cell| cell != "–");
    let dash = rows.iter().flatten().any(|cell| cell == "–");
    let dash = if dash { "; – is an interval that the sample does not tell" } else { "" };
    rows[1..].iter().any(is_known).then(|| (format!("With 95 % confidence{when}{dash}"), rows))
}

/// What is said of each architecture's requests beside the baseline's.
const PAIRED: [&str; 8] = [
    "",
    "median",
    "95 %\ninterval",
    "p99",
    "requests\nslower",
    "requests\nfaster",
    "served\nonly here",
    "no longer\nserved",
];

/// The same requests under the baseline; `None` where nothing was paired.
pub(super) fn paired(record: &Record) -> Option<Grid> {
    let phase = added::compared(record);
    let mut rows = vec![PAIRED.map(str::to_owned).to_vec()];
    let of = |paired: &'_ Paired| {
        let part = phase.and_then(|phase| paired.phases.get(phase));
        part.unwrap_or(&paired.total).clone()
    };
    let all: Vec<Difference> = record.paired.values().map(of).collect();
    let at = |quantile: f64| {
        let values = all.iter().map(|of| of.percentile_us(quantile).map(|us| us as f64));
        column::differences(&values.collect::<Vec<_>>())
    };
    let ranges = all.iter().map(|of| of.intervals.of(0.5).map(|of| (of.low, of.high)));
    let (medians, ranges, p99) =
        (at(0.5), column::ranges(Unit::Micros, &ranges.collect::<Vec<_>>()), at(0.99));
    let slower = column::shares(all.iter().map(|of| (of.slower, of.both)));
    let faster = column::shares(all.iter().map(|of| (of.faster, of.both)));
    for (index, (name, paired)) in record.paired.iter().enumerate() {
        rows.push(vec![
            printable(name),
            medians[index].clone(),
            ranges[index].clone(),
            p99[index].clone(),
            slower[index].clone(),
            faster[index].clone(),
            match paired.total.saved + paired.total.neither {
                0 => "–".to_owned(),
                failed => format!("{} of {}", count(paired.total.saved), count(failed)),
            },
            count(paired.total.lost),
        ]);
    }
    let name = printable(record.baseline()?);
    let title = match added::when(record) {
        Some(when) => {
            format!(
                "Against {name}, request by request: differences {when}, what is served over the whole run"
            )
        }
        None => format!("Against {name}, request by request"),
    };
    (rows.len() > 1).then(|| (title, without_empty_columns(rows)))
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
