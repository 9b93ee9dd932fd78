//! Paints drawings as inline SVG whose colours follow the page's theme: every mark has a class, the
//! style sheet has the colours. Owns no chart.

use std::fmt::Write as _;

use maud::{Markup, Render, html};

use crate::charts::curves::State;
use crate::charts::{Align, Drawing, Ink, Mark};
use crate::page::frame::Keys;

/// A chart for the desk and for the phone; the style sheet shows the one that fits.
pub(crate) fn figure(wide: &Drawing, narrow: &Drawing, keys: &Keys) -> Markup {
    html! {
        figure {
            (keys.markup())
            (painted(wide, "wide"))
            (painted(narrow, "narrow"))
        }
    }
}

/// The class of an ink; the style sheet gives it its colour.
pub(crate) fn class(ink: Ink) -> String {
    match ink {
        Ink::Text => "t".to_owned(),
        Ink::Muted | Ink::State(State::Unknown) => "m".to_owned(),
        Ink::Grid => "g".to_owned(),
        Ink::Fault => "fault".to_owned(),
        Ink::FaultName => "on-fault".to_owned(),
        Ink::WarmUp => "warm".to_owned(),
        Ink::Architecture(slot) => format!("a{slot}"),
        Ink::Owner(index) => format!("o{index}"),
        Ink::State(State::Closed) => "closed".to_owned(),
        Ink::State(State::HalfOpen) => "half".to_owned(),
        Ink::State(State::Open) => "open".to_owned(),
    }
}

fn painted(drawing: &Drawing, size: &str) -> Markup {
    let label = format!("{}. {}", drawing.title, drawing.description);
    let view = format!("0 0 {} {}", drawing.room.width(), drawing.height.ceil());
    html! {
        svg class={ "chart " (size) } viewBox=(view) role="img" aria-label=(label)
            font-size=(drawing.room.text()) {
            desc { (drawing.description) }
            @for mark in &drawing.marks { (mark) }
        }
    }
}

impl Render for Mark {
    fn render(&self) -> Markup {
        match self {
            Self::Line { points, ink, width, dashed } => html! {
                polyline class={ "l " (class(*ink)) } points=(joined(points)) stroke-width=(width)
                    stroke-dasharray=[dashed.then_some("7 5")] {}
            },
            Self::Area { x, y, width, height, ink, note } => html! {
                rect class={ "f " (class(*ink)) } x=(round(*x)) y=(round(*y)) width=(round(*width).max(0.1))
                    height=(round(*height)) {
                    @if let Some(note) = note { title { (note) } }
                }
            },
            Self::Text { x, y, text, align, ink, size, bold } => {
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
            Self::Spot { x, y, width, height, note } => html! {
                rect.spot x=(round(*x)) y=(round(*y)) width=(round(*width)) height=(round(*height)) {
                    title { (note) }
                }
            },
        }
    }
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
