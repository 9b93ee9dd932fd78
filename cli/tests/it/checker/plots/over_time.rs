//! Whether the lines in the plots over time run where the requests say. Owns no figure.

use super::svg::{Chart, Place, Plot, off, place};
use crate::checker::figure::Precision;
use crate::checker::rebuilt::{Rebuilt, Seen};
use crate::checker::stretches::{self, Over, Stretch};

/// Of a plot whose charts show these from top to bottom, what is drawn elsewhere.
pub(super) fn differences(rebuilt: &Rebuilt, plot: &Plot, shown: [Over; 2]) -> Vec<String> {
    assert_eq!(plot.charts.len(), shown.len());
    let mut differences = Vec::new();
    for (chart, over) in plot.charts.iter().zip(shown) {
        for (architecture, seen) in &rebuilt.architectures {
            let drawn = chart.lines.get(plot.colour(architecture)).cloned().unwrap_or_default();
            let wrong = off(&drawn, &expected(chart, rebuilt, seen, over));
            differences.extend(wrong.map(|wrong| format!("{over:?} of {architecture}: {wrong}")));
        }
    }
    differences
}

/// The points of a line: one in the middle of a window, two at the ends of several; what stands alone is drawn a
/// little longer.
fn expected(chart: &Chart, rebuilt: &Rebuilt, seen: &Seen, over: Over) -> Vec<Place> {
    let mut lines: Vec<Vec<Place>> = vec![Vec::new()];
    let mut reached = 0;
    for Stretch { time, windows, value } in stretches::of(rebuilt, seen, over) {
        if time.start != reached || value.is_none() {
            lines.push(Vec::new());
        }
        reached = time.end;
        let Some(value) = value else { continue };
        let above = match over {
            Over::PerMille(_) => Precision::Two.above(value as i64) as f64,
            _ => 0.0,
        };
        let heights = (place(&chart.up, value), place(&chart.up, value + above));
        let across = |nanos: f64| place(&chart.across, nanos / 1e3);
        let (start, end) = (time.start as f64, time.end as f64);
        let line = lines.last_mut().unwrap();
        if windows > 1 {
            line.extend([(across(start), heights), (across(end), heights)]);
        } else {
            line.push((across(f64::midpoint(start, end)), heights));
        }
    }
    let longer = |line: Vec<Place>| match line[..] {
        [(across, heights)] => vec![(across, heights), (across + 4.0, heights)],
        _ => line,
    };
    lines.into_iter().flat_map(longer).collect()
}
