//! The figures that are laid side by side: requests, response times and errors of all requests and of
//! each endpoint, and whether chance alone may explain how they differ. Owns values and their words.

use hoplab_sim::record::{Architecture, Interval, Traffic};

use crate::format::{count, difference, duration, percent, significant};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Measure {
    Requests,
    Mean,
    /// A percentile: its name, and the share of requests that does not exceed it.
    Percentile(&'static str, f64),
    /// The share of ended requests that failed or timed out.
    Errors,
}

impl Measure {
    pub(super) const P50: Self = Self::Percentile("p50", 0.5);
    pub(super) const P99: Self = Self::Percentile("p99", 0.99);
    pub(super) const P999: Self = Self::Percentile("p99.9", 0.999);

    /// All of them, in the order of a table.
    pub(super) const ALL: [Self; 7] = [
        Self::Requests,
        Self::Mean,
        Self::P50,
        Self::Percentile("p90", 0.9),
        Self::P99,
        Self::P999,
        Self::Errors,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Mean => "mean",
            Self::Percentile(name, _) => name,
            Self::Errors => "errors",
        }
    }

    fn of(self, traffic: &Traffic) -> Option<f64> {
        match self {
            Self::Requests => Some(traffic.requests.sent as f64),
            Self::Mean => traffic.latency.mean_us(),
            Self::Percentile(_, quantile) => traffic.latency.percentile_us(quantile).map(|us| us as f64),
            Self::Errors => {
                let requests = traffic.requests;
                let ended = requests.sent.saturating_sub(requests.open);
                (ended > 0).then(|| (requests.failed + requests.timed_out) as f64 / ended as f64)
            }
        }
    }

    fn interval(self, traffic: &Traffic) -> Option<Interval> {
        match self {
            Self::Requests => None,
            Self::Mean => traffic.intervals.mean,
            Self::Percentile(_, quantile) => traffic.intervals.of(quantile),
            Self::Errors => traffic.intervals.error_rate,
        }
    }

    /// A value for people; a dash where the sample cannot carry it.
    pub(super) fn text(self, value: Option<f64>) -> String {
        match (value, self) {
            (None, _) => "–".to_owned(),
            (Some(value), Self::Requests) => count(value as u64),
            (Some(value), Self::Errors) => percent(value),
            (Some(value), Self::Mean | Self::Percentile(..)) => duration(value),
        }
    }
}

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) measure: Measure,
    pub(super) before: Option<f64>,
    pub(super) now: Option<f64>,
    intervals: (Option<Interval>, Option<Interval>),
}

impl Figure {
    fn of(measure: Measure, before: &Traffic, now: &Traffic) -> Self {
        Self {
            measure,
            before: measure.of(before),
            now: measure.of(now),
            intervals: (measure.interval(before), measure.interval(now)),
        }
    }

    /// Whether both 95 % intervals are known and do not overlap.
    pub(super) fn is_apart(&self) -> bool {
        let (Some(before), Some(now)) = self.intervals else { return false };
        before.high < now.low || now.high < before.low
    }

    /// Whether both 95 % intervals are known and overlap, so that chance alone may explain the difference.
    pub(super) fn is_chance(&self) -> bool {
        self.intervals.0.is_some() && self.intervals.1.is_some() && !self.is_apart()
    }

    /// Both values, where there are two that are written differently.
    pub(super) fn step(&self) -> Option<(f64, f64)> {
        let differs = self.measure.text(self.before) != self.measure.text(self.now);
        self.before.zip(self.now).filter(|_| differs)
    }

    /// How far it moved, as a share of what it was; an error rate by ten times its points.
    pub(super) fn weight(&self) -> f64 {
        match (self.step(), self.measure) {
            (None, _) => 0.0,
            (Some((before, now)), Measure::Errors) => (now - before).abs() * 10.0,
            (Some((before, now)), _) => (now - before).abs() / before.max(1.0),
        }
    }

