//! Response times by percentile, the nines evenly apart, as far as each sample carries them, with the strip
//! in which the true percentiles lie where the record knows it.

use hoplab_sim::record::{Architecture, Intervals, Record, Traffic};

use super::curves;
use super::drawing::{Drawing, Frame, Ink, Room};
use super::lines::Line;
use crate::axis::Axis;
use crate::format::{duration, range, significant};
use crate::palette;

/// With more curves of endpoints than this each has fewer points: a page has to be read over slow lines.
const FINE_MAX: usize = 48;

/// Which requests are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// All of them.
    All,
    /// Those of a part of the run.
    Phase(&'a str),
    /// Those of an endpoint.
    Endpoint(&'a str),
}

impl<'a> Part<'a> {
    /// As a heading.
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::All => "all requests",
            Self::Phase(name) | Self::Endpoint(name) => name,
        }
    }

    fn traffic(self, architecture: &Architecture) -> Option<&Traffic> {
        match self {
            Self::All => Some(&architecture.total),
            Self::Phase(name) => architecture.phases.get(name).map(|phase| &phase.total),
            Self::Endpoint(name) => architecture.endpoints.get(name),
        }
    }
}

/// The chart of some of a run's requests.
pub(crate) fn percentiles(record: &Record, part: Part, room: Room) -> Drawing {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let nothing = Traffic::default();
    let architectures = record.architectures.iter().zip(slots);
    let mut lines: Vec<Line> = architectures
        .map(|((name, architecture), slot)| line(name, slot, part.traffic(architecture).unwrap_or(&nothing)))
        .collect();
    let endpoints = record.architectures.values().map(|seen| seen.endpoints.len()).sum::<usize>();
    if matches!(part, Part::Endpoint(_)) && endpoints > FINE_MAX {
        lines.iter_mut().for_each(coarsen);
    }
    let title = match part {
        Part::All => "Response time by percentile".to_owned(),
        Part::Phase(name) | Part::Endpoint(name) => format!("Response time by percentile, {name}"),
    };
    chart(title, &lines, room)
}

/// The chart of lines that [`line`] made.
pub(crate) fn chart(title: String, lines: &[Line], room: Room) -> Drawing {
    let mut drawing = Drawing::new(room, title);
    drawing.description = description(lines);
    let keys: Vec<_> =
        lines.iter().map(|line| (line.name.clone(), Ink::Architecture(line.slot % palette::SLOTS))).collect();
    let top = drawing.title_and_legend(&keys) + 32.0;
    let (left, height) = if room.is_narrow() { (62.0, 250.0) } else { (72.0, 330.0) };
    let frame = Frame { left, top, width: room.width() - left - 16.0, height };
    drawing.height = frame.bottom() + 30.0;
    let points = || lines.iter().flat_map(|line| &line.points);
    let last = points().map(|point| point.0).fold(0.0, f64::max);
    let x = Axis::nines(last);
    let highest = lines.iter().flat_map(|line| line.band.iter().map(|&(_, _, high)| high));
    let y = Axis::durations(points().filter_map(|point| point.1).chain(highest), 5);
    drawing.vertical_axis(frame, &y, "response time, from the intended send");
    drawing.horizontal_axis(frame, &x);
    drawing.lines(frame, (&x, &y), lines);
    drawing.spots(frame, &x, lines, (&percentile, &duration));
    drawing
}

/// The percentiles of some traffic as a line.
pub(crate) fn line(name: &str, slot: usize, traffic: &Traffic) -> Line {
    let curve = curves::percentiles(&traffic.latency);
    let last = curve.last().map_or(0.0, |point| point.0);
    let band = band(&traffic.intervals).filter(|point| point.0 <= last + 0.01).collect();
    let points = curve.into_iter().map(|(nines, us)| (nines, Some(us as f64))).collect();
    Line { name: name.to_owned(), slot, points, band }
}

/// Leaves out two of three points; the ends stay.
fn coarsen(line: &mut Line) {
    let last = line.points.len().saturating_sub(1);
    let mut index = 0;
    line.points.retain(|_| {
        index += 1;
        (index - 1) % 3 == 0 || index - 1 == last
    });
}

/// Where the true percentiles lie: `[nines, low, high]`.
fn band(intervals: &Intervals) -> impl Iterator<Item = (f64, f64, f64)> {
    let nines = |quantile: f64| -(1.0 - quantile).log10();
    intervals.quantiles.iter().map(move |of| (nines(of.quantile), of.interval.low, of.interval.high))
}

/// A number of nines as people write it: `p97.2`, `p99.95`.
pub(crate) fn percentile(nines: f64) -> String {
    if nines == 0.0 {
        return "minimum".to_owned();
    }
    let percent = curves::quantile(nines) * 100.0;
    let decimals = if nines < 1.0 { 0 } else { nines.floor() as usize };
    if nines < 2.0 { format!("p{}", significant(percent)) } else { format!("p{percent:.decimals$}") }
}

fn description(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let at = |nines: f64| {
            let found = line.points.iter().rfind(|point| point.0 <= nines + 0.021)?;
            (found.0 > nines - 0.05).then_some(found.1?)
        };
        let about = |nines: f64| {
            let found = line.band.iter().find(|point| (point.0 - nines).abs() < 0.005);
            found
                .and_then(|&(_, low, high)| range(low, high))
                .map_or_else(String::new, |said| format!(" ({said})"))
        };
        let figures = [("p50", 0.301), ("p90", 1.0), ("p99", 2.0), ("p99.9", 3.0)];
        let said: Vec<String> = figures
            .into_iter()
            .filter_map(|(name, nines)| Some(format!("{name} {}{}", duration(at(nines)?), about(nines))))
            .collect();
        let said = if said.is_empty() { "no requests".to_owned() } else { said.join(", ") };
        format!("{}: {said}.", line.name)
    };
    let figures: Vec<String> = lines.iter().map(line).collect();
    let known = lines.iter().any(|line| !line.band.is_empty());
    let bands = if known { ", with its 95 % confidence interval as a strip" } else { "" };
    format!(
        "Response time in rising order of percentile, a line an architecture{bands}. {}",
        figures.join(" ")
    )
}
