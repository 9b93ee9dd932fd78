//! Paints drawings as inline SVG whose colours follow the page's theme: every mark has a class, the
//! style sheet has the colours. Owns no chart.

use std::fmt::Write as _;

use maud::{Markup, Render, html};

use crate::charts::curves::State;
use crate::charts::{Align, Cell, Drawing, HEAT_LEVELS, Ink, Mark, Room};
use crate::page::thin::thinned;

/// The class of an ink; the style sheet gives it its colour.
pub(crate) fn class(ink: Ink) -> String {
    match ink {
        Ink::Text => "t".to_owned(),
        Ink::Muted | Ink::State(State::Unknown) => "m".to_owned(),
        Ink::Ground => "ground".to_owned(),
        Ink::Grid | Ink::State(State::Unrecorded) => "g".to_owned(),
        Ink::Fault => "fault".to_owned(),
        Ink::FaultName => "on-fault".to_owned(),
        Ink::WarmUp => "warm".to_owned(),
        Ink::Architecture(slot) => format!("a{slot}"),
        Ink::Owner(index) => format!("o{index}"),
        Ink::State(State::Closed) => "closed".to_owned(),
        Ink::State(State::HalfOpen) => "half".to_owned(),
        Ink::State(State::Open) => "open".to_owned(),
        Ink::State(State::Ejected) => "ejected".to_owned(),
        Ink::Heat(level) => format!("h{level}"),
    }
}

/// A drawing, of the page's `size`.
pub(crate) fn painted(drawing: &Drawing, size: &str) -> Markup {
    let label = format!("{}. {}", drawing.title, drawing.description);
    let view = format!("0 0 {} {}", drawing.room.width(), drawing.height.ceil());
    // Only who has a pointer or a keyboard looks closer.
    let timeline = drawing.timeline.filter(|_| drawing.room == Room::Wide);
    let tolerance = if timeline.is_some() { TOLERANCE_CLOSE } else { TOLERANCE };
    let time = timeline.map(|of| format!("{} {} {}", round(of.left), round(of.right), of.until_s));
    html! {
        svg class={ "chart " (size) } viewBox=(view) role="img" aria-label=(label)
            font-size=(drawing.room.text()) data-time=[time] {
            @for mark in &drawing.marks { (Painted { mark, room: drawing.room, tolerance }) }
        }
    }
}

/// Bends smaller than this are not seen.
const TOLERANCE: f64 = 0.3;

/// Where a reader looks closer smaller ones are.
const TOLERANCE_CLOSE: f64 = 0.05;

/// A mark, with the size in pixels of the bends in its lines that do not matter. Notes are most of a page's size: on a
/// phone marks only say that they have one, and the script takes it from the drawing for a desk, which has the same
/// marks in the same order.
struct Painted<'a> {
    mark: &'a Mark,
    room: Room,
    tolerance: f64,
}

impl Render for Painted<'_> {
    fn render(&self) -> Markup {
        let (room, tolerance) = (self.room, self.tolerance);
        let noted = if room == Room::Narrow { " noted" } else { "" };
        match self.mark {
            Mark::Line { points, ink, width, dashed } => html! {
                polyline class={ "l " (class(*ink)) } points=(joined(&thinned(points, tolerance))) stroke-width=(width)
                    stroke-dasharray=[dashed.then_some("7 5")] {}
            },
            Mark::Strip { points, ink } => html! {
                polygon class={ "b " (class(*ink)) } points=(joined(points)) {}
            },
            Mark::Dots { points, ink, size } => html! {
                path class={ "d " (class(*ink)) } d=(dots(points)) stroke-width=(size) {}
            },
            Mark::Heat { x, y, width, height, columns, rows, cells } => html! {
                svg.heat x=(round(*x)) y=(round(*y)) width=(round(*width)) height=(round(*height))
                    viewBox={ "0 0 " (columns) " " (rows) } preserveAspectRatio="none" {
                    @for level in 0..HEAT_LEVELS {
                        @let path = filled(cells, level);
                        @if !path.is_empty() { path class={ "f " (class(Ink::Heat(level))) } d=(path) {} }
                    }
                }
            },
            Mark::Group { slot, marks } => html! {
                g class={ "of-" (slot) } { @for mark in marks { (Painted { mark, room, tolerance }) } }
            },
            Mark::Area { x, y, width, height, ink, note } => html! {
                rect class={ "f " (class(*ink)) (note.as_ref().map_or("", |_| noted)) } x=(round(*x)) y=(round(*y))
                    width=(round(*width).max(0.1)) height=(round(*height)) {
                    @if let Some(note) = note.as_ref().filter(|_| room == Room::Wide) { title { (note) } }
                }
            },
            Mark::Text { x, y, text, align, ink, size, bold } => {
                let align = match align {
                    Align::Start => "",
                    Align::Middle => " mid",
                    Align::End => " end",
                };
                html! {
                    text class={ "f " (class(*ink)) (align) } x=(round(*x)) y=(round(*y))
                        font-size=[bold.then_some(size)] font-weight=[bold.then_some("600")] { (text) }
                }
            }
            Mark::Spot { x, y, width, height, note } => html! {
                rect class={ "spot" (noted) } x=(round(*x)) y=(round(*y)) width=(round(*width)) height=(round(*height)) {
                    @if room == Room::Wide { title { (note) } }
                }
            },
        }
    }
}

/// Strokes without length: with round ends they are dots.
fn dots(points: &[(f64, f64)]) -> String {
    points.iter().fold(String::new(), |mut text, &(x, y)| {
        let _ = write!(text, "M{} {}h0", round(x), round(y));
        text
    })
}

/// The cells of one shade, in units of cells.
fn filled(cells: &[Cell], level: usize) -> String {
    cells.iter().filter(|cell| cell.level == level).fold(String::new(), |mut text, cell| {
        let _ = write!(text, "M{} {}h{}v1h-{2}z", cell.column, cell.row, cell.run);
        text
    })
}

fn joined(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    for (x, y) in points {
        let _ = write!(text, "{} {} ", round(*x), round(*y));
    }
    text.truncate(text.trim_end().len());
    text
}

/// To a tenth of a pixel.
pub(crate) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
