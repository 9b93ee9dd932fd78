//! Where the knee of each architecture is along an axis: from the points whose sample carries p99, and none where they
//! are too few to say so. Owns what a knee is and its words.

use hoplab_sim::figures;
use hoplab_sim::sweep::record::{Figures, Sweep};

use super::heads::heads;
use super::slice::{self, Slice};
use crate::format::listed;
use crate::grouped::grouped;

/// The knee is where p99 is more than this many times that of the lowest value.
const KNEE: f64 = 2.0;

/// Fewer points say nothing of what lies between them.
const POINTS_MIN: usize = 3;

/// What the points along an axis say of the knee.
enum Knee<'a> {
    /// It lies between two values. `from` is the lowest value that carries p99, where it is not the lowest of all; at those
    /// of `low_again`, behind the knee, p99 is low once more.
    Between { below: &'a str, at: &'a str, from: Option<&'a str>, low_again: Vec<String> },
    /// Every point carries p99, and none more than twice that of the lowest.
    NotSeen,
    /// So many of the points carry p99; `takes` is what would carry the others.
    CannotBeTold { carry: usize, points: usize, takes: String },
}

/// Where the knees are along an axis of numbers that is the only one; where there are more the curves tell.
pub(super) fn knees(sweep: &Sweep) -> Option<String> {
    let [axis] = &sweep.axes[..] else { return None };
    if !slice::is_numeric(axis) || sweep.points.is_empty() {
        return None;
    }
    let knees: Vec<_> = sweep.architectures.iter().map(|name| (name, knee(sweep, name))).collect();
    let head = &heads(sweep)[0];
    if knees.iter().all(|(_, knee)| matches!(knee, Knee::NotSeen)) {
        return Some(format!("Along {head} there is no knee: p99 stays below twice that of the lowest."));
    }
    let is_between = |knee: &Knee| matches!(knee, Knee::Between { .. });
    let said = |is_meant: &dyn Fn(&Knee) -> bool| {
        let meant = knees.iter().filter(|(_, knee)| is_meant(knee));
        grouped(meant.map(|(name, knee)| (words(knee), (*name).clone())), "with")
    };
    let others = said(&|knee| !is_between(knee));
    if !knees.iter().any(|(_, knee)| is_between(knee)) {
        return Some(format!("The knee along {head}: {others}."));
    }
    let others = if others.is_empty() { others } else { format!("; {others}") };
    let between = said(&is_between);
    Some(format!(
        "The knee along {head}, where p99 first exceeds twice that of the lowest, is {between}{others}."
    ))
}

fn words(knee: &Knee) -> String {
    match knee {
        Knee::Between { below, at, from, low_again } => {
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

fn knee<'a>(sweep: &'a Sweep, name: &str) -> Knee<'a> {
    let seen = Slice(vec![None]).along(sweep, 0, name);
    let carried = seen.iter().filter_map(|(_, place, figures)| Some((*place, figures.p99_us?.value)));
    let carried: Vec<(usize, f64)> = carried.collect();
    let label = |place: usize| sweep.axes[0].labels[place].as_str();
    if let Some(&(first, lowest)) = carried.first() {
        let is_beyond = |us: f64| us > lowest * KNEE;
        if let Some(beyond) = carried.iter().position(|(_, us)| is_beyond(*us)) {
            let behind = carried[beyond..].iter().filter(|(_, us)| !is_beyond(*us));
            let low_again = behind.map(|(place, _)| label(*place).to_owned()).collect();
            let (below, at) = (label(carried[beyond - 1].0), label(carried[beyond].0));
            let from = (Some(first) != seen.first().map(|(_, place, _)| *place)).then(|| label(first));
            return Knee::Between { below, at, from, low_again };
        }
    }
    if carried.len() == seen.len() && seen.len() >= POINTS_MIN {
        return Knee::NotSeen;
    }
    let without = seen.iter().map(|(.., figures)| *figures).filter(|figures| figures.p99_us.is_none());
    Knee::CannotBeTold { carry: carried.len(), points: seen.len(), takes: takes(sweep, without) }
}

/// What would carry p99 at the points that do not: `; --scale 3 or --seeds 3 would tell`.
fn takes<'a>(sweep: &Sweep, without: impl Iterator<Item = &'a Figures>) -> String {
    let Some(fewest) = without.map(|figures| figures.requests.served()).min() else {
        return "; more points would tell".to_owned();
    };
    if fewest == 0 {
        return ", and where nothing is served well none can".to_owned();
    }
    let times = figures::Figure::P99.observations_min() as f64 / fewest as f64;
    let scale = (times * sweep.scale).ceil();
    let seeds = (times * sweep.seeds as f64).ceil();
    format!("; --scale {scale} or --seeds {seeds} would tell")
}
