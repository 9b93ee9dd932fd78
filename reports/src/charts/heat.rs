//! How many requests took how long, over time: a heat map for each architecture, all of them with the same
//! cells and shades, so that they can be compared. Owns the cells; the record has the windows' histograms.

use std::ops::Range;

use hoplab_sim::record::{Architecture, Record, Traffic};

use super::curves;
use super::drawing::{Cell, Drawing, Frame, HEAT_LEVELS, Ink, Mark, Room};
use crate::axis::Axis;
use crate::format::{duration, exact, moment, plural, significant};

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
    /// The fullest cell of any architecture, over all runs.
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

    /// The shades with the requests of a run that they stand for, the palest first; those that no cell can have are left
    /// out.
    pub(crate) fn shades(&self) -> Vec<(String, Ink)> {
        let least = |level: usize| {
            (1..=self.most + 1).find(|&count| self.level(count) >= level).unwrap_or(self.most + 1)
        };
        let shade = |level: usize| {
            let (from, until) =
                (least(level), if level + 1 == HEAT_LEVELS { self.most + 1 } else { least(level + 1) });
            let of_a_run = |counted: u64| significant(counted as f64 / self.record.runs() as f64);
            let name = match until.saturating_sub(from) {
                0 => return None,
                1 => of_a_run(from),
                _ => format!("{} to {}", of_a_run(from), of_a_run(until - 1)),
            };
            Some((name, Ink::Heat(level)))
        };
        (0..HEAT_LEVELS).filter_map(shade).collect()
    }

    /// What the shades stand for.
    pub(crate) fn shaded(&self) -> String {
        match self.record.runs() {
            1 => "requests in a cell".to_owned(),
            seeds => format!("requests of a run in a cell, on average over {}", plural(seeds, "seed")),
        }
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
        let shaded = if room == Room::File { format!("; shades: {}", self.shaded()) } else { String::new() };
        let name = format!("response time, by the intended send{shaded}");
        drawing.vertical_axis(frame, &self.latency, &name);
        drawing.horizontal_axis(frame, &time);
        let counts = self.counts(architecture);
        // The last column may be narrower than the others, which are alike.
        let x = |columns: usize| {
            let (_, until_us) = record.spacing().bounds_us(&(0..columns * self.windows));
            frame.x(&time, curves::seconds(until_us))
        };
        let alike = counts.len().saturating_sub(1);
        for columns in [0..alike, alike..counts.len()].into_iter().filter(|columns| !columns.is_empty()) {
            let (left, right) = (x(columns.start), x(columns.end));
            let (y, width, columns) = (frame.top, right - left, &counts[columns]);
            let (cells, columns) = (self.cells(columns), columns.len());
            drawing.marks.push(Mark::Heat { x: left, y, width, height, columns, rows: ROWS, cells });
        }
        drawing.band_names(frame, &time, record);
        if room != Room::File {
            for (column, windows) in self.columns(architecture).enumerate() {
                let (left, right) = (x(column), x(column + 1));
                let (y, width, note) = (frame.top, right - left, self.note(architecture, windows));
                drawing.marks.push(Mark::Spot { x: left, y, width, height, note });
            }
        }
        drawing
    }

    /// The windows of each column.
    fn columns(&self, architecture: &Architecture) -> impl Iterator<Item = Range<usize>> {
        let (windows, width) = (architecture.windows.len(), self.windows);
        (0..windows).step_by(width).map(move |from| from..(from + width).min(windows))
    }

    /// How many requests are in each row of each column, the longest first; in a column that is narrower than others as
    /// many as there would be if it were not.
    fn counts(&self, architecture: &Architecture) -> Vec<[u64; ROWS]> {
        let spacing = self.record.spacing();
        let full = spacing.width_us as f64 * self.windows as f64;
        let column = |windows: Range<usize>| {
            let mut counts = [0; ROWS];
            for &(us, count) in architecture.windows[windows.clone()].iter().flat_map(|of| &of.buckets) {
                let place = self.latency.place(us as f64) * ROWS as f64;
                counts[ROWS - 1 - (place as usize).min(ROWS - 1)] += count;
            }
            let (from_us, until_us) = spacing.bounds_us(&windows);
            let wider = full / ((until_us - from_us) as f64).max(1.0);
            counts.map(|count| (count as f64 * wider).round() as u64)
        };
        self.columns(architecture).map(column).collect()
    }

    /// What a column holds, for those who point at it.
    fn note(&self, architecture: &Architecture, windows: Range<usize>) -> String {
        let spacing = self.record.spacing();
        let (from_us, until_us) = spacing.bounds_us(&windows);
        let traffic = Traffic::of_windows(&architecture.windows[windows.clone()]);
        let (sent, latency) = (traffic.requests.sent, &traffic.latency);
        let rate = significant(sent as f64 / spacing.seconds(&windows).max(f64::MIN_POSITIVE));
        let seeds = match spacing.runs {
            1 => String::new(),
            seeds => format!(" in {}", plural(seeds, "seed")),
        };
        let mut rows = vec![format!("{} to {}", moment(from_us), moment(until_us))];
        rows.push(format!("{}{seeds}: {rate}/s", plural(sent, "request")));
        let percentile = |name: &str, quantile: f64| {
            latency.percentile_us(quantile).map(|us| format!("{name}: {}", duration(us as f64)))
        };
        rows.extend([percentile("median", 0.5), percentile("p99", 0.99)].into_iter().flatten());
        if latency.count > 0 {
            rows.push(format!("longest: {}", exact(latency.max_us)));
        }
        rows.join("\n")
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

fn description(architecture: &Architecture) -> String {
    let whole = std::iter::once(("the whole run", &architecture.total));
    let phases = architecture.phases.iter().map(|(name, phase)| (name.as_str(), &phase.total));
    let said = whole.chain(phases).filter(|(_, traffic)| traffic.latency.count > 0).map(|(name, traffic)| {
        let at = |share: &str, quantile| {
            let us = traffic.latency.percentile_us(quantile);
            us.map(|us| format!("{share} within {}, ", duration(us as f64))).unwrap_or_default()
        };
        let longest = exact(traffic.latency.max_us);
        format!("{name}: {}{}the longest {longest}", at("half", 0.5), at("99 %", 0.99))
    });
    let said: Vec<String> = said.collect();
    format!("The darker a cell, the more requests took so long at that time. {}.", said.join("; "))
}
