//! The states of circuit breakers over the run, a lane each, under the architectures that have any.

use hoplab_sim::record::Record;

use super::curves::{self, State};
use super::drawing::{Drawing, Ink, Room};
use super::lanes::{self, Lanes};
use crate::format::{moment, plural};

/// How high a bar is.
const BAR: f64 = 12.0;

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
    let y = drawing.title_and_legend(&keys);
    let sizes: Vec<_> = groups.iter().map(|(_, lanes)| lanes.len()).collect();
    let mut chart = Lanes::new(drawing, record, y, &sizes);
    let mut said = Vec::new();
    for (name, mut lanes) in groups {
        said.push(format!("{name}: {} moved", plural(lanes.len() as u64, "breaker")));
        chart.group(name);
        let left_out = lanes::keep_most(&mut lanes, |lane| lane.spans.len() as u64);
        for lane in &lanes {
            draw(&mut chart, lane);
        }
        chart.left_out(left_out, "breaker");
    }
    Some(chart.finish(&said))
}

fn draw(chart: &mut Lanes, lane: &curves::Lane) {
    let bar = chart.lane(&lane.name) - BAR - 4.0;
    let Lanes { drawing, frame, time, .. } = chart;
    for &(from, until, state) in &lane.spans {
        let x = frame.x(time, curves::seconds(from));
        let width = frame.x(time, curves::seconds(until)) - x;
        let note = format!("{}\n{} from {} to {}", lane.name, state.name(), moment(from), moment(until));
        let (bar, height) = if state == State::Closed { (bar + 4.0, BAR - 8.0) } else { (bar, BAR) };
        drawing.area((x, bar), (width.max(0.8), height), Ink::State(state), Some(note));
    }
}
