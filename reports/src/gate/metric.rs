//! The metrics that a baseline may hold: the figures of the catalogue that it does, and what is no figure of a run.
//! Owns their names in a baseline alone; what a figure is, is the catalogue's (`hoplab_sim::figures`).

use hoplab_sim::figures::{self, Figure};

pub use hoplab_sim::figures::Better;

/// One metric. Their order is that of a baseline's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// The hash over everything observable.
    Digest,
    /// A figure of the catalogue.
    Figure(Figure),
    /// Instructions that a piece of a product executes.
    Instructions,
}

/// What a metric counts in, as far as a baseline tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// Things.
    Count,
    /// Nothing: it is a text.
    Text,
}

impl Metric {
    /// Every metric.
    pub fn all() -> impl Iterator<Item = Self> {
        let figures = Figure::ALL.into_iter().filter(|figure| figure.gated().is_some()).map(Self::Figure);
        std::iter::once(Self::Digest).chain(figures).chain([Self::Instructions])
    }

    /// The metric with this name in a baseline.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|metric| metric.name() == name)
    }

    /// Its name in a baseline: `latency.p99_us`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Figure(figure) => figure.gated().map_or("", |gated| gated.name),
            Self::Instructions => "instructions",
        }
    }

    /// Its name for people: `p99`.
    pub fn label(self) -> String {
        match self {
            Self::Figure(figure) => figure.label().into_owned(),
            Self::Digest | Self::Instructions => self.name().to_owned(),
        }
    }

    /// What it counts in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Digest => Unit::Text,
            Self::Instructions => Unit::Count,
            Self::Figure(figure) => match figure.unit() {
                figures::Unit::Micros => Unit::Micros,
                figures::Unit::Count | figures::Unit::Ratio | figures::Unit::Rate | figures::Unit::Share => {
                    Unit::Count
                }
            },
        }
    }

    /// Which way it gets better.
    pub fn better(self) -> Better {
        match self {
            Self::Digest => Better::Neither,
            Self::Figure(figure) => figure.better(),
            Self::Instructions => Better::Less,
        }
    }

    /// Whether a figure that is not there is zero, and not unknown.
    pub fn is_counter(self) -> bool {
        matches!(self, Self::Figure(figure) if figure.gated().is_some_and(|gated| gated.is_counter))
    }

    /// Whether it says how long requests took.
    pub fn is_latency(self) -> bool {
        matches!(self, Self::Figure(figure) if figure.is_latency())
    }

    /// The tolerance when none was stated, as a baseline writes it.
    pub(super) fn tolerance(self) -> &'static str {
        match self {
            Self::Digest => "0",
            Self::Figure(figure) => figure.gated().map_or("0", |gated| gated.tolerance),
            Self::Instructions => "2%",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name_and_stands_in_its_order() {
        let all: Vec<Metric> = Metric::all().collect();
        assert!(all.is_sorted());
        for metric in all {
            assert_eq!(Metric::named(metric.name()), Some(metric), "{}", metric.name());
        }
    }
}
