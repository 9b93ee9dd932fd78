//! Knee curves: the figures of every architecture along one axis of the grid, below each other.

use hoplab_sim::sweep::record::Sweep;

use super::figures::Shown;
use super::heads::heads;
use super::slice::{self, Slice};
use crate::axis::Axis;
use crate::charts::lines::Line;
use crate::charts::{Drawing, Frame, Ink, Mark, Room};
use crate::palette::{self, SLOTS};

/// Attempts per call from which their curve is worth its place.
const RETRIED_FROM: f64 = 1.02;

/// The curves along the axis of this index, where the others stand still.
pub(super) fn curves(sweep: &Sweep, along: usize, slice: &Slice, room: Room) -> Drawing {
    let shown = shown(sweep, along, slice);
    let mut drawing = Drawing::new(room, title(sweep, along, slice));
    drawing.description = description(sweep, along, slice, &shown);
    let mut top = drawing.title_and_legend(&legend(sweep)) + 32.0;
    let (left, height) = if room.is_narrow() { (62.0, 170.0) } else { (72.0, 220.0) };
    let axis = &sweep.axes[along];
    let x = slice::scale(axis);
    for figure in shown {
        let frame = Frame { left, top, width: room.width() - left - 20.0, height };
        panel(&mut drawing, frame, &x, (sweep, along, slice), figure);
        top = frame.bottom() + 62.0;
    }
    drawing.height = top - 62.0 + 30.0;
    drawing
}

fn panel(
    drawing: &mut Drawing,
    frame: Frame,
    x: &Axis,
    (sweep, along, slice): (&Sweep, usize, &Slice),
    figure: Shown,
) {
    let lines = lines(sweep, along, slice, figure);
    let offered = if figure == Shown::Goodput { offered(sweep, along, slice) } else { Vec::new() };
    let values = lines.iter().flat_map(|line| {
        let points = line.points.iter().filter_map(|point| point.1);
        points.chain(line.band.iter().flat_map(|&(_, low, high)| [low, high]))
    });
    let values: Vec<f64> = values.chain(offered.iter().map(|point| point.1)).collect();
    let y = figure.axis(&values);
    drawing.vertical_axis(frame, &y, figure.axis_name());
    drawing.horizontal_axis(frame, x);
    let place = |at: f64, value: f64| (frame.x(x, at), frame.y(&y, value));
    let axis = &sweep.axes[along];
    if slice::is_numeric(axis) {
        if offered.len() > 1 {
            let points = offered.iter().map(|&(at, value)| place(at, value)).collect();
            drawing.line(points, Ink::Muted, 1.2, true);
        }
        drawing.lines(frame, (x, &y), &lines);
    }
    for line in &lines {
        let points = line.points.iter().filter_map(|&(at, value)| Some(place(at, value?)));
        let points: Vec<_> = points.collect();
        let ink = Ink::Architecture(line.slot % SLOTS);
        if !points.is_empty() {
            drawing.marks.push(Mark::Dots { points, ink, size: 5.5 });
        }
    }
    let head = &heads(sweep)[along];
    let name = |at: f64| {
        let tick = x.ticks.iter().find(|tick| tick.at.total_cmp(&at).is_eq());
        tick.map_or_else(String::new, |tick| format!("{head} = {}", tick.label))
    };
    drawing.spots(frame, x, &lines, (&name, &|value| figure.say(value)));
}

/// What the curves are called.
fn title(sweep: &Sweep, along: usize, slice: &Slice) -> String {
    let still = slice.name(sweep);
    let key = &sweep.axes[along].key;
    if still.is_empty() { format!("Along {key}") } else { format!("Along {key}, {still}") }
}

/// The architectures with their colours.
pub(super) fn legend(sweep: &Sweep) -> Vec<(String, Ink)> {
    let slots = palette::slots(sweep.architectures.iter().map(String::as_str));
    let key = |(name, slot): (&String, usize)| (name.clone(), Ink::Architecture(slot % SLOTS));
    sweep.architectures.iter().zip(slots).map(key).collect()
}

/// The figures that say something.
fn shown(sweep: &Sweep, along: usize, slice: &Slice) -> Vec<Shown> {
    let mut shown = vec![Shown::Median, Shown::P99, Shown::Errors, Shown::Goodput];
    let attempts = lines(sweep, along, slice, Shown::Attempts);
    let mut attempts = attempts.iter().flat_map(|line| line.points.iter().filter_map(|point| point.1));
    if attempts.any(|attempts| attempts > RETRIED_FROM) {
        shown.push(Shown::Attempts);
    }
    shown
}

fn lines(sweep: &Sweep, along: usize, slice: &Slice, figure: Shown) -> Vec<Line> {
    let slots = palette::slots(sweep.architectures.iter().map(String::as_str));
    let line = |(name, slot): (&String, usize)| {
        let seen = slice.along(sweep, along, name);
        let points = seen.iter().map(|&(at, _, figures)| (at, figure.value(figures))).collect();
        let band = seen.iter().filter_map(|&(at, _, figures)| {
            figure.interval(figures).map(|interval| (at, interval.low, interval.high))
        });
        Line { name: name.clone(), slot, points, band: band.collect() }
    };
    sweep.architectures.iter().zip(slots).map(line).collect()
}

/// The load that was offered, of the architecture that was offered the most.
fn offered(sweep: &Sweep, along: usize, slice: &Slice) -> Vec<(f64, f64)> {
    let mut offered: Vec<(f64, f64)> = Vec::new();
    for name in &sweep.architectures {
        for (index, (at, _, figures)) in slice.along(sweep, along, name).into_iter().enumerate() {
            match offered.get_mut(index) {
                Some(point) => point.1 = point.1.max(figures.offered_rps),
                None => offered.push((at, figures.offered_rps)),
            }
        }
    }
    offered
}

fn description(sweep: &Sweep, along: usize, slice: &Slice, shown: &[Shown]) -> String {
    let axis = &sweep.axes[along];
    let mut said = vec![format!("From left to right {}, a line an architecture.", axis.key)];
    for name in &sweep.architectures {
        let seen = slice.along(sweep, along, name);
        let (Some(first), Some(last)) = (seen.first(), seen.last()) else { continue };
        let at = |(_, place, figures): &(f64, usize, &_)| {
            let figures = shown.iter().map(|shown| format!("{} {}", shown.name(), shown.said(figures)));
            format!("at {} {}", axis.labels[*place], figures.collect::<Vec<_>>().join(", "))
        };
        said.push(format!("{name}: {}; {}.", at(first), at(last)));
    }
    said.join(" ")
}
