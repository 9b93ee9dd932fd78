//! Load: when requests are sent, and what is requested.

use std::time::Duration;

use hoplab_config::quantity::Rate;
use hoplab_config::{At, Context, Named, Names as Mix, Place};
use http::{HeaderName, HeaderValue};

use super::names::{self, Names};
use super::{bounds, limit, topology};
use crate::distribution::{Distribution, Sizes};
use crate::scenario::plan::{Arrivals, EndpointId, Load, Pace, Zone};
use crate::scenario::schema::{load as written, named};

/// Resolves every load; those without a mix ask for what is `usual`, if anything is.
pub(super) fn loads(
    loads: Named<written::Load>,
    usual: &[(String, f64)],
    names: &Names,
    zones: &[Zone],
    context: &mut Context<'_>,
) -> Vec<Load> {
    if loads.is_empty() {
        let hint = "write a table such as `[load.shoppers]` with a `rate` and a `mix`";
        context.error(Place::BEGINNING, "there is no load").hint(hint);
    }
    let mut all = Vec::new();
    for (name, load) in loads {
        names::check("a load", &name, context);
        let Some(mut load) = load else { continue };
        let place = name.place;
        let mix = match load.mix.take() {
            Some(written) => mix(written, names, context),
            None if load.says.mix => Vec::new(),
            None => usual_mix(usual, place, names, context),
        };
        let send_deadline =
            super::send_deadline(load.send_deadline.as_ref(), load.timeout.is_some(), context);
        let headers = headers(named(load.headers.take()), context);
        let request = load.request.take().map_or(Sizes::ZERO, |at| at.value);
        let timeout = limit(load.timeout.clone(), context);
        let sessions = load
            .sessions
            .as_ref()
            .map(|at| bounds::count("session", Some(at), bounds::SESSIONS_MAX, context));
        let zone = load.zone.as_ref().and_then(|name| topology::zone(name, zones, context));
        let pace = match (load.says.rate, load.says.users) {
            (true, false) => open(load, context),
            (false, true) => closed(load, context),
            (both, _) => {
                let fact = if both {
                    "a load with both \"rate\" and \"users\""
                } else {
                    "a load without \"rate\" or \"users\""
                };
                let hint = "\"rate\" sends whether or not answers come, \"users\" wait for theirs: write one";
                context.error(place, fact).hint(hint);
                None
            }
        };
        // A load that is wrong keeps its mix, so that nothing seems to be out of its reach.
        let pace = pace.unwrap_or(Pace::Closed { users: 0, think: Distribution::Constant(Duration::ZERO) });
        all.push(Load {
            name: name.value,
            pace,
            mix,
            headers,
            request,
            timeout,
            send_deadline,
            zone,
            sessions,
        });
    }
    all
}

fn open(load: written::Load, context: &mut Context<'_>) -> Option<Pace> {
    if let Some(think) = &load.think {
        let hint = "\"think\" goes with \"users\", who wait for their answers";
        context.error(think.place, "\"think\" beside \"rate\"").hint(hint);
    }
    let arrivals = load.arrivals.map_or(Arrivals::Poisson, |at| at.value);
    let At { value: written::Curve(points), place } = load.rate?;
    Some(Pace::Open { curve: curve(points, place, context), arrivals })
}

fn curve(points: Vec<At<written::Point>>, place: Place, context: &mut Context<'_>) -> Vec<(Duration, f64)> {
    let mut curve: Vec<(Duration, f64)> = Vec::new();
    for point in points {
        let (Some(at), Some(Rate(rate))) = (point.value.at, point.value.rate.map(|at| at.value)) else {
            continue;
        };
        if curve.last().is_some_and(|&(last, _)| last >= at.value.0) {
            let hint = "points stand in the order of their time";
            context.error(at.place, "a point that is not after the one before it").hint(hint);
        }
        curve.push((at.value.0, rate));
    }
    if curve.iter().all(|&(_, rate)| rate == 0.0) && !context.is_told(place) {
        context.error(place, "nothing is ever sent").hint("write a rate above zero");
    }
    curve
}

fn closed(load: written::Load, context: &mut Context<'_>) -> Option<Pace> {
    if let Some(arrivals) = &load.arrivals {
        let hint = "\"arrivals\" goes with \"rate\"; users send when they have thought";
        context.error(arrivals.place, "\"arrivals\" beside \"users\"").hint(hint);
    }
    let users = load.users?;
    let think = load.think.map_or(Distribution::Constant(Duration::ZERO), |at| at.value);
    Some(Pace::Closed { users: bounds::users(&users, context), think })
}

/// Fields that requests need for themselves; a load may not say them.
const RESERVED: [&str; 6] =
    ["host", "baggage", "traceparent", "content-length", "transfer-encoding", "connection"];

fn headers(
    written: Named<written::Values>,
    context: &mut Context<'_>,
) -> Vec<(HeaderName, Vec<HeaderValue>)> {
    let mut all = Vec::new();
    for (name, values) in written {
        let field = HeaderName::from_bytes(name.value.as_bytes()).ok();
        if field.is_none() {
            let fact = format!("\"{}\" is no header field", name.value);
            context.error(name.place, fact).hint("write a name such as `\"x-user\"`");
        }
        if field.as_ref().is_some_and(|field| RESERVED.contains(&field.as_str())) {
            let fact = format!("\"{}\" is for the simulation to say", name.value);
            context.error(name.place, fact).hint("use another header field, such as `\"x-user\"`");
        }
        let Some(written::Values(At { value: values, place })) = values else { continue };
        if values.is_empty() {
            context.error(place, "a header field without a value").hint("write at least one");
        }
        let value = |At { value, place }: At<String>| {
            let read = HeaderValue::from_str(&value).ok();
            if read.is_none() {
                let fact = format!("\"{}\" cannot stand in a header field", value.escape_debug());
                context.error(place, fact).hint("write visible characters, spaces between them");
            }
            read
        };
        let values: Vec<_> = values.into_iter().filter_map(value).collect();
        all.extend(field.map(|field| (field, values)));
    }
    all
}

/// What a load at `place` asks for that does not say so.
fn usual_mix(
    usual: &[(String, f64)],
    place: Place,
    names: &Names,
    context: &mut Context<'_>,
) -> Vec<(EndpointId, f64)> {
    if usual.is_empty() {
        let hint = "say what is requested: `mix = { \"service.endpoint\" = 1 }`";
        context.error(place, "missing key \"mix\"").hint(hint);
    }
    let found = |(name, weight): &(String, f64)| {
        Some((names.endpoint(&At { value: name.clone(), place }, context)?, *weight))
    };
    usual.iter().filter_map(found).collect()
}

fn mix(
    At { value: Mix(mix), place }: At<Mix<f64>>,
    names: &Names,
    context: &mut Context<'_>,
) -> Vec<(EndpointId, f64)> {
    if mix.is_empty() {
        context.error(place, "an empty mix").hint("say what is requested: `{ \"service.endpoint\" = 1 }`");
    }
    let mut all = Vec::new();
    for (name, weight) in mix {
        let endpoint = names.endpoint(&name, context);
        bounds::weight(&name, weight.unwrap_or_default(), context);
        if weight == Some(0.0) {
            context.error(name.place, "a weight of zero").hint("leave out what is never requested");
        }
        all.extend(endpoint.zip(weight));
    }
    all
}
