//! The answer in one sentence: which architecture to choose, by what its users feel over the whole run, and what it costs.
//! Errors come first; where they cannot be told apart, how many requests are slow; then the cost alone.

use hoplab_sim::figures::Figure;

use super::choice::{Compared, any, best, compared, seeds_to_tell, told_as};
use super::cost;
use super::errors::{cited, failing, none};
use super::gap::{Gap, Told};
use super::reason::{Cited, Reason, Rule};
use super::resources::cores_apart;
use super::run::{Run, Subject, unserved_share};
use super::waits;
use super::words::{Said, capital, named, names, tells, with};
use crate::format::{duration, percent, plural};

/// From this share of errors on, most requests fail.
const MOST: f64 = 0.5;

/// Less than so many cores more or fewer is not said.
const CORES_MIN: f64 = 0.005;

/// The answer.
pub(super) fn answer(run: &Run) -> Reason {
    let whole = run.whole();
    let compared = compared(run, |subject| Gap::of_errors(run, &whole, subject));
    let figures = cited(run, &whole);
    let least = run.all().map(|subject| rate(&subject)).fold(f64::INFINITY, f64::min);
    let by_errors = match () {
        () if run.others.is_empty() => alone(run),
        () if least >= MOST => most_fail(run, &compared),
        () if any(&compared, Told::Less) => fewer(run, &compared),
        () if any(&compared, Told::More) => none_better(run, &compared),
        () => return alike(run, &compared, figures),
    };
    Reason { rule: Rule::Answer, text: by_errors, figures }
}

fn rate(subject: &Subject) -> f64 {
    unserved_share(&subject.seen.total.requests)
}

fn rates(subjects: &[Subject]) -> String {
    let said: Vec<Said> = subjects
        .iter()
        .map(|subject| Said { name: subject.name, size: rate(subject), text: percent(rate(subject)) })
        .collect();
    with(&said)
}

fn alone(run: &Run) -> String {
    let whole = run.whole();
    let failing = failing(run, &whole).unwrap_or_default();
    let half = run.baseline.figure(run, &whole, Figure::P50).value;
    let half = half.map_or_else(String::new, |us| {
        format!("; half of what is served well takes at most {}", duration(us))
    });
    format!("{}{half}.", capital(&failing))
}

fn most_fail(run: &Run, compared: &[Compared]) -> String {
    let all: Vec<Subject> = run.all().collect();
    let text = format!("Most requests {}, whatever the architecture: {}", run.fails.more, rates(&all));
    let better = told_as(compared, Told::Less);
    if better.is_empty() {
        return format!("{text}.");
    }
    format!("{text}; fewer than with {} with {}.", run.baseline.name, named(&names(&better)))
}

/// Some fail fewer than the baseline: the best of them.
fn fewer(run: &Run, compared: &[Compared]) -> String {
    let better: Vec<&Compared> = compared.iter().filter(|of| of.gap.told() == Told::Less).collect();
    let Some(best) = best(run, &better) else { return String::new() };
    let whole = run.whole();
    let is_as_good = |of: &&&Compared| {
        let behind = Gap::errors_between(run, &whole, &best, &of.subject);
        of.subject.name != best.name && behind.is_some_and(|gap| gap.told() != Told::More)
    };
    let as_good: Vec<Subject> = better.iter().filter(is_as_good).map(|of| of.subject).collect();
    let also = if as_good.is_empty() {
        String::new()
    } else {
        format!(" {} may do as well.", capital(&named(&names(&as_good))))
    };
    format!(
        "With {}, {} of requests {} over the whole run instead of {} with {}{}.{also}",
        best.name,
        percent(rate(&best)),
        run.fails.more,
        percent(rate(&run.baseline)),
        run.baseline.name,
        price(run, &best),
    )
}

