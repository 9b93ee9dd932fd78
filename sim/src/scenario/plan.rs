//! A scenario, resolved: every reference is an index, every quantity a type, every default filled
//! in. What is here can run; nothing downstream checks it again.

mod expectation;

use std::time::Duration;

use hoplab_proxy::load_control::{LimitsPolicy, Settings};
use hoplab_proxy::upstream::Policies;
use http::{HeaderName, HeaderValue, Method};

use super::grid::{Axis, Search};
use super::problem::Problems;
pub use super::source::Source;
use crate::costs::Costs;
use crate::distribution::Distribution;
pub use expectation::{During, Expectation, Metric};

pub use crate::fault::{KINDS as FAULT_KINDS, Kind as FaultKind};

/// A scenario that can run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file's name without its extension; names the output folder.
    pub name: String,
    /// One line for headings.
    pub title: String,
    /// The comment that opens the file: what the scenario asks. Empty when there is none.
    pub question: String,
    /// Seeds every random stream.
    pub seed: u64,
    /// What the file's duration and warm-up were multiplied by; 1 as a rule.
    pub scale: f64,
    /// How long load is offered, warm-up included.
    pub duration: Duration,
    /// The first part of `duration`, which is not reported.
    pub warmup: Duration,
    /// What is compared, in the order of the file.
    pub architectures: Vec<Architecture>,
    /// The wires between pods.
    pub network: Network,
    /// The services; a [`ServiceId`] is an index into them.
    pub services: Vec<Service>,
    /// The load; at least one.
    pub loads: Vec<Load>,
    /// Where the gateway stands.
    pub gateway_zone: Option<ZoneId>,
    /// The gateway's policies, per service that is called; index as `services`.
    pub gateway: Vec<Policies>,
    /// The gateway's policies for single endpoints, where they have some of their own.
    pub gateway_routes: Vec<(EndpointId, Policies)>,
    /// What all requests meet at the gateway.
    pub gateway_limits: Settings,
    /// What requests to single endpoints meet at the gateway after that.
    pub gateway_route_limits: Vec<(EndpointId, Settings)>,
    /// The mesh's policies, per service that is called; index as `services`.
    pub mesh: Vec<Policies>,
    /// The mesh's policies for single endpoints, over those of their services.
    pub mesh_routes: Vec<(EndpointId, Policies)>,
    /// What requests meet at the inbound sides of a service's pods; index as `services`.
    pub mesh_limits: Vec<LimitsPolicy>,
    /// Cores of the gateway; at least 1.
    pub gateway_cores: u32,
    /// Whose cores each sidecar works on.
    pub sidecar_cores: ProxyCores,
    /// What a gateway's work costs.
    pub gateway_costs: Costs,
    /// What a sidecar's work costs.
    pub sidecar_costs: Costs,
    /// What goes wrong, in the order of the file.
    pub faults: Vec<Fault>,
    /// What must hold, in the order of the file.
    pub expectations: Vec<Expectation>,
    /// The keys that a sweep varies, each with its values; empty when there is nothing to sweep.
    pub sweep: Vec<Axis>,
    /// What a search looks for.
    pub search: Option<Search>,
    /// The bounds of what must always hold.
    pub invariants: Invariants,
    /// What exploration draws from.
    pub explore: Explore,
    /// The texts that the plan was made from, the scenario file first.
    pub sources: Vec<Source>,
    /// What should be checked before the result is trusted.
    pub warnings: Problems,
}

/// The bounds of what must always hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Invariants {
    /// How long after the last fault everything must be as before.
    pub settle: Duration,
    /// How many times as long the median request may then take.
    pub slower: f64,
    /// By how much the share of failed requests may then be higher, 0 to 1.
    pub errors: f64,
}

impl Default for Invariants {
    fn default() -> Self {
        Self { settle: Duration::from_secs(10), slower: 2.0, errors: 0.01 }
    }
}

