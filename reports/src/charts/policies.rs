//! What policies decided over the run, a lane for each decision and upstream: a bar for each stretch of time, as high as
//! there were decisions in it. The counts themselves are in the page's table.

use hoplab_sim::record::Record;

use super::curves::{self, Events};
use super::drawing::{Drawing, Ink, Room};
use super::lanes::{self, Lanes};
use crate::format::{count, moment, plural};
use crate::palette;

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
        .map(|((name, seen), slot)| (name, slot, curves::events(record, seen), seen.policies_cut_us))
        .filter(|(_, _, lanes, _)| !lanes.is_empty())
        .collect();
    if groups.is_empty() {
        return None;
    }
    let mut drawing =
        Drawing::new(room, format!("Decisions of policies over time{}", curves::of_first(record)));
    let y = drawing.title_and_legend(&[]);
    let sizes: Vec<_> = groups.iter().map(|(_, _, lanes, _)| lanes.len()).collect();
    let mut chart = Lanes::new(drawing, record, y, &sizes);
    let mut said = Vec::new();
    for (name, slot, mut lanes, cut) in groups {
        said.push(in_words(name, &lanes) + &curves::until(cut));
        chart.of(slot, |chart| {
            chart.group(name);
            let left_out = lanes::keep_most(&mut lanes, Events::count);
            for lane in &lanes {
                draw(chart, lane, slot % palette::SLOTS, cut);
            }
            chart.left_out(left_out, "lane");
        });
    }
    Some(chart.finish(&said))
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

fn draw(chart: &mut Lanes, lane: &Events, slot: usize, cut: Option<u64>) {
    let floor = chart.lane(&lane.name());
    let Lanes { drawing, frame, time, .. } = chart;
    drawing.line(vec![(frame.left, floor), (frame.right(), floor)], Ink::Grid, 1.0, false);
    if let Some(cut) = cut {
        let x = frame.x(time, curves::seconds(cut));
        let note = format!(
            "{}\nnot recorded from {} on: there were too many decisions to keep",
            lane.name(),
            moment(cut)
        );
        lanes::unrecorded(drawing, (x, floor - BAR), (frame.right() - x, BAR), note);
    }
    let most = lane.stretches.iter().map(|&(_, _, count)| count).max().unwrap_or(1);
    for &(from, until, counted) in &lane.stretches {
        let x = frame.x(time, curves::seconds(from));
        let width = (frame.x(time, curves::seconds(until)) - x).max(1.5);
        let height = (BAR * counted as f64 / most as f64).max(BAR_MIN);
        let note = format!("{}\n{} from {} to {}", lane.name(), count(counted), moment(from), moment(until));
        drawing.area((x, floor - height), (width, height), Ink::Architecture(slot), Some(note));
    }
}
