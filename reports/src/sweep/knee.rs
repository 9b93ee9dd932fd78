//! Where the knee of each architecture is along an axis: from the points whose sample carries p99, and none where they
//! are too few to say so. Owns what a knee is and its words.

use hoplab_sim::figures;
use hoplab_sim::sweep::record::{Figures, Sweep};
use serde::Serialize;

use super::heads::heads;
use super::slice::{self, Quantity, Slice};
use crate::format::{listed, plural};
use crate::grouped::grouped;

/// The knee is where p99 is more than this many times that of the lowest value.
const KNEE: f64 = 2.0;

/// Fewer points say nothing of what lies between them.
const POINTS_MIN: usize = 3;

/// What tells where points are too few.
const MORE_POINTS: &str = "; more points would tell";

/// A knee, and where it was looked for.
#[derive(Debug, Serialize)]
pub(super) struct Located<'a> {
    architecture: &'a str,
    /// The key of the axis.
    along: &'a str,
    /// What the other axes stand at, `cores = 2`; left out where there is none.
    #[serde(rename = "where", skip_serializing_if = "String::is_empty")]
    still: String,
    #[serde(flatten)]
    knee: Knee<'a>,
}

/// What the points along an axis say of the knee.
#[derive(Debug, Serialize)]
#[serde(tag = "knee", rename_all = "kebab-case")]
enum Knee<'a> {
    /// It lies between two values. `from` is the lowest value that carries p99, where it is not the lowest of all; at those
    /// of `low_again`, behind the knee, p99 is low once more.
    Between {
        below: &'a str,
        at: &'a str,
        #[serde(skip)]
        number: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        low_again: Vec<String>,
    },
    /// Every point carries p99, and none more than twice that at the lowest value.
    NotSeen,
    /// So many of the points carry p99; `takes` is what would carry the others.
    CannotBeTold { carry: usize, points: usize, takes: String },
}

impl Knee<'_> {
    /// The value from which on p99 is high.
    fn number(&self) -> Option<f64> {
        if let Self::Between { number, .. } = self { Some(*number) } else { None }
    }
}

/// The knees along every axis of numbers, wherever the others stand.
pub(super) fn all(sweep: &Sweep) -> Vec<Located<'_>> {
    if sweep.points.is_empty() {
        return Vec::new();
    }
    let axes = numeric(sweep).filter(|&axis| sweep.axes[axis].labels.len() > 1);
    axes.flat_map(|axis| along(sweep, axis)).collect()
}

/// The axes whose values are numbers.
fn numeric(sweep: &Sweep) -> impl Iterator<Item = usize> {
    (0..sweep.axes.len()).filter(|&axis| slice::is_numeric(&sweep.axes[axis]))
}

fn along(sweep: &Sweep, axis: usize) -> Vec<Located<'_>> {
    let slices = Slice::all(sweep, &[axis]);
    let mut knees = Vec::new();
    for architecture in &sweep.architectures {
        knees.extend(slices.iter().map(|slice| Located {
            architecture,
            along: &sweep.axes[axis].key,
            still: slice.name(sweep),
            knee: knee(sweep, axis, slice, architecture),
        }));
    }
    knees
}

/// Where the knees are along the axis of the load, or the first of numbers where none is a load's.
pub(super) fn knees(sweep: &Sweep) -> Option<String> {
    if sweep.points.is_empty() {
        return None;
    }
    let is_load = |&axis: &usize| {
        let first = sweep.axes[axis].labels.first();
        first.is_some_and(|label| Quantity::of(label) == Quantity::Rate)
    };
    let axis = numeric(sweep).find(is_load).or_else(|| numeric(sweep).next())?;
    let knees = along(sweep, axis);
    let head = &heads(sweep)[axis];
    if knees.iter().all(|of| matches!(of.knee, Knee::NotSeen)) {
        return Some(format!(
            "Along {head} there is no knee: p99 stays below twice that at the lowest value."
        ));
    }
    if sweep.axes.len() == 1 { Some(at_one_place(&knees, head)) } else { Some(at_many(sweep, &knees, head)) }
}

fn at_one_place(knees: &[Located], head: &str) -> String {
    let said = |is_meant: bool| {
        let meant = knees.iter().filter(|of| of.knee.number().is_some() == is_meant);
        grouped(meant.map(|of| (words(&of.knee), of.architecture.to_owned())), "with")
    };
    let (between, others) = (said(true), said(false));
    if between.is_empty() {
        return format!("The knee along {head}: {others}.");
    }
    let others = if others.is_empty() { others } else { format!("; {others}") };
    format!(
        "The knee along {head}, where p99 first exceeds twice that at the lowest value, is {between}{others}."
    )
}

