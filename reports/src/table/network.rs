//! The grid that says what became of packets and connections, along the edges where not all went well.

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::Record;

use super::{Grid, printable};
use crate::column;

/// What is told of an edge: first of packets, then of connections.
const TOLD: [(Figure, &str); 9] = [
    (Figure::Packets, "packets"),
    (Figure::PacketsLost, "lost"),
    (Figure::PacketsDropped, "dropped"),
    (Figure::PacketsRetransmitted, "retrans"),
    (Figure::RetransmissionTimeouts, "timeouts"),
    (Figure::TailProbes, "probes"),
    (Figure::ConnectionsOpened, "opened"),
    (Figure::ConnectionsRefused, "refused"),
    (Figure::ConnectionsReset, "reset"),
];

/// What table and page show of it: what there is of any edge.
pub(crate) fn shown(record: &Record) -> Vec<(Figure, &'static str)> {
    let is_there = |figure: Figure| {
        let mut all = record.architectures.values();
        all.any(|seen| figure.of(&Scope::of_network(&seen.network)).is_some_and(|count| count > 0.0))
    };
    TOLD.into_iter().filter(|(figure, _)| is_there(*figure)).collect()
}

/// The edges along which packets or connections were in trouble; `None` where there is none.
pub(super) fn rows(record: &Record) -> Option<Grid> {
    let troubled = record.architectures.iter().flat_map(|(name, seen)| {
        let edges = seen.network.iter().filter(|(_, network)| network.is_troubled());
        edges.map(move |(edge, _)| (name, edge, Scope::of_network(&seen.network).edge(edge)))
    });
    let troubled: Vec<_> = troubled.collect();
    let shown = shown(record);
    let columns = shown.iter().map(|(figure, _)| {
        let values: Vec<_> = troubled.iter().map(|(_, _, scope)| figure.of(scope)).collect();
        column::figures(*figure, &values)
    });
    let columns: Vec<Vec<String>> = columns.collect();
    let heads = shown.iter().map(|(_, head)| (*head).to_owned());
    let mut rows: Vec<Vec<String>> = vec![std::iter::once(String::new()).chain(heads).collect()];
    for (index, (name, edge, _)) in troubled.iter().enumerate() {
        let cells = columns.iter().map(|column| column[index].clone());
        rows.push(std::iter::once(printable(&format!("{name}: {edge}"))).chain(cells).collect());
    }
    let title = "Packets and connections, where some were lost, late, refused or reset";
    (rows.len() > 1).then(|| (title.to_owned(), rows))
}
