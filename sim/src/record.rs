//! What a run leaves behind: everything a report may want to know, and enough to run it again.
//!
//! Plain data, serialised as JSON. Times are microseconds. The recorder fills it, `reports` reads
//! it; its size is bounded by the settings of the recorder, not by the length of the run.

mod edge;
mod episode;
mod expectation;
mod interval;
mod latencies;
mod network;
mod paired;
mod policies;
mod prices;
mod resources;
mod traffic;
mod violation;
mod window;
mod work;

use std::collections::BTreeMap;

use hoplab_config::Source;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use edge::Edge;
pub use episode::Episode;
pub use expectation::{Expectation, Outcome};
pub use interval::{Interval, Intervals, Quantile};
pub use latencies::Latencies;
#[cfg(test)]
pub(crate) use latencies::at_quantile;
pub(crate) use latencies::summed;
pub use network::Network;
pub use paired::{Difference, Paired};
pub use policies::{Decided, PolicyEvent, decided};
pub use prices::{Money, Prices};
pub use resources::Resources;
pub use traffic::{Percentile, Requests, Seed, Traffic, Within};
pub use violation::{Violation, violated};
pub use window::{Spacing, Window};
pub use work::{Wasted, Work};

/// The version of [`Record`]'s shape.
pub const SCHEMA: u32 = 1;

/// The version of hoplab that records name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A run of a scenario under each of its architectures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// The version of hoplab that ran it.
    pub version: String,
    /// The scenario's name: the file's name without its extension.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// What the scenario asks; may be empty.
    pub question: String,
    /// The texts that were run, the scenario file first.
    pub sources: Vec<Source>,
    /// The seed; the first where several were joined.
    pub seed: u64,
    /// The seeds that were joined into this record; `None` for a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Seeds>,
    /// What the scenario's duration and warm-up were multiplied by, as `--scale` asks.
    pub scale: f64,
    /// A hash over the digests of the architectures, in their order.
    pub digest: String,
    /// How long load was offered, warm-up included.
    pub duration_us: u64,
    /// The part that is not reported.
    pub warmup_us: u64,
    /// Width of each [`Window`].
    pub window_us: u64,
    /// The services and who calls whom.
    pub graph: Graph,
    /// What machines cost in money, where the scenario says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// What went wrong, in the order of the file.
    pub faults: Vec<Fault>,
    /// What was seen under each architecture, in the order of the file.
    pub architectures: IndexMap<String, Architecture>,
    /// Each architecture but the baseline (`direct`, or the first) against it, request by request.
    #[serde(default)]
    pub paired: IndexMap<String, Paired>,
    /// The phases of an adoption among the architectures, each with the architecture that it is.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub phases: IndexMap<String, String>,
    /// The profiles that the architectures behave by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Each phase of an adoption against the one before it, the first one against the baseline, request by request.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub adoption: IndexMap<String, Paired>,
}

/// Consecutive seeds whose runs were joined into one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeds {
    /// The digest of each seed's run, from [`Record::seed`] on.
    pub digests: Vec<String>,
}

impl Seeds {
    /// How many.
    pub fn count(&self) -> u64 {
        self.digests.len() as u64
    }
}

/// The services and who calls whom, as the scenario says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The services; an edge names them by index.
    pub services: Vec<Node>,
    /// Every call that the scenario can make between services, and `None` for clients.
    pub edges: Vec<(Option<usize>, usize)>,
}

/// A service in the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// How many pods it has.
    pub replicas: u32,
    /// The zone that its pods stand in.
    pub zone: Option<String>,
}

/// A fault of the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// What it does, in words: `payment is 20 times slower`.
    pub text: String,
    /// The services it touches: indexes into [`Graph::services`].
    pub services: Vec<usize>,
    /// When it starts.
    pub at_us: u64,
    /// How long it lasts.
    pub for_us: u64,
}

