//! How many requests took how long, over time: a heat map for each architecture, all of them with the same
//! cells and shades, so that they can be compared. Owns the cells; the record has the windows' histograms.

use hoplab_sim::record::{Architecture, Record, Window};

use super::curves;
use super::drawing::{Cell, Drawing, Frame, HEAT_LEVELS, Ink, Mark, Room};
use crate::axis::Axis;
use crate::format::{count, duration, moment, plural};

/// At most so many columns: windows side by side share one beyond it.
const COLUMNS_MAX: usize = 90;

/// Into so many rows the latencies are sorted.
const ROWS: usize = 26;

/// What the heat maps of a run have in common.
pub(crate) struct Heat<'a> {
    record: &'a Record,
    latency: Axis,
    /// So many windows share a column.
    windows: usize,
    /// The fullest cell of any architecture.
    most: u64,
}

impl<'a> Heat<'a> {
    /// `None` where the record has no histograms by window.
    pub(crate) fn of(record: &'a Record) -> Option<Self> {
        let all = || record.architectures.values().flat_map(|seen| &seen.windows);
        let values = all().flat_map(|window| &window.buckets).map(|&(us, _)| us as f64);
        let latency = Axis::log_durations(values)?;
        let longest = record.architectures.values().map(|seen| seen.windows.len()).max()?;
        let windows = longest.div_ceil(COLUMNS_MAX).max(1);
        let mut heat = Self { record, latency, windows, most: 1 };
        let fullest = |seen: &Architecture| heat.counts(seen).into_iter().flatten().max();
        heat.most = record.architectures.values().filter_map(fullest).max().unwrap_or(1).max(1);
        Some(heat)
    }

    /// The shades with the counts that they stand for, the palest first; those that no count can have are left out.
    pub(crate) fn shades(&self) -> Vec<(String, Ink)> {
        let least = |level: usize| {
            (1..=self.most + 1).find(|&count| self.level(count) >= level).unwrap_or(self.most + 1)
        };
        let shade = |level: usize| {
            let (from, until) =
                (least(level), if level + 1 == HEAT_LEVELS { self.most + 1 } else { least(level + 1) });
            let name = match until.saturating_sub(from) {
                0 => return None,
                1 => count(from),
                _ => format!("{} to {}", count(from), count(until - 1)),
            };
            Some((name, Ink::Heat(level)))
        };
        (0..HEAT_LEVELS).filter_map(shade).collect()
    }

    /// The map of one architecture.
    pub(crate) fn map(&self, name: &str, architecture: &Architecture, room: Room) -> Drawing {
        let record = self.record;
        let mut drawing = Drawing::new(room, format!("Response times over time, {name}"));
        drawing.description = description(architecture);
        let top = drawing.title_and_legend(&self.shades()) + 32.0;
        let (left, height) = if room.is_narrow() { (62.0, 220.0) } else { (72.0, 300.0) };
        let frame = Frame { left, top, width: room.width() - left - 16.0, height };
        drawing.height = frame.bottom() + 30.0;
        let end = curves::seconds(curves::end_us(record));
        let time = Axis::time(end, if room.is_narrow() { 5 } else { 10 });
        drawing.bands(frame, &time, record);
        drawing.vertical_axis(frame, &self.latency, "response time, by the intended send");
        drawing.horizontal_axis(frame, &time);
        let counts = self.counts(architecture);
        let column_us = self.windows as u64 * record.window_us;
        let width = frame.width * curves::seconds(column_us * counts.len() as u64) / end;
        let (columns, cells) = (counts.len(), self.cells(&counts));
        let Frame { left: x, top: y, .. } = frame;
        drawing.marks.push(Mark::Heat { x, y, width, height, columns, rows: ROWS, cells });
        drawing.band_names(frame, &time, record);
        if room == Room::Wide {
            for (column, windows) in architecture.windows.chunks(self.windows).enumerate() {
                let x = frame.left + width * column as f64 / columns as f64;
                let note = note(column as u64 * column_us, column_us, windows);
                let width = width / columns as f64;
                drawing.marks.push(Mark::Spot { x, y, width, height, note });
            }
        }
        drawing
    }

    /// How many requests are in each row of each column, the longest first.
    fn counts(&self, architecture: &Architecture) -> Vec<[u64; ROWS]> {
        let column = |windows: &[Window]| {
            let mut counts = [0; ROWS];
            for &(us, count) in windows.iter().flat_map(|window| &window.buckets) {
                let place = self.latency.place(us as f64) * ROWS as f64;
                counts[ROWS - 1 - (place as usize).min(ROWS - 1)] += count;
            }
            counts
        };
        architecture.windows.chunks(self.windows).map(column).collect()
    }

    /// The shade of a cell with so many requests, of which there is one at least.
    fn level(&self, count: u64) -> usize {
        let share = (count.max(1) as f64).ln() / ((self.most + 1) as f64).ln();
        ((share * HEAT_LEVELS as f64) as usize).min(HEAT_LEVELS - 1)
    }

    fn cells(&self, counts: &[[u64; ROWS]]) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::new();
        for row in 0..ROWS {
            for (column, counted) in counts.iter().map(|counts| counts[row]).enumerate() {
                if counted == 0 {
                    continue;
                }
                let level = self.level(counted);
                match cells.last_mut() {
                    Some(last)
                        if last.row == row && last.level == level && last.column + last.run == column =>
                    {
                        last.run += 1;
                    }
                    _ => cells.push(Cell { column, row, run: 1, level }),
                }
            }
        }
        cells
    }
}

/// What a column holds, for those who point at it.
fn note(from_us: u64, width_us: u64, windows: &[Window]) -> String {
    let mut rows = vec![format!("{} to {}", moment(from_us), moment(from_us + width_us))];
    rows.push(plural(windows.iter().map(|window| window.sent).sum(), "request"));
    let figure = |name: &str, of: fn(&Window) -> Option<u64>| {
        let most = windows.iter().filter_map(of).max()?;
        Some(format!("{name}: {}", duration(most as f64)))
    };
    rows.extend(figure("median", |window| window.p50_us));
    rows.extend(figure("p99", |window| window.p99_us));
    rows.extend(figure("longest", |window| window.max_us));
    rows.join("\n")
}

fn description(architecture: &Architecture) -> String {
    let whole = std::iter::once(("the whole run", &architecture.total));
    let phases = architecture.phases.iter().map(|(name, phase)| (name.as_str(), &phase.total));
    let said = whole.chain(phases).filter(|(_, traffic)| traffic.latency.count > 0).map(|(name, traffic)| {
        let at = |quantile| duration(traffic.latency.quantile_us(quantile) as f64);
        let longest = duration(traffic.latency.max_us as f64);
        format!("{name}: half within {}, 99 % within {}, the longest {longest}", at(0.5), at(0.99))
    });
    let said: Vec<String> = said.collect();
    format!("The darker a cell, the more requests took so long at that time. {}.", said.join("; "))
}
