//! What is expected: which figure of the catalogue, of what, when, and within which bounds.

use hoplab_proxy::telemetry::Decision;

use super::application::{EndpointId, ServiceId};
use super::party::Party;
use crate::closed_form::ClosedForm;
use crate::figures::Figure;
use crate::invariants::Invariant;
use crate::world::ContainerKind;

/// Something that must hold of the result.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Which figure.
    pub metric: Metric,
    /// Of which endpoint; of all requests when `None`.
    pub of: Option<EndpointId>,
    /// Of which edge, for a figure of edges: caller and callee. The gateway has none but for packets and connections.
    pub edge: Option<(Party, Party)>,
    /// In which architectures: indexes into those of the plan; never empty.
    pub architectures: Vec<usize>,
    /// Over which part of the run.
    pub during: During,
    /// The lowest value that is all right, in the metric's unit.
    pub min: Option<f64>,
    /// The highest value that is all right, in the metric's unit.
    pub max: Option<f64>,
    /// The value that is known, instead of bounds: judged by the figure's interval.
    pub form: Option<ClosedForm>,
    /// The expectation as one line, for reports: `p99 of order.place ≤ 300ms during payment-slow`.
    pub text: String,
}

/// A figure of a run, with what it needs to know.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// One that needs nothing: a figure of requests or of edges.
    Figure(Figure),
    /// A response time, of what ended and was not served well.
    Failed(Figure),
    /// Attempts that were sent to a service, over the requests that clients sent.
    AmplificationAt(ServiceId),
    /// The share of requests that were served well within a time.
    Within {
        /// The time in microseconds.
        limit_us: u64,
    },
    /// From a fault's end until a figure is back within a bound and stays there.
    RecoveryTime {
        /// The fault: index into those of the plan.
        after: usize,
        /// Which figure.
        figure: Figure,
        /// How far it may go, in its own unit.
        bound: f64,
    },
    /// A figure of services, of one or of all.
    Service(Figure, Option<ServiceId>),
    /// What a kind of container takes of its machines; all of them when `None`.
    Container(Figure, Option<ContainerKind>),
    /// Attempts that were sent to one pod of a service, over those to all of them: 0 to 1.
    Share {
        /// The service.
        service: ServiceId,
        /// The pod.
        replica: u32,
    },
    /// How often what must always hold did not; all of it when `None`.
    Violations(Option<Invariant>),
    /// How often policies decided something.
    Decisions {
        /// What.
        decision: Decision,
        /// About which service; about any when `None`.
        service: Option<ServiceId>,
    },
}

impl Metric {
    /// The figure.
    pub fn figure(self) -> Figure {
        match self {
            Self::Figure(figure)
            | Self::Failed(figure)
            | Self::Service(figure, _)
            | Self::Container(figure, _) => figure,
            Self::AmplificationAt(_) => Figure::AttemptsByRequest,
            Self::Within { .. } => Figure::Within,
            Self::RecoveryTime { .. } => Figure::RecoveryTime,
            Self::Share { .. } => Figure::PodShare,
            Self::Violations(_) => Figure::Violations,
            Self::Decisions { .. } => Figure::Decisions,
        }
    }
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum During {
    /// All of it after the warm-up.
    All,
    /// After the warm-up and before the first fault.
    Steady,
    /// While a fault is on: index into those of the plan.
    Fault(usize),
    /// After the last fault.
    Recovery,
}
