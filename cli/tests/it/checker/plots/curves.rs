//! The lines and dots that are not over time: response times by percentile, differences by request, and what was
//! answered well of what was offered. Owns where their points must be.

use super::svg::{OFF_MAX, Place, Plot, Point, off, place, place_of_difference};
use crate::checker::figure::{Precision, at, curve};
use crate::checker::rebuilt::{Rebuilt, Seen};

/// Steps of a curve of differences from its lower end to its upper.
const STEPS: usize = 160;

/// The response times under each architecture, as far as the sample carries them.
pub(super) fn percentiles(rebuilt: &Rebuilt, plot: &Plot) -> Vec<String> {
    let chart = &plot.charts[0];
    let expected = |seen: &Seen| {
        let point = |(share, us): (f64, i64)| {
            let above = us + Precision::Four.above(us);
            let up = |us: i64| place(&chart.up, us as f64);
            (place(&chart.across, -(1.0 - share).log10()), (up(us), up(above)))
        };
        curve(&seen.all.total.served_us).into_iter().map(point).collect::<Vec<Place>>()
    };
    wrong(rebuilt, plot, expected)
}

/// Which share of requests took at most so much longer than under the baseline, while all was well where there is such
/// a time.
pub(super) fn by_request<'a>(rebuilt: &'a Rebuilt, plot: &Plot) -> Vec<String> {
    let Some(chart) = plot.charts.first().filter(|chart| !chart.across.is_empty()) else {
        return Vec::new();
    };
    let (across, _) = chart.frame();
    let pairs = |seen: &'a Seen| Some(&*rebuilt.well_paired(seen)?.longer_us);
    let medians = rebuilt.architectures.iter().filter_map(|(_, seen)| at(pairs(seen)?, 500));
    let usual = medians.map(i64::abs).max().unwrap_or(0).max(1) as f64;
    let expected = |seen: &'a Seen| {
        let values = pairs(seen).unwrap_or_default();
        let point = |step: usize| {
            // Nothing is as rare as 2 in 1,000.
            let (part, of) = match step {
                0 => (2, 1_000),
                STEPS => (998, 1_000),
                _ => (step, STEPS),
            };
            let us = *values.get((values.len() * part).div_ceil(of).max(1) - 1)?;
            let up = place(&chart.up, part as f64 / of as f64);
            Some((us, (place_of_difference(&chart.across, usual, us as f64), (up, up))))
        };
        let shown =
            |(_, (at, _)): &(i64, Place)| (across.0 - OFF_MAX / 2.0..=across.1 + OFF_MAX / 2.0).contains(at);
        let points: Vec<_> = (0..=STEPS).filter_map(point).filter(shown).collect();
        // Of points above each other, the ends.
        let is_end = |index: &usize| {
            let same = |other: Option<&(i64, Place)>| other.is_some_and(|other| other.0 == points[*index].0);
            !(same(points.get(index + 1)) && index.checked_sub(1).is_some_and(|at| same(points.get(at))))
        };
        (0..points.len()).filter(is_end).map(|index| points[index].1).collect()
    };
    wrong(rebuilt, plot, expected)
}

fn wrong<'a>(rebuilt: &'a Rebuilt, plot: &Plot, expected: impl Fn(&'a Seen) -> Vec<Place>) -> Vec<String> {
    let wrong = rebuilt.architectures.iter().filter_map(|(name, seen)| {
        let drawn = plot.charts[0].lines.get(plot.colour(name)).cloned().unwrap_or_default();
        Some(format!("{name}: {}", off(&drawn, &expected(seen))?))
    });
    wrong.collect()
}

/// A dot for each window after the warm-up in which something was asked for.
pub(super) fn load(rebuilt: &Rebuilt, plot: &Plot) -> Vec<String> {
    let chart = &plot.charts[0];
    let near = |a: &Point, b: &Point| (a.0 - b.0).abs() <= OFF_MAX && (a.1 - b.1).abs() <= OFF_MAX;
    let mut differences = Vec::new();
    for (name, seen) in &rebuilt.architectures {
        let windows = rebuilt.frame.windows().zip(&seen.windows);
        let dots = windows.filter(|(time, of)| time.start >= rebuilt.frame.warmup && of.traffic.all.sent > 0);
        let dots = dots.map(|(time, of)| {
            let seconds = rebuilt.seconds(&(time.start..time.end.min(rebuilt.frame.end)));
            let across = place(&chart.across, of.traffic.all.sent as f64 / seconds);
            (across, place(&chart.up, of.traffic.good as f64 / seconds))
        });
        let expected: Vec<Point> = dots.collect();
        let drawn = chart.dots.get(plot.colour(name)).cloned().unwrap_or_default();
        let too_many = drawn.iter().find(|dot| !expected.iter().any(|other| near(dot, other)));
        let missing = expected.iter().find(|dot| !drawn.iter().any(|other| near(dot, other)));
        let too_many = too_many.map(|dot| format!("{name}: a dot at {dot:?}, the traces have none"));
        let missing = || missing.map(|dot| format!("{name}: no dot at {dot:?}, the traces have one"));
        differences.extend(too_many.or_else(missing));
    }
    differences
}
