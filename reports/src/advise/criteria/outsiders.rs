//! What do outsiders need? What they reach, what a gateway before it costs, and who still serves them when too many come.

use hoplab_sim::advise::About;

use super::{Criterion, Evidence, Finding};
use crate::format::{duration, listed, plural, significant};

pub(super) fn criterion(of: &Evidence) -> Criterion {
    let mut findings = vec![Finding::told(entered(of))];
    findings.extend(gateways(of).map(|text| Finding::of(text, "well")));
    let floods = of.trials_of(|trial| matches!(trial.about, About::Flood { .. }));
    findings.extend(floods.map(Finding::lost));
    let mut unmeasured = vec![
        "Authentication, translation between protocols and versions, quotas and keys of partners, billing: a scenario's \
         requests need none of them. `hoplab gateway` does the first three live."
            .to_owned(),
    ];
    if of.trials_of(|trial| matches!(trial.about, About::Flood { .. })).next().is_none() {
        unmeasured.push(
            "A flood: users who wait for their answers do not become more; a load with a `rate` does."
                .to_owned(),
        );
    }
    if !of.has_limits {
        unmeasured.push(
            "Limits: the scenario has none, so nothing refuses the one who asks too much. `[gateway] limits` does.".to_owned(),
        );
    }
    Criterion { question: "What do outsiders need?".to_owned(), findings, unmeasured }
}

/// What clients connect to.
fn entered(of: &Evidence) -> String {
    let pods = of.each(|cost| cost.parts.entered.into(), |cost| plural(cost.parts.entered.into(), "pod"));
    let entries = &of.shape.entries;
    let named = match entries.len() {
        0..=4 => listed(entries),
        more => plural(more as u64, "service"),
    };
    format!("Clients ask for {named}; they connect to {pods}.")
}

/// What a gateway alone costs.
fn gateways(of: &Evidence) -> Option<String> {
    let of_gateway = of.costs.iter().filter(|(_, cost)| cost.parts.gateways > 0 && cost.parts.sidecars == 0);
    let said: Vec<String> = of_gateway
        .filter_map(|(name, cost)| {
            Some(format!(
                "{name} adds {} to the median request and keeps {} cores busy",
                duration(cost.added_us?),
                significant(cost.proxy_cores)
            ))
        })
        .collect();
    (!said.is_empty()).then(|| format!("One door for all of it: {}.", listed(&said)))
}
