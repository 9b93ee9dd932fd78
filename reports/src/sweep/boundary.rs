//! What a search found, drawn: along an axis the boundary below which all that is expected holds, or, where
//! there is no axis, a row an architecture. Every try and every point of the grid on its way is a mark: a dot where all
//! held, a cross where something failed.

use hoplab_sim::record::Outcome;
use hoplab_sim::sweep::Try;
use hoplab_sim::sweep::record::{Found, Search, Sweep};

use super::curves::legend;
use super::heads::heads;
use super::limit::highest;
use super::slice::{self, Quantity, Slice};
use crate::axis::Axis;
use crate::charts::lines::Line;
use crate::charts::{Align, Drawing, Frame, Ink, Mark, Room};
use crate::format::shortened;
use crate::palette::{self, SLOTS};

/// Half the size of a cross.
const CROSS: f64 = 3.2;

/// The boundary along the axis of this index, where the others stand still.
pub(super) fn boundary(sweep: &Sweep, search: &Search, along: usize, slice: &Slice, room: Room) -> Drawing {
    let still = slice.name(sweep);
    let still = if still.is_empty() { still } else { format!(", {still}") };
    let mut drawing =
        Drawing::new(room, format!("The highest {} along {}{still}", search.key, sweep.axes[along].key));
    drawing.description = description(sweep, search, Some(along), slice);
    let top = drawing.title_and_legend(&legend(sweep)) + 32.0;
    let (left, height) = if room.is_narrow() { (62.0, 260.0) } else { (72.0, 360.0) };
    let frame = Frame { left, top, width: room.width() - left - 20.0, height };
    drawing.height = frame.bottom() + 30.0;
    let (x, y) = (slice::scale(&sweep.axes[along]), value_axis(search));
    drawing.vertical_axis(frame, &y, &format!("{}: below a line all holds", search.key));
    drawing.horizontal_axis(frame, &x);
    let numbers = slice::numbers(&sweep.axes[along]);
    let mut lines = Vec::new();
    for (name, slot, found) in by_architecture(sweep, search, slice) {
        let mut found: Vec<(f64, &Found)> =
            found.into_iter().filter_map(|found| Some((numbers[found.places[along]?], found))).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let points: Vec<_> = found.iter().map(|(at, found)| (*at, found.number)).collect();
        let line = Line { name: name.clone(), slot, points, band: Vec::new() };
        drawing.group(slot % SLOTS, |drawing| {
            for (at, found) in &found {
                let place = |tried: &Try| (frame.x(&x, *at), frame.y(&y, tried.number));
                tries(drawing, &found.ran(), slot, place);
            }
            if slice::is_numeric(&sweep.axes[along]) {
                drawing.lines(frame, (&x, &y), std::slice::from_ref(&line));
            }
            let points =
                line.points.iter().filter_map(|&(at, value)| Some((frame.x(&x, at), frame.y(&y, value?))));
            let (points, ink) = (points.collect(), Ink::Architecture(slot % SLOTS));
            drawing.marks.push(Mark::Dots { points, ink, size: 9.0 });
        });
        lines.push(line);
    }
    let head = &heads(sweep)[along];
    let label = |ticks: &Axis, at: f64| {
        let tick = ticks.ticks.iter().find(|tick| tick.at.total_cmp(&at).is_eq());
        tick.map_or_else(String::new, |tick| tick.label.clone())
    };
    let value = |number: f64| {
        let found =
            search.found.iter().find(|found| found.number.is_some_and(|of| of.total_cmp(&number).is_eq()));
        found.map_or_else(String::new, |found| highest(search, found))
    };
    drawing.spots(frame, &x, &lines, (&|at| format!("{head} = {}", label(&x, at)), &value));
    drawing
}

