//! The answer in one sentence: which architecture to choose, by what its users feel over the whole run, and what it costs.
//! Errors come first; where they cannot be told apart, how many requests are slow; then the cost alone.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::Interval;

use super::cost;
use super::errors::{cited, failing, tells};
use super::gap::{Gap, Told};
use super::reason::{Cited, Reason, Rule};
use super::resources::cores;
use super::run::{Part, Run, Subject};
use super::words::{Said, capital, named, names, told, with};
use crate::format::{duration, percent, plural, significant};
use crate::table::scope;

/// From this share of errors on, most requests fail.
const MOST: f64 = 0.5;

/// What is said of each other architecture: how it differs from the baseline.
struct Compared<'a> {
    subject: Subject<'a>,
    gap: Gap,
}

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

fn compared<'a>(run: &Run<'a>, gap: impl Fn(&Subject<'a>) -> Option<Gap>) -> Vec<Compared<'a>> {
    run.others.iter().filter_map(|subject| Some(Compared { subject: *subject, gap: gap(subject)? })).collect()
}

fn any(compared: &[Compared], told: Told) -> bool {
    compared.iter().any(|of| of.gap.told() == told)
}

fn told_as<'a>(compared: &[Compared<'a>], told: Told) -> Vec<Subject<'a>> {
    compared.iter().filter(|of| of.gap.told() == told).map(|of| of.subject).collect()
}

fn rate(subject: &Subject) -> f64 {
    let requests = subject.seen.total.requests;
    requests.errors() as f64 / requests.sent.max(1) as f64
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
    let text = format!("Most requests fail, whatever the architecture: {}", rates(&all));
    let better = told_as(compared, Told::Less);
    if better.is_empty() {
        return format!("{text}.");
    }
    format!("{text}; fewer than with {} with {}.", run.baseline.name, named(&names(&better)))
}

/// Some fail fewer than the baseline: the best of them, and of those that cannot be told from it the cheapest.
fn fewer(run: &Run, compared: &[Compared]) -> String {
    let better: Vec<&Compared> = compared.iter().filter(|of| of.gap.told() == Told::Less).collect();
    let (chosen, as_good) = chosen(run, &better);
    let Some(chosen) = chosen else { return String::new() };
    let also = if as_good.is_empty() {
        String::new()
    } else {
        format!(" {} may do as well.", capital(&named(&names(&as_good))))
    };
    format!(
        "With {}, {} of requests fail over the whole run instead of {} with {}{}.{also}",
        chosen.name,
        percent(rate(&chosen)),
        percent(rate(&run.baseline)),
        run.baseline.name,
        price(run, &chosen),
    )
}

/// Of those that are as good as the best, for all that can be told, the cheapest; and the others of them.
fn chosen<'a>(run: &Run<'a>, better: &[&Compared<'a>]) -> (Option<Subject<'a>>, Vec<Subject<'a>>) {
    let Some(best) = better.iter().min_by(|a, b| a.gap.value.total_cmp(&b.gap.value)) else {
        return (None, Vec::new());
    };
    let reaches = |of: &&&Compared| {
        let low = |gap: &Gap| gap.interval.map_or(gap.value, |Interval { low, .. }| low);
        let high = |gap: &Gap| gap.interval.map_or(gap.value, |Interval { high, .. }| high);
        low(&of.gap) <= high(&best.gap)
    };
    let cost = |subject: &Subject| cost::added(run, subject).map_or(0.0, |added| added.us);
    let mut good: Vec<Subject> = better.iter().filter(reaches).map(|of| of.subject).collect();
    good.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    let chosen = good.first().copied();
    (chosen, good.into_iter().skip(1).collect())
}

/// What an architecture costs, as the end of a sentence.
fn price(run: &Run, subject: &Subject) -> String {
    let added = cost::added(run, subject).map(|added| added.price());
    let busy = cores(subject).zip(cores(&run.baseline)).map(|(now, before)| now - before);
    let busy = busy.filter(|more| more.abs() >= 0.005).map(|more| {
        let word = if more < 0.0 { "fewer" } else { "more" };
        format!("{} cores {word} are busy", significant(more.abs()))
    });
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
    let than = format!("{} with {baseline}", percent(rate(&run.baseline)));
    if open.is_empty() {
        return format!(
            "Over the whole run no architecture fails fewer requests than {baseline}: {than}, {}.",
            rates(&worse)
        );
    }
    format!(
        "Over the whole run more requests fail with {} than with {baseline}: {}, {than}. {}",
        named(&names(&worse)),
        rates(&worse),
        untold(run, compared, &open),
    )
}

