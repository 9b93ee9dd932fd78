//! Which architecture makes users wait less, where errors do not decide: more is served within a time that the scenario
//! asks for, or the slowest are faster over the whole run, or while faults are on. What is better there and worse at another
//! time or percentile of the whole run is not chosen.

use hoplab_sim::figures::Figure;

use super::choice::{Compared, best, compared, least};
use super::gap::{Gap, Told};
use super::reason::Cited;
use super::run::{Part, Run, Subject};
use super::words::told;
use crate::format::{duration, percent};
use crate::scope::scope;

/// An architecture under which users wait less than under the baseline.
pub(super) struct Better<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) text: String,
    pub(super) figures: Vec<Cited>,
}

/// Percentiles that a user may feel, in words.
const TAILS: [(Figure, f64, &str); 2] =
    [(Figure::P999, 0.999, "999 of 1,000"), (Figure::P99, 0.99, "99 of 100")];

/// So many times as fast, or as slow, is worth a choice.
const TIMES_MIN: f64 = 1.1;

/// The first of these tests that an architecture passes.
pub(super) fn better<'a>(run: &Run<'a>) -> Option<Better<'a>> {
    in_time(run).or_else(|| by_tail(run, &run.whole(), "over the whole run")).or_else(|| while_on(run))
}

/// Whether users wait longer over the whole run, by a time that the scenario asks for or by a percentile.
fn is_worse(run: &Run, subject: &Subject) -> bool {
    let mut limits = run.baseline.seen.total.within.iter().map(|within| within.limit_us);
    let late = |limit_us| Gap::of_late(run, subject, limit_us).is_some_and(|gap| gap.told() == Told::More);
    let times = |figure: Figure| {
        let value = |of: &Subject| of.figure(run, &run.whole(), figure).value;
        Some(value(subject)? / value(&run.baseline)?)
    };
    let is_slower = |(figure, quantile, _)| {
        times(figure) >= Some(TIMES_MIN) && slower(run, &run.whole(), subject, quantile) == Told::More
    };
    limits.any(late) || TAILS.into_iter().any(is_slower)
}

/// Whether the slowest are slower than under the baseline: by the percentiles of the seeds, where they tell, or by stretches
/// of the run.
fn slower(run: &Run, part: &Part, subject: &Subject, quantile: f64) -> Told {
    let gap = Gap::of_percentile(run, part, subject, quantile);
    let gap = gap.or_else(|| Gap::of_slow(run, part, subject, quantile));
    gap.map_or(Told::Open, |gap| gap.told())
}

/// More requests are served within a time that the scenario asks for.
fn in_time<'a>(run: &Run<'a>) -> Option<Better<'a>> {
    let limits = run.baseline.seen.total.within.iter().map(|within| within.limit_us);
    let mut found = limits.filter_map(|limit_us| {
        let compared = compared(run, |subject| Gap::of_late(run, subject, limit_us));
        let is_better = |of: &&Compared| of.gap.told() == Told::Less && !is_worse(run, &of.subject);
        let better: Vec<&Compared> = compared.iter().filter(is_better).collect();
        let subject = best(run, &better)?;
        let share = |of: &Subject| Figure::Within.of(&scope(run.record, of.seen).limit_us(limit_us));
        let (is, was) = share(&subject).zip(share(&run.baseline))?;
        let text = format!(
            "with {} {} of requests are served well within {} instead of {} with {}",
            subject.name,
            percent(is),
            duration(limit_us as f64),
            percent(was),
            run.baseline.name,
        );
        let gap = compared.iter().find(|of| of.subject.name == subject.name)?.gap;
        let key = format!("{} {limit_us}us", Figure::Within.key());
        let cited = gap.reversed().cited(run, &run.whole(), &subject, key.into());
        Some(Better { subject, text, figures: vec![cited] })
    });
    found.next()
}

/// The slowest are faster while faults are on.
fn while_on<'a>(run: &Run<'a>) -> Option<Better<'a>> {
    let episodes = run.episodes();
    let parts = episodes.iter().filter_map(|(episode, during, _)| Some((episode, during.as_ref()?)));
    let mut found =
        parts.filter_map(|(episode, part)| by_tail(run, part, &format!("while {}", told(run, episode))));
    found.next()
}

/// The slowest are faster in a part of the run, by the percentile that tells most.
fn by_tail<'a>(run: &Run<'a>, part: &Part, when: &str) -> Option<Better<'a>> {
    let tails = TAILS.into_iter().filter_map(|(figure, quantile, share)| {
        let is_better = |subject: &&Subject| {
            slower(run, part, subject, quantile) == Told::Less && !is_worse(run, subject)
        };
        let of = |subject: &Subject| subject.figure(run, part, figure);
        let sizes =
            run.others.iter().filter(is_better).filter_map(|subject| Some((*subject, of(subject).value?)));
        let subject = least(run, sizes)?;
        let (now, before) = (of(&subject), of(&run.baseline));
        let (is, was) = now.value.zip(before.value).filter(|(is, was)| *was >= *is * TIMES_MIN)?;
        let text = format!(
            "with {} {share} requests that are served well take at most {} instead of {} with {} {when}",
            subject.name,
            duration(is),
            duration(was),
            run.baseline.name,
        );
        Some((was / is, Better { subject, text, figures: vec![now, before] }))
    });
    tails.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, better)| better)
}
