//! The entries of the catalogue. Owns what each figure is called and how it is computed, and no subject.

use super::{Better, Entry, Figure, Gated, Measure, Rank, Scope, Subject, Unit};
use crate::record::{Interval, Intervals};

/// How a figure is computed from a scope.
type Value = fn(&Scope<'_>) -> Option<f64>;

impl Figure {
    #[expect(clippy::too_many_lines, reason = "a table: an entry a figure")]
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method of a type with a lifetime is no function over all of them"
    )]
    pub(super) fn entry(self) -> Entry {
        let requests = |key, label| Entry::new(key, label, Subject::Requests);
        let containers = |key, label| Entry::new(key, label, Subject::Containers);
        let edges = |key, label| Entry::new(key, label, Subject::Edges);
        let network = |key, label| Entry::new(key, label, Subject::Network);
        match self {
            Self::Sent => requests("requests", "requests sent")
                .count(Better::Neither, |scope| scope.requests(|of| of.sent))
                .gated("requests.sent", "0"),
            Self::Answered => requests("ok", "requests answered")
                .count(Better::More, |scope| scope.requests(|of| of.ok))
                .gated("requests.ok", "0"),
            Self::Failed => requests("failed", "requests failed")
                .count(Better::Less, |scope| scope.requests(|of| of.failed))
                .gated("requests.failed", "0"),
            Self::TimedOut => requests("timed_out", "requests timed out")
                .count(Better::Less, |scope| scope.requests(|of| of.timed_out))
                .gated("requests.timed_out", "0"),
            Self::Open => requests("open", "requests left open")
                .count(Better::Less, |scope| scope.requests(|of| of.open))
                .gated("requests.open", "0"),
            Self::Refused => requests("refused", "requests refused by a limit")
                .count(Better::Less, |scope| scope.requests(|of| of.refused))
                .gated("requests.refused", "0"),
            Self::ErrorRate => requests("error_rate", "errors")
                .value(Unit::Share, Better::Less, |scope| scope.error_rate())
                .estimated(|known| known.error_rate),
            Self::Goodput => {
                requests("goodput", "goodput").value(Unit::Rate, Better::More, |scope| scope.goodput())
            }
            Self::Within => {
                requests("within", "served within").value(Unit::Share, Better::More, |scope| scope.within())
            }
            Self::Shortest => {
                requests("min", "shortest").latency(|scope| scope.shortest()).timed("latency.min_us", "1%")
            }
            Self::Mean => requests("mean", "mean")
                .latency(|scope| scope.mean())
                .estimated(|known| known.mean)
                .timed("latency.mean_us", "1%"),
            Self::Percentile(rank) => percentile(rank),
            Self::Longest => {
                requests("max", "longest").latency(|scope| scope.longest()).timed("latency.max_us", "10%")
            }
            Self::OwnTime => Entry::new("time", "mean time", Subject::Owners)
                .latency(|scope| scope.own_time_us())
                .gated("time.mean_us", "1% or 5us"),
            Self::Calls => edges("calls", "calls")
                .count(Better::Neither, |scope| scope.calls(|edge| edge.requests))
                .gated("calls", "0"),
            Self::Attempts => edges("attempts", "attempts")
                .count(Better::Less, |scope| scope.calls(|edge| edge.attempts))
                .gated("attempts", "0"),
            Self::FailedAttempts => edges("failed_attempts", "errors")
                .count(Better::Less, |scope| scope.calls(|edge| edge.errors))
                .gated("errors", "0"),
            Self::Retries => edges("retries", "retries")
                .count(Better::Less, |scope| scope.calls(|edge| edge.retries))
                .gated("retries", "0"),
            Self::Hedges => edges("hedges", "hedges")
                .count(Better::Neither, |scope| scope.calls(|edge| edge.hedges))
                .gated("hedges", "0"),
            Self::Unsent => edges("unsent", "calls never sent")
                .count(Better::Less, |scope| scope.calls(|edge| edge.unsent))
                .gated("unsent", "0"),
            Self::Amplification => {
                edges("amplification", "attempts per call")
                    .value(Unit::Ratio, Better::Less, |scope| scope.amplification())
            }
            Self::AttemptsByRequest => edges("attempts_by_request", "attempts per request").value(
                Unit::Ratio,
                Better::Less,
                |scope| scope.attempts_by_request(),
            ),
            Self::Decisions => Entry::new("decisions", "decisions", Subject::Policies)
                .count(Better::Neither, |scope| Some(scope.decided()))
                .gated("decisions", "0"),
            Self::Changes => Entry::new("changes", "changes", Subject::Breakers)
                .count(Better::Neither, |scope| Some(scope.changes()))
                .gated("changes", "0"),
            Self::ChangesLeftOut => Entry::new("changes_left_out", "changes left out", Subject::Run)
                .count(Better::Neither, |scope| Some(scope.changes_left_out()))
                .gated("changes.left_out", "0"),
            Self::WastedRequests => Entry::new("wasted_requests", "wasted requests", Subject::Services)
                .count(Better::Less, |scope| Some(scope.work().wasted.requests as f64))
                .gated("wasted.requests", "0"),
            Self::WastedTime => Entry::new("wasted_time", "wasted processor time", Subject::Services)
                .latency(|scope| Some(scope.work().wasted.cpu_us as f64))
                .gated("wasted.cpu_us", "0"),
            Self::Wasted => {
                Entry::new("wasted", "wasted", Subject::Services)
                    .value(Unit::Share, Better::Less, |scope| scope.wasted())
            }
            Self::Cores => {
                containers("cores", "cores busy on average")
                    .value(Unit::Ratio, Better::Less, |scope| scope.resources(|of| of.cores_mean))
            }
            Self::ProcessorTime => containers("processor_time", "processor time")
                .latency(|scope| scope.resources(|of| of.processor_us as f64))
                .gated("processor.us", "1%"),
            Self::CoresPeak => containers("cores_peak", "cores busy at most")
                .count(Better::Less, |scope| scope.resources(|of| of.cores_peak as f64))
                .gated("cores.peak", "0"),
            Self::ConnectionsPeak => containers("connections_peak", "connections at most")
                .count(Better::Less, |scope| scope.resources(|of| of.connections_peak as f64))
                .gated("connections.peak", "0"),
            Self::BytesSent => containers("bytes_sent", "bytes sent")
                .count(Better::Less, |scope| scope.resources(|of| of.bytes as f64))
                .gated("bytes.sent", "0"),
            Self::Memory => containers("memory", "memory in bytes")
                .count(Better::Less, |scope| scope.resources(|of| of.memory as f64)),
            Self::Packets => {
                network("packets", "packets").count(Better::Less, |scope| scope.network(|of| of.packets))
            }
            Self::PacketsLost => network("packets_lost", "packets lost")
                .count(Better::Less, |scope| scope.network(|of| of.lost)),
            Self::PacketsDropped => network("packets_dropped", "packets dropped")
                .count(Better::Less, |scope| scope.network(|of| of.dropped)),
            Self::PacketsRetransmitted => network("packets_retransmitted", "packets sent again")
                .count(Better::Less, |scope| scope.network(|of| of.retransmitted)),
            Self::RetransmissionTimeouts => network("retransmission_timeouts", "timeouts")
                .count(Better::Less, |scope| scope.network(|of| of.timeouts)),
            Self::TailProbes => network("tail_probes", "tail probes")
                .count(Better::Less, |scope| scope.network(|of| of.tail_probes)),
            Self::ConnectionsOpened => network("connections_opened", "connections opened")
                .count(Better::Less, |scope| scope.network(|of| of.connections)),
            Self::ConnectionsRefused => network("connections_refused", "connections refused")
                .count(Better::Less, |scope| scope.network(|of| of.refused)),
            Self::ConnectionsReset => network("connections_reset", "connections reset")
                .count(Better::Less, |scope| scope.network(|of| of.resets)),
            Self::PodShare => {
                Entry::new("share", "share", Subject::Pods)
                    .value(Unit::Share, Better::Neither, |scope| scope.pod_share())
            }
            Self::Violations => Entry::new("violations", "violations", Subject::Run)
                .count(Better::Less, |scope| Some(scope.violations())),
            Self::RecoveryTime => Entry::new("recovery_time", "recovery time", Subject::Run)
                .latency(|scope| scope.recovered_us()),
        }
    }
}

