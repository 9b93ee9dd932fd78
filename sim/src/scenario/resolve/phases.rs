//! The phases of an adoption: architectures with names of their own, each with what it changes. Not here: what their parts
//! do ([`super::products`]).

use hoplab_config::{At, Context, Place};

use super::architectures::{self, Compared};
use super::names;
use crate::scenario::schema::adoption::{self, Adoption};
use crate::scenario::schema::policies::{GatewayTuning, Layers, MeshTuning};

/// A phase of an adoption.
pub(super) struct Phase {
    /// The architecture, under the phase's name.
    pub(super) compared: Compared,
    /// What it says over the file's gateway, and of single services and endpoints.
    pub(super) gateway: (GatewayTuning, Layers),
    /// What it says over the file's mesh, likewise.
    pub(super) mesh: (MeshTuning, Layers),
}

/// The phases that the file has; none where it has no adoption.
pub(super) fn resolve(adoption: Option<At<Adoption>>, context: &mut Context<'_>) -> Vec<Phase> {
    let Some(At { value: Adoption { phases }, place }) = adoption else { return Vec::new() };
    let written = phases.map(|at| at.value).unwrap_or_default();
    if written.is_empty() && !context.is_told_within(place) {
        context.error(place, "an adoption without a phase").hint("write `[[adoption.phases]]`");
    }
    let mut all = Vec::<Phase>::new();
    for At { value: phase, .. } in written {
        let number = all.len();
        let Some((name, compared)) = compared(&phase, number, context) else { continue };
        if all.iter().any(|other| other.compared.to_string() == name.value) {
            context.error(name.place, format!("a second phase called \"{}\"", name.value));
        }
        let mut gateway = phase.gateway.map(|at| at.value).unwrap_or_default();
        let mut mesh = phase.mesh.map(|at| at.value).unwrap_or_default();
        let (gateway_layers, mesh_layers) = (gateway.take_layers(), mesh.take_layers());
        all.push(Phase { compared, gateway: (gateway, gateway_layers), mesh: (mesh, mesh_layers) });
    }
    all
}

/// The architecture of a phase, the `number`th; what is wrong with it is noted.
fn compared(
    phase: &adoption::Phase,
    number: usize,
    context: &mut Context<'_>,
) -> Option<(At<String>, Compared)> {
    let (name, is) = (phase.name.as_ref(), phase.is.as_ref());
    if let Some(name) = name {
        names::check("a phase", name, context);
        if architectures::find(name).is_some() {
            let hint = "give it another name, such as \"step-1\"";
            context.error(name.place, format!("\"{}\" is an architecture", name.value)).hint(hint);
        }
    }
    let compared = architectures::named(is?, context)?;
    refuse(phase.gateway.as_ref().map(|at| at.place), compared.gateway.is_some(), "gateway", context);
    refuse(phase.mesh.as_ref().map(|at| at.place), compared.mesh.is_some(), "mesh", context);
    let name = name?.clone();
    Some((name.clone(), compared.in_phase(number, name.value)))
}

/// Notes that a phase says something of a `part` that it has not.
fn refuse(said: Option<Place>, is_there: bool, part: &str, context: &mut Context<'_>) {
    if let Some(place) = said.filter(|_| !is_there) {
        let hint = format!("name one in `is`, or take the `{part}` table out");
        context.error(place, format!("the phase has no {part}")).hint(hint);
    }
}
