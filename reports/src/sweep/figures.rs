//! What is drawn of each point: its figures with their names, words, intervals and scales. Owns no drawing.

use hoplab_sim::record::Interval;
use hoplab_sim::sweep::record::{Figure, Figures};

use crate::axis::Axis;
use crate::format::{duration, in_words, percent, significant};
use crate::outcomes::Outcomes;

/// A figure of an architecture at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Median,
    P99,
    Errors,
    Goodput,
    Attempts,
    /// How many expectations hold; of several seeds, in how many of them all hold.
    Held,
}

impl Shown {
    /// Its name, at the head of a table or on a tab.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Median => "p50",
            Self::P99 => "p99",
            Self::Errors => "errors",
            Self::Goodput => "goodput",
            Self::Attempts => "attempts",
            Self::Held => "expectations held",
        }
    }

    /// The same at more length.
    pub(super) fn axis_name(self) -> &'static str {
        match self {
            Self::Median => "median response time",
            Self::P99 => "p99 response time",
            Self::Errors => "failed, timed out or left open",
            Self::Goodput => "good answers per second; dashed: what was offered",
            Self::Attempts => "attempts per call between services",
            Self::Held => "expectations that hold; of several seeds, those in which all hold",
        }
    }

    /// Its value; `None` where there is none.
    pub(super) fn value(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::Median | Self::P99 | Self::Errors => self.figure(figures).map(|figure| figure.value),
            Self::Goodput => Some(figures.goodput_rps),
            Self::Attempts => figures.amplification,
            Self::Held => held(figures).map(|(held, all)| held as f64 / all as f64),
        }
    }

    /// Its 95 % confidence interval, where it is known.
    pub(super) fn interval(self, figures: &Figures) -> Option<Interval> {
        self.figure(figures)?.interval
    }

    fn figure(self, figures: &Figures) -> Option<Figure> {
        match self {
            Self::Median => figures.p50_us,
            Self::P99 => figures.p99_us,
            Self::Errors => figures.error_rate,
            Self::Goodput | Self::Attempts | Self::Held => None,
        }
    }

    /// What it says, in words.
    pub(super) fn said(self, figures: &Figures) -> String {
        match (self, held(figures)) {
            (Self::Held, Some((held, all))) => format!("{held} of {all}"),
            _ => self.value(figures).map_or_else(|| "–".to_owned(), |value| self.say(value)),
        }
    }

    /// A value in words.
    pub(super) fn say(self, value: f64) -> String {
        match self {
            Self::Median | Self::P99 => duration(value),
            Self::Errors | Self::Held => percent(value),
            Self::Goodput => format!("{}/s", significant(value)),
            Self::Attempts => in_words(hoplab_sim::figures::Figure::Amplification, value),
        }
    }

    /// A scale that has room for `values`.
    pub(super) fn axis(self, values: &[f64]) -> Axis {
        let most = values.iter().copied().fold(0.0, f64::max);
        match self {
            Self::Median | Self::P99 => Axis::log_durations(values.iter().copied())
                .unwrap_or_else(|| Axis::durations(values.iter().copied(), 4)),
            Self::Errors => Axis::share(most, 4),
            Self::Goodput => Axis::rate(most, 4),
            Self::Attempts => Axis::number(most, 4),
            Self::Held => Axis::whole(),
        }
    }

    /// How far a value lies between two others, 0 to 1: times by their ratios.
    pub(super) fn along(self, value: f64, (least, most): (f64, f64)) -> f64 {
        let along = match self {
            Self::Median | Self::P99 => (value / least).ln() / (most / least).ln(),
            _ => (value - least) / (most - least),
        };
        if along.is_finite() { along.clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// How many of how many expectations hold; of several seeds, in how many of them all hold.
fn held(figures: &Figures) -> Option<(u64, u64)> {
    let outcomes = Outcomes::of(&figures.expectations);
    let alone = || (outcomes.all() > 0).then_some((outcomes.hold, outcomes.all()));
    figures.in_seeds.map(|seeds| (seeds.hold, seeds.all())).or_else(alone)
}
