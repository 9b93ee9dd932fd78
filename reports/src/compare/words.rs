//! The answer in words: what differs most, then a sentence an architecture, with where it came from.
//! Owns the sentences, not where they stand.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Outcome, Record, Seeds};

use super::Compared;
use super::figures::{Pair, Subject};
use super::moved::Turned;
use crate::format::{duration, in_words, percent, plural};
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

/// What a verdict speaks of, the first that differs leads.
const TOLD: [Figure; 4] = [Figure::P99, Figure::P50, Figure::P999, Figure::ErrorRate];

/// A run with what it is called.
type Called<'a> = (&'a str, &'a Record);

/// The verdict on two runs.
pub(super) fn verdict(architectures: &[Compared], first: Called, second: Called) -> Verdict {
    if architectures.iter().all(|compared| compared.same) {
        let headline = "Nothing differs: every figure is the same, and so are the digests.".to_owned();
        return Verdict { headline, sentences: Vec::new() };
    }
    let mut sentences: Vec<String> = architectures.iter().map(sentence).collect();
    sentences.extend(doubt(architectures, first.1, second.1));
    Verdict { headline: headline(architectures, second.0), sentences }
}

/// A figure, with what it is of.
type Told<'a> = (String, &'a Pair);

/// The figures of all requests that a headline may speak of.
fn of_all<'a>(compared: &'a Compared<'a>) -> impl Iterator<Item = Told<'a>> {
    TOLD.iter().map(|measure| (compared.name.clone(), compared.subjects[0].figure(*measure)))
}

/// The same of each part of the run.
fn of_phases<'a>(compared: &'a Compared<'a>) -> impl Iterator<Item = Told<'a>> {
    compared.phases.iter().flat_map(|phase| {
        let of = format!("{} ({})", compared.name, phase.name);
        TOLD.iter().map(move |measure| (of.clone(), phase.figure(*measure)))
    })
}

/// The one that moved furthest; of those that moved as far, the first.
fn heaviest<'a>(told: impl Iterator<Item = Told<'a>>) -> Option<Told<'a>> {
    let moved = told.filter(|(_, figure)| figure.weight() > 0.0);
    moved.reduce(|most, next| if next.1.weight() > most.1.weight() { next } else { most })
}

fn headline(architectures: &[Compared], second: &str) -> String {
    let all = || architectures.iter().flat_map(of_all);
    let phases = || architectures.iter().flat_map(of_phases);
    let most = heaviest(all().filter(|(_, figure)| figure.is_apart()))
        .or_else(|| heaviest(phases().filter(|(_, figure)| figure.is_apart())))
        .or_else(|| heaviest(all().filter(|(_, figure)| !figure.is_chance())));
    let moved = heaviest(all()).is_some();
    let text = match most.and_then(|(of, figure)| clause(figure, Some(&of))) {
        Some(text) => format!("What differs most in {second}: {text}."),
        None if moved => {
            "The runs differ, but no response time and no error rate of all requests by more than \
                          chance explains."
                .to_owned()
        }
        None => "The runs differ, but not in p50, p99, p99.9 and errors of all requests.".to_owned(),
    };
    text + &turned(architectures)
}

/// What became of expectations: ` 1 expectation is not met any more.`; empty where all came out the same.
fn turned(architectures: &[Compared]) -> String {
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
    let fails = told(with(|before| before != Outcome::Fails, Outcome::Fails), "not met any more");
    let holds = told(with(|before| before != Outcome::Holds, Outcome::Holds), "met now");
    let unsure = told(with(|_| true, Outcome::CannotBeJudged), "beyond judgement now");
    fails + &holds + &unsure
}

/// Said where nothing tells chance from change.
fn doubt(architectures: &[Compared], first: &Record, second: &Record) -> Option<String> {
    let seeds = |record: &Record| (record.seed, record.seeds.as_ref().map_or(1, Seeds::count));
    let unsure = |compared: &Compared| {
        let all = &compared.subjects[0];
        TOLD.iter().any(|measure| {
            let figure = all.figure(*measure);
            figure.step().is_some() && !figure.is_apart() && !figure.is_chance()
        })
    };
    let doubtful = seeds(first) != seeds(second) && architectures.iter().any(unsure);
    doubtful.then(|| {
        "The seeds differ, and for some figures it is not known how far chance alone moves them: runs of \
         several seeds (--seeds) tell."
            .to_owned()
    })
}

/// `mesh: p99 32.3 ms → 41 ms, 27 % slower; errors 0 % → 0.4 %. From: …`.
fn sentence(compared: &Compared) -> String {
    let all = &compared.subjects[0];
    if compared.same {
        return format!("{}: the same, bit for bit.", compared.name);
    }
    let clauses: Vec<String> = TOLD.iter().filter_map(|measure| clause(all.figure(*measure), None)).collect();
    if clauses.is_empty() {
        return format!("{}: p50, p99, p99.9 and errors are the same.", compared.name);
    }
    let chance = if is_chance(all) { " Chance alone may explain it." } else { "" };
    let mean = all.figure(Figure::Mean).step();
    let reason = mean.and_then(|(before, now)| compared.reasons.of_mean(now > before));
    let reason = reason.map_or_else(String::new, |reason| format!(" Its mean moved by {reason}."));
    format!("{}: {}.{chance}{reason}", compared.name, clauses.join("; "))
}

/// Whether chance alone may explain everything about a subject that a verdict speaks of.
fn is_chance(subject: &Subject) -> bool {
    let told = TOLD.iter().map(|measure| subject.figure(*measure));
    told.filter(|figure| figure.step().is_some()).all(Pair::is_chance)
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
        _ if now >= before * TIMES_FROM => format!("{:.1} times as long", now / before),
        _ if share < 0.0 => format!("{} faster", rounded(-share)),
        _ => format!("{} slower", rounded(share)),
    }
}

/// In whole per cents where there are any.
fn rounded(share: f64) -> String {
    if share < 0.095 { percent(share) } else { format!("{:.0} %", share * 100.0) }
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
        assert_eq!(speed(1_000.0, 1_012.0), "1.2 % slower");
    }
}
