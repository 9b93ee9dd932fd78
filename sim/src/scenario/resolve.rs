//! From what was written to what it means: names become indexes, defaults are filled in, and
//! everything that needs more than one table to be judged is judged. A part that is wrong is noted
//! and left out of the plan, which is thrown away if there was an error.

mod architectures;
pub(crate) mod bounds;
mod connections;
mod cycles;
mod expectations;
mod explore;
mod faults;
mod loads;
pub(crate) mod names;
pub(crate) mod network;
mod restless;
pub(crate) mod surroundings;
mod topology;

use std::time::Duration;

use hoplab_proxy::load_control::{LimitsPolicy, Settings};
use hoplab_proxy::upstream::Policies;

use super::overrides::Overrides;
use super::place::{At, Place};
use super::plan::{EndpointId, Plan, ProxyCores, ServiceId};
use super::problem::Problems;
use super::reader::{Context, LONGEST, Named};
use super::schema::policies::{Called, Cores, Layers};
use super::schema::topology::Service;
use super::schema::{self, App, File};
use crate::costs::Costs;
use names::Names;

/// The seed when the file does not say.
const SEED: u64 = 1;

/// When a run ends and what of it is reported.
struct Window {
    duration: Duration,
    warmup: Duration,
}

/// The plan for `file`. Only worth anything if no error was noted; `None` when half of what it refers
/// to is missing, so that more errors would only confuse.
pub(super) fn resolve(file: File, overrides: &Overrides, context: &mut Context<'_>) -> Option<Plan> {
    let window = window(&file.scenario, overrides, context);
    let compared = architectures::compared(file.compare.as_ref(), context);
    let architectures = architectures::chosen(&compared, overrides, context);
    let network = network::network(file.network, context);
    let written = services(&file.scenario, file.services, context)?;
    let names = Names::of(&written, context);
    let places = bounds::Places::of(&written, &file.loads);
    let asks_without_end = restless::first(&file.loads);
    let services = topology::services(written, &names, &network, context);
    let noted = context.problems.len();
    let loads = loads::loads(file.loads, &names, &network.zones, context);
    let loads_are_right = context.problems.len() == noted && loads.iter().all(|load| !load.mix.is_empty());
    bounds::in_all(&services, &loads, window.duration, &places, context);
    bounds::points(&file.sweep.0, context);
    let surroundings = surroundings::Surroundings {
        names: &names,
        services: &services,
        loads: &loads,
        architectures: &architectures,
    };
    let faults = faults::resolve(file.faults, &window, &surroundings, context);
    let expectations = expectations::Expectations {
        names: &names,
        services: &services,
        loads: &loads,
        loads_are_right,
        faults: &faults,
        compared: &compared,
        chosen: &architectures,
    };
    let expectations = expectations.resolve(file.expectations, context);
    let gateway_cores = gateway_cores(file.gateway.cores.as_ref(), context);
    let sidecar_cores = proxy_cores(file.mesh.cores.as_ref(), context);
    let gateway_nic = network.nic_of(file.gateway.bandwidth.map(|at| at.value.0));
    let direct = connections::direct_balance(file.direct.balance.as_ref(), &compared, context);
    let gateway_protocol =
        connections::gateway_protocol(file.gateway.protocol.as_ref(), &services, &loads, context);
    let gateway_keep_alive = connections::kept_for(file.gateway.keep_alive, context);
    let gateway_max_connection_age = connections::kept_for(file.gateway.max_connection_age, context);
    let gateway_zone = file.gateway.zone.and_then(|name| topology::zone(&name, &network.zones, context));
    let gateway =
        policies(file.gateway.layers.defaults.as_ref(), &file.gateway.layers.services, &names, context);
    connections::refuse_for_grpc(&services, &gateway, &file.gateway.layers, context);
    let Layers { limits, routes, .. } = file.gateway.layers;
    let gateway_limits =
        limits.map_or_else(Settings::default, |At { value, place }| resolved_limits(&value, place, context));
    let (gateway_routes, gateway_route_limits) = routes_of(routes, &gateway, &names, context);
    let mesh = policies(file.mesh.layers.defaults.as_ref(), &file.mesh.layers.services, &names, context);
    connections::refuse_for_grpc(&services, &mesh, &file.mesh.layers, context);
    let (mesh_routes, _) = routes_of(file.mesh.layers.routes, &mesh, &names, context);
    let mesh_limits =
        limits_of(file.mesh.layers.limits.as_ref(), &file.mesh.layers.services, &names, context);
    let invariants = explore::invariants(file.invariants, context);
    let explore = explore::explore(file.explore, &names, context);
    let scenario = file.scenario;
    let plan = Plan {
        name: stem(&context.sources[0].path).to_owned(),
        title: scenario.title.map_or_else(|| stem(&context.sources[0].path).to_owned(), |title| title.value),
        question: question(&context.sources[0].text),
        seed: overrides.seed.or(scenario.seed.map(|seed| seed.value)).unwrap_or(SEED),
        scale: overrides.scale,
        duration: window.duration,
        warmup: window.warmup,
        architectures,
        network,
        direct,
        gateway_zone,
        gateway_nic,
        gateway_protocol,
        gateway_keep_alive,
        gateway_max_connection_age,
        gateway,
        gateway_routes,
        gateway_limits,
        gateway_route_limits,
        mesh,
        mesh_routes,
        mesh_limits,
        services,
        loads,
        gateway_cores,
        sidecar_cores,
        gateway_costs: file.costs.gateway.map_or(Costs::GATEWAY, costs),
        sidecar_costs: file.costs.sidecar.map_or(Costs::SIDECAR, costs),
        faults,
        expectations,
        sweep: file.sweep.0,
        search: file.search.map(|at| at.value),
        invariants,
        explore,
        sources: context.sources.clone(),
        warnings: Problems::default(),
    };
    restless::refuse(&plan, asks_without_end, context);
    Some(plan)
}

