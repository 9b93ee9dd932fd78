//! How fast must it be? What each architecture adds when all is well, and how much load it carries.

use hoplab_sim::advise::knee::{Knee, TIMES_MAX};

use super::super::cost::Cost;
use super::{Criterion, Evidence, Finding};
use crate::format::{duration, listed, percent, range, significant};
use crate::money;
use crate::verdict::{Said, with};

pub(super) fn criterion(of: &Evidence) -> Criterion {
    let mut findings = Vec::new();
    for (what, figure) in
        [("half", (|cost| cost.p50_us) as fn(&Cost) -> Option<f64>), ("99 %", |cost| cost.p99_us)]
    {
        let known = of.costs.iter().filter_map(|(name, cost)| Some((name, figure(cost)?)));
        let said: Vec<Said> = known.map(|(name, us)| Said { name, size: us, text: duration(us) }).collect();
        if !said.is_empty() {
            let text = format!("When all is well, {what} of the requests take at most {}.", with(&said));
            findings.push(Finding::of(text, "well"));
        }
    }
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
            if cost.added_is_unsure && cost.added_interval.is_some() {
                return Some(format!("nothing that can be told from chance with {name}"));
            }
            let interval = match cost.added_interval.and_then(|of| range(of.low, of.high)) {
                Some(range) => format!(" ({range})"),
                None if cost.added_is_unsure => " (how sure that is cannot be told from so few)".to_owned(),
                None => String::new(),
            };
            let word = if us < 0.0 { " less" } else { "" };
            Some(format!("{}{word}{interval} with {name}", duration(us.abs())))
        })
        .collect();
    (!said.is_empty()).then(|| {
        format!("Request by request, over {baseline}, the median request takes longer by {}.", listed(&said))
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
    let baseline = of.costs.keys().next().map_or("", String::as_str);
    let text = format!(
        "Load that is carried until 99 % take longer than {} times what they take with {baseline} now, or more than {} are \
         not served well: {}.",
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
