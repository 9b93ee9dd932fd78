//! The figures of a run, each with a name: what is compared, and which of them a baseline holds.
//! Owns names and values, not their text (`words`, `baseline`) and not their comparison.

use std::collections::BTreeMap;
use std::fmt;

use hoplab_sim::record::{Architecture, Latencies, Record, Requests, Traffic};

use super::metric::Metric;

/// What a run or a measurement says: values by name, in the order of a baseline.
pub type Figures = BTreeMap<Key, Value>;

/// An owner's share of the mean request below this, in microseconds, explains nothing.
const HOP_US_MIN: f64 = 1.0;

/// The name of a figure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The architecture; of what was measured outside of a run, the part that it was measured at.
    pub scope: String,
    /// What it is about: `all`, `endpoint cart.add`, `edge order->payment`, `hop "order (outbound)" wire`, …
    pub subject: Vec<String>,
    /// What about it.
    pub metric: Metric,
}

/// The value of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(Thousandths),
    /// A digest.
    Text(String),
}

/// A number of at most three decimals, not below zero, kept exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thousandths(pub i64);

impl Thousandths {
    /// The nearest to `value`; 0 below it.
    pub fn nearest(value: f64) -> Self {
        Self((value * 1e3).round().max(0.0) as i64)
    }

    /// A whole number.
    pub fn whole(value: u64) -> Self {
        Self(i64::try_from(value).unwrap_or(i64::MAX).saturating_mul(1_000))
    }

    /// Reads `12`, `12.5`; `None` when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 3 {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let decimals: i64 = format!("{decimals:0<3}").parse().ok()?;
        Some(Self(whole.checked_mul(1_000)?.checked_add(decimals)?))
    }

    /// As a number to calculate with.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }
}

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 1_000, self.0 % 1_000);
        if decimals == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{decimals:03}").trim_end_matches('0'))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Key {
    /// A name.
    pub fn new(scope: &str, subject: &[&str], metric: Metric) -> Self {
        let subject = subject.iter().map(|&word| word.to_owned()).collect();
        Self { scope: scope.to_owned(), subject, metric }
    }

    /// What it is about, for people: `all requests`, `cart.add`, `order → payment`.
    pub fn about(&self) -> String {
        let words: Vec<&str> = self.subject.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["all"] => "all requests".to_owned(),
            ["endpoint" | "service", name] => (*name).to_owned(),
            ["container", kind] => format!("{kind}s"),
            ["edge", edge] => edge.replace("->", " → "),
            ["owner", owner] => label(owner).to_owned(),
            ["hop", hop, owner] => format!("{} at {hop}", label(owner)),
            ["policy", upstream, decision] => format!("{decision} at {upstream}"),
            ["breaker", upstream, state] => format!("{state} breakers of {upstream}"),
            words => words.join(" "),
        }
    }
}

/// An owner's name for people; the key itself when it is unknown.
pub(super) fn label(owner: &str) -> &str {
    crate::owners::OWNERS.iter().find(|known| known.key == owner).map_or(owner, |known| known.label)
}

/// The figures of a run. Counters that are zero are left out.
pub fn of(record: &Record) -> Figures {
    let mut collected = Collected(Figures::new());
    for (name, architecture) in &record.architectures {
        collected.architecture(name, architecture);
    }
    collected.0
}

/// Figures that are being collected.
struct Collected(Figures);

impl Collected {
    fn number(&mut self, scope: &str, subject: &[&str], metric: Metric, value: Thousandths) {
        if value.0 != 0 || !metric.is_counter() {
            self.0.insert(Key::new(scope, subject, metric), Value::Number(value));
        }
    }

    fn count(&mut self, scope: &str, subject: &[&str], metric: Metric, count: u64) {
        self.number(scope, subject, metric, Thousandths::whole(count));
    }

    /// Adds to what may already be there.
    fn add(&mut self, scope: &str, subject: &[&str], metric: Metric, count: u64) {
        let so_far = match self.0.get(&Key::new(scope, subject, metric)) {
            Some(Value::Number(number)) => number.0,
            _ => 0,
        };
        let sum = so_far.saturating_add(Thousandths::whole(count).0);
        self.number(scope, subject, metric, Thousandths(sum));
    }

