//! The page's tables: figures by architecture and by part of the run, what policies decided, and the expectations. Each
//! scrolls in its own box where it is wider than the page. Not here: what is folded away ([`super::details`]).

use std::collections::BTreeSet;

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{Architecture, Outcome, Record, decided};
use indexmap::{IndexMap, IndexSet};
use maud::{Markup, html};

use super::svg;
use crate::added;
use crate::charts::Ink;
use crate::column;
use crate::format::{count, moment, plural};
use crate::money::amount;
use crate::outcomes::{mark, mark_class};
use crate::page::frame::{self, folded, section};
use crate::palette::{self, SLOTS};
use crate::table::breakers::{opened, times_opened};
use crate::table::resources::busy;
use crate::table::{
    added_columns, by_architecture as by_architecture_of, expectations_by_text, failed_seeds, head,
    shown_figures, shown_groups,
};

/// The architectures side by side, and what each adds over the baseline.
pub(crate) fn overview(record: &Record) -> Markup {
    let note = html! {
        "Response times count from the intended send, and are of what was served well: an error is not fast, nor is a \
         refusal. A dash is a percentile that the sample cannot carry. Errors failed, timed out or were left open. \
         Retries are what was sent again between services, hedges apart."
    };
    let shown = shown_figures(record);
    let columns: Vec<_> = shown.iter().map(|figure| by_architecture_of(record, *figure)).collect();
    let body = html! {
        (frame::scroll("figures side by side", &html! { table {
            thead { tr {
                th scope="col" { "architecture" }
                @for figure in &shown { th scope="col" { (head(*figure)) } }
                th scope="col" { "breakers opened" }
            } }
            tbody { @for (index, (name, architecture, slot)) in architectures(record).enumerate() { tr class={ "of-" (slot % SLOTS) } {
                th scope="row" { (swatch(slot)) (name) }
                @for column in &columns { td { (column[index]) } }
                td { (count(times_opened(architecture))) }
            } } }
        } }))
        (left_open(record))
        (opened_breakers(record))
        p.note { (note) }
    };
    html! { section #overview aria-label="side by side" { (body) } }
}

/// What each architecture adds to the mean request, and takes of its machines; nothing where neither is known.
pub(crate) fn costs(record: &Record) -> Markup {
    if added::over_baseline(record).is_empty()
        && record.architectures.values().all(|seen| seen.resources.is_empty())
    {
        return html! {};
    }
    let note = html! { "What an architecture costs: in time, by who takes it, and in processors, connections and bytes." };
    folded(
        "costs",
        "What each architecture costs",
        &note,
        &html! { (added(record)) (adoption(record)) (resources(record)) (money(record)) },
    )
}

/// That there are requests whose response times nobody knows.
fn left_open(record: &Record) -> Markup {
    let open: u64 = record.architectures.values().map(|seen| seen.total.requests.open).sum();
    html! { @if open > 0 {
        p.note { (plural(open, "request")) " had no answer when the run ended: they are errors, and their response \
                 times, the longest of all, are in no percentile." }
    } }
}

/// Whose breakers opened, and how often.
fn opened_breakers(record: &Record) -> Markup {
    let opened = record.architectures.iter().filter_map(|(name, seen)| Some((name, opened(seen)?)));
    html! { @for (name, opened) in opened { p.note { "Breakers that opened with " (name) ": " (opened) "." } } }
}

fn added(record: &Record) -> Markup {
    let added = added::over_baseline(record);
    if added.is_empty() {
        return html! {};
    }
    let groups = shown_groups(&added);
    let columns = added_columns(&added, &groups);
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    let slot = |name: &str| record.architectures.get_index_of(name).map_or(0, |index| slots[index]);
    html! {
        h3 { (added::title(record)) ", and to whom it goes" }
        (frame::scroll("what each architecture adds", &html! { table {
            thead { tr {
                th scope="col" { "architecture" } th scope="col" { "total" }
                @for group in &groups { th scope="col" { (group.label()) } }
            } }
            tbody { @for (index, (name, _)) in added.iter().enumerate() { tr class={ "of-" (slot(name) % SLOTS) } {
                th scope="row" { (swatch(slot(name))) (name) }
                @for (place, column) in columns.iter().enumerate() {
                    td class=[(place == 0).then_some("total")] { (column[index]) }
                }
            } } }
        } }))
        p.note { "Connecting includes waiting for a pooled connection." }
    }
}

/// What each architecture takes of its machines, by kind of container.
fn resources(record: &Record) -> Markup {
    let rows: Vec<_> = architectures(record)
        .flat_map(|(name, seen, slot)| seen.resources.iter().map(move |(kind, of)| (name, slot, kind, of)))
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    let times: Vec<_> = rows.iter().map(|(_, _, _, of)| Some(of.processor_us as f64)).collect();
    let amounts: Vec<_> = rows.iter().map(|(_, _, _, of)| of.bytes).collect();
    let (times, amounts) = (column::durations(&times), column::amounts(&amounts));
    let memory: Vec<_> = rows.iter().map(|(_, _, _, of)| of.memory).collect();
    let (has_memory, memory) = (memory.iter().any(|bytes| *bytes > 0), column::amounts(&memory));
    let busy = busy(rows.iter().map(|(_, _, _, of)| Some(*of)));
    html! {
        h3 { "What it takes" }
        (frame::scroll("what each architecture takes", &html! { table {
            thead { tr {
                th scope="col" { "architecture" } th.text scope="col" { "containers" } th scope="col" { "processor time" }
                th scope="col" { "cores busy" } th scope="col" { "at most" }
                th scope="col" { "connections at most" } @if has_memory { th scope="col" { "memory" } }
                th scope="col" { "sent" }
            } }
            tbody { @for (index, (name, slot, kind, of)) in rows.into_iter().enumerate() { tr class={ "of-" (slot % SLOTS) } {
                th scope="row" { (swatch(slot)) (name) }
                td.text { (kind) }
                td { (times[index]) }
                td { (busy[index]) }
                td { (count(of.cores_peak)) }
                td { (count(of.connections_peak)) }
                @if has_memory { td { @if of.memory > 0 { (memory[index]) } @else { "–" } } }
                td { (amounts[index]) }
            } } }
        } }))
        p.note {
            "Of all containers of a kind together, after the warm-up and while there was load. A connection counts at \
             each of its ends; what is sent to other pods counts for the outermost container, headers included."
        }
    }
}

/// What each phase of an adoption gained and cost; nothing where there is none.
fn adoption(record: &Record) -> Markup {
    let Some((title, rows)) = crate::table::adoption::rows(record) else { return html! {} };
    let (head, rows) = rows.split_first().expect("a grid has a head");
    html! {
        h3 { "Phase by phase" }
        (frame::scroll("what each phase of the adoption gained and cost", &html! { table {
            thead { tr { @for cell in head { th scope="col" { (cell) } } } }
            tbody { @for row in rows { tr {
                @for (index, cell) in row.iter().enumerate() {
                    @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                }
            } } }
        } }))
        p.note { (title) "." }
    }
}

/// What each architecture costs at the scenario's prices; nothing where it has none.
fn money(record: &Record) -> Markup {
    let Some((prices, all)) = crate::money::of(record) else { return html! {} };
    let rows = architectures(record).zip(&all);
    let kinds: IndexSet<&str> =
        all.iter().flat_map(|(_, money)| money.by_kind.keys().map(String::as_str)).collect();
    html! {
        h3 { "What it costs" }
        (frame::scroll("what each architecture costs in money", &html! { table {
            thead { tr {
                th scope="col" { "architecture" }
                @for kind in &kinds { th scope="col" { (kind) " an hour" } }
                th scope="col" { "an hour" } th scope="col" { "a million requests" }
            } }
            tbody { @for ((name, _, slot), (_, money)) in rows { tr class={ "of-" (slot % SLOTS) } {
                th scope="row" { (swatch(slot)) (name) }
                @for kind in &kinds { td { (money.by_kind.get(*kind).map_or_else(|| "–".to_owned(), |hour| amount(*hour))) } }
                td { (amount(money.hour)) }
                td { (money.million_requests.map_or_else(|| "–".to_owned(), amount)) }
            } } }
        } }))
        p.note {
            "In " (prices.currency) ", at the prices of the scenario: busy cores over the utilisation that is paid for, memory of \
             proxies, bytes sent to other pods, and requests that a managed gateway charges for."
        }
    }
}

/// Median, tail and errors before, during and after each fault.
pub(crate) fn phases(record: &Record) -> Markup {
    let names: IndexSet<&str> = record
        .architectures
        .values()
        .flat_map(|architecture| architecture.phases.keys().map(String::as_str))
        .collect();
    if names.len() < 2 {
        return html! {};
    }
    let lasts = |name: &str| {
        let phase = record.architectures.values().find_map(|architecture| architecture.phases.get(name));
        phase.map_or_else(String::new, |phase| {
            format!("{} to {}", moment(phase.from_us), moment(phase.until_us))
        })
    };
    let columns: Vec<Vec<Vec<String>>> = names.iter().map(|name| of_phase(record, name)).collect();
    html! {
        h3 { "Before, during and after" }
        (frame::scroll("before, during and after", &html! { table {
            thead {
                tr {
                    td {}
                    @for name in &names {
                        th.group scope="colgroup" colspan="3" { (name) small { (lasts(name)) } }
                    }
                }
                tr {
                    th scope="col" { "architecture" }
                    @for _ in &names {
                        th.apart scope="col" { "p50" } th scope="col" { "p99" } th scope="col" { "errors" }
                    }
                }
            }
            tbody { @for (index, (name, _, slot)) in architectures(record).enumerate() { tr class={ "of-" (slot % SLOTS) } {
                th scope="row" { (swatch(slot)) (name) }
                @for columns in &columns {
                    td.apart { (columns[0][index]) } td { (columns[1][index]) } td { (columns[2][index]) }
                }
            } } }
        } }))
    }
}

/// The cells of a part of the run by architecture: median, tail and errors.
fn of_phase(record: &Record, phase: &str) -> Vec<Vec<String>> {
    let figures = [Figure::P50, Figure::P99, Figure::ErrorRate];
    let column = |figure: Figure| {
        let of = |seen: &Architecture| figure.of(&Scope::of_traffic(&seen.phases.get(phase)?.total));
        column::figures(figure, &record.architectures.values().map(of).collect::<Vec<_>>())
    };
    figures.map(column).to_vec()
}

/// How often policies decided what, by upstream; counted after the warm-up, in all pods.
pub(crate) fn decisions(record: &Record) -> Markup {
    let architectures_decided =
        record.architectures.values().flat_map(|architecture| &architecture.decisions);
    let rows: BTreeSet<(&str, &str)> =
        architectures_decided.map(|decided| (&*decided.decision, &*decided.upstream)).collect();
    if rows.is_empty() {
        return html! {};
    }
    html! {
        h3 { "How often" }
        (frame::scroll("decisions", &html! { table {
            thead { tr {
                th scope="col" { "decision" } th.text scope="col" { "about" }
                @for (name, _, slot) in architectures(record) { th scope="col" { (swatch(slot)) (name) } }
            } }
            tbody { @for (decision, upstream) in &rows { tr {
                th scope="row" { (decision) }
                td.text { (upstream) }
                @for architecture in record.architectures.values() {
                    td { (count(decided(&architecture.decisions, decision, Some(upstream)))) }
                }
            } } }
        } }))
        p.note { "After the warm-up, all counted." }
    }
}

/// What was expected, and what was seen.
pub(crate) fn expectations(record: &Record) -> Markup {
    let by_text = expectations_by_text(record);
    if by_text.is_empty() {
        return html! {};
    }
    let body = html! {
        (frame::scroll("expectations", &html! { table {
            thead { tr {
                th scope="col" { "expectation" }
                @for name in record.architectures.keys() { th scope="col" { (name) } }
            } }
            tbody { @for (text, seen) in &by_text { tr {
                th.wrap scope="row" { (text) }
                @for name in record.architectures.keys() {
                    @if let Some((_, expectation)) = seen.iter().find(|(of, _)| of == name) {
                        td {
                            (expectation.said()) (failed_seeds(record, expectation)) " "
                            span class=(mark_class(expectation.outcome)) role="img"
                                aria-label=(expectation.outcome.name()) { (mark(expectation.outcome)) }
                        }
                    } @else { td {} }
                }
            } } }
        } }))
    };
    let note = html! { "What the scenario expects of each architecture, and what was seen." };
    let outcomes = by_text.values().flatten().map(|(_, expectation)| expectation.outcome);
    // What is not as it should be is not folded away.
    let part = if Outcome::of_all(outcomes) == Outcome::Holds { folded } else { section };
    part("expectations", "Expectations", &note, &body)
}

/// The rules that any run must keep and this one did not; nothing where it kept them all.
pub(crate) fn invariants(record: &Record) -> Markup {
    if record.architectures.values().all(|seen| seen.violations.is_empty()) {
        return html! {};
    }
    let body = html! {
        (frame::scroll("broken invariants", &html! { table {
            thead { tr {
                th scope="col" { "invariant" } th.text scope="col" { "architecture" } th scope="col" { "times" }
                th.text scope="col" { "first" }
            } }
            tbody { @for (name, architecture, slot) in architectures(record) {
                @for found in &architecture.violations { tr class={ "of-" (slot % SLOTS) } {
                    th scope="row" { (found.invariant) }
                    td.text { (swatch(slot)) (name) }
                    td { (count(found.count)) }
                    td.text { @for first in &found.first { div { (first) } } }
                } }
            } }
        } }))
    };
    let note = html! { "What must hold of any run, and did not of this one: a fault of an architecture, or of hoplab." };
    section("invariants", "Broken invariants", &note, &body)
}

/// The slot of each architecture, within the palette.
pub(crate) fn slots(record: &Record) -> IndexMap<&str, usize> {
    architectures(record).map(|(name, _, slot)| (name.as_str(), slot % SLOTS)).collect()
}

fn architectures(record: &Record) -> impl Iterator<Item = (&String, &Architecture, usize)> {
    let slots = palette::slots(record.architectures.keys().map(String::as_str));
    record.architectures.iter().zip(slots).map(|((name, architecture), slot)| (name, architecture, slot))
}

pub(crate) fn swatch(slot: usize) -> Markup {
    html! { i class={ "swatch " (svg::class(Ink::Architecture(slot % SLOTS))) } {} }
}
