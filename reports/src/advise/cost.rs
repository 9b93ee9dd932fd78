//! What an architecture costs when all is well: time, machines, money, and the proxies that someone has to run. From the
//! record of the trial in which nothing goes wrong, and of the same without TLS.

use hoplab_sim::advise::{Parts, Question};
use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{Architecture, Interval, Record, Resources};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::lost;
use crate::money;
use crate::scope::scope;
use crate::verdict::{self, Run, Subject};

/// The kind of container that is no proxy.
const APPLICATION: &str = "application";

/// The kind of container that stands beside one.
const SIDECAR: &str = "sidecar";

/// What an architecture costs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The median response time, µs.
    pub p50_us: Option<f64>,
    /// What 99 % of requests take at most, µs; `null` where the sample does not carry it.
    pub p99_us: Option<f64>,
    /// What it adds to the median request over the baseline, request by request, µs; `null` of the baseline.
    pub added_us: Option<f64>,
    /// The 95 % confidence interval of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_interval: Option<Interval>,
    /// Whether chance alone may explain it.
    pub added_is_unsure: bool,
    /// Requests that clients sent, by the second.
    pub rate: f64,
    /// The share of requests that were not served well in time.
    pub lost: f64,
    /// Cores busy on average, the applications' included.
    pub cores: f64,
    /// Of these, those of proxies.
    pub proxy_cores: f64,
    /// Of these, those of sidecars.
    pub sidecar_cores: f64,
    /// Memory of proxies, bytes; as far as it is known what they take.
    pub memory: u64,
    /// Connections at their most.
    pub connections: u64,
    /// An hour of it, in the currency of the scenario's prices; `null` without prices.
    pub money_hour: Option<f64>,
    /// What it consists of.
    pub parts: Parts,
    /// The share of calls between services that are encrypted, either side proving its name.
    pub encrypted: f64,
    /// What TLS takes of that; `null` where nothing is encrypted.
    pub tls: Option<Tls>,
}

/// What the same takes more with TLS than without.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tls {
    /// Of the median response time, µs.
    pub p50_us: f64,
    /// Of cores busy on average.
    pub cores: f64,
}

/// Fewer cores than this, and than one in a hundred, more or less are no difference.
pub(super) const CORES_MIN: f64 = 0.005;

/// Which of several costs least: the fewest cores, of those that keep as many busy the fastest, then the one with fewest
/// proxies. `None` where there is none.
pub(super) fn cheapest<'a>(
    all: impl Iterator<Item = usize> + Clone,
    cost: impl Fn(usize) -> Option<&'a Cost>,
) -> Option<usize> {
    let fewest = all.clone().filter_map(&cost).map(|cost| cost.cores).fold(f64::INFINITY, f64::min);
    let most = fewest + CORES_MIN.max(fewest * 0.01);
    let known = all.filter_map(|index| Some((index, cost(index)?)));
    let order = |(_, a): &(usize, &Cost), (_, b): &(usize, &Cost)| {
        let time = |of: &Cost| of.added_us.unwrap_or(0.0);
        let proxies = |of: &Cost| of.parts.gateways + of.parts.sidecars;
        time(a).total_cmp(&time(b)).then_with(|| proxies(a).cmp(&proxies(b)))
    };
    known.filter(|(_, cost)| cost.cores <= most).min_by(order).map(|(index, _)| index)
}

/// What each architecture costs, by the record of the trial in which all is well; what is later than `late_us` is lost.
pub(super) fn of(
    question: &Question,
    well: &Run,
    clear: Option<&Record>,
    late_us: u64,
) -> IndexMap<String, Cost> {
    let plan = question.plan();
    let parts = |name: &str| {
        let architecture = plan.architectures.iter().find(|of| *of.name == *name);
        architecture.map(|of| Parts::of(plan, of)).unwrap_or_default()
    };
    well.all()
        .map(|subject| (subject.name.to_owned(), cost(well, &subject, parts(subject.name), clear, late_us)))
        .collect()
}

fn cost(well: &Run, subject: &Subject, parts: Parts, clear: Option<&Record>, late_us: u64) -> Cost {
    let seen = subject.seen;
    let figures = scope(well.record, seen);
    let all: Resources = seen.resources.values().copied().sum();
    let proxies: Resources =
        seen.resources.iter().filter(|(kind, _)| *kind != APPLICATION).map(|(_, of)| *of).sum();
    let added = verdict::added(well, subject).filter(|_| subject.name != well.baseline.name);
    let hour = money::of(well.record).and_then(|(_, all)| {
        let of = all.into_iter().find(|(name, _)| *name == subject.name);
        of.map(|(_, money)| money.hour)
    });
    Cost {
        p50_us: Figure::P50.of(&figures),
        p99_us: Figure::P99.of(&figures),
        added_us: added.as_ref().map(|added| added.us),
        added_is_unsure: added.as_ref().is_some_and(verdict::Added::is_unsure),
        added_interval: added.and_then(|added| added.interval),
        rate: rate(well.record, seen),
        lost: lost::share(well, subject, (well.whole().from_us, well.whole().until_us), late_us)
            .unwrap_or(0.0),
        cores: all.cores_mean,
        proxy_cores: proxies.cores_mean,
        sidecar_cores: seen.resources.get(SIDECAR).map_or(0.0, |of| of.cores_mean),
        memory: proxies.memory,
        connections: all.connections_peak,
        money_hour: hour,
        encrypted: encrypted(seen, &parts),
        tls: tls(&figures, all.cores_mean, &parts, clear, subject.name),
        parts,
    }
}

fn rate(record: &Record, seen: &Architecture) -> f64 {
    let seconds =
        record.duration_us.saturating_sub(record.warmup_us).max(1) as f64 / 1e6 * record.runs() as f64;
    seen.total.requests.sent as f64 / seconds
}

/// The share of calls between services that are encrypted.
fn encrypted(seen: &Architecture, parts: &Parts) -> f64 {
    const CLIENTS: &str = "client →";
    let between = seen.edges.iter().filter(|(name, _)| !name.starts_with(CLIENTS));
    let (mut all, mut encrypted) = (0, 0);
    for (name, edge) in between {
        all += edge.requests;
        encrypted += if parts.encrypted.contains(name) { edge.requests } else { 0 };
    }
    encrypted as f64 / all.max(1) as f64
}

/// What TLS takes: the difference to the same in the clear.
fn tls(figures: &Scope, cores: f64, parts: &Parts, clear: Option<&Record>, name: &str) -> Option<Tls> {
    let record = clear.filter(|_| !parts.encrypted.is_empty())?;
    let seen = record.architectures.get(name)?;
    let all: Resources = seen.resources.values().copied().sum();
    let p50 = Figure::P50.of(figures)? - Figure::P50.of(&scope(record, seen))?;
    Some(Tls { p50_us: p50, cores: cores - all.cores_mean })
}
