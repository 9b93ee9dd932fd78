//! The bars of owners: how long each part of a mean request is.

use serde_json::Value;

use super::svg::{Area, Chart, OFF_MAX, Plot, place};
use crate::checker::figure::{Figure, mean};
use crate::checker::owners::called;
use crate::checker::rebuilt::{Rebuilt, Seen};

/// A bar for each architecture.
pub(super) fn differences(rebuilt: &Rebuilt, plot: &Plot) -> Vec<String> {
    let chart = &plot.charts[0];
    let wrong = rebuilt.architectures.iter().filter_map(|(name, seen)| {
        let Some(((_, y), _)) = chart.words.iter().find(|(_, word)| word == name) else {
            return Some(format!("no bar of {name}"));
        };
        let in_row = |area: &&Area| (area.down.0..=area.down.1).contains(y);
        let bar: Vec<&Area> = chart.areas.iter().filter(in_row).collect();
        let total = total(chart, *y, name, seen);
        total.or_else(|| off(plot, seen, &bar)).map(|wrong| format!("{name}: {wrong}"))
    });
    wrong.collect()
}

/// What stands beside a bar is the mean response time.
fn total(chart: &Chart, y: f64, name: &str, seen: &Seen) -> Option<String> {
    let beside =
        |((_, at), word): &&((f64, f64), String)| (at - y).abs() < 1.0 && word != name && !word.is_empty();
    let written = chart.words.iter().find(beside).map_or("", |(_, word)| word);
    match mean(&seen.all.total.served_us) {
        None if written == "–" => None,
        Some(us) if Figure::Said(us, 0.0).is(&Value::from(written)) => None,
        mean => Some(format!("{written} beside it, the traces say {mean:?}")),
    }
}

/// The parts stand end to end in the order of the legend.
fn off(plot: &Plot, seen: &Seen, bar: &[&Area]) -> Option<String> {
    let axis = &plot.charts[0].across;
    let means = seen.all.owned.mean_us(None);
    let unknown = means
        .iter()
        .find(|(key, us)| **us >= 0.01 && !plot.legend.iter().any(|(name, _)| name == called(key)));
    if let Some(unknown) = unknown {
        return Some(format!("the traces have {unknown:?}, the legend has not"));
    }
    let mut reached = 0.0;
    for (name, colour) in &plot.legend {
        let us: f64 = means.iter().filter(|(key, _)| called(key) == name).map(|(_, us)| us).sum();
        let expected = (place(axis, reached), place(axis, reached + us));
        reached += us;
        let drawn = bar.iter().find(|area| area.colour == *colour).map(|area| area.across);
        let is_right = match drawn {
            Some(drawn) => (drawn.0 - expected.0).abs() <= OFF_MAX && (drawn.1 - expected.1).abs() <= OFF_MAX,
            None => expected.1 - expected.0 <= OFF_MAX,
        };
        if !is_right {
            return Some(format!("{name} is drawn at {drawn:?}, the traces say {expected:?}"));
        }
    }
    None
}
