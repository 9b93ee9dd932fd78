//! What an architecture costs when all is well: time, machines, money, and the proxies that someone has to run. From the
//! record of the trial in which nothing goes wrong, and of the same without TLS.

use hoplab_sim::advise::{Parts, Question};
use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{Architecture, Interval, Record, Resources};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::money;
use crate::scope::scope;
use crate::verdict::{self, Run, Subject};

/// The kind of container that is no proxy.
pub(super) const APPLICATION: &str = "application";

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
    /// Requests that clients sent, by the second.
    pub rate: f64,
    /// The share of requests that were not served well in time.
    pub lost: f64,
    /// Cores busy on average, the applications' included.
    pub cores: f64,
    /// Of these, those of proxies.
    pub proxy_cores: f64,
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

impl Cost {
    /// What comes first where two are as good: fewer cores, then less time.
    pub(super) fn order(&self, other: &Self) -> std::cmp::Ordering {
        let time = |of: &Self| of.p50_us.unwrap_or(f64::INFINITY);
        self.cores.total_cmp(&other.cores).then_with(|| time(self).total_cmp(&time(other)))
    }
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
    let windows = subject.windows(well.record, &well.whole());
    let hour = money::of(well.record).and_then(|(_, all)| {
        let of = all.into_iter().find(|(name, _)| *name == subject.name);
        of.map(|(_, money)| money.hour)
    });
    Cost {
        p50_us: Figure::P50.of(&figures),
        p99_us: Figure::P99.of(&figures),
        added_us: added.as_ref().map(|added| added.us),
        added_interval: added.and_then(|added| added.interval),
        rate: rate(well.record, seen),
        lost: verdict::late_share(windows, late_us),
        cores: all.cores_mean,
        proxy_cores: proxies.cores_mean,
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
