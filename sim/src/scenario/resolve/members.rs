//! Which services have sidecars: all but stores, unless `[mesh]` says `only` or `except`.

use hoplab_config::{At, Context};

use super::names::Names;
use crate::scenario::plan::{Service, ServiceId};
use crate::scenario::schema::policies::MeshTuning;

/// For each of the `services`, whether it has sidecars in the mesh as `written`, the upper layer first: the first that says
/// something of it says it.
pub(super) fn resolve(
    written: &[&MeshTuning],
    services: &[Service],
    names: &Names,
    context: &mut Context<'_>,
) -> Vec<bool> {
    let could = || services.iter().map(|service| !service.is_store).collect::<Vec<_>>();
    let says = |tuning: &&&MeshTuning| tuning.only.is_some() || tuning.except.is_some();
    let Some(written) = written.iter().find(says) else { return could() };
    let (list, is_in) = match (&written.only, &written.except) {
        (None, None) => return could(),
        (Some(only), Some(except)) => {
            let hint = "name those that have sidecars, or those that have none";
            context.error(except.place, "both \"only\" and \"except\"").hint(hint);
            (only, true)
        }
        (Some(only), None) => (only, true),
        (None, Some(except)) => (except, false),
    };
    let mut members = if is_in { vec![false; services.len()] } else { could() };
    for name in &list.value {
        let Some(ServiceId(index)) = names.service(name, context) else { continue };
        if services[index].is_store && is_in {
            refuse_store(name, context);
        }
        members[index] = is_in;
    }
    if !members.contains(&true) && !context.has_errors() {
        context.warning(list.place, "a mesh in which nobody is").hint("it is the same as none");
    }
    members
}

fn refuse_store(name: &At<String>, context: &mut Context<'_>) {
    let hint = "take `store = true` from the service, or its name from the list";
    context.error(name.place, format!("\"{}\" is a store, which has no sidecar", name.value)).hint(hint);
}
