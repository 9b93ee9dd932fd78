//! Whose the time of the mean request is, as stacked bars: by architecture, what each adds over the
//! baseline, and by hop within one architecture.

use std::collections::BTreeMap;

use hoplab_sim::record::{Architecture, Record};

use super::drawing::{Align, Drawing, Frame, Ink, Room};
use crate::added;
use crate::axis::Axis;
use crate::format::{difference, duration, plural, significant};
use crate::owners::{self, OWNERS};
use crate::palette::{self, SLOTS};

/// A bar with its parts in the order of [`OWNERS`].
struct Bar {
    name: String,
    /// Beside the name, quieter.
    aside: String,
    total: String,
    parts_us: [f64; OWNERS.len()],
    /// The architecture that it belongs to alone, by its slot.
    slot: Option<usize>,
}

/// At most so many hops have a bar of their own; the rest share one.
const HOPS_MAX: usize = 18;

/// A bar for each architecture: the mean response time by owner, in a part of the run or all of it.
pub(crate) fn by_architecture(record: &Record, phase: Option<&str>, room: Room) -> Drawing {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let bar = |((name, architecture), slot): ((&String, &Architecture), usize)| {
        let mean = added::mean(architecture, phase);
        Bar {
            name: name.clone(),
            aside: String::new(),
            total: mean.map_or_else(|| "–".to_owned(), |(mean_us, _)| duration(mean_us)),
            parts_us: mean.map_or([0.0; OWNERS.len()], |(_, split)| owners::amounts(split)),
            slot: Some(slot % SLOTS),
        }
    };
    let bars: Vec<Bar> = record.architectures.iter().zip(slots).map(bar).collect();
    let when = phase.map_or_else(String::new, |phase| format!(", {phase}"));
    bar_chart(&format!("Whose the time of the mean request is{when}"), &bars, room)
}

/// A bar for each architecture but the baseline: what it adds to the mean; savings go to the left.
pub(crate) fn added(record: &Record, room: Room) -> Drawing {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let slot = |name: &str| record.architectures.get_index_of(name).map(|index| slots[index] % SLOTS);
    let bars: Vec<Bar> = added::over_baseline(record)
        .into_iter()
        .filter_map(|(name, added)| {
            let added = added?;
            Some(Bar {
                name: name.to_owned(),
                aside: String::new(),
                total: difference(added.mean_us),
                parts_us: added.owners_us,
                slot: slot(name),
            })
        })
        .collect();
    bar_chart(&added::title(record), &bars, room)
}

/// A bar for each hop of one architecture.
pub(crate) fn by_hop(name: &str, architecture: &Architecture, room: Room) -> Drawing {
    let sum = |parts: &BTreeMap<String, f64>| parts.values().sum::<f64>();
    let mut kept: Vec<usize> = (0..architecture.hops.len()).collect();
    kept.sort_by(|&a, &b| {
        let size = |index: usize| sum(&architecture.hops[index].breakdown_us);
        size(b).total_cmp(&size(a)).then(a.cmp(&b))
    });
    let small = kept.split_off(kept.len().min(HOPS_MAX));
    kept.sort_unstable();
    let mut bars: Vec<Bar> = kept
        .into_iter()
        .map(|index| {
            let hop = &architecture.hops[index];
            Bar {
                name: hop.name.clone(),
                aside: format!("× {}", significant(hop.visits)),
                total: duration(sum(&hop.breakdown_us)),
                parts_us: owners::amounts(&hop.breakdown_us),
                slot: None,
            }
        })
        .collect();
    if !small.is_empty() {
        let mut parts_us = [0.0; OWNERS.len()];
        for &index in &small {
            let amounts = owners::amounts(&architecture.hops[index].breakdown_us);
            parts_us.iter_mut().zip(amounts).for_each(|(part, us)| *part += us);
        }
        bars.push(Bar {
            name: plural(small.len() as u64, "smaller hop"),
            aside: String::new(),
            total: duration(parts_us.iter().sum()),
            parts_us,
            slot: None,
        });
    }
    bar_chart(&format!("Whose the time is at each hop, {name}"), &bars, room)
}

/// The owners that any architecture has something of, as indexes of [`OWNERS`].
pub(crate) fn owners_seen(record: &Record) -> Vec<usize> {
    let seen = |index: &usize| {
        record.architectures.values().any(|architecture| {
            let hops = architecture.hops.iter().map(|hop| &hop.breakdown_us);
            hops.chain([&architecture.breakdown_us])
                .any(|parts| owners::amounts(parts)[*index].abs() >= 0.005)
        })
    };
    (0..OWNERS.len()).filter(seen).collect()
}

