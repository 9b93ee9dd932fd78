//! The answer in words: what differs most, then a sentence an architecture, with where it came from.
//! Owns the sentences, not where they stand.

use super::Compared;
use super::figures::{Figure, Measure, Subject};
use crate::format::{duration, glued, percent};

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
const TOLD: [Measure; 3] = [Measure::P99, Measure::P50, Measure::Errors];

/// The verdict on two runs.
pub(super) fn verdict(architectures: &[Compared], second: &str) -> Verdict {
    let headline = headline(architectures, second);
    let sentences = if architectures.iter().all(|compared| compared.same) {
        Vec::new()
    } else {
        architectures.iter().map(|compared| glued(&sentence(compared))).collect()
    };
    Verdict { headline: glued(&headline), sentences }
}

fn headline(architectures: &[Compared], second: &str) -> String {
    if architectures.iter().all(|compared| compared.same) {
        return "Nothing differs: every figure is the same, and so are the digests.".to_owned();
    }
    let apart = architectures.iter().flat_map(|compared| {
        let figures = TOLD.iter().map(|measure| compared.subjects[0].figure(*measure));
        figures.filter(|figure| figure.is_apart()).map(move |figure| (compared, figure))
    });
    // The first of those that weigh the same.
    let most = apart.fold(None, |most: Option<(&Compared, &Figure)>, next| match most {
        Some(most) if most.1.weight() >= next.1.weight() => Some(most),
        _ => Some(next),
    });
    match most {
        Some((compared, figure)) => {
            let text = clause(figure, Some(&compared.name)).unwrap_or_default();
            format!("What differs most in {second}: {text}.")
        }
        None if architectures.iter().all(|compared| is_chance(&compared.subjects[0])) => {
            "The runs differ, but no response time and no error rate of all requests by more than chance \
             explains: their 95 % intervals overlap."
                .to_owned()
        }
        None => {
            "The runs differ; of no figure of all requests it is sure that chance alone does not explain it."
                .to_owned()
        }
    }
}

/// `mesh: p99 32.3 ms → 41 ms, 27 % slower; errors 0 % → 0.4 %. From: …`.
fn sentence(compared: &Compared) -> String {
    let all = &compared.subjects[0];
    if compared.same {
        return format!("{}: the same, bit for bit.", compared.name);
    }
    let clauses: Vec<String> = TOLD.iter().filter_map(|measure| clause(all.figure(*measure), None)).collect();
    if clauses.is_empty() {
        return format!("{}: p50, p99 and errors are the same.", compared.name);
    }
    let chance = if is_chance(all) { " All of it within what chance explains." } else { "" };
    let reason = TOLD
        .iter()
        .filter_map(|measure| all.figure(*measure).step().filter(|_| *measure != Measure::Errors))
        .find_map(|(before, now)| compared.reasons.text(now > before));
    let reason = reason.map_or_else(String::new, |reason| format!(" What moved with it: {reason}."));
    format!("{}: {}.{chance}{reason}", compared.name, clauses.join("; "))
}

/// Whether chance alone may explain everything about a subject that a verdict speaks of.
fn is_chance(subject: &Subject) -> bool {
    let told = TOLD.iter().map(|measure| subject.figure(*measure));
    told.filter(|figure| figure.step().is_some()).all(Figure::is_chance)
}

/// `p99 of mesh 32.3 ms → 41 ms, 27 % slower`; `None` where nothing differs.
fn clause(figure: &Figure, of: Option<&str>) -> Option<String> {
    let (before, now) = figure.step()?;
    let name = figure.measure.label();
    let name = of.map_or_else(|| name.to_owned(), |of| format!("{name} of {of}"));
    let text = |value| figure.measure.text(Some(value));
    let both = format!("{name} {} → {}", text(before), text(now));
    if figure.measure == Measure::Errors || before <= 0.0 {
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
pub(super) fn spoken(figure: &Figure) -> Option<String> {
    let (before, now) = figure.before.zip(figure.now)?;
    Some(format!("{} {}, then {}", figure.measure.label(), duration(before), duration(now)))
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
