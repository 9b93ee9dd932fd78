//! Whether the lines in the plots over time run where the requests say. A plot is read as a reader does: colours by
//! the legend, places by the labels of the axes. Owns no figure.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::figure::{Precision, factor, parsed};
use super::rebuilt::{Rebuilt, Seen};
use super::stretches::{self, Over, Stretch};

/// How far a point may be off, in the units of the file, of which two are a pixel.
const OFF_MAX: f64 = 1.0;

/// The plots over time, with what their charts show from top to bottom.
const PLOTS: [(&str, [Over; 2]); 2] = [
    ("latency-over-time.svg", [Over::PerMille(500), Over::PerMille(990)]),
    ("errors-over-time.svg", [Over::Goodput, Over::Errors]),
];

/// Everything that is drawn elsewhere than the requests say.
pub(super) fn differences(rebuilt: &Rebuilt, folder: &Path) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, shown) in PLOTS {
        let plot = Plot::of(&fs::read_to_string(folder.join(name)).unwrap());
        assert_eq!(plot.charts.len(), shown.len(), "{name}");
        for (chart, over) in plot.charts.iter().zip(shown) {
            for (architecture, seen) in &rebuilt.architectures {
                let drawn = chart.lines.get(&plot.legend[architecture]).cloned().unwrap_or_default();
                let wrong = off(&drawn, &expected(chart, rebuilt, seen, over));
                differences.extend(wrong.map(|wrong| format!("{name}: {over:?} of {architecture}: {wrong}")));
            }
        }
    }
    differences
}

/// A plot as it is read.
#[derive(Default)]
struct Plot {
    /// The colour of each architecture.
    legend: BTreeMap<String, String>,
    charts: Vec<Chart>,
}

/// One chart in a plot.
#[derive(Default)]
struct Chart {
    across: Vec<(f64, f64)>,
    up: Vec<(f64, f64)>,
    /// The points of its lines by colour.
    lines: BTreeMap<String, Vec<(f64, f64)>>,
}

/// A point that must be drawn: where across, and between which heights.
type Place = (f64, (f64, f64));

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

/// What of a line is not where it must be.
fn off(drawn: &[(f64, f64)], expected: &[Place]) -> Option<String> {
    if drawn.len() != expected.len() {
        return Some(format!("{} points, the traces say {}", drawn.len(), expected.len()));
    }
    let is_off = |((x, y), (across, (from, until))): &(&(f64, f64), &Place)| {
        let up = from.min(*until) - OFF_MAX..=from.max(*until) + OFF_MAX;
        (x - across).abs() > OFF_MAX || !up.contains(y)
    };
    let (drawn, expected) = drawn.iter().zip(expected).find(is_off)?;
    Some(format!("a point at {drawn:?}, the traces say {expected:?}"))
}

/// Where a value lies on an axis, between its outermost labels: evenly or by orders of magnitude, whichever the others
/// say.
fn place(labels: &[(f64, f64)], value: f64) -> f64 {
    let ((first_at, first), (last_at, last)) = (labels[0], labels[labels.len() - 1]);
    let evenly = |value: f64| first_at + (last_at - first_at) * (value - first) / (last - first);
    if labels.iter().all(|(at, value)| (evenly(*value) - at).abs() <= 1.5) {
        return evenly(value);
    }
    first_at + (last_at - first_at) * (value / first).ln() / (last / first).ln()
}

/// The plot with the first point of its first line two pixels higher.
pub(super) fn moved(svg: &str) -> String {
    let is_line =
        |element: &&str| element.starts_with("polyline") && attribute(element, "stroke-width") == Some("4");
    let line = svg.split('<').find(is_line).unwrap();
    let all = attribute(line, "points").unwrap();
    let ((x, y), rest) = (points(line)[0], all.split_once(' ').unwrap().1);
    svg.replacen(all, &format!("{x},{} {rest}", y - 4.0), 1)
}

impl Plot {
    fn of(svg: &str) -> Self {
        let mut plot = Self::default();
        let elements: Vec<&str> = svg.split('<').collect();
        for pair in elements.windows(2) {
            let [element, next] = pair else { continue };
            // Closing tags stand between texts and what follows.
            let label = || label(next);
            if element.starts_with("rect") && attribute(element, "width") == Some("28") {
                let colour = attribute(element, "fill").unwrap();
                plot.legend.extend(label().map(|(_, name)| (name.to_owned(), colour.to_owned())));
            }
            if !element.starts_with("polyline") {
                continue;
            }
            let points = points(element);
            let ((x, y), is_level) =
                (points[0], points.iter().all(|(_, y)| (y - points[0].1).abs() < OFF_MAX));
            match label() {
                Some(("end", value)) if is_level => plot.up(y, value),
                Some(("middle", value)) => {
                    plot.charts.last_mut().unwrap().across.extend(read(value).map(|value| (x, value)));
                }
                _ if attribute(element, "stroke-width") == Some("4") => {
                    let lines = &mut plot.charts.last_mut().unwrap().lines;
                    lines.entry(attribute(element, "stroke").unwrap().to_owned()).or_default().extend(points);
                }
                _ => {}
            }
        }
        plot
    }

    /// A label of a vertical axis; of the next chart when it stands after lines or lower than labels before it.
    fn up(&mut self, at: f64, value: &str) {
        let is_next = self.charts.last().is_none_or(|chart| !chart.across.is_empty());
        if is_next {
            self.charts.push(Chart::default());
        }
        self.charts.last_mut().unwrap().up.extend(read(value).map(|value| (at, value)));
    }
}

/// The value of a label: `1,500/s`, `2.5 ms`, `40 %`.
fn read(label: &str) -> Option<f64> {
    let label = label.replace(',', "");
    let (number, unit) = parsed(label.trim_end_matches("/s"))?;
    Some(number * factor(unit))
}

/// The anchor and the words of a text.
fn label(element: &str) -> Option<(&str, &str)> {
    let words = element.strip_prefix("text")?.split_once('>')?.1;
    Some((attribute(element, "text-anchor")?, words.trim()))
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

fn points(polyline: &str) -> Vec<(f64, f64)> {
    let all = attribute(polyline, "points").unwrap().split_whitespace();
    let pairs = all.map(|pair| pair.split_once(',').unwrap());
    pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
}
