//! The table of a sweep on the terminal: a row a point and architecture, then what was searched for.

use std::fmt::Write as _;
use std::path::Path;

use hoplab_sim::record::Outcome;
use hoplab_sim::sweep::record::{Axis, Figure, Figures, Found, Search, Sweep};

use crate::format::{duration, percent, plural, significant};
use crate::outcomes::{Outcomes, mark, seeds_held};
use crate::table::{Look, grid, printable, wrapped};

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

/// The last part of a key: `rate` of `load.people.rate`.
pub(super) fn key_name(key: &str) -> String {
    key.rsplit('.').next().unwrap_or(key).trim_matches('"').to_owned()
}

/// The last part of a key says enough at the head of a column, unless another ends alike.
pub(super) fn heads(sweep: &Sweep) -> Vec<String> {
    let last = key_name;
    let alike = |name: &str| sweep.axes.iter().filter(|axis| last(&axis.key) == name).count() > 1;
    let head = |axis: &Axis| match last(&axis.key) {
        name if alike(&name) => axis.key.clone(),
        name => name,
    };
    sweep.axes.iter().map(head).collect()
}

fn settings(sweep: &Sweep, places: &[usize]) -> Vec<String> {
    sweep.axes.iter().zip(places).map(|(axis, place)| printable(&axis.labels[*place])).collect()
}

fn points_rows(sweep: &Sweep) -> Vec<Vec<String>> {
    let columns = ["", "offered", "goodput", "p50", "p99", "errors", "attempts", "holds"];
    let mut head = columns.map(str::to_owned).to_vec();
    head.splice(0..1, std::iter::once(heads(sweep).join(", ")).chain(["architecture".to_owned()]));
    let mut rows = vec![head];
    for point in &sweep.points {
        for (name, figures) in &point.architectures {
            let mut row = vec![settings(sweep, &point.places).join(", "), printable(name)];
            row.extend(figures_row(figures, sweep.seeds));
            rows.push(row);
        }
    }
    rows
}

pub(super) fn figures_row(figures: &Figures, seeds: u64) -> Vec<String> {
    let dash = || "–".to_owned();
    let time = |figure: Option<Figure>| figure.map_or_else(dash, |figure| duration(figure.value));
    let outcomes = Outcomes::of(&figures.expectations);
    let held = seeds_held(&figures.expectations, seeds);
    let in_seeds = if held < seeds { format!(" ({held} of {seeds} seeds)") } else { String::new() };
    let expectations = match outcomes.together() {
        _ if outcomes.all() == 0 => String::new(),
        Outcome::Holds => format!("✓{}", if seeds > 1 { &in_seeds } else { "" }),
        outcome if seeds > 1 => {
            format!("{} {} of {}{in_seeds}", mark(outcome), outcomes.hold, outcomes.all())
        }
        outcome => format!("{} {} of {}", mark(outcome), outcomes.hold, outcomes.all()),
    };
    vec![
        format!("{} rps", significant(figures.offered_rps)),
        format!("{} rps", significant(figures.goodput_rps)),
        time(figures.p50_us),
        time(figures.p99_us),
        figures.error_rate.map_or_else(dash, |figure| percent(figure.value)),
        figures.amplification.map_or_else(dash, significant),
        expectations,
    ]
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

/// What a search found, as people read it: `340 rps`, `600 rps or more`, `below 50 rps`; and where it cannot be judged
/// what lies between, that it cannot: `200 rps (cannot be judged below 260 rps)`.
pub(super) fn highest(search: &Search, found: &Found) -> String {
    let unsure = || match &found.fails_from {
        Some(fails) => format!("cannot be judged below {fails}"),
        None => format!("cannot be judged up to {}", search.range.1),
    };
    match &found.highest {
        Some(highest) if found.takes.is_some() => format!("{highest} ({})", unsure()),
        Some(highest) if found.open_ended => format!("{highest} or more"),
        Some(highest) => highest.clone(),
        None if found.takes.is_some() => unsure(),
        None => format!("below {}", search.range.0),
    }
}
