//! The states of circuit breakers over the run, and of endpoints that outlier detection ejected, a lane each,
//! under the architectures that have any.

use hoplab_sim::record::Record;

use super::curves::{self, Lane, State};
use super::drawing::{Drawing, Ink, Room};
use super::lanes::{self, Lanes};
use crate::format::{listed, moment, plural};
use crate::palette;

/// How high a bar is.
const BAR: f64 = 12.0;

/// The states that the legend explains.
pub(crate) const STATES: [State; 4] = [State::Closed, State::HalfOpen, State::Open, State::Ejected];

/// The chart; `None` when no breaker ever moved and nothing was ejected.
pub(crate) fn breakers(record: &Record, room: Room) -> Option<Drawing> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let groups: Vec<_> = record
        .architectures
        .iter()
        .zip(slots)
        .map(|((name, architecture), slot)| {
            let lanes = curves::lanes(record, architecture);
            let cut =
                [architecture.breakers_cut_us, architecture.policies_cut_us].into_iter().flatten().min();
            (name, slot, (lanes, curves::ejections(record, architecture)), cut)
        })
        .filter(|(_, _, (lanes, ejections), _)| !lanes.is_empty() || !ejections.is_empty())
        .collect();
    if groups.is_empty() {
        return None;
    }
    let mut drawing =
        Drawing::new(room, format!("Breakers and ejections over time{}", curves::of_first(record)));
    let keys: Vec<_> = STATES.iter().map(|&state| (state.name().to_owned(), Ink::State(state))).collect();
    let y = drawing.title_and_legend(&keys);
    let sizes: Vec<_> =
        groups.iter().map(|(_, _, (lanes, ejections), _)| lanes.len() + ejections.len()).collect();
    let mut chart = Lanes::new(drawing, record, y, &sizes);
    let mut said = Vec::new();
    for (name, slot, (mut lanes, ejections), cut) in groups {
        said.push(in_words(name, &lanes, &ejections) + &curves::until(cut));
        lanes.extend(ejections);
        chart.of(slot, |chart| {
            chart.group(name);
            let left_out = lanes::keep_most(&mut lanes, |lane| lane.spans.len() as u64);
            for lane in &lanes {
                draw(chart, lane);
            }
            chart.left_out(left_out, "lane");
        });
    }
    Some(chart.finish(&said))
}

/// How many moved, and for how long each was not closed, those with most first.
fn in_words(name: &str, breakers: &[Lane], ejections: &[Lane]) -> String {
    const SAID_MAX: usize = 4;
    let away = |lane: &Lane, state: State| -> u64 {
        let spans = lane.spans.iter().filter(|span| span.2 == state);
        spans.map(|(from, until, _)| until - from).sum()
    };
    let longest = |lanes: &[Lane], state: State| {
        let mut times: Vec<(u64, &str)> = lanes.iter().map(|lane| (away(lane, state), &*lane.name)).collect();
        times.sort_by_key(|time| std::cmp::Reverse(time.0));
        let times = times.into_iter().take(SAID_MAX);
        listed(&times.map(|(us, name)| format!("{name} {}", moment(us))).collect::<Vec<_>>())
    };
    let mut said = Vec::new();
    if !breakers.is_empty() {
        let moved = plural(breakers.len() as u64, "breaker");
        said.push(format!("{moved} moved, open for longest: {}", longest(breakers, State::Open)));
    }
    if !ejections.is_empty() {
        let ejected = plural(ejections.len() as u64, "endpoint");
        said.push(format!("{ejected} ejected, for longest: {}", longest(ejections, State::Ejected)));
    }
    format!("{name}: {}", said.join("; "))
}

fn draw(chart: &mut Lanes, lane: &curves::Lane) {
    let bar = chart.lane(&lane.name) - BAR - 4.0;
    let Lanes { drawing, frame, time, .. } = chart;
    for (index, &(from, until, state)) in lane.spans.iter().enumerate() {
        let x = frame.x(time, curves::seconds(from));
        let width = frame.x(time, curves::seconds(until)) - x;
        let is_cut = lane.spans.get(index + 1).is_some_and(|next| next.2 == State::Unrecorded);
        let until = match state {
            State::Unrecorded => "on: there were too many changes to keep".to_owned(),
            _ if is_cut => format!("to {} at least, where the record ends", moment(until)),
            _ => format!("to {}", moment(until)),
        };
        let note = format!("{}\n{} from {} {until}", lane.name, state.name(), moment(from));
        if state == State::Unrecorded {
            lanes::unrecorded(drawing, (x, bar), (width, BAR), note);
            continue;
        }
        let (bar, height) = if state == State::Closed { (bar + 4.0, BAR - 8.0) } else { (bar, BAR) };
        drawing.area((x, bar), (width.max(0.8), height), Ink::State(state), Some(note));
    }
}
