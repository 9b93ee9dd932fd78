//! What a run can really hold: the bounds of everything that a scenario counts, and their complaints.
//! A bound is far above what is sensible and far below what breaks the machine or the arithmetic. Not here:
//! what contradicts itself, and the bounds of policies, which live files share ([`hoplab_proxy::upstream`]).

use std::time::Duration;

use crate::scenario::LONGEST;
use hoplab_config::{At, Context, Named, Place};

use crate::figures::grouped;
use crate::scenario::grid::Axis;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::load::{Load, Pace};
use crate::scenario::schema::{load, topology};

/// Pods in all: each has sockets, a server and, in a mesh, a proxy that knows all others.
pub(super) const PODS_MAX: u32 = 2_000;
/// Cores of a container.
pub(super) const CORES_MAX: u32 = 10_000;
/// Calls of a step, one after the other, and branches at a time.
pub(super) const CALLS_MAX: u32 = 10_000;
/// Users in all. Each may have a connection of its own, and the clients' pod has 16,384 ports.
const USERS_MAX: u32 = 16_000;
/// Sessions of a load.
pub(super) const SESSIONS_MAX: u32 = 1_000_000_000;
/// Faults that exploring draws at most.
pub(super) const DRAWN_MAX: u32 = 1_000;
/// Requests of open loads in all: at 10,000 a second of the machine's, three hours.
const REQUESTS_MAX: f64 = 1e8;
/// Scenarios of a sweep in all.
const POINTS_MAX: usize = 100_000;
/// A weight of a mix: sums of weights stay exact enough to draw from.
pub(super) const WEIGHT_MAX: f64 = 1e9;
/// What multiplies the time that work takes.
const FACTORS: std::ops::RangeInclusive<f64> = 0.01..=1e6;

/// How many there are of something, 1 unless it is said; none and too many are noted, and 1 given.
pub(super) fn count(what: &str, written: Option<&At<u32>>, most: u32, context: &mut Context<'_>) -> u32 {
    match written {
        None => 1,
        Some(&At { value: 0, place }) => {
            context.error(place, format!("no {what} at all")).hint("write 1 or more");
            1
        }
        Some(&At { value, place }) if value > most => {
            let fact = format!("{} {what}s cannot be simulated", grouped(value.into()));
            context.error(place, fact).hint(format!("write {} or less", grouped(most.into())));
            1
        }
        Some(&At { value, .. }) => value,
    }
}

/// How many pods a service has.
pub(super) fn replicas(written: Option<&At<u32>>, context: &mut Context<'_>) -> u32 {
    count("pod", written, PODS_MAX, context)
}

/// How many users a load has.
pub(super) fn users(written: &At<u32>, context: &mut Context<'_>) -> u32 {
    count("user", Some(written), USERS_MAX, context)
}

/// What multiplies the time that work takes.
pub(crate) fn factor(written: &At<f64>, context: &mut Context<'_>) -> f64 {
    if FACTORS.contains(&written.value) {
        return written.value;
    }
    let fact = match written.value {
        0.0 => "work that takes no time at all".to_owned(),
        value => format!("work that takes `{value}` times as long cannot be simulated"),
    };
    context.error(written.place, fact).hint("write 0.01 to 1000000");
    1.0
}

/// A weight of a mix.
pub(super) fn weight(name: &At<String>, weight: f64, context: &mut Context<'_>) {
    if weight > WEIGHT_MAX {
        let hint = "weights count in proportion: write 1000000000 or less";
        context.error(name.place, format!("a weight of `{weight}` is too large")).hint(hint);
    }
}

/// Where the most of each is said that is counted in all.
pub(super) struct Places {
    replicas: Place,
    users: Place,
    rate: Place,
}

