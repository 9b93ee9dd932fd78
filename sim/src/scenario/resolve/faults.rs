//! Faults: their names, and when. Not here: where ([`super::surroundings`]), and what each kind makes of it
//! ([`crate::fault`]).

use std::time::Duration;

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context};

use super::Window;
use super::names;
use super::surroundings::Surroundings;
use crate::fault;
use crate::scenario::plan::Fault;
use crate::scenario::schema::fault as written;

/// Parts of a run that have these names already.
const TAKEN: [&str; 3] = ["steady", "recovery", "all"];

/// Resolves every fault among its `surroundings`.
pub(super) fn resolve(
    faults: Vec<At<written::Fault>>,
    window: &Window,
    surroundings: &Surroundings<'_>,
    context: &mut Context<'_>,
) -> Vec<Fault> {
    let mut all: Vec<Fault> = Vec::new();
    for At { value: fault, .. } in faults {
        let at = fault.at.as_ref().map_or(Duration::ZERO, |at| at.value.0);
        let lasts = fault.r#for.as_ref().map_or(Duration::ZERO, |lasts| lasts.value.0);
        check_time(&fault, window, context);
        let kind = fault.kind.0.and_then(|kind| kind.resolve(fault.r#for.as_ref(), surroundings, context));
        let Some(name) = fault.name else { continue };
        names::check("a fault", &name, context);
        if TAKEN.contains(&name.value.as_str()) {
            let fact = format!("a fault cannot be called \"{}\"", name.value);
            context.error(name.place, fact).hint("it is the name of a part of every run");
        }
        if all.iter().any(|other| other.name == name.value) {
            context.error(name.place, format!("a second fault called \"{}\"", name.value));
        }
        // A fault that is wrong keeps its name, so that expectations may refer to it.
        all.push(Fault { name: name.value, at, lasts, kind: kind.unwrap_or_else(fault::nothing) });
    }
    all
}

fn check_time(fault: &written::Fault, window: &Window, context: &mut Context<'_>) {
    let (Some(at), Some(lasts)) = (&fault.at, &fault.r#for) else { return };
    let duration = window.duration;
    let ends = format!("which ends at {}", Quantity(duration));
    if lasts.value.0.is_zero() {
        context.error(lasts.place, "a fault of no length").hint("write how long it lasts, or leave it out");
    } else if at.value.0 >= duration {
        let when = if at.value.0 > duration { "after" } else { "at the end of" };
        let hint = "let it start earlier, or lengthen \"duration\"";
        context.error(at.place, format!("the fault starts {when} the run, {ends}")).hint(hint);
    } else if at.value.0.saturating_add(lasts.value.0) > duration {
        let room = Quantity(duration.saturating_sub(at.value.0));
        let hint = format!("write {room} or less, or lengthen \"duration\"");
        context.error(lasts.place, format!("the fault ends after the run, {ends}")).hint(hint);
    } else if at.value.0 < window.warmup {
        let hint = "the warm-up is measured but not reported: let the fault start later";
        context.warning(at.place, "the fault starts within the warm-up").hint(hint);
    }
}
