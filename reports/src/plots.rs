//! The charts as files: SVG and PNG, painted by plotters, which nothing else here names. PNG text
//! needs a font, which is built in; no file and no system font is opened. Owns colours on white,
//! not what a chart looks like.

use std::fmt::Display;
use std::sync::OnceLock;

use hoplab_sim::record::Record;
use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontStyle, IntoTextStyle, RGBColor, register_font};

use crate::added;
use crate::charts::curves::{self, State};
use crate::charts::heat::Heat;
use crate::charts::over_time::{self, Figure};
use crate::charts::percentiles::Part;
use crate::charts::{self, Align, Drawing, Ink, Mark, Room};
use crate::owners::OWNERS;
use crate::palette::{self, COLOURS, SLOTS};

/// A plot in one format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, with the extension.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A plot that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw {name}: {reason}")]
pub struct Error {
    /// The plot's file.
    pub name: String,
    /// What the drawing library said.
    pub reason: String,
}

/// Device pixels to a pixel of the drawing: plotters rounds to whole ones.
const SCALE: f64 = 2.0;

/// How much of its colour the strip about a line has.
const STRIP_OPACITY: f64 = 0.16;

/// How much of its colour a dot has: many lie over each other.
const DOT_OPACITY: f64 = 0.55;

/// How much finer a PNG is drawn than it is stored: plotters does not smooth polygons' edges.
const OVERSAMPLING: usize = 2;

/// Every plot of a run, as SVG and as PNG. Each is always there, also when there is nothing to show.
pub fn files(record: &Record) -> Result<Vec<File>, Error> {
    let mut drawings = drawings(record);
    drawings.extend(heat_maps(record));
    painted(drawings)
}

/// Each drawing as SVG and as PNG, under its name.
pub(crate) fn painted(drawings: Vec<(String, Drawing)>) -> Result<Vec<File>, Error> {
    let mut files = Vec::with_capacity(drawings.len() * 2);
    for (name, drawing) in drawings {
        let svg = svg(&drawing).map(String::into_bytes);
        let png = png(&drawing);
        for (extension, bytes) in [("svg", svg), ("png", png)] {
            let name = format!("{name}.{extension}");
            match bytes {
                Ok(bytes) => files.push(File { name, bytes }),
                Err(reason) => return Err(Error { name, reason }),
            }
        }
    }
    Ok(files)
}

/// Every plot but the heat maps, by name.
fn drawings(record: &Record) -> Vec<(String, Drawing)> {
    let file = Room::File;
    let phase = added::compared(record);
    let title = added::when(record)
        .map_or_else(|| "Difference by request".to_owned(), |when| format!("Difference by request {when}"));
    let differences =
        charts::differences::differences(&charts::differences::subjects(record, phase), &title, file);
    let goodput = charts::load::goodput(&charts::load::clouds(record), file);
    let drawings = [
        ("latency-percentiles", charts::percentiles::percentiles(record, Part::All, Room::File)),
        (
            "latency-over-time",
            over_time::stacked(record, &[Figure::Median, Figure::P99], "Response time over time", Room::File),
        ),
        ("breakdown", charts::breakdown::by_architecture(record, None, Room::File)),
        ("breakers", charts::breakers::breakers(record, Room::File).unwrap_or_else(|| no_breakers(record))),
        ("policies", charts::policies::policies(record, Room::File).unwrap_or_else(|| no_decisions(record))),
        (
            "errors-over-time",
            over_time::stacked(
                record,
                &[Figure::Goodput, Figure::Errors],
                "Goodput and errors over time",
                Room::File,
            ),
        ),
        (
            "differences",
            differences.unwrap_or_else(|| nothing("Difference by request", "Nothing was paired.")),
        ),
        (
            "load-and-goodput",
            goodput.unwrap_or_else(|| nothing("Offered load against goodput", "Nothing was offered.")),
        ),
    ];
    drawings.map(|(name, drawing)| (name.to_owned(), drawing)).into()
}

