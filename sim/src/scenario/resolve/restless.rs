//! Loads that would ask without end at one instant: users who do not pause, of endpoints that take no time,
//! over a network without latency. What cannot be told from the file alone is noticed while it runs
//! (`world::standstill`).

use hoplab_config::{Context, Named, Place};

use crate::costs::Costs;
use crate::distribution::Distribution;
use crate::fault::Kind;
use crate::scenario::plan::{Architecture, EndpointId, Line, Load, Network, Pace, Plan, Step};
use crate::scenario::schema::load;

/// Where the users of the first closed load are said.
pub(super) fn first(loads: &Named<load::Load>) -> Place {
    let users = loads.iter().find_map(|(_, load)| load.as_ref()?.users.as_ref());
    users.map_or(Place::BEGINNING, |at| at.place)
}

/// Notes a load of `plan` whose users would ask without end before any time has passed.
pub(super) fn refuse(plan: &Plan, place: Place, context: &mut Context<'_>) {
    if context.has_errors() || network_takes_time(plan) {
        return;
    }
    let Some(architecture) = plan.architectures.iter().find(|architecture| !proxies_take_time(architecture))
    else {
        return;
    };
    for load in plan.loads.iter().filter(|load| asks_without_end(plan, load)) {
        let name = &architecture.name;
        let fact = format!("\"{}\" asks without end at one instant under \"{name}\"", load.name);
        let hint = "nothing takes time: write a \"think\", a network \"latency\" or some \"work\"";
        context.error(place, fact).hint(hint);
    }
}

fn asks_without_end(plan: &Plan, load: &Load) -> bool {
    let Pace::Closed { users: 1.., think } = &load.pace else { return false };
    is_zero(think) && !load.mix.iter().any(|(endpoint, _)| endpoint_takes_time(plan, *endpoint))
}

fn network_takes_time(plan: &Plan) -> bool {
    let Network { line, nic, zones, between, congestion: _ } = &plan.network;
    let mut lines = std::iter::once(line)
        .chain(zones.iter().map(|zone| &zone.line))
        .chain(between.iter().map(|between| &between.line));
    let takes_time =
        |line: &Line| !is_zero(&line.latency) || line.jitter.as_ref().is_some_and(|jitter| !is_zero(jitter));
    nic.is_some()
        || zones.iter().any(|zone| zone.access.is_some())
        || between.iter().any(|between| between.trunk.is_some())
        || plan.services.iter().any(|service| service.nic.is_some())
        || lines.any(takes_time)
        || plan.faults.iter().any(|fault| matches!(fault.kind, Kind::Latency(_) | Kind::Bandwidth(_)))
}

fn proxies_take_time(Architecture { gateway, mesh, .. }: &Architecture) -> bool {
    let costs = [gateway.as_ref().map(|gateway| &gateway.costs), mesh.as_ref().map(|mesh| &mesh.costs)];
    costs.into_iter().flatten().any(Costs::take_time)
}

fn endpoint_takes_time(plan: &Plan, id: EndpointId) -> bool {
    let endpoint = &plan.services[id.service.0].endpoints[id.endpoint];
    endpoint.steps.iter().any(|step| step_takes_time(plan, step))
}

/// Endpoints do not call in circles: that has been refused.
fn step_takes_time(plan: &Plan, step: &Step) -> bool {
    match step {
        Step::Work(time) | Step::Sleep(time) => !is_zero(time),
        Step::Call(call) => call.chance > 0.0 && endpoint_takes_time(plan, call.target),
        Step::All { branches, .. } => branches.iter().any(|branch| step_takes_time(plan, branch)),
    }
}

fn is_zero(time: &Distribution) -> bool {
    time.mean().is_zero()
}
