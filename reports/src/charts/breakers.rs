//! The states of circuit breakers over the run, a lane each, under the architectures that have any.

use hoplab_sim::record::Record;

use super::curves::{self, State};
use super::drawing::{Align, Drawing, Frame, Ink, Room};
use crate::axis::Axis;
use crate::format::{moment, plural};

/// At most so many lanes an architecture; the breakers that moved most.
const LANES_MAX: usize = 16;

/// The states that the legend explains.
pub(crate) const STATES: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

/// The chart; `None` when no breaker ever moved.
pub(crate) fn breakers(record: &Record, room: Room) -> Option<Drawing> {
    let groups: Vec<_> = record
        .architectures
        .iter()
        .map(|(name, architecture)| (name, curves::lanes(record, architecture)))
        .filter(|(_, lanes)| !lanes.is_empty())
        .collect();
    if groups.is_empty() {
        return None;
    }
    let mut drawing = Drawing::new(room, "Breaker states over time");
    let keys: Vec<_> = STATES.iter().map(|&state| (state.name().to_owned(), Ink::State(state))).collect();
    let mut y = drawing.title_and_legend(&keys) + 10.0;
    let narrow = room.is_narrow();
    let (left, pitch) = if narrow { (14.0, 38.0) } else { (270.0, 24.0) };
    let top = y;
    let rows: usize = groups.iter().map(|(_, lanes)| lanes.len().min(LANES_MAX)).sum();
    let crowded = groups.iter().filter(|(_, lanes)| lanes.len() > LANES_MAX).count();
    let height = groups.len() as f64 * 34.0 + rows as f64 * pitch + crowded as f64 * 20.0 + 8.0;
    let frame = Frame { left, top, width: room.width() - left - 16.0, height };
    let end = curves::seconds(curves::end_us(record));
    let time = Axis::time(end, if narrow { 5 } else { 10 });
    drawing.bands(frame, &time, record);
    drawing.horizontal_axis(frame, &time);
    drawing.band_names(frame, &time, record);
    let mut said = Vec::new();
    for (name, mut lanes) in groups {
        said.push(format!("{name}: {} moved", plural(lanes.len() as u64, "breaker")));
        y += 34.0;
        let title = drawing.fitted(name, left.max(200.0) - 20.0);
        let size = room.text() + 0.5;
        drawing.heading((if narrow { left + 4.0 } else { 12.0 }, y - 8.0), title, size);
        let left_out = most_moved(&mut lanes);
        for lane in &lanes {
            lane_row(&mut drawing, frame, &time, lane, (y, pitch));
            y += pitch;
        }
        if left_out > 0 {
            let text = format!("and {} not shown", plural(left_out as u64, "breaker"));
            drawing.text((if narrow { left + 4.0 } else { 12.0 }, y + 14.0), text, Align::Start, Ink::Muted);
            y += 20.0;
        }
    }
    drawing.height = frame.bottom() + 30.0;
    drawing.description = format!("{}.", said.join("; "));
    Some(drawing)
}

/// Keeps the lanes with the most changes, in their order; how many went.
fn most_moved(lanes: &mut Vec<curves::Lane>) -> usize {
    let mut changes: Vec<usize> = lanes.iter().map(|lane| lane.spans.len()).collect();
    changes.sort_unstable_by(|a, b| b.cmp(a));
    let Some(&least) = changes.get(LANES_MAX) else { return 0 };
    let all = lanes.len();
    let mut ties = LANES_MAX - changes.iter().filter(|&&count| count > least).count();
    lanes.retain(|lane| {
        lane.spans.len() > least
            || (lane.spans.len() == least && ties > 0 && {
                ties -= 1;
                true
            })
    });
    all - lanes.len()
}

fn lane_row(drawing: &mut Drawing, frame: Frame, time: &Axis, lane: &curves::Lane, (y, pitch): (f64, f64)) {
    if drawing.room.is_narrow() {
        let name = drawing.fitted(&lane.name, frame.width - 8.0);
        drawing.text((frame.left + 4.0, y + 13.0), name, Align::Start, Ink::Text);
    } else {
        let name = drawing.fitted(&lane.name, frame.left - 24.0);
        drawing.text((frame.left - 10.0, y + 13.5), name, Align::End, Ink::Text);
    }
    let (bar, height) = (y + pitch - 20.0, 12.0);
    for &(from, until, state) in &lane.spans {
        let x = frame.x(time, curves::seconds(from));
        let width = frame.x(time, curves::seconds(until)) - x;
        let note = format!("{}\n{} from {} to {}", lane.name, state.name(), moment(from), moment(until));
        let (bar, height) = if state == State::Closed { (bar + 4.0, height - 8.0) } else { (bar, height) };
        drawing.area((x, bar), (width.max(0.8), height), Ink::State(state), Some(note));
    }
}
