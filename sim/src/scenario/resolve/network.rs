//! The network: what lies between pods, and the zones that they stand in.

use std::time::Duration;

use hoplab_proxy::quantity::Duration as Quantity;

use super::names;
use crate::distribution::Distribution;
use crate::scenario::place::At;
use crate::scenario::plan::network::{self, Line, Network, Zone};
use crate::scenario::reader::{Context, LONGEST};
use crate::scenario::schema::network as written;

/// The network's latency when the file does not say: a wire for nothing would flatter chatty services.
const LATENCY: Duration = Duration::from_micros(250);
/// Weather that changes faster would be jitter, and each change takes its time to compute.
const STEADY_MIN: Duration = Duration::from_micros(10);

/// The network that is written.
pub(super) fn network(written: written::Network, context: &mut Context<'_>) -> Network {
    let steady_for = steady_for(written.line.steady_for.as_ref(), context);
    let line = line(written.line, steady_for, None);
    let mut zones = Vec::new();
    for (name, zone) in written.zones {
        names::check("a zone", &name, context);
        let own = zone.map(|zone| zone.line).unwrap_or_default();
        let steady_for = self::steady_for(own.steady_for.as_ref(), context).or(steady_for);
        zones.push(Zone { name: name.value, line: self::line(own, steady_for, line.jitter.as_ref()) });
    }
    Network { line, bandwidth: written.bandwidth.map(|at| at.value.0), zones }
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
fn line(written: written::Line, steady_for: Option<Duration>, all: Option<&Distribution>) -> Line {
    let latency = written.latency.map_or(Distribution::Constant(LATENCY), |at| at.value);
    Line {
        steady_for: steady_for.unwrap_or_else(|| network::steady_for(&latency)),
        jitter: written.jitter.map(|at| at.value).or_else(|| all.cloned()),
        latency,
    }
}
