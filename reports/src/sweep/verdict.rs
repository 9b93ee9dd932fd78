//! A sweep's answer in words: how far each architecture goes, where what was run contradicts that there is a limit, and
//! what gives way first. Owns the sentences, not where they stand; `knee` has those on knees.

use hoplab_sim::record::Outcome;
use hoplab_sim::sweep::record::{Figures, Found, Search, Sweep};

use super::heads::key_name;
use super::knee::knees;
use super::limit::{contradiction, highest, is_settled, is_unknown};
use super::slice::{self, Quantity, Slice};
use crate::format::{glued, listed, percent, plural};
use crate::grouped::{by_text, grouped};
use crate::outcomes::Outcomes;
use crate::verdict::Verdict;

/// The verdict on a sweep, as prose.
pub(crate) fn verdict(sweep: &Sweep) -> Verdict {
    let mut sentences = sentences(sweep).into_iter().map(|text| glued(&text));
    Verdict { headline: sentences.next().unwrap_or_default(), sentences: sentences.collect() }
}

/// Its sentences, the answer first.
pub(super) fn sentences(sweep: &Sweep) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(search) = &sweep.search {
        sentences.push(found(sweep, search));
        sentences.extend(contradictions(sweep, search));
        sentences.extend(gives_way(sweep, search));
        if !sweep.points.is_empty() && sweep.points.iter().any(has_expectations) {
            sentences.push(held(sweep));
        }
    } else {
        sentences.push(held(sweep));
        sentences.extend(first_unmet(sweep));
    }
    sentences.extend(knees(sweep));
    sentences
}

fn has_expectations(point: &hoplab_sim::sweep::record::Seen) -> bool {
    point.architectures.values().any(|figures| !figures.expectations.is_empty())
}

/// What was found for an architecture.
type Group<'a> = (&'a String, Vec<&'a Found>);

/// What the search found, all architectures in a sentence.
fn found(sweep: &Sweep, search: &Search) -> String {
    let by_name = |name: &String| -> Vec<&Found> {
        search.found.iter().filter(|found| found.architecture == *name).collect()
    };
    let groups = sweep.architectures.iter().map(|name| (name, by_name(name)));
    let groups: Vec<Group> = groups.filter(|(_, found)| !found.is_empty()).collect();
    let Some((_, found)) = groups.first() else { return "Nothing was searched for.".to_owned() };
    if search.found.iter().all(holds_nowhere) {
        return format!("Not even at {} does all that is expected hold anywhere.", search.range.0);
    }
    let from = found[0].number.filter(|_| is_settled(found[0]));
    let alone = groups.iter().all(|(_, found)| found.len() == 1);
    let limit = |(index, (_, found)): (usize, &Group)| match found[..] {
        [found] => {
            let other =
                from.zip(found.number).filter(|(from, number)| index > 0 && from.total_cmp(number).is_ne());
            let more = other.filter(|_| is_settled(found)).map(|of| compared(of.0, of.1));
            format!("{}{}", highest(search, found), more.unwrap_or_default())
        }
        _ => spread(sweep, search, found),
    };
    let (unknown, known): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|(_, found)| found.iter().all(|found| is_unknown(found)));
    let is_rate = Quantity::of(&search.range.1) == Quantity::Rate;
    let unknown = unknown_limits(search, &unknown, is_rate);
    if known.is_empty() {
        return unknown.join(" ");
    }
    let limits = known.iter().enumerate().map(|(index, group)| (limit((index, group)), group.0.clone()));
    let limits = by_text(limits);
    let parts = limits.into_iter().enumerate().map(|(index, (limit, names))| {
        let carry = if names.len() == 1 { "carries" } else { "carry" };
        match (index, is_rate, listed(&names)) {
            (0, true, names) if alone => format!("{names} {carry} {limit} within the expectations"),
            (0, true, names) => format!("Within the expectations {names} {carry} {limit}"),
            (_, true, names) => format!("{names} {limit}"),
            (0, false, names) => {
                let key = key_name(&search.key);
                format!("With {names} all that is expected holds up to {key} = {limit}")
            }
            (_, false, names) => format!("with {names} up to {limit}"),
        }
    });
    std::iter::once(sentence(parts)).chain(unknown).collect::<Vec<_>>().join(" ")
}

