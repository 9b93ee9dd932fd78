//! What the verdict in `summary.json` must rest on: the figures that its sentences cite, each the one that the traces have,
//! and over several seeds how far those of the seeds lie apart. Owns which are not held, and Student's t.

use serde_json::{Map, Value};

use super::figure::{Figure, Precision, mean, percentile};
use super::rebuilt::{Part, Rebuilt, Seen};
use super::sheet::Sheet;
use super::sums::Traffic;

/// What traces do not say.
const BESIDES: [&str; 1] = ["cores"];

/// Percentiles by their names.
const PERCENTILES: [(&str, usize); 5] =
    [("p50", 500), ("p90", 900), ("p95", 950), ("p99", 990), ("p99.9", 999)];

/// The figures by the rule that cites them, with their intervals where these are of several seeds.
pub(super) fn read(summary: &Value, seeds: u64) -> Value {
    let mut figures = Value::Object(Map::new());
    for (place, cited) in cited(summary) {
        let figure = &mut figures[&place];
        figure["value"] = cited["value"].clone();
        // What stretches of runs tell has no degrees of freedom.
        if seeds > 1 && is_of_seeds(cited) && !cited["interval"]["degrees"].is_null() {
            figure["interval"] = cited["interval"].clone();
        }
    }
    figures
}

/// What must be cited.
pub(super) fn sheet(rebuilt: &Rebuilt, summary: &Value) -> Sheet {
    let mut sheet = Sheet::default();
    let seen = |name: &Value| rebuilt.architectures.iter().find(|(of, _)| name == of).map(|(_, seen)| seen);
    for (place, cited) in cited(summary) {
        let of = seen(&cited["architecture"]).unwrap();
        let baseline = seen(&cited["over"]);
        sheet.put(&format!("/{place}/value"), figure(cited, of, baseline));
        let Some(baseline) = baseline.filter(|_| rebuilt.frame.seeds > 1 && is_of_seeds(cited)) else {
            continue;
        };
        let by_seed = |seen: &Seen, seed: usize| {
            share(&cited["figure"], part(cited, seen).total.seeds.get(seed).unwrap_or(&Traffic::default()))
                .unwrap()
        };
        let apart = |seed| by_seed(of, seed) - by_seed(baseline, seed);
        let apart: Vec<f64> = (0..rebuilt.frame.seeds as usize).map(apart).collect();
        // A few that agree do not tell by themselves.
        let agree = apart.iter().all(|of| *of > 0.0) || apart.iter().all(|of| *of < 0.0);
        if agree && apart.len() < 5 {
            continue;
        }
        let (middle, reach) = of_seeds(&apart);
        let place = |end: &str| format!("/{place}/interval/{end}");
        // There Student's t is a series, and 2 in 1,000 too small at 3 degrees of freedom.
        let off = reach * 2e-3;
        sheet.put(&place("low"), Figure::Near(middle - reach, off));
        sheet.put(&place("high"), Figure::Near(middle + reach, off));
        sheet.put(&place("degrees"), Figure::Whole(apart.len() as i64 - 1));
    }
    sheet
}

/// Every figure that is held, with its place.
fn cited(summary: &Value) -> impl Iterator<Item = (String, &Value)> {
    let reasons = summary["verdict"]["reasons"].as_array().unwrap().iter();
    let figures = reasons.flat_map(|reason| {
        let figures = reason["figures"].as_array().into_iter().flatten();
        figures.map(move |figure| (reason["rule"].as_str().unwrap(), figure))
    });
    let held = figures.filter(|(_, figure)| !BESIDES.iter().any(|besides| figure["figure"] == *besides));
    held.map(|(rule, figure)| {
        let word = |key: &str| figure[key].as_str().unwrap_or("all");
        let words = [rule, word("figure"), word("architecture"), word("during"), word("over")];
        (words.join(", "), figure)
    })
}

/// Whether seeds tell it one by one: a difference of shares.
fn is_of_seeds(cited: &Value) -> bool {
    let of_all = share(&cited["figure"], &Traffic::default()).is_some();
    of_all && !cited["over"].is_null()
}

