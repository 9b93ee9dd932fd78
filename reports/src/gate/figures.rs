//! The figures of a run, each with a name: what is compared, and which of them a baseline holds.
//! Owns names and values, not their text (`words`, `baseline`) and not their comparison.

use std::collections::BTreeMap;
use std::fmt;

use hoplab_sim::figures::{Figure, Scope, Subject};
use hoplab_sim::record::{Architecture, Changed, Decided, Record};

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

    /// The figures of a subject that a baseline holds; what the sample does not carry is left out.
    fn figures(&mut self, name: &str, about: &[&str], of: Subject, scope: &Scope<'_>) {
        for figure in Figure::about(of).filter(|figure| figure.gated().is_some()) {
            if let Some(value) = figure.of(scope) {
                self.number(name, about, Metric::Figure(figure), Thousandths::nearest(value));
            }
        }
    }

    fn architecture(&mut self, name: &str, seen: &Architecture) {
        self.0.insert(Key::new(name, &["all"], Metric::Digest), Value::Text(seen.digest.clone()));
        // Nothing that a baseline holds is counted by the second.
        let scope = || Scope::of(seen, 0.0);
        self.figures(name, &["all"], Subject::Requests, &scope());
        self.figures(name, &["all"], Subject::Run, &scope());
        for endpoint in seen.endpoints.keys() {
            self.figures(name, &["endpoint", endpoint], Subject::Requests, &scope().endpoint(endpoint));
        }
        for edge in seen.edges.keys() {
            let about = edge.replace(" → ", "->");
            self.figures(name, &["edge", &about], Subject::Edges, &scope().edge(edge));
        }
        for (owner, us) in &seen.breakdown_us {
            self.figures(name, &["owner", owner], Subject::Owners, &scope().owned(*us));
        }
        for hop in &seen.hops {
            for (owner, us) in hop.breakdown_us.iter().filter(|(_, us)| **us >= HOP_US_MIN) {
                self.figures(name, &["hop", &hop.name, owner], Subject::Owners, &scope().owned(*us));
            }
        }
        for Decided { upstream, decision, .. } in &seen.decisions {
            let decided = scope().service(upstream).decision(decision);
            self.figures(name, &["policy", upstream, decision], Subject::Policies, &decided);
        }
        for Changed { upstream, state, .. } in &seen.changes {
            let changed = scope().service(upstream).state(state);
            self.figures(name, &["breaker", upstream, state], Subject::Breakers, &changed);
        }
        for kind in seen.resources.keys() {
            self.figures(name, &["container", kind], Subject::Containers, &scope().container(kind));
        }
        for service in seen.work.keys() {
            self.figures(name, &["service", service], Subject::Services, &scope().service(service));
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
