//! Lanes over time, in a group for each architecture: their names at the left, or above them where it is narrow. Owns
//! where things stand; what is in a lane is drawn by whoever opens it.

use hoplab_sim::record::Record;

use super::curves::{self, State};
use super::drawing::{Align, Drawing, Frame, Ink, Mark};
use crate::axis::Axis;
use crate::format::plural;
use crate::palette::SLOTS;

/// At most so many lanes a group.
const LANES_MAX: usize = 16;

/// Above a group: its heading.
const HEADING: f64 = 34.0;

/// Below a group: how many lanes it left out.
const LEFT_OUT: f64 = 20.0;

/// Lanes that are being drawn, from top to bottom.
pub(super) struct Lanes {
    pub(super) drawing: Drawing,
    pub(super) frame: Frame,
    pub(super) time: Axis,
    pitch: f64,
    y: f64,
}

impl Lanes {
    /// Below the title and legend, which end at `y`: room for groups of so many lanes each, and the faults behind them.
    pub(super) fn new(mut drawing: Drawing, record: &Record, y: f64, groups: &[usize]) -> Self {
        let narrow = drawing.room.is_narrow();
        let (left, pitch) = if narrow { (14.0, 40.0) } else { (270.0, 24.0) };
        let rows: usize = groups.iter().map(|&lanes| lanes.min(LANES_MAX)).sum();
        let crowded = groups.iter().filter(|&&lanes| lanes > LANES_MAX).count();
        let height = groups.len() as f64 * HEADING + rows as f64 * pitch + crowded as f64 * LEFT_OUT + 8.0;
        let time = Axis::time(curves::seconds(curves::end_us(record)), if narrow { 5 } else { 10 });
        let mut frame = Frame { left, top: y + 10.0, width: drawing.room.width() - left - 16.0, height };
        // The first heading leaves room for one row of names.
        let headroom = (drawing.band_names_height(frame, &time, record) - HEADING / 2.0).max(0.0);
        frame.height += headroom;
        drawing.bands(frame, &time, record);
        drawing.horizontal_axis(frame, &time);
        drawing.band_names(frame, &time, record);
        Self { drawing, time, pitch, y: frame.top + headroom, frame }
    }

    /// What `draw` draws belongs to the architecture in `slot` alone.
    pub(super) fn of(&mut self, slot: usize, draw: impl FnOnce(&mut Self)) {
        let before = self.drawing.marks.len();
        draw(self);
        let marks = self.drawing.marks.split_off(before);
        self.drawing.marks.push(Mark::Group { slot: slot % SLOTS, marks });
    }

    /// Begins the group `name`.
    pub(super) fn group(&mut self, name: &str) {
        self.y += HEADING;
        let title = self.drawing.fitted(name, self.frame.left.max(200.0) - 20.0);
        let size = self.drawing.room.text() + 0.5;
        self.drawing.heading((self.margin(), self.y - 8.0), title, size);
    }

    /// Begins a lane; the y of its floor.
    pub(super) fn lane(&mut self, name: &str) -> f64 {
        let Self { drawing, frame, y, .. } = self;
        if drawing.room.is_narrow() {
            let name = drawing.fitted(name, frame.width - 8.0);
            drawing.text((frame.left + 4.0, *y + 13.0), name, Align::Start, Ink::Text);
        } else {
            let name = drawing.fitted(name, frame.left - 24.0);
            drawing.text((frame.left - 10.0, *y + 15.5), name, Align::End, Ink::Text);
        }
        self.y += self.pitch;
        self.y - 4.0
    }

    /// Ends a group that left out so many lanes.
    pub(super) fn left_out(&mut self, lanes: usize, noun: &str) {
        if lanes > 0 {
            let text = format!("and {} not shown", plural(lanes as u64, noun));
            self.drawing.text((self.margin(), self.y + 14.0), text, Align::Start, Ink::Muted);
            self.y += LEFT_OUT;
        }
    }

    /// The drawing, described by what was said of each group.
    pub(super) fn finish(mut self, said: &[String]) -> Drawing {
        self.drawing.height = self.frame.bottom() + 30.0;
        self.drawing.description = format!("{}.", said.join("; "));
        self.drawing
    }

    fn margin(&self) -> f64 {
        if self.drawing.room.is_narrow() { self.frame.left + 4.0 } else { 12.0 }
    }
}

/// The part of a lane of which the record says nothing, in grey and in words where there is room for them.
pub(super) fn unrecorded(
    drawing: &mut Drawing,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    note: String,
) {
    let words = State::Unrecorded.name();
    drawing.area((x, y), (width, height), Ink::State(State::Unrecorded), Some(note));
    if width > drawing.text_width(words) + 8.0 {
        let at = (x + 5.0, y + height - 1.5);
        drawing.text(at, words, Align::Start, Ink::Muted);
    }
}

/// Keeps as many lanes as a group may have, those with the most `weight`, in their order; how many went.
pub(super) fn keep_most<T>(lanes: &mut Vec<T>, weight: impl Fn(&T) -> u64) -> usize {
    let all = lanes.len();
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(weight(&lanes[index])));
    order.truncate(LANES_MAX);
    let mut index = 0;
    lanes.retain(|_| {
        index += 1;
        order.contains(&(index - 1))
    });
    all - lanes.len()
}