fn bar_chart(title: &str, bars: &[Bar], room: Room) -> Drawing {
    let mut drawing = Drawing::new(room, title);
    let total = |bar: &Bar| format!("{}: {}{}.", bar.name, bar.total, largest(bar));
    drawing.description =
        format!("A bar each, stacked by owner. {}", bars.iter().map(total).collect::<Vec<_>>().join(" "));
    let used = |index: &usize| bars.iter().any(|bar| bar.parts_us[*index].abs() >= 0.005);
    let keys: Vec<_> = (0..OWNERS.len())
        .filter(used)
        .map(|index| (OWNERS[index].label.to_owned(), Ink::Owner(index)))
        .collect();
    let top = drawing.title_and_legend(&keys) + 14.0;
    let least = bars.iter().map(|bar| below_zero(&bar.parts_us)).fold(0.0, f64::min);
    let most = bars.iter().map(|bar| above_zero(&bar.parts_us)).fold(0.0, f64::max);
    let axis = Axis::bars(least, most, if room.is_narrow() { 4 } else { 8 });
    let longest = bars.iter().map(|bar| drawing.text_width(&bar.name)).fold(60.0, f64::max);
    let left = if room.is_narrow() { 14.0 } else { 30.0 + longest.min(290.0) + aside_width(bars) };
    let (pitch, bar_height) = if room.is_narrow() { (44.0, 17.0) } else { (31.0, 19.0) };
    let frame = Frame {
        left,
        top,
        width: room.width() - left - if room.is_narrow() { 14.0 } else { 84.0 },
        height: bars.len() as f64 * pitch + 6.0,
    };
    drawing.height = frame.bottom() + 30.0;
    let row = |index: usize| frame.top + 4.0 + index as f64 * pitch;
    let bar_top =
        |index: usize| row(index) + if room.is_narrow() { 20.0 } else { (pitch - bar_height) / 2.0 };
    let heights: Vec<(f64, f64)> = if room.is_narrow() {
        (0..bars.len()).map(|index| (bar_top(index) - 2.0, bar_top(index) + bar_height + 2.0)).collect()
    } else {
        vec![(frame.top, frame.bottom())]
    };
    drawing.grid_lines(frame, &axis, &heights);
    for (index, bar) in bars.iter().enumerate() {
        let (row, y) = (row(index), bar_top(index));
        let draw = |drawing: &mut Drawing| {
            stack(drawing, frame, &axis, bar, (y, bar_height));
            names(drawing, frame, &axis, bar, (row, y + bar_height / 2.0));
        };
        match bar.slot {
            Some(slot) => drawing.group(slot, draw),
            None => draw(&mut drawing),
        }
    }
    let zero = frame.x(&axis, 0.0);
    for (top, bottom) in heights {
        drawing.line(vec![(zero, top), (zero, bottom)], Ink::Muted, 1.0, false);
    }
    drawing
}

/// The largest parts of a bar, for those who do not see it.
fn largest(bar: &Bar) -> String {
    const SAID_MAX: usize = 3;
    let mut order: Vec<usize> = (0..OWNERS.len()).filter(|&owner| bar.parts_us[owner].abs() >= 0.5).collect();
    order.sort_by(|&a, &b| bar.parts_us[b].abs().total_cmp(&bar.parts_us[a].abs()).then(a.cmp(&b)));
    let said = order.iter().take(SAID_MAX);
    let said: Vec<_> =
        said.map(|&owner| format!("{} {}", OWNERS[owner].label, duration(bar.parts_us[owner]))).collect();
    if said.is_empty() { String::new() } else { format!(", of which {}", said.join(", ")) }
}

fn aside_width(bars: &[Bar]) -> f64 {
    if bars.iter().any(|bar| !bar.aside.is_empty()) { 52.0 } else { 0.0 }
}

/// A part of a bar with less than this share of the axis is not seen.
const PART_MIN: f64 = 5e-5;

fn stack(drawing: &mut Drawing, frame: Frame, axis: &Axis, bar: &Bar, (y, height): (f64, f64)) {
    let (mut above, mut below) = (0.0, 0.0);
    for (index, &us) in bar.parts_us.iter().enumerate() {
        let from = if us >= 0.0 { &mut above } else { &mut below };
        let (start, end) = (*from, *from + us);
        *from = end;
        let (left, right) = (frame.x(axis, start.min(end)), frame.x(axis, start.max(end)));
        // The same parts in every room: a phone's marks take their notes from a desk's.
        if right - left < frame.width * PART_MIN {
            continue;
        }
        let note = format!("{}\n{}: {}", bar.name, OWNERS[index].label, duration(us));
        drawing.area((left, y), (right - left, height), Ink::Owner(index), Some(note));
    }
}

fn names(drawing: &mut Drawing, frame: Frame, axis: &Axis, bar: &Bar, (row, middle): (f64, f64)) {
    let drop = drawing.room.text() * 0.35;
    if drawing.room.is_narrow() {
        let total_width = drawing.text_width(&bar.total) + 10.0;
        let aside = if bar.aside.is_empty() { String::new() } else { format!("  {}", bar.aside) };
        let room = frame.width - total_width - drawing.text_width(&aside);
        let name = drawing.fitted(&bar.name, room) + &aside;
        drawing.text((frame.left, row + 14.0), name, Align::Start, Ink::Text);
        drawing.text((frame.right(), row + 14.0), &*bar.total, Align::End, Ink::Muted);
        return;
    }
    let aside = if bar.aside.is_empty() { 0.0 } else { 52.0 };
    let name = drawing.fitted(&bar.name, frame.left - 20.0 - aside);
    drawing.text((frame.left - 12.0 - aside, middle + drop), name, Align::End, Ink::Text);
    drawing.text((frame.left - 10.0, middle + drop), &*bar.aside, Align::End, Ink::Muted);
    let end = frame.x(axis, above_zero(&bar.parts_us));
    drawing.text((end + 8.0, middle + drop), &*bar.total, Align::Start, Ink::Text);
}

fn above_zero(parts_us: &[f64]) -> f64 {
    parts_us.iter().filter(|us| **us > 0.0).sum()
}

fn below_zero(parts_us: &[f64]) -> f64 {
    parts_us.iter().filter(|us| **us < 0.0).sum()
}