/// Of whom no limit is known, a sentence each that is said of several alike.
fn unknown_limits(search: &Search, unknown: &[Group], is_rate: bool) -> Vec<String> {
    let said = unknown.iter().map(|(name, found)| {
        let limit = if let [found] = found[..] { highest(search, found) } else { ANYWHERE.to_owned() };
        (limit, (*name).clone())
    });
    let said = by_text(said).into_iter();
    let sentences = said.map(|(limit, names)| match (is_rate, listed(&names)) {
        (true, of) => {
            format!("How much {of} {} {limit}.", if names.len() == 1 { "carries" } else { "carry" })
        }
        (false, of) => {
            format!("Up to which {} all that is expected holds with {of} {limit}.", key_name(&search.key))
        }
    });
    sentences.collect()
}

/// What is said of an architecture of which nothing is known at any place.
const ANYWHERE: &str = "cannot be judged anywhere";

/// Whether it is known to hold at none of all that was run.
fn holds_nowhere(found: &Found) -> bool {
    found.highest.is_none() && found.takes.is_none() && found.holds_again.is_empty()
}

/// Parts that may have commas in them, as one sentence.
fn sentence(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    let comma = parts.iter().any(|part| part.contains(", "));
    if comma { parts.join("; ") + "." } else { listed(&parts) + "." }
}

/// How much less, or more, a number is than the first architecture's.
fn compared(first: f64, number: f64) -> String {
    if first <= 0.0 {
        return String::new();
    }
    let ratio = number / first - 1.0;
    let word = if ratio < 0.0 { "less" } else { "more" };
    let size = ratio.abs();
    format!(", {} {word}", percent(if size < 0.02 { size } else { (size * 100.0).round() / 100.0 }))
}

/// The greatest and the least of what was found at several points, and at how many nothing is known.
fn spread(sweep: &Sweep, search: &Search, found: &[&Found]) -> String {
    let (unknown, known): (Vec<&Found>, Vec<&Found>) = found.iter().partition(|found| is_unknown(found));
    let said = spread_of(sweep, search, &known);
    match unknown.len() {
        0 => said,
        some => {
            format!("{said}; at {some} of {} it cannot be judged", plural(found.len() as u64, "place"))
        }
    }
}

fn spread_of(sweep: &Sweep, search: &Search, found: &[&Found]) -> String {
    let number = |found: &Found| found.number.unwrap_or(f64::NEG_INFINITY);
    let most = found.iter().copied().reduce(|a, b| if number(b) > number(a) { b } else { a });
    let least = found.iter().copied().reduce(|a, b| if number(b) < number(a) { b } else { a });
    let said = |found: &Found| {
        format!("{} where {}", highest(search, found), Slice(found.places.clone()).name(sweep))
    };
    match (most, least) {
        (Some(most), Some(least)) if number(most) > number(least) => {
            format!("{}, but only {}", said(most), said(least))
        }
        (Some(most), _) if found.len() > 1 => format!("{} everywhere else", highest(search, most)),
        (Some(only), _) => said(only),
        _ => String::new(),
    }
}

/// Where something fails below a value at which all holds.
fn contradictions(sweep: &Sweep, search: &Search) -> Option<String> {
    let said = search.found.iter().filter_map(|found| {
        let place = Slice(found.places.clone()).name(sweep);
        let place = if place.is_empty() { place } else { format!(" where {place}") };
        Some((contradiction(found)? + &place, found.architecture.clone()))
    });
    let said = grouped(said, "with");
    let key = key_name(&search.key);
    (!said.is_empty())
        .then(|| format!("There is no one limit along {key}, as tries and grid say together: it {said}."))
}

