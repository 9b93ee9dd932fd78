//! Faults as people say them: `payment-0 is 20 times slower`.

use hoplab_proxy::quantity::Duration;

use crate::scenario::plan::{Between, FaultKind, Plan, Side, Target};

/// What a fault does.
pub(super) fn fault(plan: &Plan, kind: &FaultKind) -> String {
    match kind {
        FaultKind::Slow { target, times } => format!("{} works {times} times as long", pods(plan, *target)),
        FaultKind::Error { target, endpoint, status, share } => {
            let endpoint =
                endpoint.map_or("requests", |index| &plan.services[target.service.0].endpoints[index].name);
            format!("{} answers {} % of {endpoint} with {status}", pods(plan, *target), percent(*share))
        }
        FaultKind::Crash { target } => format!("{} is down", pods(plan, *target)),
        FaultKind::Restart { target, drain, down } => {
            let (drain, down) = (Duration(*drain), Duration(*down));
            format!("{} restarts pod by pod: {drain} to drain, {down} away", pods(plan, *target))
        }
        FaultKind::Partition(between) => format!("nothing passes between {}", sides(plan, between)),
        FaultKind::Latency { between, add } => {
            format!("packets between {} take {add} longer", sides(plan, between))
        }
        FaultKind::Loss { between, share } => {
            format!("{} % of segments between {} are lost", percent(*share), sides(plan, between))
        }
        FaultKind::Reset(between) => format!("connections between {} are reset", sides(plan, between)),
    }
}

/// A share in percent, without the dust of binary fractions.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// The services that a fault is aimed at, by index.
pub(super) fn touched(kind: &FaultKind) -> Vec<usize> {
    let of_side = |side: Side| match side {
        Side::Pods(target) => Some(target.service.0),
        Side::Clients | Side::Gateway => None,
    };
    match kind {
        FaultKind::Slow { target, .. }
        | FaultKind::Error { target, .. }
        | FaultKind::Crash { target }
        | FaultKind::Restart { target, .. } => vec![target.service.0],
        FaultKind::Partition(between)
        | FaultKind::Reset(between)
        | FaultKind::Latency { between, .. }
        | FaultKind::Loss { between, .. } => {
            [Some(between.a), between.b].into_iter().flatten().filter_map(of_side).collect()
        }
    }
}

fn pods(plan: &Plan, target: Target) -> String {
    let name = &plan.services[target.service.0].name;
    target.replica.map_or_else(|| name.clone(), |replica| format!("{name}-{replica}"))
}

fn sides(plan: &Plan, between: &Between) -> String {
    let side = |side: Side| match side {
        Side::Pods(target) => pods(plan, target),
        Side::Clients => "clients".to_owned(),
        Side::Gateway => "the gateway".to_owned(),
    };
    format!("{} and {}", side(between.a), between.b.map_or_else(|| "everything else".to_owned(), side))
}
