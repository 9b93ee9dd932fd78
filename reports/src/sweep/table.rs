//! The table of a sweep on the terminal: a row a point and architecture, then what was searched for.

use std::fmt::Write as _;
use std::path::Path;

use hoplab_sim::figures::Unit;
use hoplab_sim::record::Outcome;
use hoplab_sim::sweep::record::{Axis, Figures, Search, Sweep};

use super::heads::heads;
use super::limit::highest;
use super::verdict;
use crate::column;
use crate::format::plural;
use crate::outcomes::{Outcomes, mark};
use crate::table::{Look, answer, grid, printable, wrapped};

/// The table of a sweep whose report lies in `dir`, if it was written.
pub fn table(sweep: &Sweep, dir: Option<&Path>, look: Look) -> String {
    let mut text = String::new();
    for line in wrapped(&printable(&sweep.title), look.width) {
        let _ = writeln!(text, "{}", look.painted("1", &line));
    }
    let seeds = match sweep.seeds {
        1 => format!("seed {}", sweep.seed),
        count => format!("{} from {}", plural(count, "seed"), sweep.seed),
    };
    let points = plural(sweep.points.len().max(1) as u64, "point");
    let line = format!("{}, {points}, {seeds}", printable(&sweep.scenario));
    let _ = writeln!(text, "{}", look.painted("2", &line));
    text.push_str(&answer(&verdict::verdict(sweep), look));
    if !sweep.points.is_empty() {
        let _ = write!(text, "\n{}", grid(&points_rows(sweep), look));
    }
    if let Some(search) = &sweep.search {
        let title = format!("The highest {} at which all that is expected holds", search.key);
        let _ = writeln!(text, "\n{}", look.painted("1", &title));
        text.push_str(&grid(&search_rows(sweep, search), look));
    }
    let _ = writeln!(text, "\n {}  {}", look.painted("2", "digest  "), sweep.digest);
    if let Some(dir) = dir {
        let page = dir.join("report.html");
        let _ = writeln!(text, " {}  {}", look.painted("2", "report  "), page.display());
    }
    text
}

fn settings(sweep: &Sweep, places: &[usize]) -> Vec<String> {
    sweep.axes.iter().zip(places).map(|(axis, place)| printable(&axis.labels[*place])).collect()
}

fn points_rows(sweep: &Sweep) -> Vec<Vec<String>> {
    let mut head = vec![heads(sweep).join(", "), "architecture".to_owned()];
    head.extend(columns(sweep).map(str::to_owned));
    let names = sweep.points.iter().flat_map(|point| {
        let settings = settings(sweep, &point.places).join(", ");
        point.architectures.keys().map(move |name| vec![settings.clone(), printable(name)])
    });
    let rows = names.zip(cells(sweep)).map(|(names, cells)| [names, cells].concat());
    std::iter::once(head).chain(rows).collect()
}

/// What is told of an architecture at a point.
pub(super) fn columns(sweep: &Sweep) -> [&'static str; 7] {
    let holds = if sweep.seeds > 1 { "seeds held" } else { "holds" };
    ["offered", "goodput", "p50", "p99", "errors", "attempts", holds]
}

/// The same as cells, a row a point and architecture.
pub(super) fn cells(sweep: &Sweep) -> Vec<Vec<String>> {
    type Value = fn(&Figures) -> Option<f64>;
    let all: Vec<&Figures> = sweep.points.iter().flat_map(|point| point.architectures.values()).collect();
    let columns: [(Unit, Value); 6] = [
        (Unit::Rate, |of| Some(of.offered_rps)),
        (Unit::Rate, |of| Some(of.goodput_rps)),
        (Unit::Micros, |of| of.p50_us.map(|figure| figure.value)),
        (Unit::Micros, |of| of.p99_us.map(|figure| figure.value)),
        (Unit::Share, |of| of.error_rate.map(|figure| figure.value)),
        (Unit::Ratio, |of| of.amplification),
    ];
    let cells = columns.map(|(unit, value)| {
        column::of(column::Kind::Of(unit), &all.iter().map(|of| value(of)).collect::<Vec<_>>())
    });
    let row = |(index, of): (usize, &&Figures)| {
        let figures = cells.iter().map(|column| column[index].clone());
        figures.chain([expectations(of)]).collect()
    };
    all.iter().enumerate().map(row).collect()
}

/// How all that is expected came out: `✓`, `✗ 1 of 2`; of several seeds in how many it holds: `✗ 3 of 4`.
fn expectations(figures: &Figures) -> String {
    let outcomes = Outcomes::of(&figures.expectations);
    let mark = mark(outcomes.together());
    match figures.in_seeds {
        _ if outcomes.all() == 0 => String::new(),
        Some(seeds) => format!("{mark} {} of {}", seeds.hold, seeds.all()),
        None if outcomes.together() == Outcome::Holds => mark.to_owned(),
        None => format!("{mark} {} of {}", outcomes.hold, outcomes.all()),
    }
}

fn search_rows(sweep: &Sweep, search: &Search) -> Vec<Vec<String>> {
    let fixed = |axis: &&Axis| axis.key != search.key;
    let mut head: Vec<String> =
        sweep.axes.iter().zip(heads(sweep)).filter(|(axis, _)| fixed(axis)).map(|(_, head)| head).collect();
    head.extend(["architecture", "highest", "tries"].map(str::to_owned));
    let mut rows = vec![head];
    for found in &search.found {
        let places = sweep.axes.iter().zip(&found.places);
        let mut row: Vec<String> =
            places.filter_map(|(axis, place)| Some(printable(&axis.labels[(*place)?]))).collect();
        let highest = highest(search, found);
        let marked = match found.outcome {
            Outcome::Holds => highest,
            outcome => format!("{highest} {}", mark(outcome)),
        };
        row.extend([printable(&found.architecture), marked, found.tries.len().to_string()]);
        rows.push(row);
    }
    rows
}
