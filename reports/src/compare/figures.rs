//! The figures that are laid side by side: requests, response times and errors of all requests and of
//! each endpoint, and how sure it is that they differ. Owns values and their words; how sure is `chance`'s.

use hoplab_sim::figures::{Figure, Scope, Unit};
use hoplab_sim::record::{Architecture, Interval, Traffic};

use super::chance;
use crate::column::{Column, Kind};
use crate::format::{known, percent};
use crate::table::BASIC;

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) figure: Figure,
    pub(super) before: Option<f64>,
    pub(super) now: Option<f64>,
    intervals: (Option<Interval>, Option<Interval>),
    /// How surprising it would be if they did not differ, as a normal deviate; `None` where a run has no interval.
    pub(super) distance: Option<f64>,
    pub(super) standing: Standing,
}

/// How sure it is that a figure differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is written alike, or is a count of what was asked for.
    #[default]
    Alike,
    /// Chance alone does not explain it.
    Beyond,
    /// Both ran the same requests, so that it is real; other requests may show another.
    Exact,
    /// Chance alone may explain it.
    Within,
    /// A run has no interval, so that nothing can be told.
    NoInterval,
}

impl Standing {
    /// As it stands beside a change.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Alike => "",
            Self::Beyond => "≠",
            Self::Exact => "exact",
            Self::Within => "within chance",
            Self::NoInterval => "no interval",
        }
    }
}

impl Pair {
    fn of(figure: Figure, before: &Traffic, now: &Traffic) -> Self {
        let distance = chance::distance(figure, before, now);
        let (before, now) = (Scope::of_traffic(before), Scope::of_traffic(now));
        Self {
            figure,
            before: figure.of(&before),
            now: figure.of(&now),
            intervals: (figure.interval(&before), figure.interval(&now)),
            distance,
            standing: Standing::default(),
        }
    }

    /// Says how sure it is that it differs: whether its distance is `beyond` chance, where it has one, and whether both
    /// ran the `same` requests.
    pub(super) fn judge(&mut self, beyond: bool, same: bool) {
        let is_asked_for = self.figure.unit() == Unit::Count;
        self.standing = match self.distance {
            _ if self.step().is_none() || (is_asked_for && !same) => Standing::Alike,
            Some(_) if beyond => Standing::Beyond,
            _ if same => Standing::Exact,
            Some(_) => Standing::Within,
            None => Standing::NoInterval,
        };
    }

    /// Whether there is something to see in both runs: requests that are left open are the exception.
    pub(super) fn is_shown(&self) -> bool {
        self.figure != Figure::Open || [self.before, self.now].iter().any(|open| *open > Some(0.0))
    }

    /// Whether chance alone does not explain that it differs.
    pub(super) fn is_apart(&self) -> bool {
        self.standing == Standing::Beyond
    }

    /// Both values, where there are two that are written differently.
    pub(super) fn step(&self) -> Option<(f64, f64)> {
        let differs = known(self.figure, self.before) != known(self.figure, self.now);
        self.before.zip(self.now).filter(|_| differs)
    }

    /// How far it moved, as a share of what it was; an error rate by ten times its points.
    pub(super) fn weight(&self) -> f64 {
        match (self.step(), self.figure.unit()) {
            (None, _) => 0.0,
            (Some((before, now)), Unit::Share) => (now - before).abs() * 10.0,
            (Some((before, now)), _) => (now - before).abs() / before.max(1.0),
        }
    }

    /// Before, now and the difference for people: `32.3 ms`, `41 ms`, `+8.7 ms (+27 %)`; the last one is empty where both
    /// are written alike.
    pub(super) fn cells(&self) -> [String; 3] {
        let (row, values) = (self.row(), [self.before, self.now]);
        let Some((before, now)) = self.step() else {
            let mut cells = row.cells(&values).into_iter();
            return std::array::from_fn(|_| cells.next().unwrap_or_default());
        };
        let [before_text, now_text, by] = row.step(before, now);
        let change = match self.figure.unit() {
            Unit::Share => by.replace(" %", " points"),
            Unit::Micros if before > 0.0 => format!("{by} ({})", share(now - before, before)),
            Unit::Micros | Unit::Count | Unit::Rate | Unit::Ratio => by,
        };
        [before_text, now_text, change]
    }

