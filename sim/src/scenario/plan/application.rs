//! The application of a plan: its services, what each endpoint does, and whom it calls for that. Not here: how a
//! service does it (`crate::service`).

use std::time::Duration;

use hoplab_proxy::upstream::Rank;
use http::Method;

use super::connections::Protocol;
use super::network::{Capacity, ZoneId};
use crate::distribution::{Distribution, Sizes};

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
    /// What each direction of each of its pods' NICs carries; without limit when `None`.
    pub nic: Option<Capacity>,
    /// How many requests each of its pods is to get in relation to the others; at least 1.
    pub weights: Vec<u32>,
    /// When each of its pods is asked in relation to the others.
    pub ranks: Vec<Rank>,
    /// What too many requests do to each of its pods.
    pub overload: Option<Overload>,
    /// What it makes of the deadlines of requests.
    pub deadline: DeadlineUse,
    /// What it does when a caller goes away.
    pub on_cancel: OnCancel,
    /// What it speaks.
    pub protocol: Protocol,
    /// How long it lets a connection be idle; as its server does by itself when `None`.
    pub keep_alive: Option<Duration>,
    /// How old it lets a connection become, a tenth more or less.
    pub max_connection_age: Option<Duration>,
    /// Whether it is a store: no sidecar ever stands beside it.
    pub is_store: bool,
    /// What it answers.
    pub endpoints: Vec<Endpoint>,
}

impl Service {
    /// The services that it calls, by index.
    pub(crate) fn callees(&self) -> Vec<usize> {
        let mut callees = Vec::new();
        for call in self.endpoints.iter().flat_map(Endpoint::calls) {
            if !callees.contains(&call.target.service.0) {
                callees.push(call.target.service.0);
            }
        }
        callees
    }
}

/// Index into the services of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub usize);

/// An endpoint of a service: index into the services of a plan and into [`Service::endpoints`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId {
    /// The service.
    pub service: ServiceId,
    /// The endpoint within the service.
    pub endpoint: usize,
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
    /// Bytes of the answer's content.
    pub response: Sizes,
    /// For what it may complete only once.
    pub once: Once,
    /// What is done before the answer, in order.
    pub steps: Vec<Step>,
}

impl Endpoint {
    /// The calls that it makes.
    pub(crate) fn calls(&self) -> Vec<&Call> {
        fn collect<'a>(steps: &'a [Step], calls: &mut Vec<&'a Call>) {
            for step in steps {
                match step {
                    Step::Work(_) | Step::Sleep(_) => {}
                    Step::Call(call) => calls.push(call),
                    Step::All { branches, .. } => collect(branches, calls),
                }
            }
        }
        let mut calls = Vec::new();
        collect(&self.steps, &mut calls);
        calls
    }
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
    /// Bytes of the request's content.
    pub request: Sizes,
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
