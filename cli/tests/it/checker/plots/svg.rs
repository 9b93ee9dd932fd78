//! A plot file as a reader sees it: what stands beside the colours of the legend, places by the labels of the axes, and
//! what is drawn in which colour. Owns no figure, and no exactness but that of places.

use std::collections::BTreeMap;

use crate::checker::figure::{factor, parsed};

/// How far a place may be off, in the units of the file, of which two are a pixel.
pub(super) const OFF_MAX: f64 = 1.5;

/// The colour of the grid.
pub(super) const GRID: &str = "#E6E9ED";

/// A place in a drawing.
pub(super) type Point = (f64, f64);

/// A point that must be drawn: where across, and between which heights.
pub(super) type Place = (f64, Point);

/// A plot.
#[derive(Default)]
pub(super) struct Plot {
    /// What each colour stands for, from first to last: an architecture, an owner, a state, a number of requests.
    pub(super) legend: Vec<(String, String)>,
    /// What is drawn below each other.
    pub(super) charts: Vec<Chart>,
}

/// One chart in a plot.
#[derive(Default)]
pub(super) struct Chart {
    pub(super) across: Labels,
    pub(super) up: Labels,
    /// Lines by colour, all points of a colour after each other.
    pub(super) lines: BTreeMap<String, Vec<Point>>,
    pub(super) areas: Vec<Area>,
    /// Middles of dots by colour.
    pub(super) dots: BTreeMap<String, Vec<Point>>,
    /// Words that are no labels of axes, by where they stand.
    pub(super) words: Vec<(Point, String)>,
    grid: Vec<Point>,
}

/// The labels of an axis: where each stands, and its value.
pub(super) type Labels = Vec<(f64, f64)>;

/// A rectangle.
pub(super) struct Area {
    pub(super) colour: String,
    pub(super) across: Point,
    pub(super) down: Point,
}

impl Plot {
    pub(super) fn of(svg: &str) -> Self {
        let mut plot = Self::default();
        let elements: Vec<&str> = svg.split('<').collect();
        for pair in elements.windows(2) {
            let [element, next] = pair else { continue };
            match element.split(' ').next() {
                Some("rect") => plot.area(element, next),
                Some("polyline") => plot.line(element, next),
                Some("circle") => {
                    let middle = (number(element, "cx"), number(element, "cy"));
                    let colour = attribute(element, "fill").unwrap().to_owned();
                    plot.last().dots.entry(colour).or_default().push(middle);
                }
                Some("text") => {
                    let at = (number(element, "x"), number(element, "y"));
                    plot.last().words.extend(label(element).map(|(_, words)| (at, words.to_owned())));
                }
                _ => {}
            }
        }
        plot
    }

    /// What stands for something in the legend, if anything does.
    pub(super) fn colour(&self, name: &str) -> &str {
        self.legend.iter().find(|(named, _)| named == name).map_or("none", |(_, colour)| colour)
    }

    fn last(&mut self) -> &mut Chart {
        if self.charts.is_empty() {
            self.charts.push(Chart::default());
        }
        self.charts.last_mut().unwrap()
    }

    fn area(&mut self, element: &str, next: &str) {
        let colour = attribute(element, "fill").unwrap().to_owned();
        let (x, y) = (number(element, "x"), number(element, "y"));
        let (width, height) = (number(element, "width"), number(element, "height"));
        match label(next) {
            Some((_, name)) if (width, height) == (28.0, 20.0) => self.legend.push((name.to_owned(), colour)),
            _ => self.last().areas.push(Area { colour, across: (x, x + width), down: (y, y + height) }),
        }
    }

    /// A line of the grid stands before the label of its place, unless there is no room for that.
    fn line(&mut self, element: &str, next: &str) {
        let points = points(element);
        let (x, y) = points[0];
        let is_level = points.iter().all(|(_, at)| (at - y).abs() < OFF_MAX);
        let colour = attribute(element, "stroke").unwrap().to_owned();
        match label(next) {
            Some(("end", value)) if is_level => {
                // The next chart begins with the labels of its vertical axis.
                if self.charts.last().is_some_and(|chart| !chart.across.is_empty()) && read(value).is_some() {
                    self.charts.push(Chart::default());
                }
                self.last().up.extend(read(value).map(|value| (y, value)));
            }
            Some(("middle", value)) => self.last().across.extend(read(value).map(|value| (x, value))),
            _ => {}
        }
        match attribute(element, "stroke-width") {
            _ if colour == GRID => self.last().grid.extend(points),
            Some("4") => self.last().lines.entry(colour).or_default().extend(points),
            _ => {}
        }
    }
}

