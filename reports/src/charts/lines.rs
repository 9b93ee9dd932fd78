//! Line charts: several architectures over one horizontal axis. Owns the lines and what a reader sees
//! who points at a column; not where the values come from.

use super::drawing::{Drawing, Frame, Ink, Mark, Room};
use crate::axis::Axis;
use crate::palette::SLOTS;

/// One line: an architecture, with values in rising order of `x`; a gap where there is no value.
pub(crate) struct Line {
    pub(crate) name: String,
    /// In the palette.
    pub(crate) slot: usize,
    pub(crate) points: Vec<(f64, Option<f64>)>,
    /// Where the true line lies with 95 % confidence: `[x, low, high]`; empty where that is not known.
    pub(crate) band: Vec<(f64, f64, f64)>,
}

/// At most so many columns answer to pointing.
const COLUMNS_MAX: usize = 75;

/// And at most so many values are said in all of them: notes are most of a page's size.
const NOTES_MAX: usize = 360;

impl Drawing {
    pub(crate) fn lines(&mut self, frame: Frame, (x, y): (&Axis, &Axis), lines: &[Line]) {
        let width = if self.room == Room::Narrow { 1.8 } else { 2.0 };
        for line in lines.iter().filter(|line| line.band.len() > 1) {
            let lower = line.band.iter().map(|&(at, low, _)| (frame.x(x, at), frame.y(y, low)));
            let upper = line.band.iter().rev().map(|&(at, _, high)| (frame.x(x, at), frame.y(y, high)));
            let ink = Ink::Architecture(line.slot % SLOTS);
            self.marks.push(Mark::Strip { points: lower.chain(upper).collect(), ink });
        }
        for line in lines {
            let (ink, dashed) = (Ink::Architecture(line.slot % SLOTS), line.slot >= SLOTS);
            for stretch in line.points.split(|(_, value)| value.is_none()) {
                let place = |&(at, value): &(f64, Option<f64>)| Some((frame.x(x, at), frame.y(y, value?)));
                let mut points: Vec<_> = stretch.iter().filter_map(place).collect();
                if let [(left, height)] = points[..] {
                    points.push((left + 2.0, height));
                }
                if !points.is_empty() {
                    self.line(points, ink, width, dashed);
                }
            }
        }
    }

    /// What the lines say at each of their places, for those who point there.
    pub(crate) fn spots(
        &mut self,
        frame: Frame,
        x: &Axis,
        lines: &[Line],
        (name, value): (&dyn Fn(f64) -> String, &dyn Fn(f64) -> String),
    ) {
        let Some(longest) = lines.iter().max_by_key(|line| line.points.len()) else { return };
        let step = Self::step(longest.points.len(), lines.len());
        let places: Vec<f64> = longest.points.iter().step_by(step).map(|point| point.0).collect();
        self.notes(frame, x, &places, |column| {
            let said = lines.iter().filter_map(|line| match line.points.get(column * step) {
                Some(&(_, Some(seen))) => Some(format!("{}: {}", line.name, value(seen))),
                _ => None,
            });
            std::iter::once(name(places[column])).chain(said).collect()
        });
    }

    /// One of how many places answers to pointing, where there are so many and each speaks of so many lines.
    pub(crate) fn step(places: usize, lines: usize) -> usize {
        let columns = (NOTES_MAX / lines.max(1)).min(COLUMNS_MAX);
        places.div_ceil(columns).max(1)
    }

    /// What is said to those who point near each of the `places`, in rows.
    pub(crate) fn notes(
        &mut self,
        frame: Frame,
        x: &Axis,
        places: &[f64],
        rows: impl Fn(usize) -> Vec<String>,
    ) {
        if self.room == Room::File {
            return;
        }
        for (column, &at) in places.iter().enumerate() {
            let middle = frame.x(x, at);
            let edge = |other: Option<&f64>, end: f64| {
                other.map_or(end, |&other| f64::midpoint(frame.x(x, other), middle))
            };
            let left = edge(column.checked_sub(1).and_then(|before| places.get(before)), frame.left);
            let right = edge(places.get(column + 1), frame.right().min(middle + middle - left));
            let note = rows(column).join("\n");
            let (y, width, height) = (frame.top, right - left, frame.height);
            self.marks.push(Mark::Spot { x: left, y, width, height, note });
        }
    }
}