/// The lowest and the highest of each architecture, and at how many places there is none to tell.
fn at_many(sweep: &Sweep, knees: &[Located], head: &str) -> String {
    let said = sweep.architectures.iter().map(|name| {
        let own: Vec<&Located> = knees.iter().filter(|of| of.architecture == *name).collect();
        let seen = || own.iter().filter(|of| of.knee.number().is_some());
        let number = |of: &&&Located| of.knee.number().unwrap_or_default();
        let lowest = seen().min_by(|a, b| number(a).total_cmp(&number(b)));
        let highest = seen().max_by(|a, b| number(a).total_cmp(&number(b)));
        let said = |of: &Located| format!("{} where {}", words(&of.knee), of.still);
        let ends = match (lowest, highest) {
            (Some(low), Some(high)) if low.knee.number() == high.knee.number() => vec![words(&low.knee)],
            (Some(low), Some(high)) => vec![format!("lowest {}, highest {}", said(low), said(high))],
            _ => Vec::new(),
        };
        let count = |is: fn(&Knee) -> bool| own.iter().filter(|of| is(&of.knee)).count() as u64;
        let places = own.len();
        let rest = [
            (count(|knee| matches!(knee, Knee::NotSeen)), "not reached"),
            (count(|knee| matches!(knee, Knee::CannotBeTold { .. })), "cannot be told"),
        ];
        let rest = rest.iter().filter(|(count, _)| *count > 0);
        let rest =
            rest.map(|(count, what)| format!("{what} at {count} of {}", plural(places as u64, "place")));
        (ends.into_iter().chain(rest).collect::<Vec<_>>().join(", "), name.clone())
    });
    format!(
        "The knee along {head}, where p99 first exceeds twice that at the lowest value: {}.",
        grouped(said, "with")
    )
}

fn words(knee: &Knee) -> String {
    match knee {
        Knee::Between { below, at, from, low_again, .. } => {
            let again = (!low_again.is_empty()).then(|| format!("below it again at {}", listed(low_again)));
            let from = from.map(|from| format!("{from} is the lowest that carries p99"));
            let notes: Vec<String> = from.into_iter().chain(again).collect();
            let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
            format!("between {below} and {at}{notes}")
        }
        Knee::NotSeen => "not reached".to_owned(),
        Knee::CannotBeTold { carry, points, takes } => {
            format!("cannot be told ({carry} of {points} points carry p99{takes})")
        }
    }
}

fn knee<'a>(sweep: &'a Sweep, axis: usize, slice: &Slice, name: &str) -> Knee<'a> {
    let seen = slice.along(sweep, axis, name);
    let carried =
        seen.iter().filter_map(|(number, place, figures)| Some((*place, *number, figures.p99_us?.value)));
    let carried: Vec<(usize, f64, f64)> = carried.collect();
    let label = |place: usize| sweep.axes[axis].labels[place].as_str();
    if let Some(&(first, _, lowest)) = carried.first() {
        let is_beyond = |us: f64| us > lowest * KNEE;
        if let Some(beyond) = carried.iter().position(|(.., us)| is_beyond(*us)) {
            let behind = carried[beyond..].iter().filter(|(.., us)| !is_beyond(*us));
            let low_again = behind.map(|(place, ..)| label(*place).to_owned()).collect();
            let (below, (at, number, _)) = (label(carried[beyond - 1].0), carried[beyond]);
            let from = (Some(first) != seen.first().map(|(_, place, _)| *place)).then(|| label(first));
            return Knee::Between { below, at: label(at), number, from, low_again };
        }
    }
    if carried.len() == seen.len() && seen.len() >= POINTS_MIN {
        return Knee::NotSeen;
    }
    let without = seen.iter().map(|(.., figures)| *figures).filter(|figures| figures.p99_us.is_none());
    let takes = if seen.len() < POINTS_MIN { MORE_POINTS.to_owned() } else { takes(sweep, without) };
    Knee::CannotBeTold { carry: carried.len(), points: seen.len(), takes }
}

/// What would carry p99 at the points that do not: `; --scale 3 or --seeds 3 would tell`.
fn takes<'a>(sweep: &Sweep, without: impl Iterator<Item = &'a Figures>) -> String {
    let Some(fewest) = without.map(|figures| figures.requests.served()).min() else {
        return MORE_POINTS.to_owned();
    };
    if fewest == 0 {
        return ", and where nothing is served well none can".to_owned();
    }
    let times = figures::Figure::P99.observations_min() as f64 / fewest as f64;
    let scale = (times * sweep.scale).ceil();
    let seeds = (times * sweep.seeds as f64).ceil();
    format!("; --scale {scale} or --seeds {seeds} would tell")
}
