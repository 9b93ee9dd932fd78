//! Figures over the run, by the requests' intended send, with the warm-up and the faults as bands.

use hoplab_sim::record::Record;

use super::curves;
use super::drawing::{Drawing, Frame, Ink, Room};
use super::lines::Line;
use crate::axis::Axis;
use crate::format::{duration, moment, percent, significant};
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
            Self::Errors => "failed or timed out",
            Self::Attempts => "attempts per call between services",
        }
    }

    fn say(self, value: f64) -> String {
        match self {
            Self::Median | Self::P99 => duration(value),
            Self::Goodput => format!("{}/s", significant(value)),
            Self::Errors => percent(value),
            Self::Attempts => significant(value),
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
        let lines = lines(record, figure);
        let values = lines.iter().flat_map(|line| line.points.iter().filter_map(|point| point.1));
        let y = figure.axis(values, 4);
        drawing.bands(frame, &time, record);
        drawing.vertical_axis(frame, &y, figure.axis_name());
        drawing.horizontal_axis(frame, &time);
        drawing.lines(frame, (&time, &y), &lines);
        drawing.band_names(frame, &time, record);
        let at = |seconds: f64| format!("at {}", moment((seconds * 1e6) as u64));
        drawing.spots(frame, &time, &lines, (&at, &|value| figure.say(value)));
        top = frame.bottom() + 62.0;
    }
    drawing.height = top - 62.0 + 30.0;
    drawing
}

fn lines(record: &Record, figure: Figure) -> Vec<Line> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let architectures = record.architectures.iter().zip(slots);
    architectures
        .map(|((name, architecture), slot)| Line {
            name: name.clone(),
            slot,
            points: curves::over_time(record, architecture, |window| match figure {
                Figure::Median => window.p50_us.map(|us| us as f64),
                Figure::P99 => window.p99_us.map(|us| us as f64),
                Figure::Goodput => (window.sent > 0).then(|| curves::goodput(record, window)),
                Figure::Errors => (window.sent > 0).then(|| curves::error_ratio(window)),
                Figure::Attempts => (window.calls > 0).then(|| window.attempts as f64 / window.calls as f64),
            }),
            band: Vec::new(),
        })
        .collect()
}

fn description(record: &Record, figures: &[Figure]) -> String {
    let mut said = vec!["Time runs from left to right, a line an architecture.".to_owned()];
    for fault in &record.faults {
        let until = fault.at_us.saturating_add(fault.for_us);
        let (from, until) = (moment(fault.at_us), moment(until));
        said.push(format!("From {from} to {until} the fault {}: {}.", fault.name, fault.text));
    }
    for &figure in figures {
        let most: Vec<String> = lines(record, figure)
            .iter()
            .filter_map(|line| {
                let values = line.points.iter().filter_map(|point| point.1);
                let most = values.fold(None, |most: Option<f64>, value| {
                    Some(most.map_or(value, |most| most.max(value)))
                })?;
                Some(format!("{} {}", line.name, figure.say(most)))
            })
            .collect();
        if !most.is_empty() {
            said.push(format!("Highest {}: {}.", figure.axis_name(), most.join(", ")));
        }
    }
    said.join(" ")
}