/// A heat map for each architecture that has windows.
fn heat_maps(record: &Record) -> Vec<(String, Drawing)> {
    let Some(heat) = Heat::of(record) else { return Vec::new() };
    let architectures = record.architectures.iter().filter(|(_, seen)| !seen.windows.is_empty());
    architectures
        .enumerate()
        .map(|(index, (name, seen))| {
            let plain: String =
                name.chars().filter(|char| char.is_ascii_alphanumeric() || "+-".contains(*char)).collect();
            let plain = if plain == *name { plain } else { format!("{plain}-{index}") };
            (format!("heat-{plain}"), heat.map(name, seen, Room::File))
        })
        .collect()
}

fn no_breakers(record: &Record) -> Drawing {
    let title = format!("Breakers and ejections over time{}", curves::of_first(record));
    nothing(&title, "No breaker changed its state, and nothing was ejected.")
}

fn no_decisions(record: &Record) -> Drawing {
    let title = format!("Decisions of policies over time{}", curves::of_first(record));
    nothing(&title, "No policy decided anything.")
}

/// A plot that says why it is empty.
fn nothing(title: &str, why: &str) -> Drawing {
    let mut drawing = Drawing::new(Room::File, title);
    let top = drawing.title_and_legend(&[]);
    drawing.text((20.0, top + 4.0), why, Align::Start, Ink::Muted);
    drawing.height = top + 30.0;
    drawing
}

fn svg(drawing: &Drawing) -> Result<String, String> {
    let mut text = String::new();
    let size = (pixels(drawing.room.width(), SCALE), pixels(drawing.height, SCALE));
    paint(&SVGBackend::with_string(&mut text, size).into_drawing_area(), drawing, SCALE)?;
    Ok(text)
}

fn png(drawing: &Drawing) -> Result<Vec<u8>, String> {
    let (width, height) = (pixels(drawing.room.width(), SCALE), pixels(drawing.height, SCALE));
    let finer = OVERSAMPLING as u32;
    let mut fine = vec![0; (width * finer * height * finer * 3) as usize];
    let backend = BitMapBackend::with_buffer(&mut fine, (width * finer, height * finer));
    paint(&backend.into_drawing_area(), drawing, SCALE * f64::from(finer))?;
    let coarse = averaged(&fine, width as usize, height as usize);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(said)?;
    writer.write_image_data(&coarse).map_err(said)?;
    writer.finish().map_err(said)?;
    Ok(bytes)
}

/// Each pixel the mean of the finer ones that it covers.
fn averaged(fine: &[u8], width: usize, height: usize) -> Vec<u8> {
    const FINER: usize = OVERSAMPLING;
    let mut coarse = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = 0;
                for row in y * FINER..(y + 1) * FINER {
                    for column in x * FINER..(x + 1) * FINER {
                        sum += usize::from(fine[(row * width * FINER + column) * 3 + channel]);
                    }
                }
                coarse.push((sum / (FINER * FINER)) as u8);
            }
        }
    }
    coarse
}

fn pixels(length: f64, scale: f64) -> u32 {
    (length * scale).ceil().max(1.0) as u32
}

fn said(error: impl Display) -> String {
    error.to_string()
}

fn paint<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    drawing: &Drawing,
    scale: f64,
) -> Result<(), String> {
    font()?;
    area.fill(&RGBColor(255, 255, 255)).map_err(said)?;
    paint_marks(area, &drawing.marks, scale)?;
    area.present().map_err(said)
}

