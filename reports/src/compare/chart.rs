//! Response times by percentile of both runs under one architecture: the first dashed, the second drawn
//! through. Owns this chart alone.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::Traffic;

use super::figures::Subject;
use super::words::spoken;
use crate::axis::Axis;
use crate::charts::percentiles::percentile;
use crate::charts::{Drawing, Frame, Ink, Mark, Room, curves};
use crate::format::duration;

/// At most so many columns answer to pointing.
const COLUMNS_MAX: usize = 60;

/// A curve: the number of nines, and microseconds.
type Curve = Vec<(f64, f64)>;

/// The chart of all requests.
pub(super) fn overlay(
    name: &str,
    subject: &Subject,
    labels: [&str; 2],
    traffic: [&Traffic; 2],
    room: Room,
) -> Drawing {
    let mut drawing = Drawing::new(room, format!("Response time by percentile under {name}"));
    drawing.description = description(subject, labels);
    let curve = |traffic: &Traffic| -> Curve {
        curves::percentiles(&traffic.latency).into_iter().map(|(at, us)| (at, us as f64)).collect()
    };
    let curves = traffic.map(curve);
    let (left, height) = if room.is_narrow() { (62.0, 230.0) } else { (72.0, 300.0) };
    let frame = Frame { left, top: 32.0, width: room.width() - left - 16.0, height };
    drawing.height = frame.bottom() + 30.0;
    let points = || curves.iter().flatten();
    let x = Axis::nines(points().map(|point| point.0).fold(0.0, f64::max));
    let y = Axis::durations(points().map(|point| point.1), 5);
    drawing.vertical_axis(frame, &y, "response time, from the intended send");
    drawing.horizontal_axis(frame, &x);
    let inks = [Ink::Muted, Ink::Architecture(1)];
    for (index, curve) in curves.iter().enumerate() {
        let points: Vec<_> = curve.iter().map(|&(at, us)| (frame.x(&x, at), frame.y(&y, us))).collect();
        if points.len() > 1 {
            drawing.line(points, inks[index], 2.0, index == 0);
        }
    }
    spots(&mut drawing, frame, &x, &curves, labels);
    drawing
}

/// What both curves say at a place, for those who point there.
fn spots(drawing: &mut Drawing, frame: Frame, x: &Axis, curves: &[Curve; 2], labels: [&str; 2]) {
    let longest = if curves[0].len() > curves[1].len() { &curves[0] } else { &curves[1] };
    if drawing.room == Room::File || longest.is_empty() {
        return;
    }
    let step = longest.len().div_ceil(COLUMNS_MAX);
    for column in (0..longest.len()).step_by(step) {
        let from = frame.x(x, longest[column].0);
        let until = longest.get(column + step).map_or(frame.right(), |next| frame.x(x, next.0));
        let mut rows = vec![percentile(longest[column].0)];
        for (curve, label) in curves.iter().zip(labels) {
            if let Some(&(_, us)) = curve.get(column) {
                rows.push(format!("{label}: {}", duration(us)));
            }
        }
        let note = rows.join("\n");
        let (y, height) = (frame.top, frame.height);
        drawing.marks.push(Mark::Spot { x: from, y, width: until - from, height, note });
    }
}

fn description(subject: &Subject, [first, second]: [&str; 2]) -> String {
    let said: Vec<String> =
        [Figure::P50, Figure::P99].into_iter().filter_map(|figure| spoken(subject.figure(figure))).collect();
    format!("{first} dashed, {second} drawn through. {}.", said.join("; "))
}
