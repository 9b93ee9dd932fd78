//! The page's tables: figures by architecture, by part of the run, by endpoint and by edge, and the
//! expectations. Each scrolls in its own box where it is wider than the page.

use std::collections::BTreeSet;

use hoplab_sim::figures::{Figure, Scope, Unit};
use hoplab_sim::record::{Architecture, Outcome, Record, decided};
use indexmap::{IndexMap, IndexSet};
use maud::{Markup, html};

use super::svg;
use crate::added;
use crate::charts::Ink;
use crate::column;
use crate::format::{count, moment, plural};
use crate::outcomes::{mark, mark_class};
use crate::page::frame::{self, folded, section};
use crate::palette::{self, SLOTS};
use crate::table::breakers::{often, opened, times_opened};
use crate::table::network;
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
    folded("costs", "What each architecture costs", &note, &html! { (added(record)) (resources(record)) })
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
    let busy = busy(rows.iter().map(|(_, _, _, of)| Some(*of)));
    html! {
        h3 { "What it takes" }
        (frame::scroll("what each architecture takes", &html! { table {
            thead { tr {
                th scope="col" { "architecture" } th.text scope="col" { "containers" } th scope="col" { "processor time" }
                th scope="col" { "cores busy" } th scope="col" { "at most" }
                th scope="col" { "connections at most" } th scope="col" { "sent" }
            } }
            tbody { @for (index, (name, slot, kind, of)) in rows.into_iter().enumerate() { tr class={ "of-" (slot % SLOTS) } {
                th scope="row" { (swatch(slot)) (name) }
                td.text { (kind) }
                td { (times[index]) }
                td { (busy[index]) }
                td { (count(of.cores_peak)) }
                td { (count(of.connections_peak)) }
                td { (amounts[index]) }
            } } }
        } }))
        p.note {
            "Of all containers of a kind together, after the warm-up and while there was load. A connection counts at \
             each of its ends; what is sent to other pods counts for the outermost container, headers included."
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

/// The figures by endpoint and by edge, and the faults' hits, folded away.
pub(crate) fn details(record: &Record) -> Markup {
    let body = html! {
        details {
            summary { "Response times and errors by endpoint" }
            (endpoints(record))
        }
        details {
            summary { "Requests, attempts and errors between services" }
            (edges(record))
        }
        @if record.architectures.values().any(|architecture| !architecture.pods.is_empty()) {
            details {
                summary { "Attempts by pod" }
                (pods(record))
            }
        }
        @if record.architectures.values().any(|architecture| !architecture.work.is_empty()) {
            details {
                summary { "Processor time of services, and what of it was wasted" }
                (work(record))
            }
        }
        @if record.architectures.values().any(|architecture| !architecture.network.is_empty()) {
            details {
                summary { "Packets and connections, by who opened these" }
                (network(record))
            }
        }
        @if !record.faults.is_empty() {
            details {
                summary { "Faults, and how often each touched something" }
                (faults(record))
            }
        }
    };
    let note = html! { "The same numbers lie beside this page: " code { "summary.json" } " and CSV files in "
    code { "record/" } ", plots as SVG and PNG in " code { "plots/" } "." };
    folded("details", "All the figures", &note, &body)
}

fn endpoints(record: &Record) -> Markup {
    let figures = [Figure::P50, Figure::P99, Figure::ErrorRate];
    let heads = ["p50", "p99", "errors"].into_iter().zip(figures.map(Figure::unit));
    by_architecture(
        record,
        "endpoint",
        &heads.collect::<Vec<_>>(),
        |architecture| architecture.endpoints.keys().collect(),
        |architecture, name| {
            let scope = Scope::of_traffic(architecture.endpoints.get(name)?);
            Some(figures.map(|figure| figure.of(&scope)).to_vec())
        },
    )
}

fn edges(record: &Record) -> Markup {
    let figures = [Figure::Calls, Figure::Amplification, Figure::Retries, Figure::Hedges, Figure::Unsent];
    let heads = ["requests", "attempts per request", "retries", "hedges", "never sent"];
    let heads = heads.into_iter().zip(figures.map(Figure::unit));
    by_architecture(
        record,
        "edge",
        &heads.chain([("failed attempts", Unit::Share)]).collect::<Vec<_>>(),
        |architecture| architecture.edges.keys().collect(),
        |architecture, name| {
            let edge = architecture.edges.get(name)?;
            let scope = Scope::of_edges(&architecture.edges).edge(name);
            let mut values = figures.map(|figure| figure.of(&scope)).to_vec();
            values.push(share(edge.errors, edge.attempts));
            Some(values)
        },
    )
}

fn network(record: &Record) -> Markup {
    let shown = network::shown(record);
    let heads: Vec<_> = shown.iter().map(|(figure, head)| (*head, figure.unit())).collect();
    by_architecture(
        record,
        "connections",
        &heads,
        |architecture| architecture.network.keys().collect(),
        |architecture, name| {
            architecture.network.get(name)?;
            let scope = Scope::of_network(&architecture.network).edge(name);
            Some(shown.iter().map(|(figure, _)| figure.of(&scope)).collect())
        },
    )
}

fn work(record: &Record) -> Markup {
    let heads = [("cores × time", Unit::Micros), ("wasted", Unit::Share), ("on requests", Unit::Count)];
    by_architecture(
        record,
        "service",
        &heads,
        |architecture| architecture.work.keys().collect(),
        |architecture, name| {
            let work = architecture.work.get(name)?;
            let wasted = share(work.wasted.cpu_us, work.cpu_us);
            Some(vec![Some(work.cpu_us as f64), wasted, Some(work.wasted.requests as f64)])
        },
    )
}

/// The attempts at each pod, and its share of those at all pods of its service.
fn pods(record: &Record) -> Markup {
    let heads = [("attempts", Unit::Count), ("share", Unit::Share)];
    by_architecture(
        record,
        "pod",
        &heads,
        |architecture| architecture.pods.keys().collect(),
        |architecture, name| {
            let service = |pod: &str| pod.rsplit_once('-').map(|(service, _)| service.to_owned());
            let beside = architecture.pods.iter().filter(|(other, _)| service(other) == service(name));
            let (attempts, all) = (*architecture.pods.get(name)?, beside.map(|(_, attempts)| attempts).sum());
            Some(vec![Some(attempts as f64), share(attempts, all)])
        },
    )
}

/// A part of a whole; `None` of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The text of each row's cells, which are as many as there are heads.
fn texts(rows: &[Option<Vec<Option<f64>>>], heads: &[(&str, Unit)]) -> Vec<Vec<String>> {
    let columns = heads.iter().enumerate().map(|(head, (_, unit))| {
        let values = rows.iter().map(|row| row.as_ref().and_then(|row| *row.get(head)?));
        column::of(column::Kind::Of(*unit), &values.collect::<Vec<_>>())
    });
    let columns: Vec<Vec<String>> = columns.collect();
    (0..rows.len()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
}

/// A table with a row for each of the names that any architecture has, a name `of` something, and its figures under each architecture that
/// has it.
fn by_architecture<'a>(
    record: &'a Record,
    of: &str,
    heads: &[(&str, Unit)],
    names: impl Fn(&'a Architecture) -> Vec<&'a String>,
    figures: impl Fn(&Architecture, &str) -> Option<Vec<Option<f64>>>,
) -> Markup {
    let names: IndexSet<&String> = record.architectures.values().flat_map(names).collect();
    let texts =
        |seen: &Architecture| texts(&names.iter().map(|name| figures(seen, name)).collect::<Vec<_>>(), heads);
    let cells: Vec<Vec<Vec<String>>> = record.architectures.values().map(texts).collect();
    let apart = |index: usize| (index == 0).then_some("apart");
    html! {
        (frame::scroll("figures by architecture", &html! { table {
            thead {
                tr {
                    td {}
                    @for name in record.architectures.keys() {
                        th.group scope="colgroup" colspan=(heads.len()) { (name) }
                    }
                }
                tr {
                    th scope="col" { (of) }
                    @for _ in &record.architectures {
                        @for (index, (head, _)) in heads.iter().enumerate() { th class=[apart(index)] scope="col" { (head) } }
                    }
                }
            }
            tbody { @for (row, name) in names.iter().enumerate() { tr {
                th.long scope="row" title=(name) { (name) }
                @for cells in &cells {
                    @for (index, figure) in cells[row].iter().enumerate() {
                        td class=[apart(index)] { (figure) }
                    }
                }
            } } }
        } }))
    }
}

fn faults(record: &Record) -> Markup {
    html! {
        (frame::scroll("faults", &html! { table {
            thead { tr {
                th scope="col" { "fault" } th.text scope="col" { "what it does" } th scope="col" { "from" }
                th scope="col" { "for" }
                @for name in record.architectures.keys() { th scope="col" { "took effect, " (name) } }
            } }
            tbody { @for fault in &record.faults { tr {
                th scope="row" { (fault.name) }
                td.text { (fault.text) }
                td { (moment(fault.at_us)) }
                td { (moment(fault.for_us)) }
                @for architecture in record.architectures.values() {
                    @let hits = architecture.faults.iter().find(|hits| hits.name == fault.name);
                    td { (hits.filter(|hits| hits.applies).map_or_else(|| "–".to_owned(), |hits| often(hits.hits))) }
                }
            } } }
        } }))
        p.note { (plural(record.faults.len() as u64, "fault")) " in the scenario." }
    }
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