impl Chart {
    /// From where to where its grid reaches, across and downwards.
    pub(super) fn frame(&self) -> (Point, Point) {
        let reach = |of: fn(&Point) -> f64| {
            let all = || self.grid.iter().map(of);
            (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max))
        };
        (reach(|point| point.0), reach(|point| point.1))
    }
}

/// What of a line is not where it must be.
pub(super) fn off(drawn: &[Point], expected: &[Place]) -> Option<String> {
    if drawn.len() != expected.len() {
        return Some(format!("{} points, the traces say {}", drawn.len(), expected.len()));
    }
    let is_off = |((x, y), (across, (from, until))): &(&Point, &Place)| {
        let up = from.min(*until) - OFF_MAX..=from.max(*until) + OFF_MAX;
        (x - across).abs() > OFF_MAX || !up.contains(y)
    };
    let (drawn, expected) = drawn.iter().zip(expected).find(is_off)?;
    Some(format!("a point at {drawn:?}, the traces say {expected:?}"))
}

/// Where a value lies on an axis, between its outermost labels: evenly or by orders of magnitude, whichever the others
/// say.
pub(super) fn place(labels: &[Point], value: f64) -> f64 {
    if is_even(labels) {
        return evenly(labels, value);
    }
    let ((first_at, first), (last_at, last)) = (labels[0], labels[labels.len() - 1]);
    first_at + (last_at - first_at) * (value / first).ln() / (last / first).ln()
}

/// Where a difference lies: evenly, or on both sides of zero evenly up to about what is `usual` and by orders of
/// magnitude beyond.
pub(super) fn place_of_difference(labels: &[Point], usual: f64, value: f64) -> f64 {
    if is_even(labels) {
        return evenly(labels, value);
    }
    let curved = |value: f64| value.signum() * (1.0 + value.abs() / usual).ln();
    let labels: Labels = labels.iter().map(|(at, value)| (*at, curved(*value))).collect();
    evenly(&labels, curved(value))
}

/// Whether the labels of an axis stand as far apart as their values are.
fn is_even(labels: &[Point]) -> bool {
    labels.iter().all(|(at, value)| (evenly(labels, *value) - at).abs() <= 1.5)
}

fn evenly(labels: &[Point], value: f64) -> f64 {
    let ((first_at, first), (last_at, last)) = (labels[0], labels[labels.len() - 1]);
    first_at + (last_at - first_at) * (value - first) / (last - first)
}

/// The value of a label: `1,500/s`, `2.5 ms`, `40 %`, `−1 s`; of a percentile the number of its nines.
fn read(label: &str) -> Option<f64> {
    if let Some(percent) = label.strip_prefix('p') {
        return Some(-(1.0 - percent.parse::<f64>().ok()? / 100.0).log10());
    }
    if label == "min" {
        return Some(0.0);
    }
    let label = label.replace(',', "").replace('−', "-");
    let (number, unit) = parsed(label.trim_end_matches("/s"))?;
    Some(number * factor(unit))
}

/// The anchor and the words of a text.
fn label(element: &str) -> Option<(&str, &str)> {
    let words = element.strip_prefix("text")?.split_once('>')?.1;
    Some((attribute(element, "text-anchor")?, words.trim()))
}

pub(super) fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

pub(super) fn number(element: &str, name: &str) -> f64 {
    attribute(element, name).unwrap().parse().unwrap()
}

pub(super) fn points(polyline: &str) -> Vec<Point> {
    let all = attribute(polyline, "points").unwrap().split_whitespace();
    let pairs = all.map(|pair| pair.split_once(',').unwrap());
    pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
}