/// What exploration draws from; each range is the smallest and the largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Explore {
    /// How often each of [`FAULT_KINDS`] is drawn in relation to the others.
    pub weights: Vec<f64>,
    /// How many faults there are in a run at most; at least 1.
    pub at_most: u32,
    /// Where.
    pub services: Vec<ServiceId>,
    /// How long a fault lasts.
    pub lasts: (Duration, Duration),
    /// How many times as long work takes.
    pub times: (f64, f64),
    /// How much longer packets take.
    pub add: (Duration, Duration),
    /// Shares of requests that fail, and of segments that are lost.
    pub share: (f64, f64),
}

impl Default for Explore {
    fn default() -> Self {
        Self {
            weights: vec![1.0; FAULT_KINDS.len()],
            at_most: 3,
            services: Vec::new(),
            lasts: (Duration::from_millis(500), Duration::from_secs(10)),
            times: (2.0, 100.0),
            add: (Duration::from_millis(1), Duration::from_millis(500)),
            share: (0.01, 1.0),
        }
    }
}

/// How traffic enters and how services talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Architecture {
    /// Whether clients enter through a gateway.
    pub gateway: bool,
    /// Whether every service has a sidecar.
    pub mesh: bool,
}

impl Architecture {
    /// Its name in scenario files and results: `direct`, `gateway`, `mesh`, `gateway+mesh`.
    pub fn name(self) -> &'static str {
        match (self.gateway, self.mesh) {
            (false, false) => "direct",
            (true, false) => "gateway",
            (false, true) => "mesh",
            (true, true) => "gateway+mesh",
        }
    }
}

/// The wires between pods.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// One-way latency between two pods of no zone or of the same zone.
    pub latency: Distribution,
    /// Bits per second of each direction of each pod-to-pod link; `None` when unlimited.
    pub bandwidth: Option<u64>,
    /// Zones; a [`ZoneId`] is an index into them.
    pub zones: Vec<Zone>,
}

/// A place whose wires to everywhere else are longer.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// One-way latency between a pod in the zone and any pod outside it.
    pub latency: Distribution,
}

/// Index into [`Network::zones`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub usize);

/// Index into [`Plan::services`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub usize);

/// An endpoint of a service: index into [`Plan::services`] and into [`Service::endpoints`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId {
    /// The service.
    pub service: ServiceId,
    /// The endpoint within the service.
    pub endpoint: usize,
}

/// Whose cores a proxy beside an application works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyCores {
    /// So many of its own; at least 1.
    Own(u32),
    /// The application's, ahead of what waits there.
    Shared,
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name: lower case letters, digits and hyphens.
    pub name: String,
    /// How many pods it has; at least 1.
    pub replicas: u32,
    /// Cores of each pod; at least 1.
    pub cores: u32,
    /// How many requests may wait for a core in each pod; `None` when unlimited.
    pub queue: Option<u32>,
    /// Where its pods stand, where all stand in one place.
    pub zone: Option<ZoneId>,
    /// Where each of its pods stands.
    pub zones: Vec<Option<ZoneId>>,
    /// How many requests each of its pods is to get in relation to the others; at least 1.
    pub weights: Vec<u32>,
    /// What too many requests do to each of its pods.
    pub overload: Option<Overload>,
    /// What it makes of the deadlines of requests.
    pub deadline: DeadlineUse,
    /// What it does when a caller goes away.
    pub on_cancel: OnCancel,
    /// What it answers.
    pub endpoints: Vec<Endpoint>,
}

/// What a service makes of the deadline (`grpc-timeout`) of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeadlineUse {
    /// Nothing: it is lost.
    #[default]
    Ignore,
    /// It is kept, and passed on with every call.
    Forward,
}

/// For what an endpoint may complete its steps only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Once {
    /// It may, as often as it is asked.
    #[default]
    Never,
    /// For each logical call, however often proxies send it.
    Call,
    /// For each request of a client as a whole, however often and by whatever way it comes.
    Request,
}

