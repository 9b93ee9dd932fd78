//! Figures over the run, by the requests' intended send, with the warm-up and the faults as bands. Where one window of
//! the run has too few requests to carry a figure, neighbouring ones are drawn together, as a level stretch.

use hoplab_sim::figures::stretch::Stretch;
use hoplab_sim::figures::{self, grouped};
use hoplab_sim::record::{Architecture, Record};

use super::curves;
use super::drawing::{Drawing, Frame, Ink, Room};
use super::lines::Line;
use crate::axis::Axis;
use crate::format::{duration, in_words, listed, moment, percent, significant};
use crate::palette;

/// What is shown over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    Median,
    P99,
    Goodput,
    Errors,
    Attempts,
}

impl Figure {
    fn axis_name(self) -> &'static str {
        match self {
            Self::Median => "median response time",
            Self::P99 => "p99 response time",
            Self::Goodput => "good answers per second",
            Self::Errors => "failed, timed out or left open",
            Self::Attempts => "attempts per call between services",
        }
    }

    /// It over an architecture's run.
    fn stretches(self, record: &Record, seen: &Architecture) -> Vec<Stretch> {
        match self.figure() {
            Some(figure) => curves::over_time(record, seen, figure),
            None => curves::attempts_over_time(record, seen),
        }
    }

    /// The figure of requests that it is.
    pub(crate) fn figure(self) -> Option<figures::Figure> {
        match self {
            Self::Median => Some(figures::Figure::P50),
            Self::P99 => Some(figures::Figure::P99),
            Self::Goodput => Some(figures::Figure::Goodput),
            Self::Errors => Some(figures::Figure::ErrorRate),
            Self::Attempts => None,
        }
    }

    fn say(self, value: f64) -> String {
        match self {
            Self::Median | Self::P99 => duration(value),
            Self::Goodput => format!("{}/s", significant(value)),
            Self::Errors => percent(value),
            Self::Attempts => in_words(figures::Figure::Amplification, value),
        }
    }

    fn axis(self, values: impl Iterator<Item = f64> + Clone, ticks: usize) -> Axis {
        let most = values.clone().fold(0.0, f64::max);
        match self {
            Self::Median | Self::P99 => Axis::durations(values, ticks),
            Self::Goodput => Axis::rate(most, ticks),
            Self::Errors => Axis::share(most, ticks),
            Self::Attempts => Axis::number(most, ticks),
        }
    }
}

/// Several figures below each other, over one axis of time.
pub(crate) fn stacked(record: &Record, figures: &[Figure], title: &str, room: Room) -> Drawing {
    let mut drawing = Drawing::new(room, title);
    drawing.description = description(record, figures);
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let keys: Vec<_> = record
        .architectures
        .keys()
        .zip(slots)
        .map(|(name, slot)| (name.clone(), Ink::Architecture(slot % palette::SLOTS)))
        .collect();
    let mut top = drawing.title_and_legend(&keys) + 32.0;
    let (left, height) = if room.is_narrow() { (62.0, 170.0) } else { (72.0, 220.0) };
    let end = curves::seconds(curves::end_us(record));
    let time = Axis::time(end, if room.is_narrow() { 5 } else { 10 });
    for &figure in figures {
        let frame = Frame { left, top, width: room.width() - left - 16.0, height };
        let runs = runs(record, figure);
        let lines: Vec<Line> = runs.iter().map(Run::line).collect();
        let values = lines.iter().flat_map(|line| line.points.iter().filter_map(|point| point.1));
        let y = figure.axis(values, 4);
        drawing.bands(frame, &time, record);
        drawing.vertical_axis(frame, &y, figure.axis_name());
        drawing.horizontal_axis(frame, &time);
        drawing.lines(frame, (&time, &y), &lines);
        drawing.band_names(frame, &time, record);
        notes(&mut drawing, frame, &time, record, figure, &runs);
        top = frame.bottom() + 62.0;
    }
    drawing.height = top - 62.0 + 30.0;
    drawing
}

/// A figure over the run of one architecture.
struct Run<'a> {
    name: &'a str,
    slot: usize,
    stretches: Vec<Stretch>,
}

fn runs(record: &Record, figure: Figure) -> Vec<Run<'_>> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let architectures = record.architectures.iter().zip(slots);
    let runs = architectures.map(|((name, seen), slot)| {
        let stretches = figure.stretches(record, seen);
        Run { name, slot, stretches }
    });
    runs.collect()
}

