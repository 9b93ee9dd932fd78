//! A drawing: lines, areas and words at places in pixels, coloured by meaning. Owns the frame that
//! all charts share: margins, grid, tick labels, bands. Owns no colour value and no file format.

use hoplab_sim::record::Record;

use super::curves::{self, State};
use crate::axis::Axis;
use crate::format;

/// From one row of the bands' names to the next, in sizes of the text.
const ROW: f64 = 1.3;

/// How many shades a heat map has.
pub(crate) const HEAT_LEVELS: usize = 7;

/// Where a drawing will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// In the page, on a desk.
    Wide,
    /// In the page, on a phone.
    Narrow,
    /// Alone in a file, with its own title and legend.
    File,
}

impl Room {
    pub(crate) fn width(self) -> f64 {
        match self {
            Self::Wide | Self::File => 1000.0,
            Self::Narrow => 400.0,
        }
    }

    pub(crate) fn is_narrow(self) -> bool {
        self == Self::Narrow
    }

    /// The height of text.
    pub(crate) fn text(self) -> f64 {
        match self {
            Self::Wide => 12.5,
            Self::Narrow => 13.5,
            Self::File => 14.0,
        }
    }

    /// The average width of a character: pages use the system's font, files a wider one.
    fn character(self) -> f64 {
        match self {
            Self::Wide | Self::Narrow => self.text() * 0.56,
            Self::File => self.text() * 0.63,
        }
    }
}

/// What a mark stands for; the painter knows the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Muted,
    /// The ground that all lies on: for words on a full cell of a heat map.
    Ground,
    Grid,
    Fault,
    /// A name on a fault's band.
    FaultName,
    WarmUp,
    /// An architecture, by its slot in the palette.
    Architecture(usize),
    /// An owner, by its index.
    Owner(usize),
    /// The state of a breaker.
    State(State),
    /// A cell of a heat map, by how full it is: 0 to [`HEAT_LEVELS`] less one.
    Heat(usize),
}

/// Which end of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Start,
    Middle,
    End,
}

/// Something to paint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mark {
    /// Joined points.
    Line { points: Vec<(f64, f64)>, ink: Ink, width: f64, dashed: bool },
    /// A see-through strip about lines: its outline.
    Strip { points: Vec<(f64, f64)>, ink: Ink },
    /// Points that are not joined.
    Dots { points: Vec<(f64, f64)>, ink: Ink, size: f64 },
    /// Cells of equal size over a rectangle, from its upper left corner.
    Heat { x: f64, y: f64, width: f64, height: f64, columns: usize, rows: usize, cells: Vec<Cell> },
    /// What belongs to one architecture alone, by its slot, and goes when a reader hides it.
    Group { slot: usize, marks: Vec<Mark> },
    /// A filled rectangle; readers who point at it see the note.
    Area { x: f64, y: f64, width: f64, height: f64, ink: Ink, note: Option<String> },
    /// A line of text; `y` is its baseline.
    Text { x: f64, y: f64, text: String, align: Align, ink: Ink, size: f64, bold: bool },
    /// An invisible rectangle; readers who point at it see the note. For screens only.
    Spot { x: f64, y: f64, width: f64, height: f64, note: String },
}

/// Neighbouring cells of one row of a heat map that have the same shade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) column: usize,
    pub(crate) row: usize,
    /// How many cells.
    pub(crate) run: usize,
    /// The shade, as in [`Ink::Heat`].
    pub(crate) level: usize,
}

/// The part of a drawing that lies over an axis of time, for readers who look closer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timeline {
    pub(crate) left: f64,
    pub(crate) right: f64,
    /// Where the axis ends.
    pub(crate) until_s: f64,
}

/// A chart, ready to paint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawing {
    pub(crate) room: Room,
    pub(crate) height: f64,
    /// Its name.
    pub(crate) title: String,
    /// What it says, in words, for those who do not see it.
    pub(crate) description: String,
    pub(crate) marks: Vec<Mark>,
    /// Where time runs from left to right.
    pub(crate) timeline: Option<Timeline>,
}