impl Places {
    pub(super) fn of(services: &[(At<String>, topology::Service)], loads: &Named<load::Load>) -> Self {
        let replicas = services.iter().filter_map(|(_, service)| service.replicas.as_ref());
        let replicas = replicas.max_by_key(|at| at.value).map(|at| at.place);
        let loads = || loads.iter().filter_map(|(_, load)| load.as_ref());
        let users = loads().filter_map(|load| load.users.as_ref()).max_by_key(|at| at.value);
        let highest = |curve: &At<load::Curve>| {
            let rates = curve.value.0.iter().filter_map(|point| point.value.rate.as_ref());
            rates.map(|rate| rate.value.0).fold(0.0, f64::max)
        };
        let rates = loads().filter_map(|load| load.rate.as_ref());
        let rate = rates.max_by(|a, b| highest(a).total_cmp(&highest(b))).map(|at| at.place);
        Self {
            replicas: replicas.unwrap_or(Place::BEGINNING),
            users: users.map_or(Place::BEGINNING, |at| at.place),
            rate: rate.unwrap_or(Place::BEGINNING),
        }
    }
}

/// Notes more pods, users or requests in all than a run can hold.
pub(super) fn in_all(
    services: &[Service],
    loads: &[Load],
    duration: Duration,
    places: &Places,
    context: &mut Context<'_>,
) {
    let pods: u64 = services.iter().map(|service| u64::from(service.replicas)).sum();
    if pods > PODS_MAX.into() {
        let fact = format!("{} pods in all cannot be simulated", grouped(pods));
        context
            .error(places.replicas, fact)
            .hint(format!("at most {} pods in all", grouped(PODS_MAX.into())));
    }
    let users = loads.iter().map(|load| match &load.pace {
        Pace::Closed { users, .. } => u64::from(*users),
        Pace::Open { .. } => 0,
    });
    let users: u64 = users.sum();
    if users > USERS_MAX.into() {
        let fact = format!("{} users in all cannot be simulated", grouped(users));
        let hint = format!("at most {} users in all", grouped(USERS_MAX.into()));
        context.error(places.users, fact).hint(hint);
    }
    let requests = loads.iter().map(|load| match &load.pace {
        Pace::Open { curve, .. } => offered(curve, duration),
        Pace::Closed { .. } => 0.0,
    });
    // What is wrong with the duration has been noted.
    let requests: f64 = if duration > LONGEST { 0.0 } else { requests.sum() };
    if requests.is_nan() || requests > REQUESTS_MAX {
        let fact = format!("{requests:.1e} requests in all cannot be simulated");
        let hint = "at most 100,000,000 requests in all: lower the \"rate\", or shorten \"duration\"";
        context.error(places.rate, fact).hint(hint);
    }
}

/// Notes a sweep over more points than are meant.
pub(super) fn points(axes: &[Axis], context: &mut Context<'_>) {
    let points = axes.iter().map(|axis| axis.values.len()).fold(1, usize::saturating_mul);
    if points > POINTS_MAX {
        let hint = format!(
            "at most {} scenarios in all: vary fewer keys, or fewer values",
            grouped(POINTS_MAX as u64)
        );
        context
            .error(Place::BEGINNING, format!("a sweep over {} scenarios", grouped(points as u64)))
            .hint(hint);
    }
}

/// The requests that a curve of rates offers until `duration`, by the area below it.
fn offered(curve: &[(Duration, f64)], duration: Duration) -> f64 {
    let end = duration.as_secs_f64();
    let points = curve.iter().map(|(at, rate)| (at.as_secs_f64(), *rate));
    let (mut sum, mut before) = (0.0, (0.0, curve.first().map_or(0.0, |(_, rate)| *rate)));
    for (at, rate) in points.chain([(f64::INFINITY, curve.last().map_or(0.0, |(_, rate)| *rate))]) {
        let until = at.min(end);
        if until > before.0 {
            let share = if at.is_finite() { (until - before.0) / (at - before.0) } else { 0.0 };
            let reached = before.1 + (rate - before.1) * share;
            sum += f64::midpoint(before.1, reached) * (until - before.0);
        }
        before = (at, rate);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_the_area_below_the_curve() {
        let seconds = Duration::from_secs;
        let whole = |curve: &[(Duration, f64)], until| offered(curve, seconds(until)).round() as u64;
        assert_eq!(whole(&[(seconds(0), 100.0)], 10), 1_000);
        assert_eq!(whole(&[(seconds(0), 0.0), (seconds(10), 100.0)], 10), 500);
        assert_eq!(whole(&[(seconds(0), 0.0), (seconds(10), 100.0)], 5), 125);
        assert_eq!(whole(&[(seconds(2), 10.0), (seconds(4), 30.0)], 6), 20 + 40 + 60);
    }
}
