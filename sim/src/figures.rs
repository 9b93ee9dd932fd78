//! The one catalogue of figures: what each is called, what it counts in, which way it gets better, how far it may
//! move by default, and how it is computed. Table, page, expectations, comparison, gate, sweeps and CSV read it, so
//! that a figure means the same everywhere. A new figure is a variant and its entry.
//!
//! Owns no subject: what a figure is computed from is a [`Scope`]. Three words, used throughout:
//!
//! - *served well*: answered with a status below 500 that is no refusal (429). Latencies are of these, so that
//!   shedding does not look fast; the latencies of all others that ended stand apart.
//! - *error rate*: failed, timed out and left open, over sent.
//! - *attempt*: a request that was put on a connection.

mod catalogue;
pub mod recovery;
mod scope;
pub mod stretch;
pub mod words;

use std::borrow::Cow;

use crate::record::{Interval, Intervals, Latencies};
pub use scope::Scope;
pub use words::{grouped, number};

/// A figure. Their order is that of a baseline's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Requests that were sent.
    Sent,
    /// Answered with a status below 500.
    Answered,
    /// Answered with 500 and above, or not at all.
    Failed,
    /// Given up by the client.
    TimedOut,
    /// Not ended when the run was.
    Open,
    /// Of those that were answered below 500, refused by a limit.
    Refused,
    /// The share of requests that failed, timed out or were left open.
    ErrorRate,
    /// Requests served well by the second, by when they were answered.
    Goodput,
    /// The share of requests that were served well within a time.
    Within,
    /// The shortest response time.
    Shortest,
    /// The mean response time.
    Mean,
    /// A percentile of the response times.
    Percentile(Rank),
    /// The longest response time.
    Longest,
    /// Mean time of a request that an owner took.
    OwnTime,
    /// Calls that a service wanted to make.
    Calls,
    /// Requests that were put on a connection for them.
    Attempts,
    /// Attempts that failed.
    FailedAttempts,
    /// Attempts that were made again.
    Retries,
    /// Attempts that were made beside another.
    Hedges,
    /// What would have been an attempt and was never put on a connection.
    Unsent,
    /// Attempts by the call.
    Amplification,
    /// Attempts that were sent to a service, by the request of a client.
    AttemptsByRequest,
    /// How often a policy decided something.
    Decisions,
    /// Changes of a circuit breaker to a state.
    Changes,
    /// Changes beyond the recorder's limit.
    ChangesLeftOut,
    /// Requests that were worked on for nobody.
    WastedRequests,
    /// The processor time that was spent for nobody.
    WastedTime,
    /// The share of the processor time that was spent for nobody.
    Wasted,
    /// The mean number of cores that a kind of container kept busy.
    Cores,
    /// The processor time that a kind of container took.
    ProcessorTime,
    /// The most cores that were busy at a time.
    CoresPeak,
    /// The most connections that were open at a time.
    ConnectionsPeak,
    /// Bytes sent to other pods.
    BytesSent,
    /// The memory of proxies, in bytes.
    Memory,
    /// Packets that left a pod for another.
    Packets,
    /// Of these, those that a fault has taken.
    PacketsLost,
    /// Of these, those that found a queue full.
    PacketsDropped,
    /// Of these, those whose bytes had been sent before.
    PacketsRetransmitted,
    /// Retransmission timeouts that ran out.
    RetransmissionTimeouts,
    /// Last segments that were followed by a probe.
    TailProbes,
    /// Connections that were to be opened.
    ConnectionsOpened,
    /// Connections that were refused.
    ConnectionsRefused,
    /// Connections that broke by a reset.
    ConnectionsReset,
    /// The share of a service's attempts that went to one pod.
    PodShare,
    /// How often what must always hold did not.
    Violations,
    /// From a fault's end until another figure is back within a bound.
    RecoveryTime,
}

/// The share of requests that do not exceed a percentile, in billionths, so that it can be compared and sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u32);

impl Rank {
    /// The rank of so many per cent; `None` unless it lies between 0 and 100.
    pub fn of_percent(percent: f64) -> Option<Self> {
        let billionths = (percent * 1e7).round();
        (percent > 0.0 && percent < 100.0 && billionths > 0.0 && billionths < 1e9)
            .then_some(Self(billionths as u32))
    }

    /// As a share, 0 to 1.
    pub fn quantile(self) -> f64 {
        f64::from(self.0) / 1e9
    }

    /// `99.9`.
    fn percent(self) -> String {
        (f64::from(self.0) / 1e7).to_string()
    }
}

/// What a figure counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// A share, 0 to 1.
    Share,
    /// Things by the second.
    Rate,
    /// Things.
    Count,
    /// Things by the thing.
    Ratio,
}

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Downwards.
    Less,
    /// Upwards.
    More,
    /// Neither way: it changes.
    Neither,
}

/// What a figure is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Requests: all of them, or those for an endpoint.
    Requests,
    /// Calls between services: all of them, or those along an edge.
    Edges,
    /// Who owns the time of requests.
    Owners,
    /// The policies of an upstream.
    Policies,
    /// The circuit breakers of an upstream.
    Breakers,
    /// The processor time of a service.
    Services,
    /// What a kind of container takes of its machines.
    Containers,
    /// Packets and connections: all of them, or those of the connections along an edge.
    Network,
    /// One pod of a service.
    Pods,
    /// A run as a whole.
    Run,
}

/// What a baseline holds of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gated {
    /// Its name there.
    pub name: &'static str,
    /// How far it may move when nobody has said so.
    pub tolerance: &'static str,
    /// Whether a figure that is not there is zero, and not unknown.
    pub is_counter: bool,
}

