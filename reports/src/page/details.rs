//! What the page folds away: figures by endpoint, edge, pod and service under each architecture, and the faults.

use hoplab_sim::figures::{Figure, Scope, Unit};
use hoplab_sim::record::{Architecture, Record};
use indexmap::IndexSet;
use maud::{Markup, html};

use crate::column;
use crate::format::{moment, plural};
use crate::page::frame::{self, folded};
use crate::table::breakers::often;
use crate::table::network;

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

/// A table with a row for each of the names that any architecture has, a name `of` something, and its figures under
/// each architecture that has it.
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
