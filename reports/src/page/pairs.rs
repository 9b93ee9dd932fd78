//! The part of the page that compares architectures request by request: how the difference spreads, and
//! the same in figures by part of the run and by endpoint. Owns what is shown of it, not the chart.

use hoplab_sim::figures::Unit;
use hoplab_sim::record::{Difference, Paired, Record};
use indexmap::{IndexMap, IndexSet};
use maud::{Markup, html};

use super::frame::{self, Keys, Tabs, folded};
use super::tables;
use crate::added;
use crate::charts::Room;
use crate::charts::differences::{differences, subjects};
use crate::column;
use crate::format::count;

/// The part; `None` where nothing was paired.
pub(crate) fn pairs(record: &Record) -> Option<Markup> {
    let shown = record.paired.iter().find(|(name, _)| record.architectures.contains_key(*name))?;
    let baseline = &shown.1.baseline;
    let phases: IndexSet<&str> =
        record.paired.values().flat_map(|paired| paired.phases.keys().map(String::as_str)).collect();
    let compared = added::compared(record);
    let phases = if phases.len() > 1 { phases } else { IndexSet::new() };
    let parts = std::iter::once(None).chain(phases.iter().copied().map(Some));
    let panels: Vec<_> = parts
        .clone()
        .filter_map(|phase| {
            let subjects = subjects(record, phase);
            let name = phase.unwrap_or("the whole run");
            let draw = |room| differences(&subjects, &format!("Difference by request, {name}"), room);
            let keys = Keys::architectures(record).without(baseline);
            Some((name.to_owned(), frame::figure(&draw(Room::Wide)?, &draw(Room::Narrow)?, &keys)))
        })
        .collect();
    let chosen = parts.clone().position(|phase| phase == compared).unwrap_or(0);
    let note = html! {
        "The same request meets the same arrival, demands and faults under each architecture, so what differs is the \
         architecture's. A curve says which share of requests is slower than with " (baseline) " by at most so much; \
         left of zero they are faster. The outermost 1 % at either end lie beyond the axis. Only requests that were \
         answered well under both have a difference; the others were served well under one alone, or under neither. A \
         dash is a percentile or an interval that the sample does not tell."
    };
    let by_phase = by(record, "part of the run", &parts.collect::<Vec<_>>(), |paired, phase| match phase {
        None => Some(&paired.total),
        Some(phase) => paired.phases.get(phase),
    });
    let endpoints: IndexSet<&String> =
        record.paired.values().flat_map(|paired| paired.endpoints.keys()).collect();
    let endpoints: Vec<Option<&str>> = endpoints.into_iter().map(|name| Some(name.as_str())).collect();
    let by_endpoint = by(record, "endpoint", &endpoints, |paired, endpoint| paired.endpoints.get(endpoint?));
    let body = html! {
        (Tabs::new("pairs", "part of the run").chosen(chosen).of(&panels))
        (by_phase)
        @if endpoints.len() > 1 {
            details {
                summary { "Endpoint by endpoint" }
                (by_endpoint)
            }
        }
    };
    let title = format!("Request by request against {baseline}");
    Some(folded("pairs", &title, &note, &body))
}

/// A table with a row for each part and architecture.
fn by<'a>(
    record: &'a Record,
    head: &str,
    parts: &[Option<&str>],
    of: impl Fn(&'a Paired, Option<&str>) -> Option<&'a Difference>,
) -> Markup {
    let slots = tables::slots(record);
    let label = format!("differences by {head}");
    let rows: IndexMap<&str, Vec<(&String, usize, &Difference)>> = parts
        .iter()
        .map(|part| {
            let seen = record.paired.iter().filter_map(|(name, paired)| {
                let difference = of(paired, *part)?;
                (difference.pairs > 0).then_some((name, *slots.get(name.as_str())?, difference))
            });
            (part.unwrap_or("the whole run"), seen.collect::<Vec<_>>())
        })
        .filter(|(_, seen)| !seen.is_empty())
        .collect();
    let all = || rows.values().flatten().map(|(_, _, of)| *of);
    let at = |quantile: f64| {
        let values = all().map(|of| of.percentile_us(quantile).map(|us| us as f64));
        column::differences(&values.collect::<Vec<_>>())
    };
    let ranges = all().map(|of| of.intervals.of(0.5).map(|of| (of.low, of.high)));
    let ranges = column::ranges(Unit::Micros, &ranges.collect::<Vec<_>>());
    let slower = column::shares(all().map(|of| (of.slower, of.both)));
    let faster = column::shares(all().map(|of| (of.faster, of.both)));
    let columns = [at(0.5), ranges, at(0.99), slower, faster];
    let mut rows_of_cells = (0..all().count()).map(|row| columns.each_ref().map(|column| &*column[row]));
    html! {
        (frame::scroll(&label, &html! { table {
            thead { tr {
                th scope="col" { (head) } th.text scope="col" { "architecture" } th scope="col" { "requests" }
                th scope="col" { "median" } th scope="col" { "95 % interval" } th scope="col" { "p99" }
                th scope="col" { "requests slower" } th scope="col" { "requests faster" }
                th scope="col" { "served only here" } th scope="col" { "no longer served" }
            } }
            @for (part, seen) in &rows { tbody { @for (index, (name, slot, of)) in seen.iter().enumerate() {
                tr class={ "of-" (slot) } {
                    @if index == 0 { th.long scope="rowgroup" rowspan=(seen.len()) title=(part) { (part) } }
                    td.text { (tables::swatch(*slot)) (name) }
                    td { (count(of.pairs)) }
                    @for cell in rows_of_cells.next().unwrap_or_default() { td { (cell) } }
                    td { (count(of.saved)) }
                    td { (count(of.lost)) }
                }
            } } }
        } }))
    }
}
