//! The gate on the terminal: what stands out, per architecture, and where it came from.

use std::fmt::Write as _;

use hoplab_sim::figures::{Figure, Unit};

use super::Gate;
use super::compare::Finding;
use super::figures::Value;
use super::metric::Metric;
use crate::column::{Column, Kind};
use crate::format::{percent, shortened};
use crate::table::{Look, grid, printable, wrapped};

/// More rows than these are counted, not shown.
const ROWS_MAX: usize = 20;

/// More sentences than these repeat themselves.
const SENTENCES_MAX: usize = 6;

pub(super) fn table(gate: &Gate, look: Look) -> String {
    let mut text = String::new();
    for line in wrapped(&printable(&gate.headline()), look.width) {
        let _ = writeln!(text, "{}", look.painted("1", &line));
    }
    for scope in gate.comparison.scopes() {
        let findings = gate.comparison.standing_out(scope);
        if findings.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", look.painted("1", &printable(scope)));
        let head = ["", "before", "now", "change", "tolerance", ""].map(str::to_owned).to_vec();
        let rows = findings.iter().take(ROWS_MAX).map(|finding| row(finding));
        let rows: Vec<Vec<String>> = [head].into_iter().chain(rows).collect();
        text.push_str(&grid(&rows, look));
        if findings.len() > ROWS_MAX {
            let _ = writeln!(text, " … and {} more; --json lists them all", findings.len() - ROWS_MAX);
        }
        for sentence in gate.explanations(scope).iter().take(SENTENCES_MAX) {
            let mut mark = " ▸ ";
            for line in wrapped(&printable(sentence), look.width.saturating_sub(3)) {
                let _ = writeln!(text, "{mark}{line}");
                mark = "   ";
            }
        }
    }
    text
}

fn row(finding: &Finding) -> Vec<String> {
    let [before, now, change, tolerance] = cells(finding);
    // The step follows from before and now; a line is only so wide.
    let change = change.split_once(" (").map_or(change.as_str(), |(_, share)| share.trim_end_matches(')'));
    let outcome = finding.outcome.label().to_owned();
    vec![printable(&called(finding)), before, now, change.to_owned(), tolerance, outcome]
}

/// A figure's name for people: `cart.add, p99`; what is counted by decision or state says it all.
pub(super) fn called(finding: &Finding) -> String {
    let about = finding.key.about();
    match finding.key.metric {
        Metric::Figure(Figure::Decisions | Figure::Changes) => about,
        metric => format!("{about}, {}", metric.label()),
    }
}

/// Before, now, change and tolerance for people.
pub(super) fn cells(finding: &Finding) -> [String; 4] {
    let tolerance = finding.tolerance.text(finding.key.metric.unit());
    let number = |value: &Option<Value>| match value {
        Some(Value::Number(number)) => Some(number.as_f64()),
        Some(Value::Text(_)) | None => None,
    };
    let values = [number(&finding.before), number(&finding.now)];
    let row = Column::of(kind(finding.key.metric), &values);
    if let [Some(before), Some(now)] = values {
        let [before, now, step] = row.step(before, now);
        let share = finding.share();
        let change = if share.is_finite() { format!("{step} ({})", percent_of(share)) } else { step };
        return [before, now, change, tolerance];
    }
    let cell = |value: &Option<Value>| match value {
        Some(Value::Text(text)) => shortened(text, 9),
        other => row.cells(&[number(other)]).concat(),
    };
    [cell(&finding.before), cell(&finding.now), "–".to_owned(), tolerance]
}

/// How a metric's values are told.
fn kind(metric: Metric) -> Kind {
    match metric {
        Metric::Figure(figure) => Kind::of(figure),
        Metric::Digest | Metric::Instructions => Kind::Of(Unit::Count),
    }
}

fn percent_of(share: f64) -> String {
    format!("{}{}", if share < 0.0 { "−" } else { "+" }, percent(share.abs()))
}