fn paint_marks<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    marks: &[Mark],
    scale: f64,
) -> Result<(), String> {
    let at = |(x, y): (f64, f64)| ((x * scale).round() as i32, (y * scale).round() as i32);
    for mark in marks {
        match mark {
            Mark::Strip { points, ink } => {
                let points: Vec<_> = points.iter().copied().map(at).collect();
                area.draw(&Polygon::new(points, colour(*ink).mix(STRIP_OPACITY).filled())).map_err(said)?;
            }
            Mark::Dots { points, ink, size } => {
                let style = colour(*ink).mix(DOT_OPACITY).filled();
                let radius = (size * scale / 2.0).round() as i32;
                for &point in points {
                    area.draw(&Circle::new(at(point), radius, style)).map_err(said)?;
                }
            }
            Mark::Heat { x, y, width, height, columns, rows, cells } => {
                let (cell_width, cell_height) = (width / *columns as f64, height / *rows as f64);
                for cell in cells {
                    let (left, top) =
                        (x + cell_width * cell.column as f64, y + cell_height * cell.row as f64);
                    let right = left + cell_width * cell.run as f64;
                    let corners = [at((left, top)), at((right, top + cell_height))];
                    let style = colour(Ink::Heat(cell.level)).filled();
                    area.draw(&Rectangle::new(corners, style)).map_err(said)?;
                }
            }
            Mark::Group { marks, .. } => paint_marks(area, marks, scale)?,
            Mark::Line { points, ink, width, dashed } => {
                let style = colour(*ink).stroke_width((width * scale).round().max(1.0) as u32);
                for stretch in if *dashed { dashes(points) } else { vec![points.clone()] } {
                    let points: Vec<_> = stretch.into_iter().map(at).collect();
                    area.draw(&PathElement::new(points, style)).map_err(said)?;
                }
            }
            Mark::Area { x, y, width, height, ink, .. } => {
                let corners = [at((*x, *y)), at((x + width, y + height))];
                area.draw(&Rectangle::new(corners, colour(*ink).filled())).map_err(said)?;
            }
            Mark::Text { x, y, text, align, ink, size, .. } => {
                // The backends place a line of text by its upper edge, 0.76 em above the baseline.
                let place = at((*x, y - size * 0.76));
                let rgb = colour(*ink);
                let style = ("sans-serif", size * 1.24 * scale, &rgb).into_text_style(area);
                let style = style.pos(Pos::new(horizontal(*align), VPos::Top));
                area.draw(&Text::new(text.as_str(), place, style)).map_err(said)?;
            }
            Mark::Spot { .. } => {}
        }
    }
    Ok(())
}

fn horizontal(align: Align) -> HPos {
    match align {
        Align::Start => HPos::Left,
        Align::Middle => HPos::Center,
        Align::End => HPos::Right,
    }
}

/// A line cut into dashes.
fn dashes(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    const DASH: f64 = 6.0;
    let mut dashes = Vec::new();
    let mut along = 0.0;
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        let length = (x1 - x0).hypot(y1 - y0);
        let mut done = 0.0;
        while done < length {
            let left = DASH - along % DASH;
            let until = (done + left.max(0.01)).min(length);
            if ((along / DASH) as u64).is_multiple_of(2) {
                let point = |at: f64| (x0 + (x1 - x0) * at / length, y0 + (y1 - y0) * at / length);
                dashes.push(vec![point(done), point(until)]);
            }
            along += until - done;
            done = until;
        }
    }
    dashes
}

/// Makes the built-in font known, once a process.
fn font() -> Result<(), String> {
    static FONT: OnceLock<bool> = OnceLock::new();
    let known = FONT.get_or_init(|| {
        let bytes = include_bytes!("../assets/DejaVuSans-subset.ttf");
        register_font("sans-serif", FontStyle::Normal, bytes).is_ok()
    });
    if *known { Ok(()) } else { Err("the built-in font is broken".to_owned()) }
}

fn colour(ink: Ink) -> RGBColor {
    let (red, green, blue) = match ink {
        Ink::Text | Ink::FaultName => (28, 32, 38),
        Ink::Muted => (96, 104, 115),
        Ink::Ground => (255, 255, 255),
        Ink::Grid | Ink::State(State::Unrecorded) => (230, 233, 237),
        Ink::Fault => (253, 240, 222),
        Ink::WarmUp => (243, 245, 247),
        Ink::Architecture(slot) => COLOURS[slot % SLOTS].light,
        Ink::Owner(index) => OWNERS[index].light,
        Ink::State(State::Closed) => palette::BREAKER_CLOSED.light,
        Ink::State(State::HalfOpen) => palette::BREAKER_HALF_OPEN.light,
        Ink::State(State::Open) => palette::BREAKER_OPEN.light,
        Ink::State(State::Ejected) => palette::EJECTED.light,
        Ink::Heat(level) => palette::HEAT[level].light,
        Ink::State(State::Unknown) => (150, 156, 164),
    };
    RGBColor(red, green, blue)
}