    fn architecture(&mut self, scope: &str, seen: &Architecture) {
        self.0.insert(Key::new(scope, &["all"], Metric::Digest), Value::Text(seen.digest.clone()));
        self.traffic(scope, &["all"], &seen.total);
        for (name, traffic) in &seen.endpoints {
            self.traffic(scope, &["endpoint", name], traffic);
        }
        for (name, edge) in &seen.edges {
            let name = name.replace(" → ", "->");
            let subject = ["edge", name.as_str()];
            self.count(scope, &subject, Metric::Calls, edge.requests);
            self.count(scope, &subject, Metric::Attempts, edge.attempts);
            self.count(scope, &subject, Metric::Errors, edge.errors);
        }
        for (owner, us) in &seen.breakdown_us {
            self.number(scope, &["owner", owner], Metric::TimeMean, Thousandths::nearest(*us));
        }
        for hop in &seen.hops {
            for (owner, us) in hop.breakdown_us.iter().filter(|(_, us)| **us >= HOP_US_MIN) {
                self.number(scope, &["hop", &hop.name, owner], Metric::TimeMean, Thousandths::nearest(*us));
            }
        }
        self.policies(scope, seen);
        for (kind, of) in &seen.resources {
            let subject = ["container", kind.as_str()];
            self.count(scope, &subject, Metric::ProcessorTime, of.processor_us);
            self.count(scope, &subject, Metric::CoresPeak, of.cores_peak);
            self.count(scope, &subject, Metric::ConnectionsPeak, of.connections_peak);
            self.count(scope, &subject, Metric::BytesSent, of.bytes);
        }
        for (name, work) in &seen.work {
            self.count(scope, &["service", name], Metric::WastedRequests, work.wasted.requests);
            self.count(scope, &["service", name], Metric::WastedCpu, work.wasted.cpu_us);
        }
    }

    fn policies(&mut self, scope: &str, seen: &Architecture) {
        for decided in &seen.decisions {
            let subject = ["policy", decided.upstream.as_str(), decided.decision.as_str()];
            self.add(scope, &subject, Metric::Decisions, decided.count);
        }
        for change in &seen.changes {
            let subject = ["breaker", change.upstream.as_str(), change.state.as_str()];
            self.add(scope, &subject, Metric::Changes, change.count);
        }
        self.count(scope, &["all"], Metric::ChangesLeftOut, seen.breakers_left_out);
    }

    fn traffic(&mut self, scope: &str, subject: &[&str], traffic: &Traffic) {
        let Requests { sent, ok, failed, timed_out, open } = traffic.requests;
        self.count(scope, subject, Metric::RequestsSent, sent);
        self.count(scope, subject, Metric::RequestsOk, ok);
        self.count(scope, subject, Metric::RequestsFailed, failed);
        self.count(scope, subject, Metric::RequestsTimedOut, timed_out);
        self.count(scope, subject, Metric::RequestsOpen, open);
        self.latency(scope, subject, &traffic.latency);
    }

    /// A percentile that the sample cannot carry is left out.
    fn latency(&mut self, scope: &str, subject: &[&str], latency: &Latencies) {
        let Some(mean_us) = latency.mean_us() else { return };
        self.count(scope, subject, Metric::LatencyMin, latency.min_us);
        self.number(scope, subject, Metric::LatencyMean, Thousandths::nearest(mean_us));
        self.count(scope, subject, Metric::LatencyMax, latency.max_us);
        let percentiles = [
            (Metric::LatencyP50, 0.5),
            (Metric::LatencyP90, 0.9),
            (Metric::LatencyP99, 0.99),
            (Metric::LatencyP999, 0.999),
        ];
        for (metric, quantile) in percentiles {
            if let Some(us) = latency.percentile_us(quantile) {
                self.count(scope, subject, metric, us);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for (text, number) in [("0", 0), ("12", 12_000), ("12.5", 12_500), ("0.001", 1), ("3.07", 3_070)] {
            assert_eq!(Thousandths::parse(text), Some(Thousandths(number)), "{text}");
            assert_eq!(Thousandths(number).to_string(), text);
        }
        for text in ["", "-1", "1e3", ".5", "1.", "1.0001", "12x", "9999999999999999999", "+1"] {
            assert_eq!(Thousandths::parse(text), None, "{text}");
        }
    }
}
