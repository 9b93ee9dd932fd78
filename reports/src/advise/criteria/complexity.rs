//! How complex is the system? How many services and calls there are, what each call costs behind a proxy, and whether a
//! larger system changes the choice.

use hoplab_sim::advise::SLOW;

use super::super::growth::{Grown, agreed, by_size, threshold};
use super::{Criterion, Evidence, Finding};
use crate::format::{duration, listed, plural, significant};
use crate::grouped::by_text;

pub(super) fn criterion(of: &Evidence) -> Criterion {
    let mut findings = vec![Finding::told(shape(of))];
    findings.extend(by_call(of).map(|text| Finding::of(text, "well")));
    findings.extend(growth(of));
    let unmeasured = of.not_grown.map(|why| format!("A larger system: {why}.")).into_iter().collect();
    Criterion { question: "How complex is the system?".to_owned(), findings, unmeasured }
}

fn shape(of: &Evidence) -> String {
    let shape = of.shape;
    let stores = match shape.stores {
        0 => String::new(),
        1 => ", one of them a store,".to_owned(),
        more => format!(", {more} of them stores,"),
    };
    let most = shape.asked.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let most = most.map_or_else(String::new, |(name, times)| {
        let times = if (times - 1.0).abs() < 1e-9 {
            "once".to_owned()
        } else {
            format!("{} times", significant(*times))
        };
        format!("; {name} is asked most, {times} a request")
    });
    format!(
        "{}{stores} in {}; a client's request causes {} calls between services on average, and at its deepest passes {} one \
         behind the other{most}",
        plural(shape.services as u64, "service"),
        plural(shape.pods.into(), "pod"),
        significant(shape.calls),
        plural(shape.depth as u64, "service"),
    ) + "."
}

/// What goes with calls: the processor time of proxies.
fn by_call(of: &Evidence) -> Option<String> {
    let calls = of.shape.calls;
    let all: Vec<String> = of
        .costs
        .iter()
        .filter(|(_, cost)| cost.parts.sidecars > 0 && cost.rate * calls > 0.0 && cost.sidecar_cores > 0.0)
        .map(|(name, cost)| {
            let us = cost.sidecar_cores * 1e6 / cost.rate / calls;
            format!("{} with {name}", duration(us))
        })
        .collect();
    (!all.is_empty()).then(|| {
        format!(
            "What a mesh costs goes with calls, not with services: by call, its sidecars work {}.",
            listed(&all)
        )
    })
}

/// Whether the size of the system changes the choice.
fn growth(of: &Evidence) -> Option<Finding> {
    let sizes = by_size(of.grown);
    let (first, last) = (sizes.first()?, sizes.last()?);
    let of_size = |(size, all): &(u32, Vec<&Grown>)| {
        let is_chosen = |name: &&String| all.iter().any(|grown| grown.choice == **name);
        let choices: Vec<&str> = of.costs.keys().filter(is_chosen).map(String::as_str).collect();
        (choices.join(" or "), size.to_string())
    };
    let told = match threshold(of.grown) {
        Some((below, before, from, then)) => {
            format!("up to {below} services {before} is to be chosen, from {from} on {then}")
        }
        None if sizes.iter().all(|(_, all)| agreed(all).is_some() && agreed(all) == agreed(&first.1)) => {
            format!(
                "from {} to {} services, how many there are changes nothing about the choice",
                first.0, last.0
            )
        }
        None => {
            let by_choice = by_text(sizes.iter().map(of_size));
            let all =
                by_choice.into_iter().map(|(choice, sizes)| format!("{choice} with {}", listed(&sizes)));
            let all: Vec<String> = all.collect();
            format!(
                "no number of services is a threshold, and how they are wired decides: {}",
                all.join("; ")
            )
        }
    };
    let text = format!("When a pod of the service that is asked most is {SLOW} times slower, {told}.");
    Some(Finding { text, trial: first.1.first().map(|grown| grown.name.clone()) })
}
