//! What the verdict says of requests that are compared one by one: how much slower they are, and which
//! errors an architecture saved or made.

use hoplab_sim::record::{Difference, Fault, Interval};

use super::Subject;
use crate::added::STEADY;
use crate::format::{count, duration, listed, percent, plural, range};

/// The median of what an architecture adds to a request.
pub(super) struct Median {
    pub(super) us: f64,
    interval: Option<Interval>,
}

/// The median difference when all is well, or over the whole run where it has no such part; `None` where
/// nothing was paired.
pub(super) fn median(subject: &Subject) -> Option<Median> {
    let of = steady(subject)?;
    Some(Median { us: of.percentile_us(0.5)? as f64, interval: of.intervals.of(0.5) })
}

impl Median {
    /// As the end of a sentence.
    pub(super) fn price(&self) -> String {
        let interval = self.interval();
        match self.us {
            0.0 => "it adds nothing to the median request".to_owned(),
            us if us < 0.0 => format!("it takes {}{interval} off the median request", duration(-us)),
            us => format!("it adds {}{interval} to the median request", duration(us)),
        }
    }

    /// In brackets, for sizes without their sign; empty where it has no width.
    pub(super) fn interval(&self) -> String {
        let Some(Interval { low, high }) = self.interval else { return String::new() };
        let (low, high) = if self.us < 0.0 { (-high, -low) } else { (low, high) };
        range(low, high).map_or_else(String::new, |range| format!(" ({range})"))
    }
}

fn steady<'a>(subject: &Subject<'a>) -> Option<&'a Difference> {
    let paired = subject.paired?;
    let steady = paired.phases.get(STEADY).filter(|of| of.both > 0);
    steady.or(Some(&paired.total)).filter(|of| of.both > 0)
}

/// Which share of requests is slower with each; `None` where nothing was paired.
pub(super) fn slower(baseline: &Subject, others: &[Subject]) -> Option<String> {
    let said = |other: &Subject| {
        let of = steady(other)?;
        let part = |part: u64| percent(part as f64 / of.both as f64);
        let faster = if of.faster > 0 { format!(" ({} faster)", part(of.faster)) } else { String::new() };
        Some(format!("{} with {}{faster}", part(of.slower), other.name))
    };
    let said: Vec<String> = others.iter().filter_map(said).collect();
    (!said.is_empty()).then(|| format!("Slower than with {}: {}.", baseline.name, listed(&said)))
}

/// What became of the requests that failed under one of two architectures while a fault lasted; `None` where
/// every request fared alike.
pub(super) fn fates(fault: &Fault, baseline: &Subject, others: &[Subject]) -> Option<String> {
    let pairs: Vec<(&str, &Difference)> = others
        .iter()
        .filter_map(|other| Some((other.name, other.paired?.phases.get(&fault.name)?)))
        .filter(|(_, of)| of.pairs > 0)
        .collect();
    let mut sentences = Vec::new();
    let saved: Vec<String> = pairs
        .iter()
        .filter(|(_, of)| of.saved > 0)
        .map(|(name, of)| format!("{name} {} of {}", count(of.saved), count(of.saved + of.neither)))
        .collect();
    if !saved.is_empty() {
        sentences.push(format!(
            "Of the requests that fail with {}, {} are answered.",
            baseline.name,
            with(&saved)
        ));
    }
    let lost: Vec<String> = pairs
        .iter()
        .filter(|(_, of)| of.lost > 0)
        .map(|(name, of)| format!("{} with {name}", plural(of.lost, "request")))
        .collect();
    if !lost.is_empty() {
        sentences.push(format!("Answered with {}, failed otherwise: {}.", baseline.name, listed(&lost)));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// `with a 3 of 5 and b 4 of 5`.
fn with(said: &[String]) -> String {
    format!("with {}", listed(said))
}