/// How a figure is computed.
#[derive(Clone, Copy)]
enum Measure {
    /// From a scope alone.
    Of(fn(&Scope<'_>) -> Option<f64>),
    /// The same, with its interval.
    Estimated(fn(&Scope<'_>) -> Option<f64>, fn(&Intervals) -> Option<Interval>),
    /// The response time that a share of requests does not exceed.
    Percentile(Rank),
}

/// An entry of the catalogue.
struct Entry {
    key: Cow<'static, str>,
    label: Cow<'static, str>,
    unit: Unit,
    better: Better,
    subject: Subject,
    gated: Option<Gated>,
    measure: Measure,
}

impl Figure {
    /// The median.
    pub const P50: Self = Self::Percentile(Rank(500_000_000));
    /// The 90th percentile.
    pub const P90: Self = Self::Percentile(Rank(900_000_000));
    /// The 99th percentile.
    pub const P99: Self = Self::Percentile(Rank(990_000_000));
    /// The 99.9th percentile.
    pub const P999: Self = Self::Percentile(Rank(999_000_000));

    /// Every figure, and of the percentiles those that are named, in the order of a baseline's lines.
    pub const ALL: [Self; 49] = [
        Self::Sent,
        Self::Answered,
        Self::Failed,
        Self::TimedOut,
        Self::Open,
        Self::Refused,
        Self::ErrorRate,
        Self::Goodput,
        Self::Within,
        Self::Shortest,
        Self::Mean,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P999,
        Self::Longest,
        Self::OwnTime,
        Self::Calls,
        Self::Attempts,
        Self::FailedAttempts,
        Self::Retries,
        Self::Hedges,
        Self::Unsent,
        Self::Amplification,
        Self::AttemptsByRequest,
        Self::Decisions,
        Self::Changes,
        Self::ChangesLeftOut,
        Self::WastedRequests,
        Self::WastedTime,
        Self::Wasted,
        Self::Cores,
        Self::ProcessorTime,
        Self::CoresPeak,
        Self::ConnectionsPeak,
        Self::BytesSent,
        Self::Memory,
        Self::Packets,
        Self::PacketsLost,
        Self::PacketsDropped,
        Self::PacketsRetransmitted,
        Self::RetransmissionTimeouts,
        Self::TailProbes,
        Self::ConnectionsOpened,
        Self::ConnectionsRefused,
        Self::ConnectionsReset,
        Self::PodShare,
        Self::Violations,
        Self::RecoveryTime,
    ];

    /// The figures of a subject, in their order.
    pub fn about(subject: Subject) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |figure| figure.subject() == subject)
    }

    /// The figure that scenarios and files call `key`: `error_rate`, `p99.9`.
    pub fn named(key: &str) -> Option<Self> {
        if let Some(known) = Self::ALL.into_iter().find(|figure| figure.key() == key) {
            return Some(known);
        }
        let percent = key.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
        Rank::of_percent(percent?.parse().ok()?).map(Self::Percentile)
    }

    /// What scenarios and files call it: `error_rate`.
    pub fn key(self) -> Cow<'static, str> {
        self.entry().key
    }

    /// What people call it: `errors`.
    pub fn label(self) -> Cow<'static, str> {
        self.entry().label
    }

    /// What it counts in.
    pub fn unit(self) -> Unit {
        self.entry().unit
    }

    /// Which way it gets better.
    pub fn better(self) -> Better {
        self.entry().better
    }

    /// What it is of.
    pub fn subject(self) -> Subject {
        self.entry().subject
    }

    /// What a baseline holds of it; `None` when it holds nothing.
    pub fn gated(self) -> Option<Gated> {
        self.entry().gated
    }

    /// Whether it says how long requests took.
    pub fn is_latency(self) -> bool {
        self.subject() == Subject::Requests && self.unit() == Unit::Micros
    }

    /// Its value; `None` when the scope does not carry it.
    pub fn of(self, scope: &Scope<'_>) -> Option<f64> {
        match self.entry().measure {
            Measure::Of(value) | Measure::Estimated(value, _) => value(scope),
            Measure::Percentile(rank) => scope.percentile(rank.quantile()),
        }
    }

    /// Whether so many observations carry it: requests that were served well, of a response time.
    pub(crate) fn is_carried_by(self, observations: u64) -> bool {
        match self {
            Self::Percentile(rank) => Latencies::carries(observations, rank.quantile()),
            _ => observations > 0,
        }
    }

    /// How many observations carry it, at least.
    pub fn observations_min(self) -> u64 {
        let (mut too_few, mut enough) = (0, 1);
        while !self.is_carried_by(enough) {
            (too_few, enough) = (enough, enough * 2);
        }
        while enough - too_few > 1 {
            let middle = too_few + (enough - too_few) / 2;
            *(if self.is_carried_by(middle) { &mut enough } else { &mut too_few }) = middle;
        }
        enough
    }

    /// Whether it has a 95 % confidence interval, where a run is long enough.
    pub(crate) fn is_estimated(self) -> bool {
        match self.entry().measure {
            Measure::Of(_) => false,
            Measure::Estimated(..) => true,
            Measure::Percentile(rank) => {
                Intervals::QUANTILES.into_iter().any(|known| Rank::of_percent(known * 100.0) == Some(rank))
            }
        }
    }

    /// Its 95 % confidence interval; `None` where it is not known.
    pub fn interval(self, scope: &Scope<'_>) -> Option<Interval> {
        match self.entry().measure {
            Measure::Of(_) => None,
            Measure::Estimated(_, interval) => interval(scope.intervals()?),
            Measure::Percentile(rank) => scope.intervals()?.of(rank.quantile()),
        }
    }
}
