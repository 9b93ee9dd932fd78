//! The lanes of breakers, ejections and decisions, held against the lists in the record: what policies did stands in no
//! trace. A lane ends where its list was cut. Owns which lanes there must be and what is in them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::svg::{Area, Chart, GRID, OFF_MAX, Plot, Point, place};

/// A group shows at most so many lanes.
const LANES_MAX: usize = 16;

/// Decisions are counted in so many stretches of the run.
const STRETCHES: u64 = 240;

/// How high the fullest stretch of a lane is, and any at least; how wide anything is at least.
const HIGHEST: f64 = 28.0;
const HIGH_MIN: f64 = 5.0;
const WIDE_MIN: f64 = 3.0;

/// What must be drawn in a lane: in which colour (any but grey where it does not matter), from where to where, how high.
struct Bar {
    colour: Option<String>,
    across: Point,
    high: Option<f64>,
}

/// The states of breakers and of endpoints that were ejected.
pub(super) fn states(record: &Value, plot: &Plot) -> Vec<String> {
    let groups = architectures(record).map(|(name, seen)| {
        let mut lanes: Vec<Vec<Bar>> = Vec::new();
        let lists = [("breakers", "breakers_cut_us"), ("policies", "policies_cut_us")];
        for (list, cut) in lists {
            let mut moves: BTreeMap<String, Vec<(u64, &str)>> = BTreeMap::new();
            for event in seen[list].as_array().into_iter().flatten() {
                let state = match event["state"].as_str().or(event["decision"].as_str()).unwrap() {
                    "readmitted" => "closed",
                    state @ ("closed" | "half-open" | "open" | "ejected") => state,
                    _ => continue,
                };
                let at = event["at_us"].as_u64().unwrap();
                let about = event["endpoint"].as_str().or(event["upstream"].as_str()).unwrap();
                let lane = format!("{} {}", event["pod"], about.split(':').next().unwrap());
                moves.entry(lane).or_default().push((at, state));
            }
            let end = record["duration_us"].as_u64().unwrap();
            let cut = seen[cut].as_u64();
            lanes.extend(moves.into_values().map(|moves| spans(plot, moves, cut, end)));
        }
        (name, most(lanes, Vec::len))
    });
    wrong(plot, groups.collect())
}

/// From the start of the run on closed, then as the list says, until it was cut.
fn spans(plot: &Plot, moves: Vec<(u64, &str)>, cut: Option<u64>, end: u64) -> Vec<Bar> {
    let moves = moves.into_iter().filter(|(at, _)| cut.is_none_or(|cut| *at <= cut));
    let ends = cut.map(|at| (at, "not recorded")).into_iter().chain([(end, "")]);
    let (mut from, mut state) = (0, "closed");
    let mut bars = Vec::new();
    for (at, next) in moves.chain(ends) {
        let across = at_moments(plot, from, at.min(end), 1.6);
        if at.min(end) > from {
            let colour = if state == "not recorded" { GRID } else { plot.colour(state) };
            bars.push(Bar { colour: Some(colour.to_owned()), across, high: None });
        }
        (from, state) = (at, next);
    }
    bars
}

/// What was decided about each upstream, as high as it was often.
pub(super) fn decisions(record: &Value, plot: &Plot) -> Vec<String> {
    let end = record["duration_us"].as_u64().unwrap();
    let width = end.div_ceil(STRETCHES);
    let groups = architectures(record).map(|(name, seen)| {
        let mut counts: BTreeMap<(&str, &str), BTreeMap<u64, u64>> = BTreeMap::new();
        for event in seen["policies"].as_array().into_iter().flatten() {
            let lane = (event["decision"].as_str().unwrap(), event["upstream"].as_str().unwrap());
            let stretch = event["at_us"].as_u64().unwrap().min(end - 1) / width;
            *counts.entry(lane).or_default().entry(stretch).or_default() += 1;
        }
        let count = |lane: &BTreeMap<u64, u64>| lane.values().sum::<u64>() as usize;
        let lanes = most(counts.into_values().collect(), count);
        let cut = seen["policies_cut_us"].as_u64();
        (name, lanes.into_iter().map(|lane| counted(plot, &lane, (width, cut, end))).collect())
    });
    wrong(plot, groups.collect())
}