/// What fails first above the limits: of each architecture the lowest value that was run and did not hold.
fn gives_way(sweep: &Sweep, search: &Search) -> Option<String> {
    let first = |name: &String| {
        let found: Vec<&Found> = search.found.iter().filter(|found| found.architecture == *name).collect();
        let place = |found: &Found| {
            let place = Slice(found.places.clone()).name(sweep);
            if place.is_empty() { place } else { format!(" where {place}") }
        };
        let failed = found.iter().flat_map(|found| {
            found
                .ran()
                .into_iter()
                .filter(|tried| tried.outcome == Outcome::Fails)
                .map(|tried| (place(found), tried))
        });
        let (place, tried) = failed.min_by(|a, b| a.1.number.total_cmp(&b.1.number))?;
        Some(format!("{name} at {}{place} ({})", tried.value, tried.unmet))
    };
    let said: Vec<String> = sweep.architectures.iter().filter_map(first).collect();
    (!said.is_empty()).then(|| format!("The first expectation to fail: {}.", listed(&said)))
}

/// At how many points all that is expected holds.
fn held(sweep: &Sweep) -> String {
    let said = |name: &String| {
        let figures = || sweep.points.iter().filter_map(|point| point.architectures.get(name));
        let expected = figures().filter(|figures| !figures.expectations.is_empty());
        let all = expected.clone().count();
        let well = expected.clone().filter(|figures| is_well(figures)).count();
        let unsure = expected.clone().filter(|figures| together(figures) == Outcome::CannotBeJudged).count();
        let unsure = if unsure > 0 { format!(", {unsure} cannot be judged,") } else { String::new() };
        (all > 0).then(|| (format!("{well} of {}{unsure}", plural(all as u64, "point")), name.clone()))
    };
    let said = grouped(sweep.architectures.iter().filter_map(said), "with");
    if said.is_empty() {
        format!("Nothing is expected at {}.", plural(sweep.points.len() as u64, "point"))
    } else {
        format!("All that is expected holds at {said}.")
    }
}

fn is_well(figures: &Figures) -> bool {
    together(figures) == Outcome::Holds
}

fn together(figures: &Figures) -> Outcome {
    Outcome::of_all(figures.expectations.iter().map(|expectation| expectation.outcome))
}

/// Along the only axis: at which value the first expectation fails, and which.
fn first_unmet(sweep: &Sweep) -> Option<String> {
    let [axis] = &sweep.axes[..] else { return None };
    if !slice::is_numeric(axis) {
        return None;
    }
    let slice = Slice(vec![None]);
    let first = |name: &String| {
        let along = slice.along(sweep, 0, name);
        let first = along.iter().position(|(_, _, figures)| together(figures) == Outcome::Fails)?;
        let (_, place, figures) = along[first];
        let unmet = figures.expectations.iter().find(|expectation| expectation.fails())?;
        let unsure =
            along[..first].iter().filter(|(.., figures)| together(figures) == Outcome::CannotBeJudged);
        let unsure = match unsure.count() as u64 {
            0 => String::new(),
            count => format!("; {} below cannot be judged", plural(count, "point")),
        };
        Some(format!("{name} at {} ({}; seen: {}{unsure})", axis.labels[place], unmet.text, unmet.seen_text))
    };
    let said: Vec<String> = sweep.architectures.iter().filter_map(first).collect();
    (!said.is_empty())
        .then(|| format!("The first expectation to fail along {}: {}.", axis.key, listed(&said)))
}

/// How the limits compare with the least that is all right; `None` when nothing must be met.
pub(super) fn met(search: &Search) -> Option<Outcomes> {
    search.at_least.as_ref()?;
    Some(Outcomes::count(search.found.iter().map(|found| found.outcome)))
}

/// The same in words: `✓ every limit is at least 200 rps`, `✗ 2 of 3 limits below 200 rps`.
pub(super) fn enough(search: &Search, outcomes: Outcomes) -> String {
    let least = search.at_least.as_deref().unwrap_or_default();
    let all = plural(outcomes.all(), "limit");
    let unsure = |count: u64| format!("{count} of {all} cannot be judged against {least}");
    match outcomes.together() {
        Outcome::Holds => format!("✓ every limit is at least {least}"),
        Outcome::CannotBeJudged => format!("? {}", unsure(outcomes.unjudged)),
        Outcome::Fails if outcomes.unjudged == 0 => format!("✗ {} of {all} below {least}", outcomes.fail),
        Outcome::Fails => {
            format!("✗ {} of {all} below {least}, {} cannot be judged", outcomes.fail, outcomes.unjudged)
        }
    }
}
