//! Which security? Which calls are encrypted between two that know each other's name, and what that costs.

use super::{Criterion, Evidence, Finding};
use crate::format::{duration, listed, percent, significant};

pub(super) fn criterion(of: &Evidence) -> Criterion {
    let encrypted = of.each(|cost| cost.encrypted, |cost| percent(cost.encrypted));
    let mut findings = vec![Finding::of(
        format!(
            "Of the calls between services, so many are under mutual TLS, either side proving its name: {encrypted}."
        ),
        "well",
    )];
    let costs = || of.costs.iter().filter_map(|(name, cost)| Some((name, cost.tls?)));
    let is_free = costs().all(|(_, tls)| tls.p50_us == 0.0 && tls.cores == 0.0);
    let tls: Vec<String> = costs()
        .filter(|_| !is_free)
        .map(|(name, tls)| {
            // Requests are not paired between two runs: what is less than nothing cannot be told.
            let told =
                |value: f64, text: String| if value < 0.0 { "too little to tell".to_owned() } else { text };
            let (us, cores) = (
                told(tls.p50_us, duration(tls.p50_us)),
                told(tls.cores, format!("{} cores", significant(tls.cores))),
            );
            format!("{us} at the median and {cores} with {name}")
        })
        .collect();
    if !tls.is_empty() {
        findings.push(Finding::of(format!("Of what these cost, TLS is {}.", listed(&tls)), "in-the-clear"));
    }
    let mut unmeasured = vec![
        "Whether the services could prove their names themselves, who may call whom (authorisation), how keys are kept, \
         and how fast holes in the proxies are mended."
            .to_owned(),
        "TLS between clients and the first hop: clients connect in the clear in a simulation.".to_owned(),
    ];
    if costs().count() > 0 && is_free {
        unmeasured.push("What TLS costs: by this scenario's `[costs]` it costs nothing.".to_owned());
    }
    Criterion { question: "Which security is asked for?".to_owned(), findings, unmeasured }
}
