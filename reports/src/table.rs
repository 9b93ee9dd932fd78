//! The table on the terminal: what each architecture costs, and whether what was expected holds.
//! Owns the text, not the terminal: the caller says how wide it is and whether it takes colours.

pub(crate) mod adoption;
pub(crate) mod breakers;
mod money;
pub(crate) mod network;
pub(crate) mod resources;
mod trust;

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Expectation, Outcome, Record, Work};
use indexmap::IndexMap;

use crate::added::{self, Added};
use crate::column;
use crate::format::{glued, moment, plural, share};
use crate::outcomes::{self, Outcomes};
use crate::owners::Group;
use crate::scope::scope;
use crate::verdict::{self, Verdict};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its width in characters.
    pub width: usize,
    /// Whether it takes ANSI colours.
    pub colour: bool,
}

impl Look {
    /// For pipes and files: 100 characters, no colours.
    pub const PLAIN: Self = Self { width: 100, colour: false };

    pub(crate) fn painted(self, ansi: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{ansi}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The table of a run whose report lies in `dir`, if it was written.
pub fn table(record: &Record, dir: Option<&Path>, look: Look) -> String {
    let mut text = heading(record, look);
    text.push_str(&answer(&verdict::verdict(record), look));
    let grids = [
        latency_rows(record),
        trust::intervals(record),
        added_rows(record),
        trust::paired(record),
        adoption::rows(record),
        resources::rows(record),
        money::rows(record),
        network::rows(record),
    ];
    for (title, rows) in grids.into_iter().flatten() {
        text.push('\n');
        for line in wrapped(&title, look.width) {
            let _ = writeln!(text, "{}", look.painted("1", &line));
        }
        text.push_str(&grid(&rows, look));
    }
    text.push_str(&expectations(record, look));
    text.push('\n');
    text.push_str(&facts(record, dir, look));
    text
}

fn heading(record: &Record, look: Look) -> String {
    let mut text = String::new();
    for line in wrapped(&printable(&record.title), look.width) {
        let _ = writeln!(text, "{}", look.painted("1", &line));
    }
    let measured = record.duration_us.saturating_sub(record.warmup_us);
    let load = if record.warmup_us == 0 {
        format!("{} of load", moment(measured))
    } else {
        format!("{} of load after {} of warm-up", moment(measured), moment(record.warmup_us))
    };
    let line = format!("{}, {}, {load}", printable(&record.scenario), seeds(record));
    for line in wrapped(&line, look.width) {
        let _ = writeln!(text, "{}", look.painted("2", &line));
    }
    text
}

/// The verdict: its first sentence as a paragraph of its own, the others as a list.
pub(crate) fn answer(verdict: &Verdict, look: Look) -> String {
    let Verdict { headline, sentences } = verdict;
    let mut text = String::from("\n");
    for line in wrapped(&prose(headline), look.width) {
        let _ = writeln!(text, "{}", look.painted("1", &line));
    }
    for sentence in sentences {
        for (place, line) in wrapped(&prose(sentence), look.width - 2).iter().enumerate() {
            let _ = writeln!(text, "{}{line}", if place == 0 { "- " } else { "  " });
        }
    }
    text
}

/// Prose for a terminal, in which numbers keep to their units where lines break.
pub(crate) fn prose(text: &str) -> String {
    printable(&glued(text).replace('\u{2060}', ""))
}

/// With which seeds it was run: `seed 1`, `20 seeds from 1`.
pub(crate) fn seeds(record: &Record) -> String {
    match &record.seeds {
        Some(seeds) => format!("{} from {}", plural(seeds.count(), "seed"), record.seed),
        None => format!("seed {}", record.seed),
    }
}

/// A titled grid: the first row is its head, the first column its names.
type Grid = (String, Vec<Vec<String>>);

fn latency_rows(record: &Record) -> Option<Grid> {
    let shown = shown_figures(record);
    let heads = shown.iter().map(|figure| head(*figure));
    let mut rows = vec![std::iter::once(String::new()).chain(heads).collect::<Vec<_>>()];
    let columns: Vec<_> = shown.iter().map(|shown| by_architecture(record, *shown)).collect();
    for (index, name) in record.architectures.keys().enumerate() {
        let figures = columns.iter().map(|column| column[index].clone());
        rows.push(std::iter::once(printable(name)).chain(figures).collect());
    }
    (rows.len() > 1).then(|| (String::new(), rows))
}

/// A figure of all that was seen under each architecture, as the cells of a column.
pub(crate) fn by_architecture(record: &Record, figure: Figure) -> Vec<String> {
    let values = record.architectures.values().map(|seen| figure.of(&scope(record, seen)));
    column::figures(figure, &values.collect::<Vec<_>>())
}

/// What is shown of requests before all else, in its order, by table, page and comparison.
pub(crate) const BASIC: [Figure; 8] = [
    Figure::Sent,
    Figure::Mean,
    Figure::P50,
    Figure::P90,
    Figure::P99,
    Figure::P999,
    Figure::ErrorRate,
    Figure::Open,
];

/// What table and page show of each architecture; what is refused, left open or hedged only where there is some.
pub(crate) fn shown_figures(record: &Record) -> Vec<Figure> {
    let shown = BASIC.into_iter().chain([Figure::Refused, Figure::Retries, Figure::Hedges]);
    let is_rare = |figure: &Figure| matches!(figure, Figure::Open | Figure::Refused | Figure::Hedges);
    let there_is = |figure: &Figure| {
        let mut all = record.architectures.values();
        all.any(|seen| figure.of(&scope(record, seen)).is_some_and(|count| count > 0.0))
    };
    shown.filter(|figure| !is_rare(figure) || there_is(figure)).collect()
}

/// A figure at the head of a column.
pub(crate) fn head(figure: Figure) -> String {
    match figure {
        Figure::Sent => "requests".to_owned(),
        Figure::Open => "open".to_owned(),
        Figure::Refused => "refused".to_owned(),
        _ => figure.label().into_owned(),
    }
}

fn added_rows(record: &Record) -> Option<Grid> {
    let added = added::over_baseline(record);
    let groups = shown_groups(&added);
    let mut head = vec![String::new(), "total".to_owned()];
    // On two lines, so that all fit beside each other.
    head.extend(groups.iter().map(|group| group.label().replacen(' ', "\n", 1)));
    let mut rows = vec![head];
    let columns = added_columns(&added, &groups);
    for (index, (name, _)) in added.iter().enumerate() {
        let cells = columns.iter().map(|column| column[index].clone());
        rows.push(std::iter::once(printable(name)).chain(cells).collect());
    }
    let title = printable(&added::title(record)) + ", and to whom it goes";
    (rows.len() > 1).then_some((title, rows))
}

/// What each architecture adds, the total first, then by group: a list of cells each.
pub(crate) fn added_columns(added: &[(&str, Option<Added>)], groups: &[Group]) -> Vec<Vec<String>> {
    let column = |of: &dyn Fn(&Added) -> f64| {
        let values = added.iter().map(|(_, added)| added.as_ref().map(of));
        column::differences(&values.collect::<Vec<_>>())
    };
    let total = std::iter::once(column(&|added| added.mean_us));
    total.chain(groups.iter().map(|&group| column(&|added| added.group_us(group)))).collect()
}

/// The groups that the split has columns for.
pub(crate) fn shown_groups(added: &[(&str, Option<Added>)]) -> Vec<Group> {
    Group::ALL
        .into_iter()
        .filter(|&group| {
            let touched = |added: &Added| added.group_us(group).abs() >= 0.005;
            !group.optional() || added.iter().filter_map(|(_, added)| added.as_ref()).any(touched)
        })
        .collect()
}

/// How many blanks stand before a column beside the two that are always there: usually one, none where all fits then.
const ROOMY: u16 = 1;
const TIGHT: u16 = 0;

/// The grid as wide as it needs to be; where the terminal is narrower, its columns closer together, or else those that do
/// not fit below the others, each time beside the names of the rows.
pub(crate) fn grid(rows: &[Vec<String>], look: Look) -> String {
    let columns = rows[0].len();
    let fits = |lines: &[String]| lines.iter().all(|line| line.chars().count() <= look.width);
    let in_lines =
        |lines: Vec<String>| lines.into_iter().fold(String::new(), |text, line| text + &line + "\n");
    let whole = [ROOMY, TIGHT].map(|room| piece(rows, 1..columns, room));
    if let Some(lines) = whole.into_iter().find(|lines| fits(lines)) {
        return in_lines(lines);
    }
    let mut pieces = Vec::new();
    let mut from = 1;
    while from < columns || pieces.is_empty() {
        let fitting = (from + 1..=columns).rev().map(|until| (until, piece(rows, from..until, ROOMY)));
        let (until, lines) = (fitting.into_iter().find(|(until, lines)| *until == from + 1 || fits(lines)))
            .unwrap_or_else(|| (columns, piece(rows, from..columns, ROOMY)));
        pieces.push(in_lines(lines));
        from = until;
    }
    pieces.join("\n")
}

/// The names of the rows and some of the columns, line by line.
fn piece(rows: &[Vec<String>], columns: Range<usize>, room: u16) -> Vec<String> {
    let of = |row: &Vec<String>| -> Vec<String> {
        row.iter().take(1).chain(row.iter().take(columns.end).skip(columns.start)).cloned().collect()
    };
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_header(of(&rows[0]));
    table.add_rows(rows[1..].iter().map(of));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((room, 1));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn expectations(record: &Record, look: Look) -> String {
    let by_text = expectations_by_text(record);
    let all = by_text.values().flatten().count();
    if all == 0 {
        return String::new();
    }
    let outcomes = Outcomes::of(by_text.values().flatten().map(|(_, expectation)| *expectation));
    let over = record
        .seeds
        .as_ref()
        .map_or_else(String::new, |seeds| format!(", over {}", plural(seeds.count(), "seed")));
    let title = format!("Expectations: {}{over}", outcomes.in_words());
    let mut text = format!("\n{}\n", look.painted("1", &title));
    for (expected, seen) in by_text {
        let outcome = Outcome::of_all(seen.iter().map(|(_, expectation)| expectation.outcome));
        let colour = match outcome {
            Outcome::Holds => "32",
            Outcome::Fails => "31",
            Outcome::CannotBeJudged => "33",
        };
        let mark = look.painted(colour, outcomes::mark(outcome));
        let seen: Vec<String> = seen
            .iter()
            .map(|(name, expectation)| {
                let said = printable(&expectation.said());
                let seeds = failed_seeds(record, expectation);
                match expectation.outcome {
                    Outcome::Holds => unbroken(&format!("{} {said}{seeds}", printable(name))),
                    Outcome::Fails => unbroken(&format!("{} {said} ✗{seeds}", printable(name))),
                    Outcome::CannotBeJudged => format!("{} cannot be judged, {said}{seeds}", printable(name)),
                }
            })
            .collect();
        let line = format!("{}: {}", printable(expected), seen.join(", "));
        let mut lines = wrapped(&line, look.width.saturating_sub(3)).into_iter();
        let _ = writeln!(text, " {mark} {}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "   {line}");
        }
    }
    text
}

/// In how many of several seeds an expectation holds, and one to run again where it does not.
pub(crate) fn failed_seeds(record: &Record, expectation: &Expectation) -> String {
    let seeds = record.seeds.as_ref();
    seeds.map_or_else(String::new, |seeds| outcomes::in_seeds(expectation, seeds.count()))
}

/// The expectations, each with how it came out by architecture.
pub(crate) fn expectations_by_text(record: &Record) -> IndexMap<&str, Vec<(&str, &Expectation)>> {
    let mut by_text: IndexMap<&str, Vec<(&str, &Expectation)>> = IndexMap::new();
    for (name, architecture) in &record.architectures {
        for expectation in &architecture.expectations {
            by_text.entry(expectation.text.as_str()).or_default().push((name, expectation));
        }
    }
    by_text
}

fn facts(record: &Record, dir: Option<&Path>, look: Look) -> String {
    let mut facts = Vec::new();
    for fault in &record.faults {
        let hits = record.architectures.iter().filter_map(|(name, architecture)| {
            let hits = architecture.faults.iter().find(|hits| hits.name == fault.name && hits.applies)?;
            Some(unbroken(&format!("{} {}", printable(name), breakers::often(hits.hits))))
        });
        let hits: Vec<String> = hits.collect();
        facts.push(("fault", format!("{} took effect: {}", printable(&fault.name), hits.join(", "))));
    }
    facts.extend(record.architectures.iter().filter_map(|(name, architecture)| {
        let opened = breakers::opened(architecture)?;
        Some(("breakers", format!("opened with {}: {}", printable(name), printable(&opened))))
    }));
    facts.extend(broken(record).into_iter().map(|broken| ("broken", broken)));
    facts.extend(wasted(record).map(|wasted| ("wasted", wasted)));
    facts.push(("digest", format!("{}, {}", printable(&record.digest), seeds(record))));
    if let Some(dir) = dir {
        facts.push(("report", dir.join("report.html").display().to_string()));
    }
    let mut text = String::new();
    for (label, fact) in facts {
        let mut label = label;
        for line in wrapped(&fact, look.width.saturating_sub(11)) {
            let _ = writeln!(text, " {}  {line}", look.painted("2", &format!("{label:8}")));
            label = "";
        }
    }
    text
}

/// The invariants that were broken, each with the architectures and the first time that it was.
fn broken(record: &Record) -> Vec<String> {
    let all = record.architectures.iter().flat_map(|(name, architecture)| {
        architecture.violations.iter().map(move |violation| (name, violation))
    });
    all.map(|(name, violation)| {
        let first = violation.first.first().map_or_else(String::new, |first| format!(": {first}"));
        let times = plural(violation.count, "time");
        format!("{} under {} {times}{first}", violation.invariant, printable(name))
    })
    .collect()
}

/// What services did for nobody; `None` when they did nothing of the kind.
fn wasted(record: &Record) -> Option<String> {
    let shares = record.architectures.iter().filter_map(|(name, architecture)| {
        let work: Work = architecture.work.values().copied().sum();
        let text = format!("{} {}", printable(name), share(work.wasted.cpu_us, work.cpu_us));
        (work.wasted.requests > 0).then(|| unbroken(&text))
    });
    let shares: Vec<String> = shares.collect();
    (!shares.is_empty()).then(|| format!("{} of the services' processor time", shares.join(", ")))
}

/// Without characters that would steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

/// With spaces at which [`wrapped`] does not break.
pub(crate) fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// In lines of at most `width` characters, broken at spaces; a longer word keeps a line to itself.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        let word = word.replace('\u{a0}', " ");
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}
