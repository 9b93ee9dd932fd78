//! How long the answers take over the whole run: the share that is served well within the times that the scenario asks
//! for, or how long half of them, 99 of 100 and the longest take, as far into the tail as the sample carries.

use hoplab_sim::figures::{Figure, Scope};

use super::reason::{Cited, Reason, Rule};
use super::run::{Part, Run, Subject};
use super::words::{Said, with};
use crate::format::{duration, percent};
use crate::scope::scope;

/// What a user waits over the whole run.
pub(super) fn over_the_run(run: &Run) -> Option<Reason> {
    let limits: Vec<u64> = run.baseline.seen.total.within.iter().map(|within| within.limit_us).collect();
    if limits.is_empty() { waits(run, &run.whole()) } else { within(run, &limits) }
}

fn within(run: &Run, limits: &[u64]) -> Option<Reason> {
    let mut figures = Vec::new();
    let mut sentences = Vec::new();
    for &limit_us in limits {
        let mut said = Vec::new();
        for subject in run.all() {
            let scope: Scope = scope(run.record, subject.seen).limit_us(limit_us);
            let Some(share) = Figure::Within.of(&scope) else { continue };
            said.push(Said { name: subject.name, size: share, text: percent(share) });
            let figure = format!("{} {limit_us}us", Figure::Within.key());
            figures.push(Cited {
                figure,
                value: Some(share),
                ..subject.figure(run, &run.whole(), Figure::Within)
            });
        }
        if !said.is_empty() {
            sentences.push(format!(
                "Of all requests, these are served well within {}: {}.",
                duration(limit_us as f64),
                with(&said)
            ));
        }
    }
    (!sentences.is_empty()).then(|| Reason {
        rule: Rule::LatencyOverTheRun,
        text: sentences.join(" "),
        figures,
    })
}

fn waits(run: &Run, part: &Part) -> Option<Reason> {
    let (mut parts, mut figures) = percentiles(run, part);
    if let Some((rare, of)) = say(run, part, Figure::P999, "999 of 1,000 at most") {
        parts.push(rare);
        figures.extend(of);
    }
    if parts.is_empty() {
        return None;
    }
    let text = format!("Of what is served well, {}.", parts.join("; "));
    Some(Reason { rule: Rule::LatencyOverTheRun, text, figures })
}

/// How long half of the answers take, and 99 of 100, or, where a sample does not carry that, the longest.
pub(super) fn percentiles(run: &Run, part: &Part) -> (Vec<String>, Vec<Cited>) {
    let say = |figure: Figure, head: &str| say(run, part, figure, head);
    let half = say(Figure::P50, "half take at most").or_else(|| say(Figure::Mean, "the mean is"));
    let tail = say(Figure::P99, "99 of 100 at most").or_else(|| say(Figure::Longest, "the longest takes"));
    let (parts, figures): (Vec<_>, Vec<_>) = half.into_iter().chain(tail).unzip();
    (parts, figures.concat())
}

/// A figure under each architecture; `None` unless the sample of each that served something carries it.
fn say(run: &Run, part: &Part, figure: Figure, head: &str) -> Option<(String, Vec<Cited>)> {
    let served = run.all().filter(|subject| subject.traffic(part).is_some_and(|of| of.latency.count > 0));
    let cited: Vec<(Subject, Cited)> =
        served.map(|subject| (subject, subject.figure(run, part, figure))).collect();
    let said = cited
        .iter()
        .map(|(subject, of)| Some(Said { name: subject.name, size: of.value?, text: duration(of.value?) }));
    let said = said.collect::<Option<Vec<Said>>>().filter(|said| !said.is_empty())?;
    Some((format!("{head} {}", with(&said)), cited.into_iter().map(|(_, of)| of).collect()))
}
