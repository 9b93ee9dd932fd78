//! The network: what lies between pods, and the zones that they stand in.

use std::time::Duration;

use crate::scenario::LONGEST;
use hoplab_config::quantity::{Duration as Quantity, Size};
use hoplab_config::{At, Context};

use super::{names, topology};
use crate::distribution::Distribution;
use crate::scenario::plan::network::{self, BetweenZones, Capacity, Line, Network, Queue, Zone};
use crate::scenario::schema::{named, network as written, said};

/// The network's latency when the file does not say: a wire for nothing would flatter chatty services.
const LATENCY: Duration = Duration::from_micros(250);
/// Weather that changes faster would be jitter, and each change takes its time to compute.
const STEADY_MIN: Duration = Duration::from_micros(10);

/// The network that is written.
pub(super) fn network(written: written::Network, context: &mut Context<'_>) -> Network {
    let shared = steady_for(written.weather.steady_for.as_ref(), context);
    let nic = capacity(&written.capacity, context);
    let line = line(written.latency, written.weather, shared, None);
    let mut zones = Vec::new();
    for (name, zone) in named(written.zones) {
        names::check("a zone", &name, context);
        let zone = zone.unwrap_or_default();
        let steady_for = steady_for(zone.weather.steady_for.as_ref(), context).or(shared);
        let access = capacity(&zone.capacity, context);
        zones.push(Zone {
            name: name.value,
            line: self::line(zone.latency, zone.weather, steady_for, line.jitter.as_ref()),
            access,
        });
    }
    let congestion = said(written.congestion);
    let mut network = Network { line, nic, congestion, zones, between: Vec::new() };
    for pair in said(written.between) {
        between(pair, shared, &mut network, context);
    }
    network
}

/// Adds a pair of zones, key by key over what would lie between them otherwise.
fn between(
    At { value: pair, place }: At<written::BetweenZones>,
    shared: Option<Duration>,
    network: &mut Network,
    context: &mut Context<'_>,
) {
    let own = steady_for(pair.weather.steady_for.as_ref(), context);
    let trunk = capacity(&pair.capacity, context);
    let Some(names) = pair.zones else { return };
    let [one, other] = &names.value[..] else {
        let fact = format!("{} named where two zones belong", names.value.len());
        context.error(names.place, fact).hint("write `zones = [\"near\", \"far\"]`");
        return;
    };
    let found = [one, other].map(|name| topology::zone(name, &network.zones, context));
    let [Some(first), Some(second)] = found else { return };
    if first == second {
        let fact = format!("\"{}\" on both sides", other.value);
        let hint = "within a zone, pods are as far apart as `latency` says: name two zones";
        context.error(other.place, fact).hint(hint);
        return;
    }
    if network.between.iter().any(|known| known.joins(first, second)) {
        let fact = format!("\"{}\" and \"{}\" for a second time", one.value, other.value);
        context.error(place, fact).hint("it is the same both ways: write all of it in one table");
        return;
    }
    let otherwise = network.line_between(Some(first), Some(second)).clone();
    let line = match pair.latency {
        Some(_) => line(pair.latency, pair.weather, own.or(shared), network.line.jitter.as_ref()),
        None => Line {
            steady_for: own.unwrap_or(otherwise.steady_for),
            jitter: pair.weather.jitter.map(|at| at.value).or(otherwise.jitter),
            latency: otherwise.latency,
        },
    };
    network.between.push(BetweenZones { zones: [first, second], line, trunk });
}

/// How much something carries, if that is said.
pub(super) fn capacity(written: &written::Capacity, context: &mut Context<'_>) -> Option<Capacity> {
    let queue = written.queue.as_ref().and_then(|at| queue(at, context));
    let Some(bandwidth) = &written.bandwidth else {
        if let Some(At { place, .. }) = &written.queue {
            let hint = "write a `bandwidth` beside it";
            context.error(*place, "a queue that never fills: what is sent has left at once").hint(hint);
        }
        return None;
    };
    Some(Capacity { bits_per_second: bandwidth.value.0, queue })
}

/// How much may wait.
pub(crate) fn queue(written: &At<written::Queue>, context: &mut Context<'_>) -> Option<Queue> {
    let queue = match written.value {
        written::Queue::Packets(packets @ 1..) => Queue::Packets(packets),
        written::Queue::Bytes(Size(bytes @ 1..)) => Queue::Bytes(bytes),
        written::Queue::Packets(0) | written::Queue::Bytes(Size(0)) => {
            let hint = "write a number of packets, such as `1000`, or a size, such as `\"256 KiB\"`";
            context.error(written.place, "a queue in which nothing can wait").hint(hint);
            return None;
        }
    };
    Some(queue)
}

/// For how long a latency stays alike, if that is said.
pub(crate) fn steady_for(written: Option<&At<Quantity>>, context: &mut Context<'_>) -> Option<Duration> {
    let At { value: Quantity(steady_for), place } = *written?;
    if (STEADY_MIN..=LONGEST).contains(&steady_for) {
        return Some(steady_for);
    }
    let fact = format!("a latency that stays alike for {} cannot be simulated", Quantity(steady_for));
    let hint = if steady_for < STEADY_MIN {
        "write 10us or more; what differs from packet to packet is `jitter`"
    } else {
        "write 17h or less"
    };
    context.error(place, fact).hint(hint);
    None
}

/// What lies between two pods as it is `written`; its jitter is that of `all` unless it has its own.
fn line(
    latency: Option<At<Distribution>>,
    weather: written::Weather,
    steady_for: Option<Duration>,
    all: Option<&Distribution>,
) -> Line {
    let latency = latency.map_or(Distribution::Constant(LATENCY), |at| at.value);
    Line {
        steady_for: steady_for.unwrap_or_else(|| network::steady_for(&latency)),
        jitter: weather.jitter.map(|at| at.value).or_else(|| all.cloned()),
        latency,
    }
}
