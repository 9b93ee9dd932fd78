//! What exploration draws from, and the bounds of what must always hold.

use std::time::Duration;

use hoplab_config::{At, Context, Place};

use super::bounds;
use super::names::Names;
use crate::scenario::plan::{Explore, FAULT_KINDS, Invariants, ServiceId};
use crate::scenario::schema::explore as written;

/// The bounds, with what is left out as it is by default.
pub(super) fn invariants(written: written::Invariants, context: &mut Context<'_>) -> Invariants {
    let default = Invariants::default();
    if let Some(at) = written.slower.as_ref().filter(|at| at.value < 1.0) {
        let hint = "write how many times as slow is all right, 1 or more";
        context.error(at.place, format!("`{}` times as slow is faster", at.value)).hint(hint);
    }
    Invariants {
        settle: written.settle.map_or(default.settle, |at| at.value.0),
        slower: written.slower.map_or(default.slower, |at| at.value),
        errors: written.errors.map_or(default.errors, |at| at.value.0),
    }
}

/// What is drawn.
pub(super) fn explore(written: written::Explore, names: &Names, context: &mut Context<'_>) -> Explore {
    let default = Explore::default();
    let all: Vec<ServiceId> = (0..names.services().count()).map(ServiceId).collect();
    let services = written
        .services
        .map(|list| list.value.iter().filter_map(|name| names.service(name, context)).collect::<Vec<_>>());
    for at in written.times.iter().flat_map(|list| &list.value) {
        bounds::factor(at, context);
    }
    let lasts = range(written.r#for, |at| at.0, default.lasts, context);
    let add = range(written.add, |at| at.0, default.add, context);
    Explore {
        weights: written.faults.map_or(vec![1.0; FAULT_KINDS.len()], |at| weights(at.value.0, context)),
        at_most: written
            .at_most
            .map_or(default.at_most, |at| bounds::count("fault", Some(&at), bounds::DRAWN_MAX, context)),
        services: services.filter(|services| !services.is_empty()).unwrap_or(all),
        lasts: (lasts.0.max(Duration::from_millis(1)), lasts.1.max(Duration::from_millis(1))),
        times: range(written.times, |at| at, default.times, context),
        add: (add.0.max(Duration::from_micros(1)), add.1.max(Duration::from_micros(1))),
        share: range(written.share, |at| at.0, default.share, context),
        bandwidth: range(written.bandwidth, |at| at.0, default.bandwidth, context),
    }
}

/// A weight for each kind; those that are not named are not drawn.
fn weights(faults: Vec<(At<String>, Option<f64>)>, context: &mut Context<'_>) -> Vec<f64> {
    let mut weights = vec![0.0; FAULT_KINDS.len()];
    let place = faults.first().map(|(name, _)| name.place);
    for (name, weight) in faults {
        bounds::weight(&name, weight.unwrap_or_default(), context);
        match FAULT_KINDS.iter().position(|kind| *kind == name.value) {
            Some(kind) => weights[kind] = weight.unwrap_or(1.0),
            None => context.unknown("kind of fault", &name, FAULT_KINDS),
        }
    }
    if weights.iter().sum::<f64>() <= 0.0 {
        let place = place.unwrap_or(Place::BEGINNING);
        context.error(place, "no kind of fault would ever be drawn").hint("give one a weight above zero");
    }
    weights
}

/// A smallest and a largest value; or always the same.
fn range<T: Copy, V: PartialOrd + Copy>(
    written: Option<At<Vec<At<T>>>>,
    value: impl Fn(T) -> V,
    default: (V, V),
    context: &mut Context<'_>,
) -> (V, V) {
    let Some(At { value: list, place }) = written else { return default };
    match list[..] {
        [At { value: only, .. }] => (value(only), value(only)),
        [At { value: low, .. }, At { value: high, .. }] if value(low) <= value(high) => {
            (value(low), value(high))
        }
        _ => {
            let hint = "write the smallest and the largest, such as `[\"1s\", \"5s\"]`";
            context.error(place, "no range").hint(hint);
            default
        }
    }
}
