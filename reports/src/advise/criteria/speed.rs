//! How fast must it be? What each architecture adds when all is well, and how much load it carries.

use hoplab_sim::advise::knee::{Knee, TIMES_MAX};

use super::{Criterion, Evidence, Finding};
use crate::format::{duration, listed, percent, range, significant};
use crate::money;
use crate::verdict::{Said, with};

pub(super) fn criterion(of: &Evidence) -> Criterion {
    let unknown = || "an unknown time".to_owned();
    let p50 = of.each(|cost| cost.p50_us.unwrap_or(0.0), |cost| cost.p50_us.map_or_else(unknown, duration));
    let p99 = of.each(|cost| cost.p99_us.unwrap_or(0.0), |cost| cost.p99_us.map_or_else(unknown, duration));
    let mut findings = vec![Finding::of(
        format!("When all is well, half of the requests take at most {p50}; 99 % at most {p99}."),
        "well",
    )];
    findings.extend(added(of).map(|text| Finding::of(text, "well")));
    let cores = of.each(|cost| cost.cores, |cost| significant(cost.cores));
    findings.push(Finding::of(format!("Cores busy on average, proxies included: {cores}."), "well"));
    findings.extend(of.currency.map(|currency| {
        let hour = of.each(
            |cost| cost.money_hour.unwrap_or(0.0),
            |cost| money::amount(cost.money_hour.unwrap_or(0.0)),
        );
        Finding::of(format!("An hour costs {hour} ({currency})."), "well")
    }));
    findings.extend(knees(of));
    let unmeasured = vec![
        "Time in the network and in the services is what the scenario says; yours differ. Differences between \
         architectures are what is compared."
            .to_owned(),
    ];
    Criterion { question: "How fast must it be?".to_owned(), findings, unmeasured }
}

/// What each adds to the median request.
fn added(of: &Evidence) -> Option<String> {
    let baseline = of.costs.keys().next()?;
    let said: Vec<String> = of
        .costs
        .iter()
        .filter_map(|(name, cost)| {
            let us = cost.added_us?;
            let interval = cost.added_interval.and_then(|of| range(of.low, of.high));
            let interval = interval.map_or_else(String::new, |range| format!(" ({range})"));
            Some(format!("{name} {}{interval}", duration(us)))
        })
        .collect();
    (!said.is_empty()).then(|| {
        format!("Request by request, over {baseline}, the median request takes longer by: {}.", listed(&said))
    })
}

/// How much load each carries.
fn knees(of: &Evidence) -> Vec<Finding> {
    let said: Vec<Said> = of
        .knees
        .iter()
        .map(|knee| Said {
            name: &knee.architecture,
            size: knee.carries().unwrap_or(0.0),
            text: carried(knee),
        })
        .collect();
    if said.is_empty() {
        return Vec::new();
    }
    let (slower, errors) = of.bounds;
    let text = format!(
        "Load that is carried until what 99 % take is {} times as long, or {} more fail: {}.",
        significant(slower),
        percent(errors),
        with(&said)
    );
    let edge = of.knees.iter().filter_map(Knee::fails_from).fold(f64::INFINITY, f64::min);
    let trial = edge.is_finite().then(|| format!("load-{edge:.2}"));
    vec![Finding { text, trial }]
}

/// `2.38 times`, `8 times or more`.
fn carried(knee: &Knee) -> String {
    match knee.carries() {
        None => "not even this load".to_owned(),
        Some(times) if times >= TIMES_MAX => format!("{} times this load or more", significant(times)),
        Some(times) => format!("{} times", significant(times)),
    }
}