/// The rectangle inside a chart's axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Frame {
    pub(crate) fn bottom(self) -> f64 {
        self.top + self.height
    }

    pub(crate) fn right(self) -> f64 {
        self.left + self.width
    }

    /// Where a value lies on the horizontal axis.
    pub(crate) fn x(self, axis: &Axis, value: f64) -> f64 {
        self.left + self.width * axis.place(value)
    }

    /// Where a value lies on the vertical axis.
    pub(crate) fn y(self, axis: &Axis, value: f64) -> f64 {
        self.bottom() - self.height * axis.place(value)
    }
}

impl Drawing {
    pub(crate) fn new(room: Room, title: impl Into<String>) -> Self {
        let (title, description) = (title.into(), String::new());
        Self { room, height: 0.0, title, description, marks: Vec::new(), timeline: None }
    }

    /// How wide a text will be, roughly.
    pub(crate) fn text_width(&self, text: &str) -> f64 {
        text.chars().count() as f64 * self.room.character()
    }

    /// The text, cut to fit a width.
    pub(crate) fn fitted(&self, text: &str, width: f64) -> String {
        let limit = (width / self.room.character()).floor().max(2.0);
        format::shortened(text, limit as usize)
    }

    pub(crate) fn text(&mut self, (x, y): (f64, f64), text: impl Into<String>, align: Align, ink: Ink) {
        let size = self.room.text();
        self.marks.push(Mark::Text { x, y, text: text.into(), align, ink, size, bold: false });
    }

    pub(crate) fn heading(&mut self, (x, y): (f64, f64), text: impl Into<String>, size: f64) {
        let (align, ink) = (Align::Start, Ink::Text);
        self.marks.push(Mark::Text { x, y, text: text.into(), align, ink, size, bold: true });
    }

    pub(crate) fn line(&mut self, points: Vec<(f64, f64)>, ink: Ink, width: f64, dashed: bool) {
        self.marks.push(Mark::Line { points, ink, width, dashed });
    }

    /// What `draw` draws belongs to the architecture in `slot` alone.
    pub(crate) fn group(&mut self, slot: usize, draw: impl FnOnce(&mut Self)) {
        let before = self.marks.len();
        draw(self);
        let marks = self.marks.split_off(before);
        self.marks.push(Mark::Group { slot, marks });
    }

    pub(crate) fn area(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        ink: Ink,
        note: Option<String>,
    ) {
        if width > 0.0 {
            self.marks.push(Mark::Area { x, y, width, height, ink, note });
        }
    }

    /// A file's title and legend; how much height they took. The page has its own.
    pub(crate) fn title_and_legend(&mut self, keys: &[(String, Ink)]) -> f64 {
        if self.room != Room::File {
            return 0.0;
        }
        self.heading((20.0, 34.0), self.title.clone(), 19.0);
        let (mut x, mut y) = (20.0, 62.0);
        for (name, ink) in keys {
            let name = format::shortened(name, 40);
            let width = 22.0 + self.text_width(&name) + 22.0;
            if x + width > self.room.width() - 10.0 && x > 20.0 {
                (x, y) = (20.0, y + 22.0);
            }
            self.area((x, y - 10.0), (14.0, 10.0), *ink, None);
            self.text((x + 20.0, y), name, Align::Start, Ink::Text);
            x += width;
        }
        y + 8.0
    }

    /// Grid lines and labels of the vertical axis, with its name above it.
    pub(crate) fn vertical_axis(&mut self, frame: Frame, axis: &Axis, name: &str) {
        let name = self.fitted(name, self.room.width() - frame.left);
        self.text((frame.left, frame.top - 10.0), name, Align::Start, Ink::Muted);
        for tick in &axis.ticks {
            let y = frame.y(axis, tick.at);
            self.line(vec![(frame.left, y), (frame.right(), y)], Ink::Grid, 1.0, false);
            let baseline = y + self.room.text() * 0.35;
            self.text((frame.left - 8.0, baseline), &*tick.label, Align::End, Ink::Muted);
        }
    }

