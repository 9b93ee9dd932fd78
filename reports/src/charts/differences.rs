//! How the same requests fared under an architecture and under the baseline: the share of them whose
//! difference in response time is at most so much. Owns what of the difference is shown.

use hoplab_sim::record::{Difference, Record};

use super::drawing::{Drawing, Frame, Ink, Room};
use super::lines::Line;
use crate::axis::Axis;
use crate::format::{count, difference, exact_difference, percent, range, share};
use crate::palette;

/// The share of requests at either end that lies beyond the axis: the bulk is what is looked at.
const BEYOND: f64 = 0.01;

/// How many points a curve has between its ends.
const POINTS: usize = 160;

/// How many places answer to pointing.
const PLACES: usize = 60;

/// One architecture in the chart.
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    /// In the palette.
    pub(crate) slot: usize,
    /// What it is compared with.
    pub(crate) baseline: &'a str,
    pub(crate) difference: &'a Difference,
}

/// What was paired in a part of the run, or in all of it.
pub(crate) fn subjects<'a>(record: &'a Record, phase: Option<&str>) -> Vec<Subject<'a>> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let subject = |(name, slot): (&'a String, usize)| {
        let paired = record.paired.get(name)?;
        let difference = match phase {
            None => &paired.total,
            Some(phase) => paired.phases.get(phase)?,
        };
        (difference.both > 0).then_some(Subject { name, slot, baseline: &paired.baseline, difference })
    };
    record.architectures.keys().zip(slots).filter_map(subject).collect()
}

/// The chart; `None` when nothing was paired.
pub(crate) fn differences(subjects: &[Subject], title: &str, room: Room) -> Option<Drawing> {
    let baseline = subjects.first()?.baseline;
    let mut drawing = Drawing::new(room, title);
    drawing.description = description(subjects);
    let keys: Vec<_> = subjects
        .iter()
        .map(|subject| (subject.name.to_owned(), Ink::Architecture(subject.slot % palette::SLOTS)))
        .collect();
    let top = drawing.title_and_legend(&keys) + 32.0;
    let (left, height) = if room.is_narrow() { (62.0, 220.0) } else { (72.0, 280.0) };
    let frame = Frame { left, top, width: room.width() - left - 16.0, height };
    drawing.height = frame.bottom() + 30.0;
    let x = axis(subjects, if room.is_narrow() { 4 } else { 8 });
    let y = Axis::whole();
    drawing.vertical_axis(frame, &y, &format!("share of requests by how much slower than with {baseline}"));
    drawing.horizontal_axis(frame, &x);
    let zero = frame.x(&x, 0.0);
    drawing.line(vec![(zero, frame.top), (zero, frame.bottom())], Ink::Muted, 1.0, false);
    let lines: Vec<Line> = subjects.iter().map(|subject| curve(subject, &x)).collect();
    drawing.lines(frame, (&x, &y), &lines);
    let places: Vec<Line> = subjects.iter().map(|subject| at_places(subject, &x)).collect();
    let name = |us: f64| format!("at most {}", difference(us));
    drawing.spots(frame, &x, &places, (&name, &percent));
    Some(drawing)
}

/// Wide enough for all but the outermost of each architecture.
fn axis(subjects: &[Subject], ticks: usize) -> Axis {
    let at =
        |quantile: f64| subjects.iter().map(move |subject| subject.difference.quantile_us(quantile) as f64);
    let least = at(BEYOND).fold(f64::INFINITY, f64::min);
    let most = at(1.0 - BEYOND).fold(f64::NEG_INFINITY, f64::max);
    let usual = at(0.5).map(f64::abs).fold(0.0, f64::max);
    Axis::differences(least, most, usual, ticks)
}

fn curve(subject: &Subject, x: &Axis) -> Line {
    let of = subject.difference;
    let inside = |us: &f64| (x.from..=x.until).contains(us);
    let quantiles = (0..=POINTS).map(|index| (index as f64 / POINTS as f64).clamp(0.002, 0.998));
    let points = quantiles.map(|quantile| (of.quantile_us(quantile) as f64, Some(quantile)));
    let points: Vec<_> = points.filter(|point| inside(&point.0)).collect();
    // Of the points above each other the first and the last are enough.
    let level = |index: usize| points.get(index).map(|point: &(f64, Option<f64>)| point.0);
    let between = |index: usize| {
        level(index) == level(index + 1) && index.checked_sub(1).and_then(level) == level(index)
    };
    let points = (0..points.len()).filter(|&index| !between(index)).map(|index| points[index]).collect();
    Line { name: subject.name.to_owned(), slot: subject.slot, points, band: Vec::new() }
}

/// The share at evenly spread places of the axis.
fn at_places(subject: &Subject, x: &Axis) -> Line {
    let of = subject.difference;
    let (mut seen, mut buckets) = (0, of.buckets.iter().peekable());
    let points = (0..=PLACES).map(|index| {
        let us = x.value(index as f64 / PLACES as f64);
        while let Some((_, count)) = buckets.next_if(|(value, _)| *value as f64 <= us) {
            seen += count;
        }
        (us, Some(seen as f64 / of.both as f64))
    });
    Line { name: subject.name.to_owned(), slot: subject.slot, points: points.collect(), band: Vec::new() }
}

fn description(subjects: &[Subject]) -> String {
    let said = |subject: &Subject| {
        let Subject { name, baseline, difference: of, .. } = subject;
        let median = of.quantile_us(0.5) as f64;
        let interval = of.intervals.of(0.5).and_then(|of| range(of.low, of.high));
        let interval = interval.map_or_else(String::new, |range| format!(" ({range})"));
        format!(
            "{name} against {baseline}, {} requests answered under both: median {}{interval}, 98 % from {} to {}, \
             the least {}, the most {}; {} slower, {} faster.",
            count(of.both),
            difference(median),
            difference(of.quantile_us(BEYOND) as f64),
            difference(of.quantile_us(1.0 - BEYOND) as f64),
            exact_difference(of.min_us),
            exact_difference(of.max_us),
            share(of.slower, of.both),
            share(of.faster, of.both),
        )
    };
    subjects.iter().map(said).collect::<Vec<_>>().join(" ")
}