fn window(scenario: &schema::Scenario, overrides: &Overrides, context: &mut Context<'_>) -> Window {
    let duration = scenario.duration.as_ref().map(|at| scaled(at.value.0, overrides.scale));
    if let (Some(Duration::ZERO), Some(at)) = (duration, &scenario.duration) {
        context.error(at.place, "a run of no length");
    }
    if let (Some(duration), Some(at)) = (duration.filter(|duration| *duration > LONGEST), &scenario.duration)
    {
        let fact =
            format!("a run of {:.0} h is longer than the clock reaches", duration.as_secs_f64() / 3_600.0);
        context.error(at.place, fact).hint("stay below 17 h of simulated time");
    }
    // Without a duration nothing else should seem to be too late.
    let duration = duration.filter(|duration| !duration.is_zero()).unwrap_or(Duration::MAX);
    let warmup = scenario.warmup.as_ref().map_or(Duration::ZERO, |at| scaled(at.value.0, overrides.scale));
    if let Some(at) = scenario.warmup.as_ref().filter(|_| warmup >= duration) {
        let fact = "the warm-up is as long as the run: nothing is left to report";
        context.error(at.place, fact).hint("shorten \"warmup\", or lengthen \"duration\"");
    }
    Window { duration, warmup }
}

/// `duration` times `scale`, to the nanosecond.
fn scaled(duration: Duration, scale: f64) -> Duration {
    Duration::from_nanos((duration.as_nanos() as f64 * scale).round() as u64)
}

/// The services of the application, with what the scenario says laid over them, then the scenario's own.
fn services(
    scenario: &schema::Scenario,
    own: Named<Service>,
    context: &mut Context<'_>,
) -> Option<Vec<(At<String>, Service)>> {
    let app = match &scenario.app {
        Some(path) => app(path, context)?,
        None => Vec::new(),
    };
    let mut all: Vec<_> =
        app.into_iter().map(|(name, service)| (name, service.unwrap_or_default())).collect();
    for (name, service) in own {
        let service = service.unwrap_or_default();
        match all.iter_mut().find(|(known, _)| known.value == name.value) {
            Some((_, known)) => known.overlay(service),
            None => all.push((name, service)),
        }
    }
    Some(all)
}

fn app(path: &At<String>, context: &mut Context<'_>) -> Option<Named<Service>> {
    match context.open(&path.value, path.place) {
        Ok(source) => context.document::<App>(source).map(|app| app.services),
        Err(why) => {
            context.error(path.place, why).hint("the path is relative to the scenario file");
            None
        }
    }
}

/// For each service, the policies under which it is called.
fn policies(
    defaults: Option<&At<Policies>>,
    called: &Named<Called>,
    names: &Names,
    context: &mut Context<'_>,
) -> Vec<Policies> {
    let defaults = defaults.map_or_else(Policies::default, |At { value, place }| {
        refuse_contradictions(value, *place, context);
        value.clone()
    });
    let mut services = vec![defaults.clone(); names.services().count()];
    for (name, called) in called {
        if let (Some(ServiceId(index)), Some(called)) = (names.service(name, context), called) {
            services[index] = called.policies.over(&defaults);
            if defaults.resolve().is_ok() {
                refuse_contradictions(&services[index], name.place, context);
            }
        }
    }
    services
}

