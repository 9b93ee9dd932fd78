//! A sweep's answer in words: how far each architecture goes, where its knee is, and what gives way first. Owns
//! the sentences, not where they stand.

use hoplab_sim::record::Outcome;
use hoplab_sim::sweep::record::{Figures, Found, Search, Sweep};

use super::slice::{self, Quantity, Slice};
use super::table::{heads, highest, key_name};
use crate::format::{glued, listed, percent, plural};
use crate::verdict::Verdict;

/// The knee is where p99 is more than so many times that of the lowest value.
const KNEE: f64 = 2.0;

/// The verdict on a sweep.
pub(super) fn verdict(sweep: &Sweep) -> Verdict {
    let headline = match &sweep.search {
        Some(search) => found(sweep, search),
        None => held(sweep),
    };
    let mut sentences = Vec::new();
    if let Some(search) = &sweep.search {
        sentences.extend(gives_way(sweep, search));
        if !sweep.points.is_empty() && sweep.points.iter().any(has_expectations) {
            sentences.push(held(sweep));
        }
    } else {
        sentences.extend(first_unmet(sweep));
    }
    sentences.extend(knees(sweep));
    Verdict { headline: glued(&headline), sentences: sentences.iter().map(|text| glued(text)).collect() }
}

fn has_expectations(point: &hoplab_sim::sweep::record::Seen) -> bool {
    point.architectures.values().any(|figures| !figures.expectations.is_empty())
}

/// What the search found, all architectures in a sentence.
fn found(sweep: &Sweep, search: &Search) -> String {
    let by_name = |name: &String| -> Vec<&Found> {
        search.found.iter().filter(|found| found.architecture == *name).collect()
    };
    let groups: Vec<_> = sweep.architectures.iter().map(|name| (name, by_name(name))).collect();
    let groups: Vec<_> = groups.into_iter().filter(|(_, found)| !found.is_empty()).collect();
    let Some((_, found)) = groups.first() else { return "Nothing was searched for.".to_owned() };
    if search.found.iter().all(|found| found.highest.is_none() && found.takes.is_none()) {
        return format!("Not even at {} does all that is expected hold anywhere.", search.range.0);
    }
    let from = found[0].number;
    let alone = groups.iter().all(|(_, found)| found.len() == 1);
    let limit = |(index, (_, found)): (usize, &(&String, Vec<&Found>))| match found[..] {
        [found] => {
            let other =
                from.zip(found.number).filter(|(from, number)| index > 0 && from.total_cmp(number).is_ne());
            let more = other.map(|of| compared(of.0, of.1));
            format!("{}{}", highest(search, found), more.unwrap_or_default())
        }
        _ => spread(sweep, search, found),
    };
    let limits = groups.iter().enumerate().map(|(index, group)| (limit((index, group)), group.0.clone()));
    let limits = by_text(limits);
    let is_rate = Quantity::of(&search.range.1) == Quantity::Rate;
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
    sentence(parts)
}

/// Parts that may have commas in them, as one sentence.
fn sentence(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    let comma = parts.iter().any(|part| part.contains(", "));
    if comma { parts.join("; ") + "." } else { listed(&parts) + "." }
}

/// How much less, or more, a number is than the first architecture's.
fn compared(first: f64, number: f64) -> String {
    let ratio = number / first - 1.0;
    let word = if ratio < 0.0 { "less" } else { "more" };
    let size = ratio.abs();
    format!(", {} {word}", percent(if size < 0.02 { size } else { (size * 100.0).round() / 100.0 }))
}

/// The greatest and the least of what was found at several points.
fn spread(sweep: &Sweep, search: &Search, found: &[&Found]) -> String {
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
        (Some(most), _) => format!("{} everywhere", highest(search, most)),
        _ => String::new(),
    }
}

/// What fails first above the limits: of each architecture the lowest try that did not hold.
fn gives_way(sweep: &Sweep, search: &Search) -> Option<String> {
    let first = |name: &String| {
        let found: Vec<&Found> = search.found.iter().filter(|found| found.architecture == *name).collect();
        let place = |found: &Found| {
            let place = Slice(found.places.clone()).name(sweep);
            if place.is_empty() { place } else { format!(" where {place}") }
        };
        let failed = found.iter().flat_map(|found| {
            found
                .tries
                .iter()
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

/// What is the same is said once: `4 of 9 with a and b; 3 of 9 with c`.
fn grouped(said: impl Iterator<Item = (String, String)>, with: &str) -> String {
    let parts: Vec<String> =
        by_text(said).into_iter().map(|(what, names)| format!("{what} {with} {}", listed(&names))).collect();
    parts.join("; ")
}

/// Names by what is said of them, in the order of the first of each.
fn by_text(said: impl Iterator<Item = (String, String)>) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (what, name) in said {
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, names)) => names.push(name),
            None => groups.push((what, vec![name])),
        }
    }
    groups
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
        let (_, place, figures) = along.iter().find(|(_, _, figures)| together(figures) == Outcome::Fails)?;
        let unmet = figures.expectations.iter().find(|expectation| expectation.fails())?;
        Some(format!("{name} at {} ({}; seen: {})", axis.labels[*place], unmet.text, unmet.seen_text))
    };
    let said: Vec<String> = sweep.architectures.iter().filter_map(first).collect();
    (!said.is_empty())
        .then(|| format!("The first expectation to fail along {}: {}.", axis.key, listed(&said)))
}

/// Where the knees are along an axis of numbers that is the only one; where there are more the curves tell.
fn knees(sweep: &Sweep) -> Option<String> {
    let [axis] = &sweep.axes[..] else { return None };
    if !slice::is_numeric(axis) {
        return None;
    }
    let knees: Vec<_> = sweep.architectures.iter().map(|name| (name, knee(sweep, name))).collect();
    let head = &heads(sweep)[0];
    if knees.iter().all(|(_, knee)| knee.is_none()) {
        return Some(format!("Along {head} there is no knee: p99 stays below twice that of the lowest."));
    }
    let said = knees.into_iter().map(|(name, knee)| {
        let place =
            knee.map_or_else(|| "not reached".to_owned(), |(below, at)| format!("between {below} and {at}"));
        (place, name.clone())
    });
    let said = grouped(said, "with");
    Some(format!("The knee along {head}, where p99 first exceeds twice that of the lowest, is {said}."))
}

/// The last value before the knee and the first beyond it, along the only axis.
fn knee<'a>(sweep: &'a Sweep, name: &str) -> Option<(&'a str, &'a str)> {
    let seen = Slice(vec![None]).along(sweep, 0, name);
    let p99 = |figures: &Figures| figures.p99_us.map(|figure| figure.value);
    let lowest = p99(seen.first()?.2)?;
    let beyond = seen.iter().position(|(_, _, figures)| p99(figures).is_some_and(|us| us > lowest * KNEE))?;
    let label = |index: usize| sweep.axes[0].labels[seen[index].1].as_str();
    Some((label(beyond.checked_sub(1)?), label(beyond)))
}

/// What of the limits falls short of the least that is all right; `None` when nothing must be met.
pub(super) fn met(search: &Search) -> Option<(usize, usize)> {
    search.at_least.as_ref()?;
    let short = search.found.iter().filter(|found| found.outcome == Outcome::Fails).count();
    Some((search.found.len(), short))
}