    /// Both intervals for people, where both are known.
    pub(super) fn intervals(&self) -> Option<String> {
        let ends = |of: Interval| Some((of.low, of.high));
        let texts = self.row().ranges(&[ends(self.intervals.0?), ends(self.intervals.1?)]);
        Some(texts.join(" → "))
    }

    /// What stands beside each other in a row has one unit.
    fn row(&self) -> Column {
        let ends = |of: Option<Interval>| [of.map(|of| of.low), of.map(|of| of.high)];
        let beside = self.intervals.0.and(self.intervals.1).is_some();
        let intervals =
            if beside { [ends(self.intervals.0), ends(self.intervals.1)].concat() } else { Vec::new() };
        Column::of(Kind::of(self.figure), &[vec![self.before, self.now], intervals].concat())
    }
}

/// What something moved by as a share of what it was, with its sign.
fn share(by: f64, of: f64) -> String {
    format!("{}{}", if by < 0.0 { "−" } else { "+" }, percent(by.abs() / of))
}

/// All requests, or those of an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    /// `all requests`, or the endpoint's name.
    pub(super) name: String,
    /// In the order of a table.
    pub(super) figures: Vec<Pair>,
}

impl Subject {
    fn of(name: &str, before: &Traffic, now: &Traffic) -> Self {
        let figures = BASIC.map(|figure| Pair::of(figure, before, now));
        Self { name: name.to_owned(), figures: figures.to_vec() }
    }

    pub(super) fn figure(&self, figure: Figure) -> &Pair {
        let found = self.figures.iter().find(|pair| pair.figure == figure);
        found.expect("a subject has each figure that is shown")
    }
}

/// All requests, then each endpoint that either run has, where they are several: one alone is all requests.
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
    if subjects.len() == 2 {
        subjects.truncate(1);
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

    fn figure(figure: Figure, before: f64, now: f64) -> Pair {
        let (before, now) = (Some(before), Some(now));
        let (distance, standing) = (None, Standing::default());
        Pair { figure, before, now, intervals: (None, None), distance, standing }
    }

    #[test]
    fn changes_are_written_in_the_measure_s_own_way() {
        assert_eq!(
            figure(Figure::P99, 32_300.0, 41_000.0).cells(),
            ["32.3 ms", "41.0 ms", "+8.7 ms (+26.9 %)"]
        );
        assert_eq!(figure(Figure::ErrorRate, 0.0, 0.004).cells()[2], "+0.4 points");
        assert_eq!(figure(Figure::Sent, 1_200.0, 100.0).cells()[2], "−1,100");
        assert_eq!(figure(Figure::Mean, 100.0, 100.01).cells()[2], "");
    }

    #[test]
    fn what_is_compared_in_a_row_has_one_unit() {
        assert_eq!(figure(Figure::Mean, 940.0, 1_100.0).cells(), ["0.94 ms", "1.10 ms", "+0.16 ms (+17 %)"]);
        let ends = |low, high| Some(Interval::between(low, high));
        let wide = Pair {
            intervals: (ends(890.0, 990.0), ends(990.0, 1_210.0)),
            ..figure(Figure::Mean, 940.0, 950.0)
        };
        assert_eq!(wide.cells(), ["0.94 ms", "0.95 ms", "+0.01 ms (+1.06 %)"]);
        assert_eq!(wide.intervals().as_deref(), Some("0.89–0.99 ms → 0.99–1.21 ms"));
    }

    #[test]
    fn what_has_no_interval_is_not_within_chance() {
        let standing = |figure: Figure, distance, beyond, same| {
            let mut pair = Pair { distance, ..self::figure(figure, 1_000.0, 2_000.0) };
            pair.judge(beyond, same);
            pair.standing
        };
        assert_eq!(standing(Figure::P99, None, false, false), Standing::NoInterval);
        assert_eq!(standing(Figure::P99, Some(0.5), false, false), Standing::Within);
        assert_eq!(standing(Figure::P99, Some(5.0), true, false), Standing::Beyond);
        assert_eq!(standing(Figure::P99, Some(0.5), false, true), Standing::Exact);
        assert_eq!(standing(Figure::P99, Some(5.0), true, true), Standing::Beyond);
        assert_eq!(standing(Figure::Sent, None, false, false), Standing::Alike);
        assert_eq!(standing(Figure::Sent, None, false, true), Standing::Exact);
    }
}
