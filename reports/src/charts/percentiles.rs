//! Response times by percentile, the nines evenly apart, as far as each sample carries them.

use hoplab_sim::record::{Record, Traffic};

use super::curves;
use super::drawing::{Drawing, Frame, Ink, Room};
use super::lines::Line;
use crate::axis::Axis;
use crate::format::{duration, significant};
use crate::palette;

/// The chart of all requests, or of one endpoint.
pub(crate) fn percentiles(record: &Record, endpoint: Option<&str>, room: Room) -> Drawing {
    let lines = lines(record, endpoint);
    let title = match endpoint {
        None => "Response time by percentile".to_owned(),
        Some(endpoint) => format!("Response time by percentile, {endpoint}"),
    };
    let mut drawing = Drawing::new(room, title);
    drawing.description = description(&lines);
    let keys: Vec<_> =
        lines.iter().map(|line| (line.name.clone(), Ink::Architecture(line.slot % palette::SLOTS))).collect();
    let top = drawing.title_and_legend(&keys) + 32.0;
    let (left, height) = if room.is_narrow() { (62.0, 250.0) } else { (72.0, 330.0) };
    let frame = Frame { left, top, width: room.width() - left - 16.0, height };
    drawing.height = frame.bottom() + 30.0;
    let points = || lines.iter().flat_map(|line| &line.points);
    let last = points().map(|point| point.0).fold(0.0, f64::max);
    let x = Axis::nines(last);
    let y = Axis::durations(points().filter_map(|point| point.1), 5);
    drawing.vertical_axis(frame, &y, "response time, from the intended send");
    drawing.horizontal_axis(frame, &x);
    drawing.lines(frame, (&x, &y), &lines);
    drawing.spots(frame, &x, &lines, (&percentile, &duration));
    drawing
}

fn lines(record: &Record, endpoint: Option<&str>) -> Vec<Line> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let nothing = Traffic::default();
    let architectures = record.architectures.iter().zip(slots);
    architectures
        .map(|((name, architecture), slot)| {
            let traffic = match endpoint {
                None => &architecture.total,
                Some(endpoint) => architecture.endpoints.get(endpoint).unwrap_or(&nothing),
            };
            let curve = curves::percentiles(&traffic.latency).into_iter();
            let points = curve.map(|(nines, us)| (nines, Some(us as f64))).collect();
            Line { name: name.clone(), slot, points }
        })
        .collect()
}

/// A number of nines as people write it: `p97.2`, `p99.95`.
fn percentile(nines: f64) -> String {
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
        let figures = [("p50", 0.301), ("p90", 1.0), ("p99", 2.0), ("p99.9", 3.0)];
        let said: Vec<String> = figures
            .into_iter()
            .filter_map(|(name, nines)| Some(format!("{name} {}", duration(at(nines)?))))
            .collect();
        let said = if said.is_empty() { "no requests".to_owned() } else { said.join(", ") };
        format!("{}: {said}.", line.name)
    };
    let figures: Vec<String> = lines.iter().map(line).collect();
    format!("Response time in rising order of percentile, a line an architecture. {}", figures.join(" "))
}