impl Run<'_> {
    /// A point in the middle of each window, a level stretch where several are taken together.
    fn line(&self) -> Line {
        let mut points = Vec::with_capacity(self.stretches.len());
        let mut until = 0;
        for stretch in &self.stretches {
            let (from, end) = (curves::seconds(stretch.from_us), curves::seconds(stretch.until_us));
            if until != stretch.windows.start {
                points.push((from, None));
            }
            until = stretch.windows.end;
            if stretch.windows.len() > 1 && stretch.value.is_some() {
                points.extend([(from, stretch.value), (end, stretch.value)]);
            } else {
                points.push((f64::midpoint(from, end), stretch.value));
            }
        }
        Line { name: self.name.to_owned(), slot: self.slot, points, band: Vec::new() }
    }

    /// What is said of a window.
    fn note(&self, window: usize, figure: Figure) -> Option<String> {
        let stretch = self.stretches.iter().find(|stretch| stretch.windows.contains(&window))?;
        let said = stretch.value.map_or_else(|| "too little was served well".to_owned(), |us| figure.say(us));
        let over = format!(" ({} to {})", moment(stretch.from_us), moment(stretch.until_us));
        let over = if stretch.windows.len() > 1 { over } else { String::new() };
        Some(format!("{}: {said}{over}", self.name))
    }
}

/// What is said to those who point at a window.
fn notes(
    drawing: &mut Drawing,
    frame: Frame,
    time: &Axis,
    record: &Record,
    figure: Figure,
    runs: &[Run<'_>],
) {
    let windows = record.architectures.values().map(|seen| seen.windows.len()).max().unwrap_or(0);
    let step = Drawing::step(windows, runs.len());
    let bounds = |window: usize| record.spacing().bounds_us(&(window..window + 1));
    let middle = |window: usize| {
        let (from_us, until_us) = bounds(window);
        f64::midpoint(curves::seconds(from_us), curves::seconds(until_us))
    };
    let places: Vec<f64> = (0..windows).step_by(step).map(middle).collect();
    drawing.notes(frame, time, &places, |column| {
        let window = column * step;
        let (from_us, until_us) = bounds(window);
        let said = runs.iter().filter_map(|run| run.note(window, figure));
        std::iter::once(format!("{} to {}", moment(from_us), moment(until_us))).chain(said).collect()
    });
}

fn description(record: &Record, figures: &[Figure]) -> String {
    let mut said = vec!["Time runs from left to right, a line an architecture.".to_owned()];
    for fault in &record.faults {
        let until = fault.at_us.saturating_add(fault.for_us);
        let (from, until) = (moment(fault.at_us), moment(until));
        said.push(format!("From {from} to {until} the fault {}: {}.", fault.name, fault.text));
    }
    for &figure in figures {
        let runs = runs(record, figure);
        let most = runs.iter().filter_map(|run| {
            let values = run.stretches.iter().filter_map(|stretch| stretch.value);
            let most = values.max_by(f64::total_cmp)?;
            Some(format!("{} {}", run.name, figure.say(most)))
        });
        let most: Vec<String> = most.collect();
        if !most.is_empty() {
            said.push(format!("Highest {}: {}.", figure.axis_name(), most.join(", ")));
        }
        said.extend(taken_together(figure, &runs));
    }
    said.join(" ")
}

/// That windows are taken together, and who has too few requests even so; `None` where each carries the figure.
fn taken_together(figure: Figure, runs: &[Run<'_>]) -> Option<String> {
    let requests = grouped(figure.figure()?.observations_min());
    let (name, takes) = (figure.axis_name(), format!("takes {requests} requests that are served well"));
    let joined = runs.iter().flat_map(|run| &run.stretches).any(|stretch| stretch.windows.len() > 1);
    let none = runs.iter().filter(|run| run.stretches.is_empty()).map(|run| run.name.to_owned());
    let none: Vec<String> = none.collect();
    match (joined, none.is_empty()) {
        (false, true) => None,
        (true, true) => Some(format!("A {name} {takes}: windows that have fewer are drawn together.")),
        (_, false) => Some(format!("A {name} {takes}, which {} have not.", listed(&none))),
    }
}