/// What a service does when a caller goes away, or the deadline that it heeds passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnCancel {
    /// It stops at once.
    #[default]
    Stop,
    /// It goes on, as a server does that looks at its connections only to write.
    Continue,
}

/// What too many requests do to a pod: congestion, thrashing, full garbage collections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overload {
    /// More requests than this within any second are too many; at least 1.
    pub above: u32,
    /// How many times as long work then takes; at least 0.
    pub times: f64,
}

/// Something a service answers.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name within the service.
    pub name: String,
    /// `POST` unless the file says otherwise.
    pub method: Method,
    /// `/name` unless the file says otherwise.
    pub path: String,
    /// Bytes of the answer's body.
    pub response: u64,
    /// For what it may complete only once.
    pub once: Once,
    /// What is done before the answer, in order.
    pub steps: Vec<Step>,
}

/// Something an endpoint does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Occupies a core.
    Work(Distribution),
    /// Waits without a core.
    Sleep(Distribution),
    /// Calls an endpoint.
    Call(Call),
    /// Does several things at once, `at_most` of them at a time, and waits for all.
    All {
        /// What is done, started in this order.
        branches: Vec<Step>,
        /// At least 1; the number of branches when the file does not say.
        at_most: usize,
    },
}

/// A call of another endpoint.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is called.
    pub target: EndpointId,
    /// Bytes of the request's body.
    pub request: u64,
    /// When the caller gives up.
    pub timeout: Option<Duration>,
    /// Whether the callee is told `timeout`, also where the caller ignores deadlines.
    pub send_deadline: bool,
    /// How often, one after the other; at least 1.
    pub times: u32,
    /// Probability that the call is made at all, each time anew.
    pub chance: f64,
    /// What a failure does to the caller.
    pub on_error: OnError,
}

/// What a failed call does to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The caller fails too: it answers 500 at once.
    Fail,
    /// The caller goes on.
    Ignore,
}

/// Where requests come from.
#[derive(Debug, Clone)]
pub struct Load {
    /// Its name.
    pub name: String,
    /// When requests are sent.
    pub pace: Pace,
    /// What is requested, with weights; at least one, weights above zero.
    pub mix: Vec<(EndpointId, f64)>,
    /// Header fields, each with one of its values, drawn anew for each request; at least one.
    pub headers: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// When the client gives up.
    pub timeout: Option<Duration>,
    /// Whether it says so when it asks.
    pub send_deadline: bool,
    /// How many sessions its requests belong to, each at random; to none when `None`.
    pub sessions: Option<u32>,
}

/// When requests are sent.
#[derive(Debug, Clone)]
pub enum Pace {
    /// Whether or not earlier ones were answered.
    Open {
        /// Requests per second at points in time, linear between them; ordered, at least one.
        curve: Vec<(Duration, f64)>,
        /// How they are spread.
        arrivals: Arrivals,
    },
    /// By users who wait for each answer.
    Closed {
        /// How many.
        users: u32,
        /// How long they pause after an answer.
        think: Distribution,
    },
}

/// How open-loop requests are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// A Poisson process: exponential gaps.
    Poisson,
    /// Equal gaps.
    Uniform,
}

/// Something that goes wrong for a while.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Its name, unique in the file.
    pub name: String,
    /// When it starts.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it does.
    pub kind: FaultKind,
}

/// Pods of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The service.
    pub service: ServiceId,
    /// One of its pods; all when `None`.
    pub replica: Option<u32>,
}

/// Two sides of the network; a fault between them works in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// One side.
    pub a: Side,
    /// The other side; everything else when `None`.
    pub b: Option<Side>,
}

/// One side of a fault in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Pods of a service.
    Pods(Target),
    /// Whoever sends load.
    Clients,
    /// The gateway.
    Gateway,
}
