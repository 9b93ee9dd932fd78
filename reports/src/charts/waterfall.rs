//! One request, its critical path spread over the hops that it went through: a lane a hop, in the
//! order in which they were first met, each stretch in its owner's colour.

use hoplab_sim::record::Trace;
use indexmap::IndexMap;

use super::drawing::{Align, Drawing, Frame, Ink, Room};
use crate::axis::Axis;
use crate::format::{duration, exact, plural};
use crate::owners::{self, OWNERS};

/// At most so many hops have a lane of their own; the shortest share the last one.
const LANES_MAX: usize = 24;

/// `[from, until, owner]` in microseconds since the intended send.
type Piece = (u64, u64, usize);

/// The chart of one request.
pub(crate) fn waterfall(trace: &Trace, room: Room) -> Drawing {
    let lanes = lanes(trace);
    let title = format!("{} took {}", trace.endpoint, exact(trace.latency_us));
    let mut drawing = Drawing::new(room, title);
    drawing.description = description(trace, &lanes);
    let seen = |index: &usize| lanes.values().flatten().any(|piece| piece.2 == *index);
    let keys: Vec<_> = (0..OWNERS.len())
        .filter(seen)
        .map(|index| (OWNERS[index].label.to_owned(), Ink::Owner(index)))
        .collect();
    let top = drawing.title_and_legend(&keys) + 10.0;
    let longest = lanes.keys().map(|name| drawing.text_width(name)).fold(60.0, f64::max);
    let narrow = room.is_narrow();
    let left = if narrow { 14.0 } else { 20.0 + longest.min(260.0) };
    let (pitch, height) = if narrow { (34.0, 12.0) } else { (22.0, 13.0) };
    let right = if narrow { 14.0 } else { 76.0 };
    let frame =
        Frame { left, top, width: room.width() - left - right, height: lanes.len() as f64 * pitch + 6.0 };
    drawing.height = frame.bottom() + 30.0;
    let axis = Axis::bars(0.0, trace.latency_us as f64, if narrow { 4 } else { 8 });
    let heights: Vec<(f64, f64)> = if narrow {
        let row = |index: usize| frame.top + 21.0 + index as f64 * pitch;
        (0..lanes.len()).map(|index| (row(index), row(index) + height + 2.0)).collect()
    } else {
        vec![(frame.top, frame.bottom())]
    };
    drawing.grid_lines(frame, &axis, &heights);
    for (index, (name, pieces)) in lanes.iter().enumerate() {
        let row = frame.top + 4.0 + index as f64 * pitch;
        let sum: u64 = pieces.iter().map(|(from, until, _)| until - from).sum();
        let total = duration(sum as f64);
        if narrow {
            let name = drawing.fitted(name, frame.width - drawing.text_width(&total) - 10.0);
            drawing.text((frame.left, row + 13.0), name, Align::Start, Ink::Text);
            drawing.text((frame.right(), row + 13.0), total, Align::End, Ink::Muted);
        } else {
            let name = drawing.fitted(name, frame.left - 16.0);
            drawing.text((frame.left - 10.0, row + 14.0), name, Align::End, Ink::Text);
            drawing.text((room.width() - 8.0, row + 14.0), total, Align::End, Ink::Muted);
        }
        let y = if narrow { row + 18.0 } else { row + 3.5 };
        for &(from, until, owner) in pieces {
            let x = frame.x(&axis, from as f64);
            let width = (frame.x(&axis, until as f64) - x).max(1.0);
            let took = duration((until - from) as f64);
            let note = format!("{name}\n{}: {took}, from {}", OWNERS[owner].label, duration(from as f64));
            drawing.area((x, y), (width, height), Ink::Owner(owner), Some(note));
        }
    }
    drawing
}

fn lanes(trace: &Trace) -> IndexMap<String, Vec<Piece>> {
    let mut lanes: IndexMap<String, Vec<Piece>> = IndexMap::new();
    let mut at = 0;
    for stretch in &trace.path {
        let (from, until) = (at, at + stretch.us);
        at = until;
        if stretch.us == 0 {
            continue;
        }
        let owner = owners::index(&stretch.owner);
        let lane = lanes.entry(stretch.hop.clone()).or_default();
        match lane.last_mut() {
            Some(last) if last.1 == from && last.2 == owner => last.1 = until,
            _ => lane.push((from, until, owner)),
        }
    }
    gathered(lanes)
}

/// With the shortest lanes joined into one where there are too many.
fn gathered(mut lanes: IndexMap<String, Vec<Piece>>) -> IndexMap<String, Vec<Piece>> {
    if lanes.len() <= LANES_MAX {
        return lanes;
    }
    let length = |pieces: &Vec<Piece>| pieces.iter().map(|(from, until, _)| until - from).sum::<u64>();
    let mut lengths: Vec<(u64, usize)> =
        lanes.values().enumerate().map(|(index, pieces)| (length(pieces), index)).collect();
    lengths.sort_unstable();
    let short: Vec<usize> = lengths[..=lanes.len() - LANES_MAX].iter().map(|(_, index)| *index).collect();
    let mut index = 0;
    let mut rest = Vec::new();
    let count = short.len() as u64;
    lanes.retain(|_, pieces| {
        let keep = !short.contains(&index);
        index += 1;
        if !keep {
            rest.append(pieces);
        }
        keep
    });
    rest.sort_unstable();
    lanes.insert(plural(count, "shorter hop"), rest);
    lanes
}

fn description(trace: &Trace, lanes: &IndexMap<String, Vec<Piece>>) -> String {
    let mut by_owner = [0; OWNERS.len()];
    for (from, until, owner) in lanes.values().flatten() {
        by_owner[*owner] += until - from;
    }
    let mut order: Vec<usize> = (0..OWNERS.len()).filter(|&index| by_owner[index] > 0).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(by_owner[index]));
    let parts: Vec<String> = order
        .into_iter()
        .map(|index| format!("{} {}", OWNERS[index].label, duration(by_owner[index] as f64)))
        .collect();
    format!("Request {} to {}: {}.", trace.id, trace.endpoint, parts.join(", "))
}