    /// Labels of the horizontal axis, with grid lines.
    pub(crate) fn horizontal_axis(&mut self, frame: Frame, axis: &Axis) {
        self.grid_lines(frame, axis, &[(frame.top, frame.bottom())]);
    }

    /// Labels of the horizontal axis, with grid lines over some heights alone.
    pub(crate) fn grid_lines(&mut self, frame: Frame, axis: &Axis, heights: &[(f64, f64)]) {
        let mut free_from = f64::NEG_INFINITY;
        for tick in &axis.ticks {
            let x = frame.x(axis, tick.at);
            for &(top, bottom) in heights {
                self.line(vec![(x, top), (x, bottom)], Ink::Grid, 1.0, false);
            }
            let half = self.text_width(&tick.label) / 2.0;
            let middle = x.min(self.room.width() - half - 2.0);
            if middle - half < free_from {
                continue;
            }
            let baseline = frame.bottom() + self.room.text() * 1.5;
            self.text((middle, baseline), &*tick.label, Align::Middle, Ink::Muted);
            free_from = middle + half + 8.0;
        }
    }

    /// The warm-up and the faults as bands behind what follows.
    pub(crate) fn bands(&mut self, frame: Frame, time: &Axis, record: &Record) {
        self.timeline = Some(Timeline { left: frame.left, right: frame.right(), until_s: time.until });
        let place = |us: u64| frame.x(time, curves::seconds(us));
        let warm = place(record.warmup_us) - frame.left;
        self.area((frame.left, frame.top), (warm, frame.height), Ink::WarmUp, None);
        for fault in &record.faults {
            let end_us = fault.at_us.saturating_add(fault.for_us);
            let (from, until) = (place(fault.at_us), place(end_us));
            let (at, end) = (format::moment(fault.at_us), format::moment(end_us));
            let note = format!("{}: {}\n{at} to {end}", fault.name, fault.text);
            let size = ((until - from).max(1.5), frame.height);
            self.area((from, frame.top), size, Ink::Fault, Some(note));
        }
    }

    /// The names of the bands, over the grid: in rows, as many as it takes for none to overlap.
    pub(crate) fn band_names(&mut self, frame: Frame, time: &Axis, record: &Record) {
        let place = |us: u64| frame.x(time, curves::seconds(us));
        if place(record.warmup_us) - frame.left > self.text_width("warm-up") + 8.0 {
            let at = (frame.left + 5.0, frame.top + self.room.text() * 1.25);
            self.text(at, "warm-up", Align::Start, Ink::Muted);
        }
        for (from, row, label) in self.band_labels(frame, time, record) {
            let baseline = frame.top + self.room.text() * (1.25 + ROW * row as f64);
            if baseline < frame.bottom() {
                self.text((from + 5.0, baseline), label, Align::Start, Ink::FaultName);
            }
        }
    }

    /// How much room the names of the bands take from the top.
    pub(crate) fn band_names_height(&self, frame: Frame, time: &Axis, record: &Record) -> f64 {
        let labels = self.band_labels(frame, time, record);
        let rows = labels.into_iter().map(|(_, row, _)| row + 1).max();
        self.room.text() * ROW * rows.unwrap_or(0) as f64
    }

    /// Where the names of the bands begin, each with its row.
    fn band_labels(&self, frame: Frame, time: &Axis, record: &Record) -> Vec<(f64, usize, String)> {
        let mut rows: Vec<f64> = Vec::new();
        let labels = record.faults.iter().map(|fault| {
            let from = frame.x(time, curves::seconds(fault.at_us));
            let label = self.fitted(&fault.name, frame.right() - from - 5.0);
            let row = rows.iter().position(|&free| free < from).unwrap_or(rows.len());
            if row == rows.len() {
                rows.push(0.0);
            }
            rows[row] = from + self.text_width(&label) + 10.0;
            (from, row, label)
        });
        labels.collect()
    }
}