    /// The difference for people: `+8.7 ms (+27 %)`, `+0.4 points`; empty where there is none.
    pub(super) fn change(&self) -> String {
        let Some((before, now)) = self.step() else { return String::new() };
        let by = now - before;
        match self.measure {
            Measure::Requests => signed(by, &count(by.abs() as u64)),
            Measure::Errors => format!("{} points", signed(by, &significant(by.abs() * 100.0))),
            Measure::Mean | Measure::Percentile(..) if before > 0.0 => {
                format!("{} ({})", difference(by), signed(by, &percent(by.abs() / before)))
            }
            Measure::Mean | Measure::Percentile(..) => difference(by),
        }
    }

    /// Both intervals for people, where both are known.
    pub(super) fn intervals(&self) -> Option<String> {
        let (before, now) = (self.intervals.0?, self.intervals.1?);
        let text = |interval: Interval| {
            let end = |value| self.measure.text(Some(value));
            format!("{} to {}", end(interval.low), end(interval.high))
        };
        Some(format!("{} → {}", text(before), text(now)))
    }
}

/// With its sign.
pub(super) fn signed(by: f64, size: &str) -> String {
    format!("{}{size}", if by < 0.0 { "−" } else { "+" })
}

/// All requests, or those of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    /// `all requests`, or the endpoint's name.
    pub(super) name: String,
    /// In the order of [`Measure::ALL`].
    pub(super) figures: Vec<Figure>,
}

impl Subject {
    fn of(name: &str, before: &Traffic, now: &Traffic) -> Self {
        let figures = Measure::ALL.map(|measure| Figure::of(measure, before, now));
        Self { name: name.to_owned(), figures: figures.to_vec() }
    }

    pub(super) fn figure(&self, measure: Measure) -> &Figure {
        let found = self.figures.iter().find(|figure| figure.measure == measure);
        found.expect("a subject has a figure of every measure")
    }
}

/// All requests, then each endpoint that either run has.
pub(super) fn subjects(before: &Architecture, now: &Architecture) -> Vec<Subject> {
    let nothing = Traffic::default();
    let mut subjects = vec![Subject::of("all requests", &before.total, &now.total)];
    let gone = before.endpoints.keys().filter(|name| !now.endpoints.contains_key(*name));
    for name in now.endpoints.keys().chain(gone) {
        let of = |seen: &Architecture| seen.endpoints.get(name).cloned();
        let (before, now) = (of(before), of(now));
        subjects.push(Subject::of(
            name,
            before.as_ref().unwrap_or(&nothing),
            now.as_ref().unwrap_or(&nothing),
        ));
    }
    subjects
}

/// All requests by part of the run, of those parts that both runs have; none where there is but one.
pub(super) fn phases(before: &Architecture, now: &Architecture) -> Vec<Subject> {
    let both = now.phases.iter().filter_map(|(name, now)| {
        let before = before.phases.get(name)?;
        Some(Subject::of(name, &before.total, &now.total))
    });
    let phases: Vec<Subject> = both.collect();
    if phases.len() > 1 { phases } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(measure: Measure, before: f64, now: f64) -> Figure {
        Figure { measure, before: Some(before), now: Some(now), intervals: (None, None) }
    }

    #[test]
    fn changes_are_written_in_the_measure_s_own_way() {
        assert_eq!(figure(Measure::P99, 32_300.0, 41_000.0).change(), "+8.7 ms (+26.9 %)");
        assert_eq!(figure(Measure::Errors, 0.0, 0.004).change(), "+0.4 points");
        assert_eq!(figure(Measure::Requests, 1_200.0, 100.0).change(), "−1,100");
        assert_eq!(figure(Measure::Mean, 100.0, 100.01).change(), "");
    }

    #[test]
    fn intervals_that_touch_are_not_apart() {
        let interval = |low, high| Some(Interval { low, high });
        let of = |before, now| Figure { intervals: (before, now), ..figure(Measure::P50, 1.0, 2.0) };
        assert!(of(interval(1.0, 2.0), interval(3.0, 4.0)).is_apart());
        assert!(of(interval(3.0, 4.0), interval(1.0, 2.0)).is_apart());
        assert!(!of(interval(1.0, 2.0), interval(2.0, 4.0)).is_apart());
        assert!(!of(None, interval(2.0, 4.0)).is_apart());
    }
}
