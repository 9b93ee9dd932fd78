//! From what was written to what it means: names become indexes, defaults are filled in, and
//! everything that needs more than one table to be judged is judged. A part that is wrong is noted
//! and left out of the plan, which is thrown away if there was an error.

mod architectures;
pub(crate) mod bounds;
mod calls;
mod connections;
mod cycles;
mod double_retries;
mod expectations;
mod explore;
mod faults;
mod generate;
mod layers;
mod loads;
mod members;
pub(crate) mod names;
pub(crate) mod network;
mod phases;
mod products;
mod restless;
pub(crate) mod surroundings;
mod topology;
mod unheard;

use std::time::Duration;

use hoplab_config::{At, Context, Named, Problems};

use super::overrides::Overrides;
use super::plan::Plan;
use super::schema::calls::Calls;
use super::schema::load::Load;
use super::schema::topology::Service;
use super::schema::{self, App, File, named, said};
use crate::scenario::LONGEST;
use names::Names;
use products::Products;

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
    let scenario = said(file.scenario);
    let window = window(&scenario, overrides, context);
    let phases = phases::resolve(file.adoption, context);
    let of_phases: Vec<_> = phases.iter().map(|phase| phase.compared.clone()).collect();
    let compared = architectures::compared(file.compare.as_ref(), &of_phases, context);
    let chosen = architectures::chosen(&compared, &of_phases, overrides, context);
    let network = network::network(said(file.network), context);
    let app = application(scenario.app.as_ref(), file.generate, context)?;
    let mut written = services(app.services, named(file.services));
    let names = Names::of(&written, context);
    let mut loads = named(file.load);
    let calls = own_calls(said(file.calls), file.library.map(|at| at.value), &mut written, &mut loads);
    let places = bounds::Places::of(&written, &loads);
    let asks_without_end = restless::first(&loads);
    let services = topology::services(written, &names, &network, context);
    let noted = context.count();
    let loads = loads::loads(loads, &app.mix, &names, &network.zones, context);
    let loads_are_right = context.count() == noted && loads.iter().all(|load| !load.mix.is_empty());
    bounds::in_all(&services, &loads, window.duration, &places, context);
    let sweep = said(file.sweep).0;
    bounds::points(&sweep, context);
    let gateway = said(file.gateway);
    let gateways = bounds::replicas(gateway.replicas.as_ref(), context);
    let surroundings = surroundings::Surroundings {
        names: &names,
        services: &services,
        loads: &loads,
        architectures: &chosen,
        gateways,
    };
    let faults = faults::resolve(said(file.faults), &window, &surroundings, context);
    let expectations = expectations::Expectations {
        names: &names,
        services: &services,
        loads: &loads,
        loads_are_right,
        faults: &faults,
        compared: &compared,
        chosen: &chosen,
    };
    let expectations = expectations.resolve(said(file.expect), context);
    let among = products::Among { names: &names, services: &services, loads: &loads, network: &network };
    let (mesh, costs, direct) = (said(file.mesh), said(file.costs), said(file.direct).balance);
    let said_of_direct = direct.as_ref().map(|at| at.place);
    let written = products::Said { gateway, gateways, mesh, calls, costs, phases, direct: said_of_direct };
    let mut products = Products::new(written, among);
    let architectures = products.architectures(&chosen, context);
    products.warn(&architectures, &compared, &chosen, context);
    let profiles = products.into_profiles();
    let prices = file.prices.and_then(|at| at.value.resolve(context));
    let invariants = explore::invariants(said(file.invariants), context);
    let explore = explore::explore(said(file.explore), &names, context);
    let plan = Plan {
        name: stem(&context.sources()[0].path).to_owned(),
        title: scenario
            .title
            .map_or_else(|| stem(&context.sources()[0].path).to_owned(), |title| title.value),
        question: question(context.text(0)),
        seed: overrides.seed.or(scenario.seed.map(|seed| seed.value)).unwrap_or(SEED),
        scale: overrides.scale,
        duration: window.duration,
        warmup: window.warmup,
        architectures,
        network,
        direct: said(direct),
        services,
        loads,
        faults,
        expectations,
        sweep,
        search: file.search.map(|at| at.value),
        invariants,
        explore,
        profiles,
        prices,
        sources: context.sources().to_vec(),
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
fn services(app: Named<Service>, own: Named<Service>) -> Vec<(At<String>, Service)> {
    let mut all: Vec<_> =
        app.into_iter().map(|(name, service)| (name, service.unwrap_or_default())).collect();
    for (name, service) in own {
        let service = service.unwrap_or_default();
        match all.iter_mut().find(|(known, _)| known.value == name.value) {
            Some((_, known)) => known.overlay(service),
            None => all.push((name, service)),
        }
    }
    all
}

/// The application that the scenario lies over.
#[derive(Default)]
struct Application {
    services: Named<Service>,
    /// What is asked of it where no load says so.
    mix: Vec<(String, f64)>,
}

/// The application, of a file or generated; an empty one where there is none.
fn application(
    path: Option<&At<String>>,
    generate: Option<At<schema::generate::Generate>>,
    context: &mut Context<'_>,
) -> Option<Application> {
    if let (Some(_), Some(generate)) = (path, &generate) {
        let hint = "take one of the two out; services of a scenario lie over those of either";
        context.error(generate.place, "an application that is generated, beside `app`").hint(hint);
    }
    match (path, generate) {
        (_, Some(generate)) => {
            let services = generate::services(generate, context)?;
            let mix = generate::mix(&services);
            Some(Application { services, mix })
        }
        (Some(path), None) => {
            app_of_file(path, context).map(|services| Application { services, mix: Vec::new() })
        }
        (None, None) => Some(Application::default()),
    }
}

fn app_of_file(path: &At<String>, context: &mut Context<'_>) -> Option<Named<Service>> {
    match context.open(&path.value, path.place) {
        Ok(source) => context.document::<App>(source).map(|app| named(app.services)),
        Err(why) => {
            context.error(path.place, why).hint("the path is relative to the scenario file");
            None
        }
    }
}

/// How applications and clients call by themselves, taken out of what is written.
fn own_calls(
    all: Calls,
    library: Option<Calls>,
    services: &mut [(At<String>, Service)],
    loads: &mut Named<Load>,
) -> calls::Written {
    calls::Written {
        all,
        services: services.iter_mut().map(|(_, service)| said(service.calls.take())).collect(),
        library,
        // A load of which nothing could be read is left out.
        loads: loads.iter_mut().filter_map(|(_, load)| load.as_mut()).map(|load| load.calls.take()).collect(),
    }
}

/// A file's name without folders and extension.
fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// The first paragraph of the comment that opens the file, below what is for editors.
fn question(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.starts_with("#:"));
    let comment = lines.map_while(|line| line.trim().strip_prefix('#')).map(str::trim);
    comment.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A time limit; zero is none that could be kept.
fn limit(
    written: Option<At<hoplab_config::quantity::Duration>>,
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
