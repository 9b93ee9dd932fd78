//! Heat maps over two axes of the grid: a panel an architecture, the figure written into each cell, the same
//! shades for all of them.

use hoplab_sim::sweep::record::{Figures, Sweep};

use super::figures::Shown;
use super::heads::heads;
use super::slice::Slice;
use crate::charts::{Align, Drawing, Ink, Room};
use crate::format::shortened;

/// The shades of the heat maps of runs on which words can be read: the middle one is neither dark nor light.
const SHADES: [usize; 6] = [0, 1, 2, 3, 5, 6];

/// From this shade on words are in the colour of the ground.
const FULL_FROM: usize = 5;

/// The figures that are mapped.
pub(super) const MAPPED: [Shown; 4] = [Shown::P99, Shown::Errors, Shown::Goodput, Shown::Held];

/// The maps of one figure over two axes, by their indexes: from left to right and from bottom to top.
pub(super) fn maps(sweep: &Sweep, axes: (usize, usize), slice: &Slice, figure: Shown, room: Room) -> Drawing {
    let heads = heads(sweep);
    let still = slice.name(sweep);
    let still = if still.is_empty() { still } else { format!(", {still}") };
    let over = format!("over {} and {}", heads[axes.0], heads[axes.1]);
    let mut drawing = Drawing::new(room, format!("{} {over}{still}", capital(figure.axis_name())));
    drawing.description = description(sweep, axes, slice, figure);
    let top = drawing.title_and_legend(&[]);
    let range = range(sweep, axes, slice, figure);
    let beside = if room.is_narrow() || sweep.architectures.len() == 1 { 1 } else { 2 };
    let margin = if room == Room::File { 20.0 } else { 0.0 };
    let width = (room.width() - 2.0 * margin - 24.0 * (beside - 1) as f64) / beside as f64;
    let map = Map { sweep, axes, slice, figure, range };
    let mut lowest = top;
    for (index, name) in sweep.architectures.iter().enumerate() {
        let left = margin + (width + 24.0) * (index % beside) as f64;
        let at = (left, top + (index / beside) as f64 * (map.height(room) + 22.0));
        map.panel(&mut drawing, name, at, width);
        lowest = at.1 + map.height(room);
    }
    drawing.height = lowest + margin;
    drawing
}

struct Map<'a> {
    sweep: &'a Sweep,
    axes: (usize, usize),
    slice: &'a Slice,
    figure: Shown,
    /// The least and the greatest value in any panel.
    range: (f64, f64),
}

