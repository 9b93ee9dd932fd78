//! The metrics that a baseline may hold: their names, units, which way is worse, and the tolerance
//! that is written when nobody has stated one. Owns no figures.

/// One metric. Their order is that of a baseline's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// The hash over everything observable.
    Digest,
    /// Requests that were sent.
    RequestsSent,
    /// Answered with a status below 500.
    RequestsOk,
    /// Answered with 500 and above, or not at all.
    RequestsFailed,
    /// Given up by the client.
    RequestsTimedOut,
    /// Not ended when the run was.
    RequestsOpen,
    /// The shortest response time.
    LatencyMin,
    /// The mean response time.
    LatencyMean,
    /// The median.
    LatencyP50,
    /// The 90th percentile.
    LatencyP90,
    /// The 99th percentile.
    LatencyP99,
    /// The 99.9th percentile.
    LatencyP999,
    /// The longest.
    LatencyMax,
    /// Mean microseconds of a request that an owner took.
    TimeMean,
    /// Calls that a service wanted to make.
    Calls,
    /// Attempts that were made for them.
    Attempts,
    /// Attempts that failed.
    Errors,
    /// How often a policy decided something.
    Decisions,
    /// Changes of a circuit breaker to a state.
    Changes,
    /// Changes beyond the recorder's limit.
    ChangesLeftOut,
    /// Requests that were worked on for nobody.
    WastedRequests,
    /// The processor time that was spent for nobody.
    WastedCpu,
    /// Processor time that a kind of container took.
    ProcessorTime,
    /// The most cores that were busy at a time.
    CoresPeak,
    /// The most connections that were open at a time.
    ConnectionsPeak,
    /// Bytes sent to other pods.
    BytesSent,
    /// Instructions that a piece of a product executes.
    Instructions,
}

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// Things.
    Count,
    /// Nothing: it is a text.
    Text,
}

/// Which way a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Downwards.
    Less,
    /// Upwards.
    More,
    /// Neither way: it changes.
    Neither,
}

/// What is known about a metric.
struct Definition {
    metric: Metric,
    /// Its name in a baseline.
    name: &'static str,
    /// Its name for people.
    label: &'static str,
    unit: Unit,
    better: Better,
    /// Whether a figure that is not there is zero.
    counter: bool,
    /// The tolerance when none was stated, as written.
    tolerance: &'static str,
}

/// A counter: exact, and zero where it is not there.
const fn counter(metric: Metric, name: &'static str, label: &'static str, better: Better) -> Definition {
    Definition { metric, name, label, unit: Unit::Count, better, counter: true, tolerance: "0" }
}

/// A latency: less is better.
const fn latency(
    metric: Metric,
    name: &'static str,
    label: &'static str,
    tolerance: &'static str,
) -> Definition {
    Definition { metric, name, label, unit: Unit::Micros, better: Better::Less, counter: false, tolerance }
}

const DEFINITIONS: [Definition; 27] = [
    Definition {
        metric: Metric::Digest,
        name: "digest",
        label: "digest",
        unit: Unit::Text,
        better: Better::Neither,
        counter: false,
        tolerance: "0",
    },
    counter(Metric::RequestsSent, "requests.sent", "requests sent", Better::Neither),
    counter(Metric::RequestsOk, "requests.ok", "requests answered", Better::More),
    counter(Metric::RequestsFailed, "requests.failed", "requests failed", Better::Less),
    counter(Metric::RequestsTimedOut, "requests.timed_out", "requests timed out", Better::Less),
    counter(Metric::RequestsOpen, "requests.open", "requests left open", Better::Less),
    latency(Metric::LatencyMin, "latency.min_us", "shortest", "1%"),
    latency(Metric::LatencyMean, "latency.mean_us", "mean", "1%"),
    latency(Metric::LatencyP50, "latency.p50_us", "p50", "1%"),
    latency(Metric::LatencyP90, "latency.p90_us", "p90", "2%"),
    latency(Metric::LatencyP99, "latency.p99_us", "p99", "5%"),
    latency(Metric::LatencyP999, "latency.p999_us", "p99.9", "10%"),
    latency(Metric::LatencyMax, "latency.max_us", "longest", "10%"),
    Definition {
        metric: Metric::TimeMean,
        name: "time.mean_us",
        label: "mean time",
        unit: Unit::Micros,
        better: Better::Less,
        counter: true,
        tolerance: "1% or 5us",
    },
    counter(Metric::Calls, "calls", "calls", Better::Neither),
    counter(Metric::Attempts, "attempts", "attempts", Better::Less),
    counter(Metric::Errors, "errors", "errors", Better::Less),
    counter(Metric::Decisions, "decisions", "decisions", Better::Neither),
    counter(Metric::Changes, "changes", "changes", Better::Neither),
    counter(Metric::ChangesLeftOut, "changes.left_out", "changes left out", Better::Neither),
    counter(Metric::WastedRequests, "wasted.requests", "wasted requests", Better::Less),
    Definition {
        metric: Metric::WastedCpu,
        name: "wasted.cpu_us",
        label: "wasted processor time",
        unit: Unit::Micros,
        better: Better::Less,
        counter: true,
        tolerance: "0",
    },
    Definition {
        metric: Metric::ProcessorTime,
        name: "processor.us",
        label: "processor time",
        unit: Unit::Micros,
        better: Better::Less,
        counter: true,
        tolerance: "1%",
    },
    counter(Metric::CoresPeak, "cores.peak", "cores busy at most", Better::Less),
    counter(Metric::ConnectionsPeak, "connections.peak", "connections at most", Better::Less),
    counter(Metric::BytesSent, "bytes.sent", "bytes sent", Better::Less),
    Definition {
        metric: Metric::Instructions,
        name: "instructions",
        label: "instructions",
        unit: Unit::Count,
        better: Better::Less,
        counter: false,
        tolerance: "2%",
    },
];

impl Metric {
    /// Every metric.
    pub fn all() -> impl Iterator<Item = Self> {
        DEFINITIONS.iter().map(|definition| definition.metric)
    }

    /// The metric with this name in a baseline.
    pub fn named(name: &str) -> Option<Self> {
        DEFINITIONS.iter().find(|definition| definition.name == name).map(|definition| definition.metric)
    }

    /// Its name in a baseline: `latency.p99_us`.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Its name for people: `p99`.
    pub fn label(self) -> &'static str {
        self.definition().label
    }

    /// What it counts in.
    pub fn unit(self) -> Unit {
        self.definition().unit
    }

    /// Which way it gets better.
    pub fn better(self) -> Better {
        self.definition().better
    }

    /// Whether a figure that is not there is zero, and not unknown.
    pub fn is_counter(self) -> bool {
        self.definition().counter
    }

    /// Whether it says how long requests took.
    pub fn is_latency(self) -> bool {
        (Self::LatencyMin..=Self::LatencyMax).contains(&self)
    }

    /// The tolerance when none was stated, as a baseline writes it.
    pub(super) fn tolerance(self) -> &'static str {
        self.definition().tolerance
    }

    fn definition(self) -> &'static Definition {
        &DEFINITIONS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_stand_in_the_order_of_the_metrics() {
        for (index, definition) in DEFINITIONS.iter().enumerate() {
            assert_eq!(definition.metric as usize, index, "{}", definition.name);
            assert_eq!(Metric::named(definition.name), Some(definition.metric));
        }
    }
}