/// That chance may explain how some differ from the baseline.
fn untold(run: &Run, compared: &[Compared], open: &[Subject]) -> String {
    let of_open = compared.iter().filter(|of| of.gap.told() == Told::Open);
    let seeds = of_open.map(|of| of.gap.seeds_to_tell(run.seeds)).max().unwrap_or(0);
    format!("Whether {} fails fewer or more cannot be told; {} may.", named(&names(open)), tells(seeds))
}

/// Errors cannot be told apart, or there are none: what is slow decides, then the cost.
fn alike(run: &Run, compared: &[Compared], mut figures: Vec<Cited>) -> Reason {
    let errors = errors_alike(run, compared);
    let Some(better) =
        in_time(run).or_else(|| by_tail(run, &run.whole(), "over the whole run")).or_else(|| while_on(run))
    else {
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
        return format!("None of {sent} fails with any architecture");
    }
    let open = told_as(compared, Told::Open);
    if open.is_empty() {
        return format!("The same share of requests fails with each ({})", percent(rate(&run.baseline)));
    }
    let of_open = compared.iter().filter(|of| of.gap.told() == Told::Open);
    let seeds = of_open.map(|of| of.gap.seeds_to_tell(run.seeds)).max().unwrap_or(0);
    format!("Who fails fewest cannot be told from {sent} ({}; {} may)", rates(&all), tells(seeds))
}

/// An architecture under which users wait less than under the baseline.
struct Better<'a> {
    subject: Subject<'a>,
    text: String,
    figures: Vec<Cited>,
}

/// More requests are served within a time that the scenario asks for.
fn in_time<'a>(run: &Run<'a>) -> Option<Better<'a>> {
    let limits = run.baseline.seen.total.within.iter().map(|within| within.limit_us);
    let mut found = limits.filter_map(|limit_us| {
        let compared = compared(run, |subject| Gap::of_late(run, subject, limit_us));
        let better: Vec<&Compared> = compared.iter().filter(|of| of.gap.told() == Told::Less).collect();
        let subject = chosen(run, &better).0?;
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
        let cited = gap.cited(run, &run.whole(), &subject, Figure::Within);
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

/// Percentiles that a user may feel, in words.
const TAILS: [(Figure, f64, &str); 2] =
    [(Figure::P999, 0.999, "999 of 1,000"), (Figure::P99, 0.99, "99 of 100")];

/// So many times as fast is worth a choice.
const TIMES_MIN: f64 = 1.1;

/// The slowest are faster in a part of the run, by the percentile that tells most.
fn by_tail<'a>(run: &Run<'a>, part: &Part, when: &str) -> Option<Better<'a>> {
    let tails = TAILS.into_iter().filter_map(|(figure, quantile, share)| {
        let compared = compared(run, |subject| Gap::of_slow(run, part, subject, quantile));
        let better: Vec<&Compared> = compared.iter().filter(|of| of.gap.told() == Told::Less).collect();
        let subject = chosen(run, &better).0?;
        let of = |subject: &Subject| subject.figure(run, part, figure);
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

/// What decides where nothing else does: what each adds to a request, as the end of a sentence.
fn cheapest(run: &Run) -> String {
    let costs: Vec<(Subject, f64)> =
        run.others.iter().filter_map(|subject| Some((*subject, cost::added(run, subject)?.us))).collect();
    if costs.is_empty() {
        return String::new();
    }
    let baseline = run.baseline.name;
    let said = |costs: Vec<&(Subject<'_>, f64)>, text: fn(f64) -> String| {
        let said: Vec<Said> = costs
            .iter()
            .map(|(subject, us)| Said { name: subject.name, size: *us, text: text(*us) })
            .collect();
        (!said.is_empty()).then(|| with(&said))
    };
    let faster: Vec<&(Subject, f64)> = costs.iter().filter(|(_, us)| *us < 0.0).collect();
    if let Some(faster) = said(faster, |us| duration(-us)) {
        return format!("; the median request is faster than with {baseline} by {faster}");
    }
    let dearer: Vec<&(Subject, f64)> = costs.iter().filter(|(_, us)| *us > 0.0).collect();
    match said(dearer, duration) {
        Some(dearer) => format!("; {baseline} costs least: the median request takes longer by {dearer}"),
        None => "; the median request takes as long with each".to_owned(),
    }
}