/// The policies under which single endpoints are called, over those of their services, and the limits that
/// requests to them meet.
#[expect(clippy::type_complexity, reason = "two lists of the same shape")]
fn routes_of(
    routes: Named<Called>,
    services: &[Policies],
    names: &Names,
    context: &mut Context<'_>,
) -> (Vec<(EndpointId, Policies)>, Vec<(EndpointId, Settings)>) {
    let (mut all, mut limited) = (Vec::new(), Vec::new());
    for (name, called) in routes {
        let (Some(id), Some(called)) = (names.endpoint(&name, context), called) else { continue };
        if let Some(At { value, place }) = &called.limits {
            limited.push((id, resolved_limits(value, *place, context)));
        }
        if called.policies != Policies::default() || called.limits.is_none() {
            let shared = &services[id.service.0];
            let policies = called.policies.over(shared);
            if shared.resolve().is_ok() {
                refuse_contradictions(&policies, name.place, context);
            }
            all.push((id, policies));
        }
    }
    (all, limited)
}

/// For each service, the limits that requests meet at the inbound sides of its pods.
fn limits_of(
    all: Option<&At<LimitsPolicy>>,
    services: &Named<Called>,
    names: &Names,
    context: &mut Context<'_>,
) -> Vec<LimitsPolicy> {
    let lower = all.map_or_else(LimitsPolicy::default, |At { value, place }| {
        resolved_limits(value, *place, context);
        value.clone()
    });
    let mut limits = vec![lower.clone(); names.services().count()];
    let said = services.iter().filter_map(|(name, called)| Some((name, called.as_ref()?.limits.as_ref()?)));
    for (name, At { value, place }) in said {
        // An unknown name is noted where its policies are resolved.
        let Some(index) = names.services().position(|known| known == name.value) else { continue };
        limits[index] = value.over(&lower);
        if lower.resolve().is_ok() {
            resolved_limits(&limits[index], *place, context);
        }
    }
    limits
}

/// What `limits` mean; what contradicts itself is noted and left out.
fn resolved_limits(limits: &LimitsPolicy, place: Place, context: &mut Context<'_>) -> Settings {
    limits.resolve().unwrap_or_else(|contradictions| {
        for found in contradictions {
            context.error(place, format!("{}: {}", found.key, found.fact)).hint(found.hint);
        }
        Settings::default()
    })
}

fn refuse_contradictions(policies: &Policies, place: Place, context: &mut Context<'_>) {
    for found in policies.resolve().err().unwrap_or_default() {
        context.error(place, format!("{}: {}", found.key, found.fact)).hint(found.hint);
    }
}

fn costs(cost: schema::Cost) -> Costs {
    let duration =
        |at: Option<At<hoplab_proxy::quantity::Duration>>| at.map_or(Duration::ZERO, |at| at.value.0);
    Costs { latency: duration(cost.latency), request: duration(cost.cpu), ..Costs::default() }
}

/// A file's name without folders and extension.
fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// The first paragraph of the comment that opens the file.
fn question(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.trim().strip_prefix('#')).map(str::trim);
    comment.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Cores of a proxy that says nothing: as many workers as Istio gives an Envoy.
const PROXY_CORES: u32 = 2;

fn gateway_cores(written: Option<&At<Cores>>, context: &mut Context<'_>) -> u32 {
    match proxy_cores(written, context) {
        ProxyCores::Own(cores) => cores,
        ProxyCores::Shared => {
            let place = written.map_or(Place::BEGINNING, |at| at.place);
            let hint = "it stands alone in its pod: write how many cores it has";
            context.error(place, "the gateway has no application to share cores with").hint(hint);
            PROXY_CORES
        }
    }
}

fn proxy_cores(written: Option<&At<Cores>>, context: &mut Context<'_>) -> ProxyCores {
    match written {
        None => ProxyCores::Own(PROXY_CORES),
        Some(&At { value: Cores::Number(cores), place }) => {
            let cores = Some(&At { value: cores, place });
            ProxyCores::Own(bounds::count("core", cores, bounds::CORES_MAX, context))
        }
        Some(At { value: Cores::Name(name), .. }) if name == "shared" => ProxyCores::Shared,
        Some(At { value: Cores::Name(name), place }) => {
            let name = At { value: name.clone(), place: *place };
            context.unknown("use of cores", &name, ["shared"]);
            ProxyCores::Own(PROXY_CORES)
        }
    }
}

/// A time limit; zero is none that could be kept.
fn limit(
    written: Option<At<hoplab_proxy::quantity::Duration>>,
    context: &mut Context<'_>,
) -> Option<Duration> {
    let At { value, place } = written?;
    if value.0.is_zero() {
        context.error(place, "a time limit of zero").hint("leave the key out for none");
    }
    Some(value.0)
}

/// Whether a time limit is told, which there must be then.
fn send_deadline(written: Option<&At<bool>>, limited: bool, context: &mut Context<'_>) -> bool {
    let Some(At { value: true, place }) = written else { return false };
    if !limited {
        let hint = "write a `timeout` beside it, which is what is sent";
        context.error(*place, "\"send_deadline\" without a \"timeout\"").hint(hint);
    }
    true
}
