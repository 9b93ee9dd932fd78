//! What `[generate]` means: the application that it makes, which is a text like that of any application file.

use std::time::Duration;

use hoplab_config::quantity::Share;
use hoplab_config::{At, Context, Named, Place};

use super::bounds;
use crate::distribution::{Distribution, Sizes};
use crate::figures::grouped;
use crate::scenario::generate::{self, Depth, FanOut, Recipe};
use crate::scenario::schema::generate as written;
use crate::scenario::schema::topology::Service;
use crate::scenario::schema::{App, named};

/// Calls one below the other at most.
const DEPTH_MAX: u32 = 50;
/// Endpoints that an endpoint calls as drawn, and endpoints of a service, at most.
const ENDPOINTS_MAX: u32 = 1_000;
/// What a Zipf distribution falls with at most: then one in a billion is not 1.
const EXPONENT_MAX: f64 = 30.0;

/// The services that `[generate]` makes; `None` when it is wrong.
pub(super) fn services(
    At { value, place }: At<written::Generate>,
    context: &mut Context<'_>,
) -> Option<Named<Service>> {
    let noted = context.count();
    let recipe = recipe(value, place, context)?;
    if context.count() > noted {
        return None;
    }
    let source = context.open_own(generate::PATH, &generate::text(&recipe));
    context.document::<App>(source).map(|app| named(app.services))
}

/// What loads ask for that do not say so, of a generated application.
pub(super) fn mix(app: &Named<Service>) -> Vec<(String, f64)> {
    let endpoints = app.iter().flat_map(|(name, service)| {
        let endpoints = service.iter().flat_map(Service::endpoints);
        endpoints.map(|(endpoint, _)| (name.value.as_str(), endpoint.value.as_str()))
    });
    generate::mix(endpoints)
}

fn recipe(said: written::Generate, place: Place, context: &mut Context<'_>) -> Option<Recipe> {
    let services = services_count(said.services, context);
    let part = |written: Option<At<Share>>, usual: Share| written.map_or(usual, |at| at.value).0;
    let (entries, leaves) = (said.entries.clone(), said.leaves.clone());
    let shares = [part(entries.clone(), generate::ENTRIES), part(leaves.clone(), generate::LEAVES)];
    if shares[0] + shares[1] > 1.0 {
        let place = leaves.or(entries).map_or(place, |at| at.place);
        let fact = format!("{} and {} of the services", Share(shares[0]), Share(shares[1]));
        context.error(place, fact).hint("\"entries\" and \"leaves\" are 100% together at most");
    }
    let mut count = |what, written: &Option<At<u32>>, most, usual| match written {
        Some(_) => bounds::count(what, written.as_ref(), most, context),
        None => usual,
    };
    let endpoints = count("endpoint", &said.endpoints, ENDPOINTS_MAX, generate::ENDPOINTS);
    let calls = count("call", &said.calls, bounds::CALLS_MAX, generate::CALLS_MAX);
    let replicas = count("pod", &said.replicas, bounds::PODS_MAX, generate::REPLICAS);
    let cores = count("core", &said.cores, bounds::CORES_MAX, generate::REPLICAS);
    let (services, services_place) = services?;
    if u64::from(services) * u64::from(replicas) > bounds::PODS_MAX.into() {
        let place = said.replicas.map_or(services_place, |at| at.place);
        let pods = grouped(u64::from(services) * u64::from(replicas));
        let hint = format!("at most {} pods in all", grouped(bounds::PODS_MAX.into()));
        context.error(place, format!("{pods} pods in all cannot be simulated")).hint(hint);
    }
    Some(Recipe {
        services,
        seed: said.seed.map_or(1, |at| at.value),
        entries: shares[0],
        leaves: shares[1],
        hubs: part(said.hubs, generate::HUBS),
        hub_calls: part(said.hub_calls, generate::HUB_CALLS),
        stores: part(said.stores, generate::STORES),
        depth: depth(said.depth, context),
        fan_out: fan_out(said.fan_out, context),
        endpoints,
        repeated: part(said.repeated, generate::REPEATED),
        parallel: part(said.parallel, generate::PARALLEL),
        calls,
        work: said.work.map_or_else(|| log_normal(1_000, 10_000), |at| at.value),
        store_work: said.store_work.map_or_else(|| log_normal(150, 800), |at| at.value),
        response: said.response.map_or_else(usual_response, |at| at.value),
        replicas,
        cores,
    })
}

/// How many services there are to be, and where that is said.
fn services_count(written: Option<At<u32>>, context: &mut Context<'_>) -> Option<(u32, Place)> {
    let At { value, place } = written?;
    if value < 2 {
        let fact = format!("`{value}` services are no application");
        context.error(place, fact).hint("write 2 or more: one that is asked, and one that it calls");
        return None;
    }
    let services = bounds::count("service", Some(&At { value, place }), written::SERVICES_MAX, context);
    Some((services, place))
}

fn depth(written: Option<At<written::Depth>>, context: &mut Context<'_>) -> Depth {
    let usual = Depth::Drawn { mean: generate::DEPTH, max: generate::DEPTH_MAX };
    let Some(At { value, place }) = written else { return usual };
    let mut layers = |at: &At<u32>| bounds::count("layer", Some(at), DEPTH_MAX, context);
    match value {
        written::Depth::Always(depth) => Depth::Always(layers(&At { value: depth, place })),
        written::Depth::Drawn(written::DrawnDepth { mean, max }) => {
            let max = max.as_ref().map_or(generate::DEPTH_MAX, layers);
            let (mean, place) = mean.map_or((generate::DEPTH, place), |at| (at.value, at.place));
            if !(1.0..=f64::from(max)).contains(&mean) {
                let hint = format!("write 1 to {max}, which is the \"max\"");
                context.error(place, format!("a mean depth of `{mean}`")).hint(hint);
            }
            Depth::Drawn { mean, max }
        }
    }
}

fn fan_out(written: Option<At<written::FanOut>>, context: &mut Context<'_>) -> FanOut {
    let usual = FanOut::Zipf { exponent: generate::EXPONENT, max: generate::FAN_OUT_MAX };
    let Some(At { value, place }) = written else { return usual };
    let mut callees = |at: &At<u32>| bounds::count("callee", Some(at), ENDPOINTS_MAX, context);
    match value {
        written::FanOut::Always(count) => FanOut::Always(callees(&At { value: count, place })),
        written::FanOut::Zipf(written::Zipf { exponent, max }) => {
            let max = max.as_ref().map_or(generate::FAN_OUT_MAX, callees);
            if let Some(at) = exponent.as_ref().filter(|at| at.value > EXPONENT_MAX) {
                let hint = format!("write {EXPONENT_MAX} or less; for one callee each, `fan_out = 1`");
                context.error(at.place, format!("an exponent of `{}`", at.value)).hint(hint);
            }
            FanOut::Zipf { exponent: exponent.map_or(generate::EXPONENT, |at| at.value), max }
        }
    }
}

/// By median and 99th percentile in microseconds.
fn log_normal(p50: u64, p99: u64) -> Distribution {
    Distribution::LogNormal { p50: Duration::from_micros(p50), p99: Duration::from_micros(p99) }
}

/// Of 1 KiB, and of 32 KiB one in a hundred.
fn usual_response() -> Sizes {
    let read = Sizes::read("lognormal(p50=1 KiB, p99=32 KiB)", &mut |_| Err(String::new()));
    read.expect("it is a distribution of sizes")
}