impl Map<'_> {
    fn row_height(room: Room) -> f64 {
        room.text() * 2.5
    }

    fn height(&self, room: Room) -> f64 {
        let rows = self.sweep.axes[self.axes.1].labels.len();
        room.text() * 6.4 + rows as f64 * Self::row_height(room)
    }

    fn panel(&self, drawing: &mut Drawing, name: &str, (left, top): (f64, f64), width: f64) {
        let room = drawing.room;
        let (across, up) = (&self.sweep.axes[self.axes.0], &self.sweep.axes[self.axes.1]);
        let heads = heads(self.sweep);
        let (text, row_height) = (room.text(), Self::row_height(room));
        let longest = up.labels.iter().map(|label| drawing.text_width(label)).fold(0.0, f64::max);
        let margin = (longest * 1.2).min(width * 0.28) + 16.0;
        drawing.heading((left, top + text * 1.3), shortened(name, 40), text + 1.5);
        let (x, y) = (left + margin, top + text * 3.4);
        let up_name = drawing.fitted(&format!("{} ↑", heads[self.axes.1]), width);
        drawing.text((left, y - text * 0.6), up_name, Align::Start, Ink::Muted);
        let cell = (width - margin) / across.labels.len() as f64;
        let rows = up.labels.len();
        for (row, label) in up.labels.iter().enumerate() {
            let row_top = y + (rows - 1 - row) as f64 * row_height;
            let baseline = row_top + row_height / 2.0 + text * 0.35;
            let label = drawing.fitted(label, margin - 8.0);
            drawing.text((x - 8.0, baseline), label, Align::End, Ink::Muted);
            for column in 0..across.labels.len() {
                let places = [(self.axes.0, column), (self.axes.1, row)];
                let point = self.slice.point(self.sweep, &places);
                let Some(figures) = point.and_then(|point| point.architectures.get(name)) else { continue };
                let at = (x + column as f64 * cell, row_top);
                self.cell(drawing, at, (cell, row_height), (name, column, row), figures);
            }
        }
        let bottom = y + rows as f64 * row_height;
        for (column, label) in across.labels.iter().enumerate() {
            let middle = x + (column as f64 + 0.5) * cell;
            let label = drawing.fitted(label, cell);
            drawing.text((middle, bottom + text * 1.3), label, Align::Middle, Ink::Muted);
        }
        let across_name = drawing.fitted(&format!("{} →", heads[self.axes.0]), width - margin);
        drawing.text((x, bottom + text * 2.6), across_name, Align::Start, Ink::Muted);
    }

    fn cell(
        &self,
        drawing: &mut Drawing,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        (name, column, row): (&str, usize, usize),
        figures: &Figures,
    ) {
        let text = drawing.room.text();
        let Some(value) = self.figure.value(figures) else {
            let at = (x + width / 2.0 - 1.0, y + height / 2.0 - 1.0 + text * 0.35);
            return drawing.text(at, "–", Align::Middle, Ink::Muted);
        };
        let along = self.figure.along(value, self.range) * SHADES.len() as f64;
        let shade = SHADES[(along as usize).min(SHADES.len() - 1)];
        let (axes, heads) = (&self.sweep.axes, heads(self.sweep));
        let said = self.figure.said(figures);
        let note = format!(
            "{name}\n{} = {}\n{} = {}\n{}: {said}",
            heads[self.axes.0],
            axes[self.axes.0].labels[column],
            heads[self.axes.1],
            axes[self.axes.1].labels[row],
            self.figure.name(),
        );
        drawing.area((x, y), (width - 2.0, height - 2.0), Ink::Heat(shade), Some(note));
        let ink = if shade >= FULL_FROM { Ink::Ground } else { Ink::Text };
        let baseline = y + height / 2.0 - 1.0 + drawing.room.text() * 0.35;
        let room = width - 4.0;
        let said = if drawing.text_width(&said) > room { said.replace(' ', "") } else { said };
        let said = drawing.fitted(&said, room);
        drawing.text((x + width / 2.0 - 1.0, baseline), said, Align::Middle, ink);
    }
}

/// Every point of the slice that is mapped.
fn values(
    sweep: &Sweep,
    axes: (usize, usize),
    slice: &Slice,
    figure: Shown,
    name: &str,
) -> Vec<(f64, String)> {
    let (across, up) = (&sweep.axes[axes.0].labels, &sweep.axes[axes.1].labels);
    let mut values = Vec::new();
    for (row, up) in up.iter().enumerate() {
        for (column, across) in across.iter().enumerate() {
            let point = slice.point(sweep, &[(axes.0, column), (axes.1, row)]);
            let figures = point.and_then(|point| point.architectures.get(name));
            if let Some((value, figures)) = figures.and_then(|of| Some((figure.value(of)?, of))) {
                values.push((value, format!("{} at {across} and {up}", figure.said(figures))));
            }
        }
    }
    values
}

fn range(sweep: &Sweep, axes: (usize, usize), slice: &Slice, figure: Shown) -> (f64, f64) {
    let names = sweep.architectures.iter();
    let values = names.flat_map(|name| values(sweep, axes, slice, figure, name));
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), (value, _)| {
        (least.min(value), most.max(value))
    })
}

fn description(sweep: &Sweep, axes: (usize, usize), slice: &Slice, figure: Shown) -> String {
    let (across, up) = (&sweep.axes[axes.0].key, &sweep.axes[axes.1].key);
    let mut said =
        vec![format!("From left to right {across}, from bottom to top {up}; the darker, the more.")];
    for name in &sweep.architectures {
        let values = values(sweep, axes, slice, figure, name);
        let least = values.iter().min_by(|a, b| a.0.total_cmp(&b.0));
        let most = values.iter().max_by(|a, b| a.0.total_cmp(&b.0));
        if let (Some((_, least)), Some((_, most))) = (least, most) {
            said.push(format!("{name}: from {least} to {most}."));
        }
    }
    said.join(" ")
}

fn capital(text: &str) -> String {
    let text = text.split(';').next().unwrap_or(text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
