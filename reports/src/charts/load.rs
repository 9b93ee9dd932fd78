//! Offered load against goodput: a point for each stretch of a run. On the line through the corner as much was
//! answered well as was asked; above it some had waited. Owns the chart, not what the points are.

use hoplab_sim::record::Record;

use super::drawing::{Drawing, Frame, Ink, Mark, Room};
use crate::axis::Axis;
use crate::format::{percent, significant};
use crate::palette::{self, SLOTS};

/// The points of one architecture.
pub(crate) struct Cloud {
    pub(crate) name: String,
    /// In the palette.
    pub(crate) slot: usize,
    /// `[offered, good]` per second.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A point for each window after the warm-up: what a run was asked in it, and how many good answers it gave then,
/// whenever they were asked for.
pub(crate) fn clouds(record: &Record) -> Vec<Cloud> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let warm = record.warmup_us.div_ceil(record.window_us.max(1)) as usize;
    let architectures = record.architectures.iter().zip(slots);
    let cloud = |((name, architecture), slot): ((&String, &_), usize)| {
        let seen: &hoplab_sim::record::Architecture = architecture;
        let windows = seen.windows.iter().enumerate().skip(warm).filter(|(_, window)| window.sent > 0);
        let points = windows.map(|(index, window)| {
            let seconds = record.spacing().seconds(&(index..index + 1)).max(f64::MIN_POSITIVE);
            (window.sent as f64 / seconds, window.good as f64 / seconds)
        });
        Cloud { name: name.clone(), slot, points: points.collect() }
    };
    architectures.map(cloud).filter(|cloud| !cloud.points.is_empty()).collect()
}

/// The chart; `None` without points.
pub(crate) fn goodput(clouds: &[Cloud], room: Room) -> Option<Drawing> {
    if clouds.is_empty() {
        return None;
    }
    let mut drawing = Drawing::new(room, "Offered load against goodput");
    drawing.description = description(clouds);
    let keys: Vec<_> =
        clouds.iter().map(|cloud| (cloud.name.clone(), Ink::Architecture(cloud.slot % SLOTS))).collect();
    let top = drawing.title_and_legend(&keys) + 32.0;
    let (left, height) = if room.is_narrow() { (62.0, 220.0) } else { (72.0, 280.0) };
    let frame = Frame { left, top, width: room.width() - left - 16.0, height };
    drawing.height = frame.bottom() + 30.0;
    let all = || clouds.iter().flat_map(|cloud| &cloud.points);
    let x = Axis::rate(all().map(|point| point.0).fold(0.0, f64::max), if room.is_narrow() { 4 } else { 8 });
    let y = Axis::rate(all().map(|point| point.1).fold(0.0, f64::max), 4);
    drawing.vertical_axis(frame, &y, "good answers, against requests offered (to the right)");
    drawing.horizontal_axis(frame, &x);
    let end = x.until.min(y.until);
    let all_answered = vec![(frame.x(&x, 0.0), frame.y(&y, 0.0)), (frame.x(&x, end), frame.y(&y, end))];
    drawing.line(all_answered, Ink::Muted, 1.0, true);
    for cloud in clouds {
        let place = |&(offered, good): &(f64, f64)| (frame.x(&x, offered), frame.y(&y, good));
        let mut points: Vec<_> = cloud.points.iter().map(place).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        points.dedup();
        let ink = Ink::Architecture(cloud.slot % SLOTS);
        drawing.marks.push(Mark::Dots { points, ink, size: 5.0 });
    }
    Some(drawing)
}

fn description(clouds: &[Cloud]) -> String {
    let said = |cloud: &Cloud| {
        let offered = || cloud.points.iter().map(|point| point.0);
        let (least, most) = (offered().fold(f64::INFINITY, f64::min), offered().fold(0.0, f64::max));
        let part = |point: &&(f64, f64)| point.1 / point.0;
        let worst = cloud.points.iter().min_by(|a, b| part(a).total_cmp(&part(b)));
        let worst = worst.map_or_else(String::new, |worst| {
            let (offered, good) = (significant(worst.0), significant(worst.1));
            format!(", at worst {good}/s of {offered}/s ({}) were answered well", percent(part(&worst)))
        });
        format!("{}: {} to {}/s were offered{worst}.", cloud.name, significant(least), significant(most))
    };
    let said: Vec<String> = clouds.iter().map(said).collect();
    format!(
        "A point for each stretch of the run; on the dashed line as many are answered well as are asked. {}",
        said.join(" ")
    )
}