/// What was seen under one architecture, after the warm-up unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// The hash over everything observable of the whole run.
    pub digest: String,
    /// All requests of the load.
    pub total: Traffic,
    /// The same per endpoint, `service.endpoint`, in the order of the scenario.
    pub endpoints: IndexMap<String, Traffic>,
    /// Per part of the run, those that the scenario has: `steady`, each fault's name, faults that overlap together
    /// (`a + b`), what lies between ([`Episode::name_after`]), `recovery`. `steady`, the [`Episode`]s, what lies between
    /// them and `recovery` make up the run.
    pub phases: IndexMap<String, Phase>,
    /// Mean microseconds per request that was served well, by owner; they sum to the mean latency.
    pub breakdown_us: BTreeMap<String, f64>,
    /// The same of all others that ended: failed, timed out or refused.
    #[serde(default)]
    pub failed_breakdown_us: BTreeMap<String, f64>,
    /// [`Architecture::breakdown_us`] split by hop, in the order in which such a request first meets them.
    pub hops: Vec<Hop>,
    /// Per `caller → callee`.
    pub edges: IndexMap<String, Edge>,
    /// Attempts that were sent to each pod of a service, as [`Phase::pods`].
    #[serde(default)]
    pub pods: BTreeMap<String, u64>,
    /// Every change of a circuit breaker's state over the whole run, up to the recorder's limit.
    pub breakers: Vec<BreakerChange>,
    /// Changes of breakers that the limit left out; of joined seeds, all but the first's own as well.
    pub breakers_left_out: u64,
    /// When the first change was that the limit left out: [`Architecture::breakers`] says nothing of what came then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakers_cut_us: Option<u64>,
    /// How often breakers changed to which state over the whole run, all counted.
    #[serde(default)]
    pub changes: Vec<Changed>,
    /// What policies decided over the whole run, up to the recorder's limit.
    #[serde(default)]
    pub policies: Vec<PolicyEvent>,
    /// Decisions that the limit left out; of joined seeds, all but the first's own as well.
    #[serde(default)]
    pub policies_left_out: u64,
    /// When the first decision was taken that the limit left out: [`Architecture::policies`] says nothing of what came
    /// then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies_cut_us: Option<u64>,
    /// How often policies decided what, after the warm-up, all counted; ask with [`decided`].
    #[serde(default)]
    pub decisions: Vec<Decided>,
    /// The same before the end of the warm-up.
    #[serde(default)]
    pub decisions_in_warmup: Vec<Decided>,
    /// What of what must always hold did not, over the whole run; those that were broken.
    #[serde(default)]
    pub violations: Vec<Violation>,
    /// Per service, its processor time, by the end of each piece of work; those that did some.
    #[serde(default)]
    pub work: IndexMap<String, Work>,
    /// Per kind of container that the architecture has, `application`, `sidecar`, `gateway`: what it took of its
    /// machines.
    #[serde(default)]
    pub resources: IndexMap<String, Resources>,
    /// Requests that came to the gateway while load was offered, after the warm-up, whatever became of them there; of those
    /// that were open when the run was over nothing is known. `None` where there is no gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_gateway: Option<u64>,
    /// The services whose pods have no sidecar, where others have one: indexes into [`Graph::services`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_sidecar: Vec<usize>,
    /// What became of the connections that each party opened to another, per `caller → callee`, and of the packets on
    /// them. Clients and the gateway are parties, too; a sidecar's are its service's.
    #[serde(default)]
    pub network: IndexMap<String, Network>,
    /// How often each fault touched something, in the order of the scenario, over the whole run.
    pub faults: Vec<FaultHits>,
    /// The whole run in windows of equal width, warm-up included.
    pub windows: Vec<Window>,
    /// The same for endpoints of which an expectation asks when they recovered.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub endpoint_windows: IndexMap<String, Vec<Window>>,
    /// How the expectations on this architecture came out.
    pub expectations: Vec<Expectation>,
    /// The slowest requests, slowest first, up to the recorder's limit.
    pub slowest: Vec<Trace>,
    /// How hard the simulation worked.
    pub effort: Effort,
}

/// A part of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// When it starts.
    pub from_us: u64,
    /// When it ends.
    pub until_us: u64,
    /// All requests that were to be sent in it.
    pub total: Traffic,
    /// The same per endpoint.
    pub endpoints: IndexMap<String, Traffic>,
    /// As [`Architecture::breakdown_us`].
    #[serde(default)]
    pub breakdown_us: BTreeMap<String, f64>,
    /// Requests and attempts per `caller → callee`, by the request's intended send.
    pub edges: IndexMap<String, Edge>,
    /// As [`Architecture::work`].
    #[serde(default)]
    pub work: IndexMap<String, Work>,
    /// Attempts that were sent to each pod of a service, by the request's intended send.
    #[serde(default)]
    pub pods: BTreeMap<String, u64>,
    /// How often policies decided what in it, by the time of the decision; ask with [`decided`].
    #[serde(default)]
    pub decisions: Vec<Decided>,
}

