//! Whose experience is there? What someone has to run, what happens when that breaks, and how much of it is known.

use hoplab_sim::advise::About;

use super::{Criterion, Evidence, Finding};
use crate::format::{bytes, listed, plural};

pub(super) fn criterion(of: &Evidence) -> Criterion {
    let mut findings = vec![Finding::told(format!("To run and to upgrade: {}.", proxies(of)))];
    findings.extend(libraries(of).map(Finding::told));
    let memory = of.each(|cost| cost.memory as f64, |cost| bytes(cost.memory));
    if of.costs.values().any(|cost| cost.memory > 0) {
        findings
            .push(Finding::of(format!("Memory of the proxies, as far as it is known: {memory}."), "well"));
    }
    let gateway = of.trials_of(|trial| matches!(&trial.about, About::Fault { at, .. } if at == "gateway"));
    findings.extend(gateway.map(Finding::lost));
    let assumed: Vec<String> = of
        .assumed
        .iter()
        .map(|(name, assumed, all)| format!("{assumed} of the {all} values of {name}"))
        .collect();
    if !assumed.is_empty() {
        findings.push(Finding::told(format!(
            "Nobody has published {}: they are assumed (`hoplab profiles NAME`).",
            listed(&assumed)
        )));
    }
    let mut unmeasured = vec![
        "What your team knows, and how long it takes to learn the rest; upgrades, and the control plane's own failures."
            .to_owned(),
    ];
    if of.costs.values().any(|cost| cost.parts.gateways + cost.parts.sidecars > 0 && cost.memory == 0) {
        unmeasured.push("Memory of hoplab's own proxies: `[costs]` says none.".to_owned());
    }
    Criterion { question: "Whose experience is there?".to_owned(), findings, unmeasured }
}

/// The proxies of each architecture.
fn proxies(of: &Evidence) -> String {
    of.each(
        |cost| f64::from(cost.parts.gateways + cost.parts.sidecars),
        |cost| {
            let mut parts = Vec::new();
            if cost.parts.gateways > 0 {
                parts.push(plural(cost.parts.gateways.into(), "gateway"));
            }
            if cost.parts.sidecars > 0 {
                parts.push(plural(cost.parts.sidecars.into(), "sidecar"));
            }
            if parts.is_empty() { "no proxy".to_owned() } else { listed(&parts) }
        },
    )
}

/// The architectures under which applications have policies of their own.
fn libraries(of: &Evidence) -> Option<String> {
    let said: Vec<String> = of
        .costs
        .iter()
        .filter(|(_, cost)| cost.parts.libraries > 0)
        .map(|(name, cost)| format!("of {} with {name}", plural(cost.parts.libraries as u64, "call")))
        .collect();
    (!said.is_empty()).then(|| {
        format!(
            "Applications carry the policies themselves, in their own languages and releases: {}.",
            listed(&said)
        )
    })
}
