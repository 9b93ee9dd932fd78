//! What an architecture takes of its machines beyond the baseline, and how many requests it saves for that.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::Resources;

use super::gap::{Gap, Told};
use super::reason::{Cited, Reason, Rule};
use super::run::{Run, Subject, unserved};
use super::words::{Said, capital, with};
use crate::format::{count, significant};

/// How many cores are busy on average under an architecture, in all its containers.
fn cores(subject: &Subject) -> Option<f64> {
    let all = &subject.seen.resources;
    (!all.is_empty()).then(|| all.values().copied().sum::<Resources>().cores_mean)
}

/// How many cores more are busy than under the baseline, or fewer: `0.22 more cores`; with the difference.
pub(super) fn cores_apart(run: &Run, subject: &Subject) -> Option<(String, f64)> {
    let more = cores(subject)? - cores(&run.baseline)?;
    let word = if more < 0.0 { "fewer" } else { "more" };
    Some((format!("{} {word} cores", significant(more.abs())), more))
}

/// What each takes, and what it saves.
pub(super) fn resources(run: &Run) -> Option<Reason> {
    let seen: Vec<(Subject, f64)> =
        run.all().filter_map(|subject| Some((subject, cores(&subject)?))).collect();
    if run.others.is_empty() || seen.len() < run.others.len() + 1 {
        return None;
    }
    let said: Vec<Said> = seen
        .iter()
        .map(|(subject, cores)| Said { name: subject.name, size: *cores, text: significant(*cores) })
        .collect();
    let text = format!("Cores busy on average, proxies included: {}.", with(&said));
    let saved = saved(run);
    let figures = seen.iter().map(|(subject, cores)| Cited {
        value: Some(*cores),
        interval: None,
        ..subject.figure(run, &run.whole(), Figure::Cores)
    });
    let figures = figures.collect();
    Some(Reason { rule: Rule::Resources, text: format!("{text}{saved}"), figures })
}

/// What is saved for what each takes more; nothing where nothing is saved beyond chance.
fn saved(run: &Run) -> String {
    let whole = run.whole();
    let said = |subject: &Subject<'_>| {
        let gap = Gap::of_errors(run, &whole, subject).filter(|gap| gap.told() == Told::Less)?;
        let (cores, _) = cores_apart(run, subject)?;
        let errors = |of: &Subject| unserved(&of.seen.total.requests);
        let fewer = errors(&run.baseline).checked_sub(errors(subject))? / run.seeds;
        let what = if fewer == 1 { "request" } else { "requests" };
        let fewer = count(fewer);
        let (fail, each) = (run.fails.more, if run.seeds > 1 { " a run" } else { "" });
        Some((gap.value, format!("{fewer} fewer {what}{each} {fail} for {cores}")))
    };
    let said = run.others.iter().filter_map(|subject| {
        let (size, text) = said(subject)?;
        Some(Said { name: subject.name, size, text })
    });
    let said: Vec<Said> = said.collect();
    if said.is_empty() { String::new() } else { format!(" {}.", capital(&with(&said))) }
}