fn counted(plot: &Plot, lane: &BTreeMap<u64, u64>, (width, cut, end): (u64, Option<u64>, u64)) -> Vec<Bar> {
    let most = *lane.values().max().unwrap() as f64;
    let unknown = cut.map(|cut| Bar {
        colour: Some(GRID.to_owned()),
        across: at_moments(plot, cut, end, 0.0),
        high: None,
    });
    let bars = lane.iter().map(|(stretch, count)| Bar {
        colour: None,
        across: at_moments(plot, stretch * width, ((stretch + 1) * width).min(end), WIDE_MIN),
        high: Some((HIGHEST * *count as f64 / most).max(HIGH_MIN)),
    });
    unknown.into_iter().chain(bars).collect()
}

fn architectures(record: &Value) -> impl Iterator<Item = (&str, &Value)> {
    record["architectures"].as_object().unwrap().iter().map(|(name, seen)| (&**name, seen))
}

/// Where two moments lie, apart by a `least` width.
fn at_moments(plot: &Plot, from_us: u64, until_us: u64, least: f64) -> Point {
    let axis = plot.charts.first().map_or(&[][..], |chart| &chart.across);
    if axis.is_empty() {
        return (0.0, 0.0);
    }
    let (from, until) = (place(axis, from_us as f64), place(axis, until_us as f64));
    (from, until.max(from + least))
}

/// Of more lanes than a group shows those with the most in them.
fn most<T>(lanes: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<T> {
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by_key(|index| Reverse(size(&lanes[*index])));
    order.truncate(LANES_MAX);
    let kept = lanes.into_iter().enumerate().filter(|(index, _)| order.contains(index));
    kept.map(|(_, lane)| lane).collect()
}

/// Groups stand below each other under the names of their architectures, their lanes in order; nothing is drawn where
/// there are no lanes.
fn wrong(plot: &Plot, groups: Vec<(&str, Vec<Vec<Bar>>)>) -> Vec<String> {
    let chart = &plot.charts[0];
    let mut differences = Vec::new();
    // The names of lanes end beside their axis, those of groups begin at the margin.
    let ((left, _), (top, _)) = chart.frame();
    let is_name = |((x, y), _): &&(Point, String)| *x < left && *y > top;
    let names: Vec<_> = chart.words.iter().filter(is_name).collect();
    for (name, lanes) in groups.into_iter().filter(|(_, lanes)| !lanes.is_empty()) {
        let mut below = names.iter().skip_while(|(_, heading)| heading != name).skip(1);
        for lane in lanes {
            let Some(((_, y), called)) = below.next() else { return vec![format!("lanes of {name} lack")] };
            differences.extend(off(chart, *y, &lane).map(|wrong| format!("{name}, {called}: {wrong}")));
        }
    }
    differences
}

/// What of the lane at `y` is not as it must be.
fn off(chart: &Chart, y: f64, lane: &[Bar]) -> Option<String> {
    let in_lane = |area: &&Area| (y - 8.0..y + 40.0).contains(&area.down.0);
    let drawn: Vec<&Area> = chart.areas.iter().filter(in_lane).collect();
    if drawn.len() != lane.len() {
        return Some(format!("{} bars are drawn, the record has {}", drawn.len(), lane.len()));
    }
    let is_off = |(area, bar): &(&Area, &Bar)| {
        let far = |a: f64, b: f64| (a - b).abs() > OFF_MAX;
        far(area.across.0, bar.across.0)
            || far(area.across.1, bar.across.1)
            || bar.high.is_some_and(|high| far(area.down.1 - area.down.0, high))
            || bar.colour.as_ref().map_or(area.colour == GRID, |colour| area.colour != *colour)
    };
    let (area, bar) = drawn.into_iter().zip(lane).find(is_off)?;
    Some(format!(
        "a bar from {:?} in {}, the record says {:?} in {:?}",
        area.across, area.colour, bar.across, bar.colour
    ))
}
