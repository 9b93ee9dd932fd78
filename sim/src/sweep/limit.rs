//! The answer of a search: the limit below which all that is expected holds, from all that was run along its key, the
//! tries and the points of the grid alike. Halving rests on what holds at a value holding at every lower one; the grid is
//! what can show that it does not, and then the limit is the lowest and what holds above it is told. Owns no run.

use super::Try;
use super::record::Found;
use crate::record::Outcome;
use crate::scenario::grid::{Search, Steps};

impl Found {
    /// What `tries` of a search and the points of the `grid` along its key say together.
    pub(super) fn of(
        search: &Search,
        places: Vec<Option<usize>>,
        architecture: String,
        tries: Vec<Try>,
        grid: Vec<Try>,
    ) -> Self {
        let ran = || tries.iter().chain(&grid);
        let with = |outcome: Outcome| ran().filter(move |ran| ran.outcome == outcome);
        let lowest = with(Outcome::Fails).min_by(|a, b| a.number.total_cmp(&b.number));
        let is_below = |ran: &&Try| lowest.is_none_or(|lowest| ran.number < lowest.number);
        let highest = with(Outcome::Holds).filter(is_below).max_by(|a, b| a.number.total_cmp(&b.number));
        let is_above = |ran: &&Try| highest.is_none_or(|highest| ran.number > highest.number);
        let unsure = with(Outcome::CannotBeJudged).find(|ran| is_below(ran) && is_above(ran));
        let top = search.steps.value(search.steps.count() - 1).number;
        let reaches = |number: f64| top.is_some_and(|top| number >= top);
        let mut again: Vec<&Try> = with(Outcome::Holds).filter(|ran| !is_below(ran)).collect();
        again.sort_by(|a, b| a.number.total_cmp(&b.number));
        again.dedup_by(|a, b| a.number.total_cmp(&b.number).is_eq());
        let least = search.at_least.as_ref().and_then(|value| value.number);
        let outcome = match (least, highest, lowest) {
            (Some(least), Some(highest), _) if highest.number >= least => Outcome::Holds,
            (Some(least), _, Some(lowest)) if lowest.number <= least => Outcome::Fails,
            (_, _, _) if unsure.is_some() => Outcome::CannotBeJudged,
            (Some(_), ..) => Outcome::Fails,
            (None, ..) => Outcome::Holds,
        };
        Self {
            highest: highest.map(|ran| ran.value.clone()),
            number: highest.map(|ran| ran.number),
            open_ended: lowest.is_none() && highest.is_some_and(|ran| reaches(ran.number)),
            fails_from: lowest.map(|ran| ran.value.clone()),
            takes: unsure.map(|ran| ran.takes.clone().unwrap_or_default()),
            holds_again: again.into_iter().map(|ran| ran.value.clone()).collect(),
            holds: outcome == Outcome::Holds,
            outcome,
            places,
            architecture,
            tries,
            grid,
        }
    }
}

/// The step to try next where the grid contradicts a search: the middle of those between the highest value that holds
/// below all that fail and the lowest that fails; `None` where there is no contradiction, or no step between.
pub(super) fn between(steps: &Steps, found: &Found) -> Option<u32> {
    let fails = |of: &&Try| of.outcome == Outcome::Fails;
    let lowest = found.ran().into_iter().find(fails)?.number;
    let highest = found.number.filter(|_| !found.holds_again.is_empty())?;
    let is_between = |step: &u32| steps.value(*step).number.is_some_and(|of| highest < of && of < lowest);
    let left: Vec<u32> = (0..steps.count()).filter(is_between).collect();
    left.get(left.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::grid::{Spacing, Value};

    fn steps() -> Steps {
        let unit = "%".to_owned();
        Steps { from: 1.0, to: 100.0, unit, quoted: true, spacing: Spacing::Linear, count: 100 }
    }

    fn found(tries: &[(f64, Outcome)], grid: &[(f64, Outcome)], at_least: Option<f64>) -> Found {
        let share = |share: f64| format!("{share}%");
        let tried = |of: &[(f64, Outcome)]| {
            let tried = |&(number, outcome): &(f64, Outcome)| Try {
                value: share(number),
                number: number / 100.0,
                holds: outcome == Outcome::Holds,
                outcome,
                unmet: String::new(),
                takes: None,
            };
            of.iter().map(tried).collect::<Vec<_>>()
        };
        let steps = steps();
        let at_least = at_least.map(|least| Value::text(&share(least)));
        let search = Search { key: "share".to_owned(), steps, at_least };
        Found::of(&search, Vec::new(), "mesh".to_owned(), tried(tries), tried(grid))
    }

    use Outcome::{CannotBeJudged, Fails, Holds};

    /// Two tries, and a grid that knows better.
    #[test]
    fn the_grid_shows_what_the_ends_hide() {
        let ends = [(1.0, Holds), (100.0, Holds)];
        let alone = found(&ends, &[], None);
        assert_eq!((alone.highest.as_deref(), alone.open_ended), (Some("100%"), true));
        let both = found(&ends, &[(20.0, Holds), (40.0, Fails), (60.0, Fails)], None);
        assert_eq!(both.highest.as_deref(), Some("20%"));
        assert_eq!(both.fails_from.as_deref(), Some("40%"));
        assert_eq!(both.holds_again, ["100%"]);
        assert!(!both.open_ended);
    }

    /// It fails from 31 % on, and holds at the upper end all the same.
    #[test]
    fn what_the_grid_contradicts_is_halved_between_its_points() {
        let grid = [(20.0, Holds), (40.0, Fails)];
        let mut tries = vec![(1.0, Holds), (100.0, Holds)];
        let steps = steps();
        assert_eq!(between(&steps, &found(&tries, &[], None)), None, "nothing contradicts");
        while let Some(step) = between(&steps, &found(&tries, &grid, None)) {
            let share = f64::from(step) + 1.0;
            tries.push((share, if share > 30.0 { Fails } else { Holds }));
            assert!(tries.len() < 10, "{tries:?}");
        }
        let limit = found(&tries, &grid, None);
        assert_eq!((limit.highest.as_deref(), limit.fails_from.as_deref()), (Some("30%"), Some("31%")));
    }

    /// A point that cannot be judged decides no limit: it leaves it open where it lies.
    #[test]
    fn a_point_that_cannot_be_judged_is_neither_above_nor_below() {
        let tries = [(1.0, Holds), (100.0, Fails), (50.0, CannotBeJudged)];
        let unsure = found(&tries, &[], None);
        assert_eq!((unsure.highest.as_deref(), unsure.fails_from.as_deref()), (Some("1%"), Some("100%")));
        assert_eq!((unsure.outcome, unsure.takes.is_some()), (CannotBeJudged, true));
        let told = found(&tries, &[(60.0, Holds), (80.0, Fails)], None);
        assert_eq!((told.highest.as_deref(), told.fails_from.as_deref()), (Some("60%"), Some("80%")));
        assert_eq!((told.outcome, told.takes), (Holds, None));
    }

    #[test]
    fn what_is_at_least_asked_for_is_held_against_both() {
        let ends = [(1.0, Holds), (100.0, Holds)];
        assert_eq!(found(&ends, &[], Some(30.0)).outcome, Holds);
        assert_eq!(found(&ends, &[(20.0, Fails)], Some(30.0)).outcome, Fails);
        assert_eq!(found(&[(1.0, Holds)], &[(20.0, CannotBeJudged)], Some(30.0)).outcome, CannotBeJudged);
        assert_eq!(found(&[(1.0, Holds)], &[(40.0, Holds)], Some(30.0)).outcome, Holds);
    }
}
