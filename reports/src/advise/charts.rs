//! The two charts of an advice: what each architecture costs against what is lost under it, and how response times grow
//! with load. Owns what they show; how a page stands around them is `page`'s.

use crate::axis::Axis;
use crate::charts::lines::Line;
use crate::charts::{Drawing, Frame, Ink, Mark, Room};
use crate::format::{duration, percent, significant};
use crate::palette::{self, SLOTS};

use super::advice::{Advice, carried};

/// Thousandths of a core in one.
const MILLI: f64 = 1_000.0;

/// The slot of each architecture in the palette, in their order.
pub(super) fn slots(advice: &Advice) -> Vec<usize> {
    palette::slots(advice.costs.keys().map(String::as_str))
}

/// What is lost on average while something is wrong, over the cores that each keeps busy more when all is well.
pub(super) fn paid_and_lost(advice: &Advice, room: Room) -> Drawing {
    let mut drawing = Drawing::new(room, "What is lost, over what it costs");
    let (left, height) = if room.is_narrow() { (62.0, 260.0) } else { (72.0, 320.0) };
    let frame = Frame { left, top: 32.0, width: room.width() - left - 20.0, height };
    drawing.height = frame.bottom() + 52.0;
    let lost = |name: &str| advice.recommendation.lost.get(name).copied().unwrap_or(0.0);
    let most = advice.costs.keys().map(|name| lost(name)).fold(0.0, f64::max);
    let fewest = advice.costs.values().map(|cost| cost.cores).fold(f64::INFINITY, f64::min);
    let more = |cores: f64| (cores - fewest) * MILLI;
    let cores = advice.costs.values().map(|cost| more(cost.cores)).fold(1.0, f64::max);
    let (x, y) = (Axis::number(cores * 1.1, 6), Axis::share(most * 1.1, 6));
    drawing.vertical_axis(frame, &y, "requests lost while something is wrong, on average");
    drawing.horizontal_axis(frame, &x);
    let name = "thousandths of a core busy when all is well, more than with the fewest";
    let at = (frame.right(), frame.bottom() + room.text() * 3.0);
    drawing.text(at, name, crate::charts::Align::End, Ink::Muted);
    let mut said = Vec::new();
    for ((name, cost), slot) in advice.costs.iter().zip(slots(advice)) {
        let (across, up) = (frame.x(&x, more(cost.cores)), frame.y(&y, lost(name)));
        let text = format!("{name}: {} lost, {} cores", percent(lost(name)), significant(cost.cores));
        drawing.group(slot % SLOTS, |drawing| {
            let (points, ink) = (vec![(across, up)], Ink::Architecture(slot % SLOTS));
            drawing.marks.push(Mark::Dots { points, ink, size: 11.0 });
            let note =
                format!("{text}\n{} at the median", cost.p50_us.map_or_else(|| "–".to_owned(), duration));
            let (x, y, width, height) = (across - 14.0, up - 14.0, 28.0, 28.0);
            drawing.marks.push(Mark::Spot { x, y, width, height, note });
        });
        said.push(text);
    }
    drawing.description = said.join("; ") + ".";
    drawing
}

/// What 99 % of requests take, over the load; `None` where no load was tried.
pub(super) fn over_load(advice: &Advice, room: Room) -> Option<Drawing> {
    let tried = || advice.knees.iter().flat_map(|knee| &knee.tries);
    let most = tried().map(|tried| tried.times).fold(f64::NAN, f64::max);
    let y = Axis::log_durations(tried().map(|tried| tried.p99_us as f64)).filter(|_| most > 1.0)?;
    let mut drawing = Drawing::new(room, "What 99 % of requests take, by load");
    let (left, height) = if room.is_narrow() { (62.0, 220.0) } else { (72.0, 280.0) };
    let frame = Frame { left, top: 32.0, width: room.width() - left - 20.0, height };
    drawing.height = frame.bottom() + 52.0;
    let x = Axis::number(most, 8);
    drawing.vertical_axis(frame, &y, "99 % of requests take at most");
    drawing.horizontal_axis(frame, &x);
    let at = (frame.right(), frame.bottom() + room.text() * 3.0);
    drawing.text(at, "times the scenario's load", crate::charts::Align::End, Ink::Muted);
    let slot = |name: &str| {
        let place = advice.costs.get_index_of(name).unwrap_or(0);
        slots(advice).get(place).copied().unwrap_or(0)
    };
    let line = |knee: &hoplab_sim::advise::knee::Knee| Line {
        name: knee.architecture.clone(),
        slot: slot(&knee.architecture),
        points: knee.tries.iter().map(|tried| (tried.times, Some(tried.p99_us as f64))).collect(),
        band: Vec::new(),
    };
    let lines: Vec<Line> = advice.knees.iter().map(line).collect();
    drawing.lines(frame, (&x, &y), &lines);
    for line in &lines {
        let points =
            line.points.iter().filter_map(|&(at, us)| Some((frame.x(&x, at), frame.y(&y, us?)))).collect();
        drawing.marks.push(Mark::Dots { points, ink: Ink::Architecture(line.slot % SLOTS), size: 5.5 });
    }
    let name = |at: f64| format!("{} times", significant(at));
    drawing.spots(frame, &x, &lines, (&name, &duration));
    let carried: Vec<String> = advice.knees.iter().map(carried).collect();
    drawing.description = carried.join("; ") + ".";
    Some(drawing)
}
