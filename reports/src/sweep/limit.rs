//! What a search found, in words: the limit, how sure it is, and where tries and points of the grid contradict what
//! halving rests on. Owns the words that table, page and verdict share.

use hoplab_sim::record::Outcome;
use hoplab_sim::sweep::record::{Found, Search};

use crate::format::listed;

/// What a search found, as people read it: `340 rps`, `600 rps or more`, `below 50 rps`; where it cannot be judged what
/// lies between, that it cannot: `200 rps (cannot be judged below 260 rps)`; and where there is no one limit, that there
/// is none: `20% (fails from 40%, holds at 100%)`.
pub(super) fn highest(search: &Search, found: &Found) -> String {
    let unsure = || match &found.fails_from {
        Some(fails) => format!("cannot be judged below {fails}"),
        None => format!("cannot be judged up to {}", search.range.1),
    };
    let notes: Vec<String> = found.takes.iter().map(|_| unsure()).chain(again(found)).collect();
    let notes = notes.join(", ");
    match &found.highest {
        Some(highest) if !notes.is_empty() => format!("{highest} ({notes})"),
        Some(highest) if found.open_ended => format!("{highest} or more"),
        Some(highest) => highest.clone(),
        None if is_unknown(found) => notes,
        None if !notes.is_empty() => format!("below {} ({notes})", lowest(search, found)),
        None => format!("below {}", lowest(search, found)),
    }
}

/// Whether nothing is known to hold, and that cannot be judged.
pub(super) fn is_unknown(found: &Found) -> bool {
    found.highest.is_none() && found.takes.is_some()
}

/// Whether the limit is one number: it holds up to there, fails above, and nothing that was run says otherwise.
pub(super) fn is_settled(found: &Found) -> bool {
    found.takes.is_none() && found.holds_again.is_empty() && !found.open_ended
}

/// Where something fails below a value at which all holds: `holds at 100%, but fails at 40% and 60%`.
pub(super) fn contradiction(found: &Found) -> Option<String> {
    let again = (!found.holds_again.is_empty()).then(|| some_of(&found.holds_again))?;
    let highest = found.ran().into_iter().rev().find(|ran| ran.holds)?.number;
    let fails = found.ran().into_iter().filter(|ran| !ran.holds && ran.number < highest);
    let mut fails: Vec<String> =
        fails.filter(|ran| ran.outcome == Outcome::Fails).map(|ran| ran.value.clone()).collect();
    fails.dedup();
    Some(format!("holds at {again}, but fails at {}", some_of(&fails)))
}

fn again(found: &Found) -> Option<String> {
    let fails = found.fails_from.as_ref().filter(|_| !found.holds_again.is_empty())?;
    Some(format!("fails from {fails}, holds at {}", some_of(&found.holds_again)))
}

/// The lowest value that was run.
fn lowest(search: &Search, found: &Found) -> String {
    found.ran().first().map_or_else(|| search.range.0.clone(), |lowest| lowest.value.clone())
}

/// The first few of several values.
fn some_of(values: &[String]) -> String {
    const SHOWN_MAX: usize = 4;
    match values.len().checked_sub(SHOWN_MAX) {
        Some(more @ 1..) => format!("{} and {more} more", values[..SHOWN_MAX].join(", ")),
        _ => listed(values),
    }
}