/// A row an architecture, where the search has no axis to go along.
pub(super) fn limits(sweep: &Sweep, search: &Search, slice: &Slice, room: Room) -> Drawing {
    let mut drawing = Drawing::new(room, format!("The highest {}", search.key));
    drawing.description = description(sweep, search, None, slice);
    let top = drawing.title_and_legend(&[]) + 12.0;
    let rows = by_architecture(sweep, search, slice);
    let (text, row_height) = (room.text(), if room.is_narrow() { 50.0 } else { 44.0 });
    let longest = rows.iter().map(|(name, ..)| drawing.text_width(&shortened(name, 24))).fold(0.0, f64::max);
    let left = if room.is_narrow() { 8.0 } else { longest * 1.1 + 24.0 };
    let height = row_height * rows.len() as f64;
    let frame = Frame { left, top, width: room.width() - left - 24.0, height };
    drawing.height = frame.bottom() + 30.0;
    let x = value_axis(search);
    drawing.horizontal_axis(frame, &x);
    for (row, (name, slot, found)) in rows.into_iter().enumerate() {
        let Some(found) = found.first() else { continue };
        let middle = top + row_height * (row as f64 + if room.is_narrow() { 0.68 } else { 0.5 });
        let (at, align) = if room.is_narrow() {
            ((left, middle - text), Align::Start)
        } else {
            ((left - 10.0, middle + text * 0.35), Align::End)
        };
        drawing.group(slot % SLOTS, |drawing| {
            drawing.text(at, shortened(name, 24), align, Ink::Text);
            let ink = Ink::Architecture(slot % SLOTS);
            let end = found.number.map_or(frame.left, |number| frame.x(&x, number));
            let note = format!("{name}\n{}: {}", search.key, highest(search, found));
            drawing.area((frame.left, middle - 1.5), (end - frame.left, 3.0), ink, Some(note));
            tries(drawing, &found.ran(), slot, |tried| (frame.x(&x, tried.number), middle));
            let beside = if room.is_narrow() { drawing.text_width(&shortened(name, 24)) + 16.0 } else { 0.0 };
            let said = drawing.fitted(&highest(search, found), frame.width - beside);
            let half = drawing.text_width(&said) / 2.0;
            let right = frame.left + frame.width - half;
            let middle_of = end.max(frame.left + beside + half).min(right);
            drawing.text((middle_of, middle - text * 0.7), said, Align::Middle, Ink::Text);
        });
    }
    drawing
}

/// The scale of what was searched: all that was tried has room.
fn value_axis(search: &Search) -> Axis {
    let tries = search.found.iter().flat_map(Found::ran);
    let numbers: Vec<f64> = tries.map(|tried| tried.number).filter(|number| number.is_finite()).collect();
    Quantity::of(&search.range.1).axis(&numbers)
}

/// A mark for each that was run.
fn tries(drawing: &mut Drawing, tries: &[&Try], slot: usize, place: impl Fn(&Try) -> (f64, f64)) {
    let ink = Ink::Architecture(slot % SLOTS);
    let held: Vec<_> = tries.iter().filter(|tried| tried.holds).map(|tried| place(tried)).collect();
    if !held.is_empty() {
        drawing.marks.push(Mark::Dots { points: held, ink, size: 7.0 });
    }
    for (x, y) in tries.iter().filter(|tried| tried.outcome == Outcome::Fails).map(|tried| place(tried)) {
        for side in [CROSS, -CROSS] {
            drawing.line(vec![(x - CROSS, y - side), (x + CROSS, y + side)], ink, 1.4, false);
        }
    }
}

/// The searches in a slice by architecture, with its slot in the palette.
fn by_architecture<'a>(
    sweep: &'a Sweep,
    search: &'a Search,
    slice: &Slice,
) -> Vec<(&'a String, usize, Vec<&'a Found>)> {
    let slots = palette::slots(sweep.architectures.iter().map(String::as_str));
    let found = |name: &str| {
        search.found.iter().filter(|found| found.architecture == name && slice.holds(found)).collect()
    };
    let all = sweep.architectures.iter().zip(slots).map(|(name, slot)| (name, slot, found(name)));
    all.filter(|(_, _, found): &(_, _, Vec<_>)| !found.is_empty()).collect()
}

fn description(sweep: &Sweep, search: &Search, along: Option<usize>, slice: &Slice) -> String {
    let said = by_architecture(sweep, search, slice).into_iter().map(|(name, _, found)| {
        let found = found.into_iter().map(|found| {
            let at = along.and_then(|along| Some((along, found.places[along]?)));
            let at = at.map(|(along, place)| format!(" at {}", sweep.axes[along].labels[place]));
            format!("{}{}", highest(search, found), at.unwrap_or_default())
        });
        format!("{name}: {}.", found.collect::<Vec<_>>().join(", "))
    });
    format!(
        "The highest {} at which all that is expected holds; a dot is where all held, a cross where something failed. {}",
        search.key,
        said.collect::<Vec<_>>().join(" ")
    )
}
