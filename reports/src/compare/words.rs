//! The answer in words: what differs most and how sure that is, then a sentence an architecture, with where its mean
//! moved. Owns the sentences, not where they stand.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::Outcome;

use super::figures::{Pair, Standing};
use super::moved::Turned;
use super::{Compared, Trust};
use crate::format::{duration, in_words, listed, percent, plural, significant};
use crate::table::head;

/// What a reader wants first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The answer in one sentence.
    pub(super) headline: String,
    /// What it rests on.
    pub(super) sentences: Vec<String>,
}

/// What took this many times as long is told so, not in per cent.
const TIMES_FROM: f64 = 3.0;

/// What a sentence on an architecture speaks of.
const TOLD: [Figure; 4] = [Figure::P99, Figure::P50, Figure::P999, Figure::ErrorRate];

/// The verdict on two runs, of which the `second` is called so; `only_one` says what only one of them has.
pub(super) fn verdict(
    architectures: &[Compared],
    second: &str,
    trust: Trust,
    only_one: Vec<String>,
) -> Verdict {
    if architectures.iter().all(|compared| compared.same) {
        let headline = if only_one.is_empty() {
            "Nothing differs: every figure is the same, and so are the digests.".to_owned()
        } else {
            "Nothing differs in what both ran: every figure is the same.".to_owned()
        };
        return Verdict { headline, sentences: only_one };
    }
    let mut sentences: Vec<String> = architectures.iter().map(sentence).collect();
    sentences.extend(only_one);
    sentences.extend(basis(architectures, trust));
    let headline = headline(architectures, second, trust) + &turned(architectures, trust);
    Verdict { headline, sentences }
}

/// A figure, with what it is of.
type Told<'a> = (String, &'a Pair);

/// Every figure that is compared: of all requests, of each part of the run, of each endpoint.
fn all<'a>(architectures: &'a [Compared<'a>]) -> impl Iterator<Item = Told<'a>> {
    architectures.iter().flat_map(|compared| {
        let name = &compared.name;
        let total = compared.subjects.iter().take(1).map(move |subject| (name.clone(), subject));
        let phases = compared.phases.iter().map(move |phase| (format!("{name} ({})", phase.name), phase));
        let endpoints = compared.subjects.iter().skip(1);
        let endpoints = endpoints.map(move |endpoint| (format!("{} under {name}", endpoint.name), endpoint));
        let subjects = total.chain(phases).chain(endpoints);
        subjects.flat_map(|(of, subject)| subject.figures.iter().map(move |pair| (of.clone(), pair)))
    })
}

/// The one that is furthest away for its interval, and of those that are as far, the one that moved most, the first of
/// several.
fn furthest<'a>(told: impl Iterator<Item = Told<'a>>) -> Option<Told<'a>> {
    let rank = |pair: &Pair| (pair.distance.unwrap_or(0.0), pair.weight());
    told.reduce(|most, next| if rank(next.1) > rank(most.1) { next } else { most })
}

fn headline(architectures: &[Compared], second: &str, trust: Trust) -> String {
    let with = |standing: Standing| all(architectures).filter(move |(_, pair)| pair.standing == standing);
    let most = |standing: Standing| {
        furthest(with(standing)).and_then(|(of, pair)| Some((clause(pair, Some(&of))?, pair)))
    };
    if let Some((text, pair)) = most(Standing::Beyond).or_else(|| most(Standing::Exact)) {
        let is_small = pair.standing == Standing::Exact && pair.distance.is_some();
        let size = if is_small { ", by no more than another seed may" } else { "" };
        return format!("What differs most in {second}{size}: {text}.");
    }
    match (trust.tested, with(Standing::NoInterval).count()) {
        (_, 0) if with(Standing::Within).next().is_none() => {
            "The runs differ, but not in response times and errors as they are written here.".to_owned()
        }
        (0, _) => {
            "Whether anything differs by more than chance cannot be told: no figure has an interval in both \
                   runs."
                .to_owned()
        }
        (tested, 0) => {
            format!("Nothing differs by more than chance explains, in {}.", plural(tested as u64, "figure"))
        }
        (tested, unknown) if unknown > tested => format!(
            "Mostly it cannot be told: of {} no interval is known, and the other {tested} do not differ by more than \
             chance explains.",
            plural(unknown as u64, "figure")
        ),
        (tested, unknown) => format!(
            "Nothing differs by more than chance explains, in {}; of {unknown} more it cannot be told.",
            plural(tested as u64, "figure")
        ),
    }
}