fn percentile(rank: Rank) -> Entry {
    let name = format!("p{}", rank.percent());
    let entry = Entry {
        key: name.clone().into(),
        label: name.into(),
        unit: Unit::Micros,
        better: Better::Less,
        measure: Measure::Percentile(rank),
        ..Entry::new("", "", Subject::Requests)
    };
    match Figure::Percentile(rank) {
        Figure::P50 => entry.timed("latency.p50_us", "1%"),
        Figure::P90 => entry.timed("latency.p90_us", "2%"),
        Figure::P99 => entry.timed("latency.p99_us", "5%"),
        Figure::P999 => entry.timed("latency.p999_us", "10%"),
        _ => entry,
    }
}

impl Entry {
    fn new(key: &'static str, label: &'static str, subject: Subject) -> Self {
        Self {
            key: key.into(),
            label: label.into(),
            unit: Unit::Count,
            better: Better::Neither,
            subject,
            gated: None,
            measure: Measure::Of(|_| None),
        }
    }

    fn value(self, unit: Unit, better: Better, value: Value) -> Self {
        Self { unit, better, measure: Measure::Of(value), ..self }
    }

    fn count(self, better: Better, value: Value) -> Self {
        self.value(Unit::Count, better, value)
    }

    fn latency(self, value: Value) -> Self {
        self.value(Unit::Micros, Better::Less, value)
    }

    /// With an interval, where there is one.
    fn estimated(self, interval: fn(&Intervals) -> Option<Interval>) -> Self {
        let Measure::Of(value) = self.measure else { return self };
        Self { measure: Measure::Estimated(value, interval), ..self }
    }

    /// In a baseline, where one that is not there is zero.
    fn gated(self, name: &'static str, tolerance: &'static str) -> Self {
        Self { gated: Some(Gated { name, tolerance, is_counter: true }), ..self }
    }

    /// In a baseline, where one that is not there is unknown.
    fn timed(self, name: &'static str, tolerance: &'static str) -> Self {
        Self { gated: Some(Gated { name, tolerance, is_counter: false }), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_found_by_its_key_and_stands_in_its_order() {
        assert!(Figure::ALL.is_sorted());
        for figure in Figure::ALL {
            assert_eq!(Figure::named(&figure.key()), Some(figure), "{}", figure.key());
        }
        let quantile = |name| match Figure::named(name) {
            Some(Figure::Percentile(rank)) => Some(rank.quantile()),
            _ => None,
        };
        assert_eq!(quantile("p97.25"), Some(0.9725));
        assert_eq!(["p0", "p100", "p", "p-1", "pay"].map(quantile), [None; 5]);
    }
}
