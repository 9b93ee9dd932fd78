//! What fails over the whole run, and what a limit refuses: how many requests under each architecture, and which differ
//! from the baseline beyond chance.

use hoplab_sim::figures::Figure;

use super::choice::{compared, seeds_to_tell, told_as};
use super::gap::{Gap, Told};
use super::reason::{Cited, Reason, Rule};
use super::run::{Part, Run, Subject, Verb, unserved, unserved_share};
use super::words::{capital, counted, named, names, tells};
use crate::format::{listed, plural};

/// How many requests fail over the whole run; nothing where none does, since the answer says that.
pub(super) fn over_the_run(run: &Run) -> Option<Reason> {
    let whole = run.whole();
    if run.all().all(|subject| unserved(&subject.seen.total.requests) == 0) {
        return None;
    }
    let text = failing(run, &whole)?;
    let mut text = format!("Over the whole run, {text}.");
    if let Some(beyond) = beyond_chance(run, &whole) {
        text = format!("{text} {beyond}");
    }
    Some(Reason { rule: Rule::ErrorsOverTheRun, text, figures: cited(run, &whole) })
}

/// `of 1,600 requests, 50 (3.1 %) fail with direct and none with mesh`, or that none does.
pub(super) fn failing(run: &Run, part: &Part) -> Option<String> {
    let errors = |subject: &Subject| Some(unserved(&subject.traffic(part)?.requests));
    if run.all().all(|subject| errors(&subject).unwrap_or(0) == 0) {
        let whom = if run.others.is_empty() { "" } else { " with any architecture" };
        return Some(format!("{} {}{whom}", none(run, part)?, run.fails.one));
    }
    counted(run, part, run.fails, errors)
}

/// `none of 1,600 requests`, or `no request` of one, or where architectures are not asked for as many.
pub(super) fn none(run: &Run, part: &Part) -> Option<String> {
    let sent = |subject: &Subject| subject.traffic(part).map(|of| of.requests.sent);
    let first = sent(&run.baseline)?;
    let is_alike = run.others.iter().filter_map(sent).all(|sent| sent == first);
    Some(if is_alike && first > 1 {
        format!("none of {}", plural(first, "request"))
    } else {
        "no request".to_owned()
    })
}

/// The error rates of all, where a limit refuses some also the shares that are not served well, and what these differ by.
pub(super) fn cited(run: &Run, part: &Part) -> Vec<Cited> {
    let rates = run.all().map(|subject| subject.figure(run, part, Figure::ErrorRate));
    let gaps = run.others.iter().filter_map(|subject| {
        Some(Gap::of_errors(run, part, subject)?.cited(run, part, subject, run.unserved_key()))
    });
    let unserved = run.all().filter_map(|subject| subject.unserved(run, part));
    rates.chain(unserved).chain(gaps).collect()
}

/// Which architectures fail fewer or more requests than the baseline, and of which that cannot be told; nothing where no
/// request fails at all.
pub(super) fn beyond_chance(run: &Run, part: &Part) -> Option<String> {
    let errors = |subject: &Subject| subject.traffic(part).map_or(0, |of| unserved(&of.requests));
    if run.all().all(|subject| errors(&subject) == 0) {
        return None;
    }
    let compared = compared(run, |subject| Gap::of_errors(run, part, subject));
    let fail = run.fails.more;
    let kinds = [(Told::Less, "fewer"), (Told::More, "more")];
    let said: Vec<String> = kinds
        .into_iter()
        .map(|(kind, word)| (told_as(&compared, kind), word))
        .filter(|(subjects, _)| !subjects.is_empty())
        .map(|(subjects, word)| format!("{word} {fail} with {}", named(&names(&subjects))))
        .collect();
    let told = (!said.is_empty())
        .then(|| format!("Against {}, beyond chance: {}.", run.baseline.name, listed(&said)));
    let unknown =
        seeds_to_tell(run, &compared).map(|seeds| unknown(run, part, &told_as(&compared, Told::Open), seeds));
    let sentences: Vec<String> = told.into_iter().chain(unknown).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// That chance may explain what `subjects` differ by from the baseline, and what would tell.
fn unknown(run: &Run, part: &Part, subjects: &[Subject], seeds: u64) -> String {
    let disagree = subjects.iter().filter_map(|subject| disagreement(run, part, subject));
    let disagree = disagree.map(|text| format!(" ({text})")).next().unwrap_or_default();
    let sent = run.baseline.traffic(part).map_or(0, |of| of.requests.sent);
    format!(
        "Whether fewer or more {} with {} than with {} cannot be told from {}{disagree}; {} may tell.",
        run.fails.more,
        named(&names(subjects)),
        run.baseline.name,
        plural(sent, "request"),
        tells(seeds),
    )
}

/// In how many seeds fewer fail, and in how many more; `None` where the seeds agree, or there is one.
fn disagreement(run: &Run, part: &Part, subject: &Subject) -> Option<String> {
    let (from, to) = (run.baseline.traffic(part)?, subject.traffic(part)?);
    let count = |is: fn(&f64, &f64) -> bool| {
        let seeds = from.seeds.iter().zip(&to.seeds);
        seeds.filter(|(from, to)| is(&unserved_share(&to.requests), &unserved_share(&from.requests))).count()
            as u64
    };
    let (fewer, more) = (count(f64::lt), count(f64::gt));
    (fewer > 0 && more > 0).then(|| {
        format!(
            "with {} fewer in {} and more in {more} of {}",
            subject.name,
            plural(fewer, "seed"),
            run.seeds
        )
    })
}

/// How many requests a limit refuses.
pub(super) fn refused(run: &Run) -> Option<Reason> {
    let whole = run.whole();
    let refused = |subject: &Subject| Some(subject.traffic(&whole)?.requests.refused);
    if run.all().all(|subject| refused(&subject) == Some(0)) {
        return None;
    }
    let text =
        counted(run, &whole, Verb { one: "is refused by a limit", more: "are refused by a limit" }, refused)?;
    let figures = run.all().map(|subject| subject.figure(run, &whole, Figure::Refused)).collect();
    Some(Reason { rule: Rule::RefusedOverTheRun, text: format!("{}.", capital(&text)), figures })
}