/// What an architecture costs, as the end of a sentence.
fn price(run: &Run, subject: &Subject) -> String {
    let when = if cost::measured_in(run).name.is_some() { "when all is well, " } else { "" };
    let added = cost::added(run, subject).map(|added| format!("{when}{}", added.price()));
    let busy = cores_apart(run, subject).filter(|(_, more)| more.abs() >= CORES_MIN);
    let over = if when.is_empty() || added.is_none() { "" } else { "over the whole run " };
    let busy = busy.map(|(cores, _)| format!("{over}{cores} are busy"));
    match (added, busy) {
        (Some(added), Some(busy)) => format!("; {added}, and {busy}"),
        (Some(text), None) | (None, Some(text)) => format!("; {text}"),
        (None, None) => String::new(),
    }
}

/// None fails fewer than the baseline, and some fail more.
fn none_better(run: &Run, compared: &[Compared]) -> String {
    let worse = told_as(compared, Told::More);
    let open = told_as(compared, Told::Open);
    let baseline = run.baseline.name;
    let than = percent(rate(&run.baseline));
    if open.is_empty() {
        return format!(
            "Over the whole run, no architecture serves more requests well than {baseline}: {than} {} with {baseline}, {}.",
            run.fails.more,
            rates(&worse)
        );
    }
    format!(
        "Over the whole run more requests {} with {} than with {baseline}: {} instead of {than}. {}",
        run.fails.more,
        named(&names(&worse)),
        rates(&worse),
        untold(run, compared, &open),
    )
}

/// That chance may explain how some differ from the baseline.
fn untold(run: &Run, compared: &[Compared], open: &[Subject]) -> String {
    let seeds = seeds_to_tell(run, compared).unwrap_or(0);
    let (fail, with) = (run.fails.more, named(&names(open)));
    format!("Whether fewer or more {fail} with {with} cannot be told; {} may tell.", tells(seeds))
}

/// Errors cannot be told apart, or there are none: what is slow decides, then the cost.
fn alike(run: &Run, compared: &[Compared], mut figures: Vec<Cited>) -> Reason {
    let errors = errors_alike(run, compared);
    let Some(better) = waits::better(run) else {
        return Reason { rule: Rule::Answer, text: format!("{errors}{}.", cheapest(run)), figures };
    };
    figures.extend(better.figures);
    let text = format!("{errors}; {}{}.", better.text, price(run, &better.subject));
    Reason { rule: Rule::Answer, text, figures }
}

fn errors_alike(run: &Run, compared: &[Compared]) -> String {
    let sent = plural(run.baseline.seen.total.requests.sent, "request");
    let all: Vec<Subject> = run.all().collect();
    if all.iter().all(|subject| rate(subject) == 0.0) {
        let none = none(run, &run.whole()).unwrap_or_default();
        return format!("{} {} with any architecture", capital(&none), run.fails.one);
    }
    let Some(seeds) = seeds_to_tell(run, compared) else {
        let share = percent(rate(&run.baseline));
        return format!("The same share of requests {} with each ({share})", run.fails.one);
    };
    let (rates, fail) = (rates(&all), run.fails.more);
    format!(
        "With which architecture fewest requests {fail} cannot be told from {sent} ({rates}; {} may tell)",
        tells(seeds)
    )
}

/// What decides where nothing else does: what each adds to a request, as the end of a sentence; nothing where a sample
/// does not tell which way it goes.
fn cheapest(run: &Run) -> String {
    let costs = run.others.iter().filter_map(|subject| Some((subject.name, cost::added(run, subject)?)));
    let costs: Vec<(&str, f64)> =
        costs.filter(|(_, of)| !of.is_unsure()).map(|(name, of)| (name, of.us)).collect();
    if costs.is_empty() {
        return String::new();
    }
    let said = |is: fn(f64) -> bool| {
        let some = costs.iter().filter(|(_, us)| is(*us));
        let said: Vec<Said> =
            some.map(|&(name, us)| Said { name, size: us, text: duration(us.abs()) }).collect();
        (!said.is_empty()).then(|| with(&said))
    };
    let baseline = run.baseline.name;
    if let Some(faster) = said(|us| us < 0.0) {
        return format!("; half of the requests are faster than with {baseline} by at least {faster}");
    }
    match said(|us| us > 0.0) {
        Some(slower) => {
            format!("; most requests are fastest with {baseline}: half take longer by at least {slower}")
        }
        None => "; requests take as long with each".to_owned(),
    }
}
