//! What policies decided over the run, a lane for each decision and upstream: a bar for each stretch of time, as high as
//! there were decisions in it. The counts themselves are in the page's table.

use hoplab_sim::record::Record;

use super::curves::{self, Events};
use super::drawing::{Align, Drawing, Frame, Ink, Room};
use crate::axis::Axis;
use crate::format::{count, moment, plural};
use crate::palette;

/// At most so many lanes an architecture; those with the most decisions.
const LANES_MAX: usize = 16;

/// How high the bar of a lane's fullest stretch is.
const BAR: f64 = 14.0;

/// How low a bar is at least, so that one decision among thousands is seen.
const BAR_MIN: f64 = 2.5;

/// The chart; `None` when no policy decided anything.
pub(crate) fn policies(record: &Record, room: Room) -> Option<Drawing> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let groups: Vec<_> = record
        .architectures
        .iter()
        .zip(slots)
        .map(|((name, architecture), slot)| (name, slot, curves::events(record, architecture)))
        .filter(|(_, _, lanes)| !lanes.is_empty())
        .collect();
    if groups.is_empty() {
        return None;
    }
    let mut drawing = Drawing::new(room, "Decisions of policies over time");
    let mut y = drawing.title_and_legend(&[]) + 10.0;
    let narrow = room.is_narrow();
    let (left, pitch) = if narrow { (14.0, 40.0) } else { (270.0, 24.0) };
    let rows: usize = groups.iter().map(|(_, _, lanes)| lanes.len().min(LANES_MAX)).sum();
    let crowded = groups.iter().filter(|(_, _, lanes)| lanes.len() > LANES_MAX).count();
    let height = groups.len() as f64 * 34.0 + rows as f64 * pitch + crowded as f64 * 20.0 + 8.0;
    let frame = Frame { left, top: y, width: room.width() - left - 16.0, height };
    let time = Axis::time(curves::seconds(curves::end_us(record)), if narrow { 5 } else { 10 });
    drawing.bands(frame, &time, record);
    drawing.horizontal_axis(frame, &time);
    drawing.band_names(frame, &time, record);
    let mut said = Vec::new();
    for (name, slot, mut lanes) in groups {
        said.push(in_words(name, &lanes));
        y += 34.0;
        let title = drawing.fitted(name, left.max(200.0) - 20.0);
        let margin = if narrow { left + 4.0 } else { 12.0 };
        drawing.heading((margin, y - 8.0), title, room.text() + 0.5);
        let left_out = fullest(&mut lanes);
        for lane in &lanes {
            lane_row(&mut drawing, frame, &time, lane, slot, (y, pitch));
            y += pitch;
        }
        if left_out > 0 {
            let text = format!("and {} not shown", plural(left_out as u64, "lane"));
            drawing.text((margin, y + 14.0), text, Align::Start, Ink::Muted);
            y += 20.0;
        }
    }
    drawing.height = frame.bottom() + 30.0;
    drawing.description = format!("{}.", said.join("; "));
    Some(drawing)
}

/// The lanes with the most decisions, for those who do not see them.
fn in_words(name: &str, lanes: &[Events]) -> String {
    const SAID_MAX: usize = 4;
    let mut most: Vec<&Events> = lanes.iter().collect();
    most.sort_by_key(|lane| std::cmp::Reverse(lane.count()));
    let words = most.iter().take(SAID_MAX);
    let words: Vec<_> = words.map(|lane| format!("{} {}", lane.name(), count(lane.count()))).collect();
    let rest = lanes.len().saturating_sub(SAID_MAX) as u64;
    let more = if rest > 0 { format!(" and {} more", plural(rest, "lane")) } else { String::new() };
    format!("{name}: {}{more}", words.join(", "))
}

/// Keeps the lanes with the most decisions, in their order; how many went.
fn fullest(lanes: &mut Vec<Events>) -> usize {
    let all = lanes.len();
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lanes[index].count()));
    order.truncate(LANES_MAX);
    let mut index = 0;
    lanes.retain(|_| {
        index += 1;
        order.contains(&(index - 1))
    });
    all - lanes.len()
}

fn lane_row(
    drawing: &mut Drawing,
    frame: Frame,
    time: &Axis,
    lane: &Events,
    slot: usize,
    (y, pitch): (f64, f64),
) {
    if drawing.room.is_narrow() {
        let name = drawing.fitted(&lane.name(), frame.width - 8.0);
        drawing.text((frame.left + 4.0, y + 13.0), name, Align::Start, Ink::Text);
    } else {
        let name = drawing.fitted(&lane.name(), frame.left - 24.0);
        drawing.text((frame.left - 10.0, y + 15.5), name, Align::End, Ink::Text);
    }
    let floor = y + pitch - 4.0;
    drawing.line(vec![(frame.left, floor), (frame.right(), floor)], Ink::Grid, 1.0, false);
    let most = lane.stretches.iter().map(|&(_, _, count)| count).max().unwrap_or(1);
    for &(from, until, counted) in &lane.stretches {
        let x = frame.x(time, curves::seconds(from));
        let width = (frame.x(time, curves::seconds(until)) - x).max(1.5);
        let height = (BAR * counted as f64 / most as f64).max(BAR_MIN);
        let note = format!("{}\n{} from {} to {}", lane.name(), count(counted), moment(from), moment(until));
        drawing.area((x, floor - height), (width, height), Ink::Architecture(slot), Some(note));
    }
}
