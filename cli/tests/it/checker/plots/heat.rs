//! The heat map of an architecture: how many requests took how long, at what time. Owns which cell a request is in.

use std::ops::Range;

use super::svg::{Area, OFF_MAX, Plot, Point, place};
use crate::checker::figure::{Precision, parsed, step};
use crate::checker::rebuilt::{Rebuilt, Seen};

/// Rows of a map; at most so many columns.
const ROWS: usize = 26;
const COLUMNS_MAX: usize = 90;

/// What is drawn otherwise than the requests say. A request near the edge of a row may be in either.
pub(super) fn differences(rebuilt: &Rebuilt, seen: &Seen, plot: &Plot) -> Vec<String> {
    let chart = &plot.charts[0];
    let (_, (top, bottom)) = chart.frame();
    let row_height = (bottom - top) / ROWS as f64;
    let windows: Vec<Range<u64>> = rebuilt.frame.windows().collect();
    let together = windows.len().div_ceil(COLUMNS_MAX).max(1);
    let row = |y: f64| (((y - top) / row_height).max(0.0) as usize).min(ROWS - 1);
    let mut differences = Vec::new();
    for from in (0..windows.len()).step_by(together) {
        let column = from..(from + together).min(windows.len());
        let time = windows[column.start].start..windows[column.end - 1].end.min(rebuilt.frame.end);
        // A column that is narrower is as dark as if it were not.
        let full = (windows[0].end * together as u64) as f64;
        let wider = full / (time.end - time.start) as f64;
        let mut counts = [(0, 0); ROWS];
        for us in seen.windows[column].iter().flat_map(|window| &window.traffic.served_us) {
            let high = *us + Precision::Two.above(*us);
            let from = row(place(&chart.up, high as f64) - OFF_MAX);
            let until = row(place(&chart.up, *us as f64) + OFF_MAX);
            for (row, count) in counts.iter_mut().enumerate().take(until + 1).skip(from) {
                *count = (count.0 + i64::from(from == until && row == from), count.1 + 1);
            }
        }
        let across =
            (place(&chart.across, time.start as f64 / 1e3), place(&chart.across, time.end as f64 / 1e3));
        for (row, (sure, possible)) in counts.into_iter().enumerate() {
            let middle = (f64::midpoint(across.0, across.1), top + row_height * (row as f64 + 0.5));
            let scaled = |count: i64| (count as f64 * wider).round() / rebuilt.frame.seeds as f64;
            let (least, most) = shade(plot, middle);
            if most < scaled(sure) || least > scaled(possible) {
                differences.push(format!(
                    "at {middle:?} {least} to {most} requests, the traces say {sure} to {possible}"
                ));
            }
        }
    }
    differences.extend(odd(plot, &windows, (together, rebuilt.frame.end)));
    differences
}

/// Between which numbers of requests the shade at a place stands for.
fn shade(plot: &Plot, (x, y): Point) -> (f64, f64) {
    let is_there = |area: &&Area| {
        (area.across.0..=area.across.1).contains(&x) && (area.down.0..=area.down.1).contains(&y)
    };
    let mut shades = plot.charts[0].areas.iter().rev().filter(is_there);
    let named = |area: &Area| plot.legend.iter().find(|(_, colour)| *colour == area.colour);
    let Some((name, _)) = shades.find_map(named) else { return (0.0, 0.0) };
    let (least, most) = name.split_once(" to ").unwrap_or((name, name));
    // Of several seeds it is a mean, which is rounded.
    let at = |text: &str, halves: f64| parsed(text).unwrap().0 + halves * step(text) * 0.500_001;
    (at(least, -1.0), at(most, 1.0))
}

/// A cell that begins or ends between columns.
fn odd(plot: &Plot, windows: &[Range<u64>], (together, end): (usize, u64)) -> Option<String> {
    let chart = &plot.charts[0];
    let starts = windows.iter().step_by(together).map(|window| window.start);
    let edges: Vec<f64> = starts.chain([end]).map(|at| place(&chart.across, at as f64 / 1e3)).collect();
    let is_edge = |x: f64| edges.iter().any(|edge| (edge - x).abs() <= OFF_MAX);
    let shades =
        chart.areas.iter().filter(|area| plot.legend.iter().any(|(_, colour)| *colour == area.colour));
    let mut odd = shades.filter(|area| !is_edge(area.across.0) || !is_edge(area.across.1));
    odd.next().map(|area| format!("a cell from {:?}, no column is there", area.across))
}
