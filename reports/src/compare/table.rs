//! Two runs side by side on the terminal. Owns the text, not the terminal.

use std::fmt::Write as _;

use hoplab_sim::figures::Figure;
use hoplab_sim::record::Outcome;

use super::figures::Subject;
use super::inputs::Line;
use super::moved::{self, Step, Turned};
use super::{Compared, Comparison};
use crate::table::{Look, grid, head as called, printable, prose, wrapped};

/// So many lines of a text's difference are shown; the page has all.
const LINES_MAX: usize = 40;

/// So many of what moved are shown of each kind; the page has all.
const STEPS_MAX: usize = 5;

pub(super) fn table(comparison: &Comparison, look: Look) -> String {
    let mut text = String::new();
    for line in wrapped(&prose(&comparison.verdict.headline), look.width) {
        let _ = writeln!(text, "{}", look.painted("1", &line));
    }
    for sentence in &comparison.verdict.sentences {
        let mut mark = " ▸ ";
        for line in wrapped(&prose(sentence), look.width.saturating_sub(3)) {
            let _ = writeln!(text, "{mark}{line}");
            mark = "   ";
        }
    }
    text.push_str(&inputs(comparison, look));
    for compared in comparison.architectures.iter().filter(|compared| !compared.same) {
        text.push_str(&architecture(comparison, compared, look));
    }
    text.push('\n');
    for side in [&comparison.first, &comparison.second] {
        let fact = format!("{}: digest {}, seed {}", side.label, side.record.digest, side.record.seed);
        let _ = writeln!(text, " {}", printable(&fact));
    }
    text
}

fn inputs(comparison: &Comparison, look: Look) -> String {
    let mut text = String::new();
    let title = if comparison.inputs.is_empty() && comparison.texts.is_empty() {
        "The same was run"
    } else {
        "What was run differently"
    };
    let _ = writeln!(text, "\n{}", look.painted("1", title));
    if !comparison.inputs.is_empty() {
        let mut rows = vec![vec![String::new(), label(&comparison.first), label(&comparison.second)]];
        rows.extend(
            comparison
                .inputs
                .iter()
                .map(|input| vec![input.name.to_owned(), printable(&input.before), printable(&input.now)]),
        );
        text.push_str(&grid(&rows, look));
    }
    for source in &comparison.texts {
        let _ = writeln!(text, " {}", printable(&source.path));
        for line in source.lines.iter().take(LINES_MAX) {
            let (colour, line) = match line {
                Line::Gap => ("2", "   …".to_owned()),
                Line::Same(line) => ("2", format!("   {}", printable(line))),
                Line::Before(line) => ("31", format!(" - {}", printable(line))),
                Line::Now(line) => ("32", format!(" + {}", printable(line))),
            };
            let _ = writeln!(text, "{}", look.painted(colour, line.trim_end()));
        }
        if source.lines.len() > LINES_MAX {
            let _ = writeln!(text, "   … and {} more lines", source.lines.len() - LINES_MAX);
        }
    }
    text
}

fn label(side: &super::Side) -> String {
    printable(&side.label)
}

fn architecture(comparison: &Comparison, compared: &Compared, look: Look) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "\n{}", look.painted("1", &printable(&compared.name)));
    let head = |what: &str| {
        let (first, second) = (label(&comparison.first), label(&comparison.second));
        vec![what.to_owned(), first, second, "change".to_owned(), String::new()]
    };
    let mut rows = vec![head("")];
    for (place, subject) in compared.subjects.iter().enumerate() {
        rows.extend(figures(subject, place == 0));
    }
    rows.extend(compared.phases.iter().flat_map(|phase| figures(phase, false)));
    if rows.len() > 1 {
        text.push_str(&grid(&rows, look));
    }
    let moved = &compared.moved;
    let parts = [
        ("the mean request, by owner", &moved.owners),
        ("the mean request, by hop", &moved.hops),
        ("attempts a call", &moved.edges),
        ("decisions", &moved.decisions),
    ];
    if !comparison.trust.same_requests && parts.iter().any(|(_, steps)| !steps.is_empty()) {
        let note =
            "What else moved; no interval is known of it, and between other requests chance moves it, too.";
        let _ = writeln!(
            text,
            "\n{}",
            wrapped(note, look.width.saturating_sub(1))
                .iter()
                .map(|line| format!(" {line}"))
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
    for (title, steps) in parts.into_iter().filter(|(_, steps)| !steps.is_empty()) {
        let mut rows = vec![head(title)];
        rows.extend(step_rows(&steps[..steps.len().min(STEPS_MAX)]));
        let _ = write!(text, "\n{}", grid(&rows, look));
        if steps.len() > STEPS_MAX {
            let _ = writeln!(text, " … and {} more, which moved less", steps.len() - STEPS_MAX);
        }
    }
    for turned in &moved.expectations {
        let _ = writeln!(text, " {}", outcome(turned, look));
    }
    text
}

/// All figures of all requests; of an endpoint the few that say most, where they differ.
fn figures(subject: &Subject, all: bool) -> Vec<Vec<String>> {
    let few = [Figure::P50, Figure::P99, Figure::ErrorRate];
    let shown = subject
        .figures
        .iter()
        .filter(|figure| figure.is_shown())
        .filter(|figure| all || (few.contains(&figure.figure) && figure.step().is_some()));
    let rows = shown.map(|figure| {
        let [before, now, change] = figure.cells();
        let name = format!("{}, {}", printable(&subject.name), called(figure.figure));
        vec![name, before, now, change, figure.standing.mark().to_owned()]
    });
    rows.collect()
}

fn step_rows(steps: &[Step]) -> Vec<Vec<String>> {
    let rows = steps
        .iter()
        .zip(moved::cells(steps))
        .map(|(step, [before, now, change])| vec![printable(&step.what), before, now, change, String::new()]);
    rows.collect()
}

fn outcome(turned: &Turned, look: Look) -> String {
    let mark = if turned.is_worse() { look.painted("31", "✗") } else { look.painted("32", "✓") };
    let side = |came_out: &Option<(Outcome, String)>| match came_out {
        None => "not expected".to_owned(),
        Some((outcome, seen)) => format!("{} ({})", outcome.name(), printable(seen)),
    };
    format!("{mark} {}: {} → {}", printable(&turned.text), side(&turned.before), side(&turned.now))
}