/// What the comparison rests on, and what would tell more; `None` where the headline says all of it.
fn basis(architectures: &[Compared], trust: Trust) -> Option<String> {
    let is_there = |standing: Standing| all(architectures).any(|(_, pair)| pair.standing == standing);
    let exact = "Both ran the same requests, so that every difference is real, to the microsecond; what is only exact \
                 may be another with other seeds.";
    let tests = format!(
        "≠ is beyond what chance explains: of {} judged together, the odds of a single false one are below 5 %.",
        plural(trust.tested as u64, "figure")
    );
    let more = "Where a run has no interval, nothing can be told: more seeds of each (five at least, --seeds 5) or longer runs \
         (--scale) may tell.";
    let parts = [
        (trust.same_requests, exact),
        (is_there(Standing::Beyond), &tests),
        (is_there(Standing::NoInterval), more),
    ];
    let parts: Vec<&str> =
        parts.into_iter().filter(|(is_meant, _)| *is_meant).map(|(_, text)| text).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What became of expectations: ` 1 expectation is not met any more.`; empty where all came out the same. Where nothing
/// differs by more than chance, neither do they.
fn turned(architectures: &[Compared], trust: Trust) -> String {
    let is_known = trust.same_requests || all(architectures).any(|(_, pair)| pair.is_apart());
    let turned = || architectures.iter().flat_map(|compared| &compared.moved.expectations);
    let came_out = |seen: &Option<(Outcome, String)>| seen.as_ref().map(|(outcome, _)| *outcome);
    let with = |is_before: fn(Outcome) -> bool, now| {
        let is_meant = |turned: &&Turned| {
            came_out(&turned.before).is_some_and(is_before) && came_out(&turned.now) == Some(now)
        };
        turned().filter(is_meant).count()
    };
    let told = |count: usize, what: &str| {
        let verb = if count == 1 { "is" } else { "are" };
        if count == 0 {
            String::new()
        } else {
            format!(" {} {verb} {what}.", plural(count as u64, "expectation"))
        }
    };
    if !is_known {
        return match turned().count() as u64 {
            0 => String::new(),
            count => format!(" {} came out otherwise, as it may by chance.", plural(count, "expectation")),
        };
    }
    let fails = told(with(|before| before == Outcome::Holds, Outcome::Fails), "not met any more");
    let holds = told(with(|before| before == Outcome::Fails, Outcome::Holds), "met now");
    let unsure = told(with(|_| true, Outcome::CannotBeJudged), "beyond judgement now");
    let unknown = |before| before == Outcome::CannotBeJudged;
    let fails_now = told(with(unknown, Outcome::Fails), "not met, and could not be judged before");
    let holds_now = told(with(unknown, Outcome::Holds), "met, and could not be judged before");
    [fails, holds, unsure, fails_now, holds_now].concat()
}

/// `mesh: p99 32.3 ms → 41 ms, 27 % slower. Within chance: p50. No interval: p99.9. Its mean moved by …`.
fn sentence(compared: &Compared) -> String {
    let all = &compared.subjects[0];
    if compared.same {
        return format!("{}: the same, bit for bit.", compared.name);
    }
    let told = || TOLD.iter().map(|figure| all.figure(*figure));
    let is_sure = |pair: &Pair| matches!(pair.standing, Standing::Beyond | Standing::Exact);
    let mut parts: Vec<String> = Vec::new();
    let sure: Vec<String> =
        told().filter(|pair| is_sure(pair)).filter_map(|pair| clause(pair, None)).collect();
    if !sure.is_empty() {
        parts.push(sure.join("; "));
    }
    for (standing, name) in [(Standing::Within, "within chance"), (Standing::NoInterval, "no interval")] {
        let names: Vec<String> =
            told().filter(|pair| pair.standing == standing).map(|pair| head(pair.figure)).collect();
        if !names.is_empty() {
            parts.push(format!("{name}: {}", listed(&names)));
        }
    }
    if parts.is_empty() {
        parts.push("p50, p99, p99.9 and errors are the same".to_owned());
    }
    let mean = all.figure(Figure::Mean);
    let reason = mean.step().filter(|_| is_sure(mean));
    let reason = reason.and_then(|(before, now)| compared.reasons.of_mean(now > before));
    let reason = reason.map_or_else(String::new, |reason| format!(" Its mean moved by {reason}."));
    format!("{}: {}.{reason}", compared.name, parts.join("; "))
}

/// `p99 of mesh 32.3 ms → 41 ms, 27 % slower`; `None` where nothing differs.
fn clause(figure: &Pair, of: Option<&str>) -> Option<String> {
    let (before, now) = figure.step()?;
    let name = head(figure.figure);
    let name = of.map_or_else(|| name.clone(), |of| format!("{name} of {of}"));
    let text = |value| in_words(figure.figure, value);
    let both = format!("{name} {} → {}", text(before), text(now));
    if figure.figure == Figure::ErrorRate || before <= 0.0 {
        return Some(both);
    }
    Some(format!("{both}, {}", speed(before, now)))
}

/// `27 % slower`, `21 % faster`, `4.2 times as long`.
fn speed(before: f64, now: f64) -> String {
    let share = (now - before) / before;
    match share {
        _ if now >= before * TIMES_FROM => format!("{} times as long", significant(now / before)),
        _ if share < 0.0 => format!("{} faster", rounded(-share)),
        _ => format!("{} slower", rounded(share)),
    }
}

/// In whole per cents where there are any.
fn rounded(share: f64) -> String {
    percent(if share < 0.095 { share } else { (share * 100.0).round() / 100.0 })
}

/// A difference of durations in words, for charts: `p99 32.3 ms, then 41 ms`.
pub(super) fn spoken(figure: &Pair) -> Option<String> {
    let (before, now) = figure.before.zip(figure.now)?;
    Some(format!("{} {}, then {}", head(figure.figure), duration(before), duration(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_told_as_people_tell_it() {
        assert_eq!(speed(32_300.0, 41_000.0), "27 % slower");
        assert_eq!(speed(41_000.0, 32_300.0), "21 % faster");
        assert_eq!(speed(1_000.0, 4_200.0), "4.2 times as long");
        assert_eq!(speed(1_000.0, 1_234_000.0), "1,234 times as long");
        assert_eq!(speed(1_000.0, 1_012.0), "1.2 % slower");
    }
}