fn part<'a>(cited: &Value, seen: &'a Seen) -> &'a Part {
    cited["during"].as_str().map_or(&seen.all, |during| seen.part(during).unwrap())
}

fn figure(cited: &Value, seen: &Seen, baseline: Option<&Seen>) -> Figure {
    let traffic = &part(cited, seen).total;
    let share = |traffic: &Traffic| share(&cited["figure"], traffic);
    if let Some(of) = share(traffic) {
        let over = baseline.and_then(|baseline| share(&part(cited, baseline).total));
        return Figure::Real(of - over.unwrap_or(0.0));
    }
    let read = |values: &[i64], per_mille, signed| {
        let us = percentile(values, per_mille, signed);
        us.map_or(Figure::Nothing, |us| Figure::Read(us, Precision::Four))
    };
    let name = cited["figure"].as_str().unwrap();
    let per_mille = PERCENTILES.iter().find(|(of, _)| *of == name).map(|(_, per_mille)| *per_mille);
    match (name, per_mille, cited["over"].as_str()) {
        (_, Some(per_mille), None) => read(&traffic.served_us, per_mille, false),
        // Request by request.
        (_, Some(per_mille), Some(_)) => {
            let against = seen.against.as_ref().unwrap();
            let pairs = cited["during"].as_str().map_or(&against.total, |during| &against.parts[during]);
            read(&pairs.longer_us, per_mille, true)
        }
        ("mean", ..) => mean(&traffic.served_us).map_or(Figure::Nothing, Figure::Real),
        ("max", ..) => traffic.served_us.last().map_or(Figure::Nothing, |us| Figure::Whole(*us)),
        ("refused", ..) => Figure::Whole(traffic.all.refused),
        _ => Figure::Text(format!("{name}, which is not known here")),
    }
}

/// A figure that is a share of all requests.
fn share(figure: &Value, traffic: &Traffic) -> Option<f64> {
    let of_sent = |count: i64| count as f64 / traffic.all.sent.max(1) as f64;
    match figure.as_str()? {
        "error_rate" => Some(of_sent(traffic.all.errors())),
        "unserved_rate" => Some(of_sent(traffic.all.errors() + traffic.all.refused)),
        within => {
            let limit_us: i64 = within.strip_prefix("within ")?.strip_suffix("us")?.parse().ok()?;
            Some(of_sent(traffic.served_us.iter().filter(|us| **us <= limit_us).count() as i64))
        }
    }
}

/// The mean of values that do not depend on each other, and how far the true one may be from it with 95 % confidence.
fn of_seeds(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, students_t(values.len() - 1) * (squares / (count - 1.0) / count).sqrt())
}

/// The middle 95 % of Student's distribution reach so far from nothing: its density, added up in small steps.
pub(super) fn students_t(degrees: usize) -> f64 {
    const STEP: f64 = 1e-4;
    let degrees = degrees as f64;
    let density = |at: f64| (1.0 + at * at / degrees).powf(-(degrees + 1.0) / 2.0);
    // All of it, from its middle on, as tan of an angle from nothing to a right one.
    let angles = (0..100_000).map(|step| (f64::from(step) + 0.5) / 100_000.0 * std::f64::consts::FRAC_PI_2);
    let all: f64 = angles.map(|angle| density(angle.tan()) / angle.cos().powi(2)).sum::<f64>() / 100_000.0
        * std::f64::consts::FRAC_PI_2;
    let (mut reached, mut at) = (0.0, 0.0);
    while reached < 0.95 * all {
        reached += density(at + STEP / 2.0) * STEP;
        at += STEP;
    }
    at
}

#[test]
pub(super) fn students_t_is_that_of_printed_tables() {
    for (degrees, printed) in [(1, 12.706), (3, 3.182), (7, 2.365), (30, 2.042)] {
        assert!((students_t(degrees) - printed).abs() < 1e-3, "{degrees}: {}", students_t(degrees));
    }
}