/// What one kind of hop took of the mean request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// `client`, `gateway`, `frontend`, `frontend (outbound)`, `cart (inbound)`, …
    pub name: String,
    /// Visits per request that was served well.
    pub visits: f64,
    /// Mean microseconds per such request, by owner.
    pub breakdown_us: BTreeMap<String, f64>,
}

/// A circuit breaker's change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerChange {
    /// When.
    pub at_us: u64,
    /// The pod whose proxy has the breaker: `checkout-0`, `gateway-0`.
    pub pod: String,
    /// The upstream that it guards.
    pub upstream: String,
    /// The endpoint that it guards; `None` when it guards the upstream as a whole.
    pub endpoint: Option<String>,
    /// `closed`, `open` or `half-open`.
    pub state: String,
}

/// How often a breaker changed to a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// As [`BreakerChange::pod`].
    pub pod: String,
    /// As [`BreakerChange::upstream`].
    pub upstream: String,
    /// As [`BreakerChange::endpoint`].
    pub endpoint: Option<String>,
    /// As [`BreakerChange::state`].
    pub state: String,
    /// How often, all counted.
    pub count: u64,
}

/// How often a fault touched something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultHits {
    /// The fault.
    pub name: String,
    /// Requests slowed or failed, pods crashed, segments held back or lost, connections reset.
    pub hits: u64,
    /// Whether the architecture has what the fault is aimed at: without a gateway nothing can cut it off.
    pub applies: bool,
}

impl Record {
    /// How many runs were joined into it: what is counted in it was counted in all of them.
    pub fn runs(&self) -> u64 {
        self.seeds.as_ref().map_or(1, Seeds::count)
    }

    /// Where its windows lie.
    pub fn spacing(&self) -> Spacing {
        Spacing { width_us: self.window_us.max(1), until_us: self.duration_us, runs: self.runs() }
    }

    /// The name of the architecture that others are compared with: `direct`, or the first.
    pub fn baseline(&self) -> Option<&str> {
        let direct = self.architectures.get_key_value("direct");
        direct.or_else(|| self.architectures.first()).map(|(name, _)| name.as_str())
    }

    /// The faults that touched nothing under an architecture that has what they are aimed at, or that no architecture
    /// has anything for; they make the run invalid, since it does not show what it was made to show.
    pub fn untouched_faults(&self) -> Vec<Untouched<'_>> {
        self.faults.iter().filter_map(|fault| self.untouched(&fault.name)).collect()
    }

    fn untouched<'a>(&'a self, fault: &'a str) -> Option<Untouched<'a>> {
        let (mut applies, mut under) = (false, Vec::new());
        for (name, seen) in &self.architectures {
            let Some(hits) = seen.faults.iter().find(|hits| hits.name == fault && hits.applies) else {
                continue;
            };
            applies = true;
            if hits.hits == 0 {
                under.push(&**name);
            }
        }
        (!applies || !under.is_empty()).then_some(Untouched { fault, under })
    }
}

/// A fault that touched nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untouched<'a> {
    /// Its name.
    pub fault: &'a str,
    /// The architectures under which it could have; none when none has what it is aimed at.
    pub under: Vec<&'a str>,
}

impl std::fmt::Display for Untouched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fault, under } = self;
        if under.is_empty() {
            return write!(f, "no architecture has what fault \"{fault}\" is aimed at");
        }
        write!(f, "fault \"{fault}\" touched nothing under {}", under.join(", "))
    }
}

/// One request, with the account of its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The trace id, 32 hexadecimal digits.
    pub id: String,
    /// `service.endpoint`.
    pub endpoint: String,
    /// The intended send.
    pub at_us: u64,
    /// Response time.
    pub latency_us: u64,
    /// `200`, `503`, `timeout`, `reset`, …
    pub outcome: String,
    /// The critical path: stretches that tile the response time in order.
    pub path: Vec<Stretch>,
}

/// A stretch of a request's critical path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The hop, as [`Hop::name`].
    pub hop: String,
    /// The owner, as a key of [`Architecture::breakdown_us`].
    pub owner: String,
    /// Its length.
    pub us: u64,
}

/// How hard the simulation worked; counts, not seconds, so that it repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    /// Packets that crossed a wire.
    pub packets: u64,
    /// Spans that were reported.
    pub spans: u64,
}
