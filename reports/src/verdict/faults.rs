//! What requests meet while faults are on, and after them: what fails, which of it an architecture saves or adds, and how
//! long the rest takes. Faults that overlap are told together: the same requests are laid at the door of none of them.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Difference, Episode};

use super::errors::{beyond_chance, cited, failing};
use super::latency::percentiles;
use super::reason::{Cited, Reason, Rule};
use super::run::{Part, Run, Subject, unserved};
use super::words::{Said, capital, told, with};
use crate::format::{count, duration, moment};

/// More episodes than this are not told one by one, but those in which most fails.
const EPISODES_MAX: usize = 3;

/// What was so many times as slow before a fault is as it was.
const AS_BEFORE: f64 = 1.5;

/// What each episode of faults did, while it was on and after it.
pub(super) fn faults(run: &Run) -> Vec<Reason> {
    let mut episodes = run.episodes();
    // Of what broke before anything was measured, the last alone leads to what is told.
    let warmup_us = run.record.warmup_us;
    let measured = episodes.partition_point(|(episode, ..)| episode.until <= warmup_us);
    episodes.drain(..measured.saturating_sub(1));
    if episodes.first().is_some_and(|(episode, _, after)| episode.until <= warmup_us && after.is_none()) {
        episodes.remove(0);
    }
    let all = episodes.len();
    let mut worst: Vec<usize> = (0..all).collect();
    worst.sort_by_key(|&index| std::cmp::Reverse(errors(run, &episodes[index])));
    worst.truncate(EPISODES_MAX);
    let mut reasons: Vec<Reason> = Vec::new();
    for (index, (episode, during, after)) in episodes.iter().enumerate() {
        if !worst.contains(&index) {
            continue;
        }
        reasons.extend(during.as_ref().and_then(|part| while_on(run, episode, part)));
        let after_what = match during {
            Some(_) => "After that".to_owned(),
            None if episode.until <= warmup_us => {
                format!("Within the warm-up {}; after it", told(run, episode))
            }
            None => {
                let (from, until) = (moment(episode.from), moment(episode.until));
                format!("No request is sent while {} ({from} to {until}); after that", told(run, episode))
            }
        };
        let next = episodes.get(index + 1).map(|(next, ..)| next.from);
        reasons.push(match after {
            Some(part) => after_it(run, &after_what, part),
            None => untold(run, episode, next),
        });
    }
    if let Some(last) = reasons.last_mut().filter(|_| all > EPISODES_MAX) {
        let which = if episodes.iter().any(|of| errors(run, of) > 0) {
            format!("the {EPISODES_MAX} with the most requests that {}", run.fails.more)
        } else {
            format!("the first {EPISODES_MAX}")
        };
        last.text = format!("{} Faults were on {all} times; only {which} are told.", last.text);
    }
    reasons
}

/// How many requests fail in an episode and after it, under the architecture under which most do.
fn errors(run: &Run, (_, during, after): &(Episode, Option<Part>, Option<Part>)) -> u64 {
    let of = |subject: Subject| {
        let parts = during.iter().chain(after);
        parts.filter_map(|part| subject.traffic(part)).map(|of| unserved(&of.requests)).sum()
    };
    run.all().map(of).max().unwrap_or(0)
}

fn while_on(run: &Run, episode: &Episode, part: &Part) -> Option<Reason> {
    let mut parts = vec![failing(run, part)?];
    let mut figures = cited(run, part);
    let (waits, of_waits) = percentiles(run, part);
    if !waits.is_empty() {
        parts.push(format!("of what is served well, {}", waits.join("; ")));
        figures.extend(of_waits);
    }
    let mut text = format!("While {} {}, {}.", told(run, episode), part.when(), parts.join("; "));
    for more in [fates(run, part), beyond_chance(run, part)].into_iter().flatten() {
        text = format!("{text} {more}");
    }
    Some(Reason { rule: Rule::WhileFaults, text, figures })
}

/// What became of the requests that one of two architectures does not serve well; `None` where every request fared alike.
fn fates(run: &Run, part: &Part) -> Option<String> {
    let pairs: Vec<(&str, &Difference)> =
        run.others.iter().filter_map(|other| Some((other.name, other.pairs(part)?))).collect();
    let baseline = run.baseline.name;
    let told = |which: fn(&Difference) -> u64, text: fn(&Difference) -> String| {
        let some: Vec<Said> = pairs
            .iter()
            .filter(|(_, of)| which(of) > 0)
            .map(|(name, of)| Said { name, size: which(of) as f64, text: text(of) })
            .collect();
        (!some.is_empty()).then(|| with(&some))
    };
    let saved = told(|of| of.saved, |of| format!("{} of {}", count(of.saved), count(of.saved + of.neither)));
    let lost = told(|of| of.lost, |of| count(of.lost));
    let saved = saved.map(|with| {
        format!("Of the requests that {baseline} does not serve well, these are served: {with}.")
    });
    let lost = lost
        .map(|with| format!("Of the requests that {baseline} serves well, these are not served: {with}."));
    let sentences: Vec<String> = saved.into_iter().chain(lost).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn after_it(run: &Run, after_what: &str, part: &Part) -> Reason {
    let mut figures = cited(run, part);
    let mut parts: Vec<String> = failing(run, part).into_iter().collect();
    if let Some(steady) = run.steady() {
        for (figure, name) in [(Figure::P50, "the median"), (Figure::P99, "the 99th percentile")] {
            let (said, of) = slower(run, &steady, part, figure);
            if !said.is_empty() {
                parts.push(format!("{name} is {}", with(&said)));
                figures.extend(of);
            }
        }
    }
    let mut text = format!("{} {}, {}.", capital(after_what), part.when(), parts.join("; "));
    if let Some(beyond) = beyond_chance(run, part) {
        text = format!("{text} {beyond}");
    }
    Reason { rule: Rule::AfterFaults, text, figures }
}

/// Where a figure is a good deal higher than before anything broke.
fn slower<'a>(run: &Run<'a>, before: &Part, after: &Part, figure: Figure) -> (Vec<Said<'a>>, Vec<Cited>) {
    let mut figures = Vec::new();
    let mut said = Vec::new();
    for subject in run.all() {
        let (from, to) = (subject.figure(run, before, figure), subject.figure(run, after, figure));
        let Some((was, is)) = from.value.zip(to.value).filter(|(was, is)| *is > was * AS_BEFORE) else {
            continue;
        };
        said.push(Said {
            name: subject.name,
            size: is,
            text: format!("{} instead of {} before", duration(is), duration(was)),
        });
        figures.extend([from, to]);
    }
    (said, figures)
}

/// Why nothing is told of the time after an episode.
fn untold(run: &Run, episode: &Episode, next_us: Option<u64>) -> Reason {
    let until_us = next_us.unwrap_or(run.record.duration_us);
    let text = match next_us {
        Some(_) if episode.until >= until_us => "The next fault follows at once.",
        None if episode.until >= until_us => {
            "The load ends with it: whether the system recovers is not known."
        }
        _ => "Of the time after it nothing is known.",
    };
    Reason { rule: Rule::AfterFaults, text: text.to_owned(), figures: Vec::new() }
}
