//! The rows that say how far figures can be trusted: their intervals, and the architectures compared
//! request by request. The endpoint `*` is all requests, the phase `*` all of the run after the warm-up.

use hoplab_sim::record::{Difference, Intervals, Record};

use super::{Row, decimal, head, percentile};

/// The 95 % confidence intervals, in microseconds and, for the error rate, as a ratio.
pub(super) fn intervals(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "phase", "endpoint", "figure", "low", "high"]);
    for (name, architecture) in &record.architectures {
        let mut push = |phase: &str, endpoint: &str, intervals: &Intervals| {
            rows.extend(figures(intervals).into_iter().map(|figure| {
                let place = [name.clone(), phase.to_owned(), endpoint.to_owned()];
                [place.as_slice(), figure.as_slice()].concat()
            }));
        };
        push("*", "*", &architecture.total.intervals);
        for (endpoint, traffic) in &architecture.endpoints {
            push("*", endpoint, &traffic.intervals);
        }
        for (phase_name, phase) in &architecture.phases {
            push(phase_name, "*", &phase.total.intervals);
            for (endpoint, traffic) in &phase.endpoints {
                push(phase_name, endpoint, &traffic.intervals);
            }
        }
    }
    rows
}

/// `[figure, low, high]` of each.
fn figures(intervals: &Intervals) -> Vec<[String; 3]> {
    let mut figures = Vec::new();
    if let Some(of) = intervals.error_rate {
        figures.push(["error_rate".to_owned(), ratio(of.low), ratio(of.high)]);
    }
    if let Some(of) = intervals.mean {
        figures.push(["mean_us".to_owned(), decimal(of.low), decimal(of.high)]);
    }
    figures.extend(intervals.quantiles.iter().map(|of| {
        let figure = format!("p{}_us", percentile(of.quantile));
        [figure, decimal(of.interval.low), decimal(of.interval.high)]
    }));
    figures
}

/// The percentiles of the difference that `paired.csv` has columns for.
const QUANTILES: [f64; 9] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// Each architecture against the baseline, request by request: counts, and the differences of response
/// time in microseconds. A percentile that the sample cannot carry is empty.
pub(super) fn paired(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "baseline", "phase", "endpoint"]);
    let counts = ["pairs", "both", "saved", "lost", "neither", "slower", "faster", "min_us", "mean_us"];
    rows[0].extend(counts.map(str::to_owned));
    rows[0].extend(QUANTILES.map(|quantile| format!("p{}_us", percentile(quantile))));
    rows[0].extend(["max_us", "p50_low_us", "p50_high_us"].map(str::to_owned));
    for (name, paired) in &record.paired {
        let mut push = |phase: &str, endpoint: &str, of: &Difference| {
            let place = [name, paired.baseline.as_str(), phase, endpoint].map(str::to_owned);
            rows.push([place.to_vec(), difference(of)].concat());
        };
        push("*", "*", &paired.total);
        paired.phases.iter().for_each(|(phase, of)| push(phase, "*", of));
        paired.endpoints.iter().for_each(|(endpoint, of)| push("*", endpoint, of));
    }
    rows
}

fn difference(of: &Difference) -> Row {
    let optional = |us: Option<i64>| us.map_or_else(String::new, |us| us.to_string());
    let any = |us: i64| optional((of.both > 0).then_some(us));
    let mut row: Row = [of.pairs, of.both, of.saved, of.lost, of.neither, of.slower, of.faster]
        .iter()
        .map(u64::to_string)
        .collect();
    row.push(any(of.min_us));
    row.push(of.mean_us().map_or_else(String::new, decimal));
    row.extend(QUANTILES.map(|quantile| optional(of.percentile_us(quantile))));
    row.push(any(of.max_us));
    let median = of.intervals.of(0.5);
    row.push(median.map_or_else(String::new, |of| decimal(of.low)));
    row.push(median.map_or_else(String::new, |of| decimal(of.high)));
    row
}

/// With at most six decimals.
fn ratio(value: f64) -> String {
    ((value * 1e6).round() / 1e6 + 0.0).to_string()
}
