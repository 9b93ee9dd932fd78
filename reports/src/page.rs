//! `report.html`: one page that needs nothing else, neither network nor script. Follows the reader's
//! light or dark theme, fits a phone and prints. Owns the order of what is told; each part has a file
//! of its own below.

mod frame;
mod graph;
mod layout;
mod svg;
mod tables;
mod theme;

use hoplab_sim::record::{Record, Window};
use indexmap::IndexSet;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::charts::over_time::{self, Figure};
use crate::charts::{self, Room};
use crate::format::{count, duration, glued, moment, plural, share};
use crate::table::expectations_by_text;
use crate::verdict::{self, Verdict};
use frame::{Keys, Tabs, section};

/// The page of a run.
pub fn page(record: &Record) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "hoplab " (record.version) };
                link rel="icon" href="data:,";
                title { (record.title) " · hoplab" }
                style { (PreEscaped(theme::style(record))) }
            }
            body {
                (frame::switches(record))
                main {
                    (head(record))
                    (tables::overview(record))
                    (graph_section(record))
                    (latency(record))
                    (time(record))
                    (breakdown(record))
                    (breakers(record))
                    (policies(record))
                    (goodput(record))
                    (slowest(record))
                    (tables::expectations(record))
                    (tables::details(record))
                }
                (foot(record))
                div #tip hidden {}
                script { (PreEscaped(include_str!("page/script.js"))) }
            }
        }
    }
    .into_string()
}

/// The parts that every page has, for the links at its top.
const PARTS: [(&str, &str); 9] = [
    ("overview", "side by side"),
    ("graph", "service graph"),
    ("latency", "percentiles"),
    ("time", "over time"),
    ("breakdown", "where the time goes"),
    ("breakers", "breakers"),
    ("policies", "policies"),
    ("goodput", "goodput and errors"),
    ("details", "all the figures"),
];

fn head(record: &Record) -> Markup {
    let Verdict { headline, sentences } = verdict::verdict(record);
    let by_text = expectations_by_text(record);
    let all = by_text.values().flatten().count();
    let held = by_text.values().flatten().filter(|(_, expectation)| expectation.holds).count();
    let measured = record.duration_us.saturating_sub(record.warmup_us);
    html! {
        header {
            p.eyebrow { span.mark { "hoplab" } " " (record.scenario) }
            h1 { (record.title) }
            @if !record.question.is_empty() {
                div.question { @for line in record.question.lines() { (line) " " } }
            }
            div.verdict {
                p.headline { (headline) }
                @for sentence in &sentences { p { (sentence) } }
                @if all > 0 {
                    p {
                        @if held == all {
                            a.pill.good href="#expectations" { "✓ all " (plural(all as u64, "expectation")) " met" }
                        } @else {
                            a.pill.bad href="#expectations" { "✗ " (all - held) " of " (plural(all as u64, "expectation")) " not met" }
                        }
                    }
                }
            }
            ul.facts {
                li { span { "load" } (moment(measured))
                    @if record.warmup_us > 0 { " after " (moment(record.warmup_us)) " of warm-up" } }
                li { span { "services" } (count(record.graph.services.len() as u64)) }
                li { span { "seed" } (record.seed) }
                li { span { "digest" } code { (record.digest.get(..12).unwrap_or(&record.digest)) } }
            }
            nav aria-label="parts of this page" {
                @for (id, name) in PARTS { a href={ "#" (id) } { (name) } }
            }
        }
    }
}

fn graph_section(record: &Record) -> Markup {
    let note = html! {
        "Who calls whom. A line is as thick as its traffic; it says how many attempts a call took where \
         that is more than one, and what share of attempts failed. Services that a fault touches are framed."
    };
    let tabs = Tabs::new("graph", "architecture").chosen_last();
    let panels = record.architectures.iter();
    let panels = panels.map(|(name, architecture)| (name.clone(), graph::graph(record, name, architecture)));
    section("graph", "Service graph", &note, &tabs.of(&panels.collect::<Vec<_>>()))
}

fn latency(record: &Record) -> Markup {
    let note = html! {
        "From the moment a request was meant to be sent, so that waiting to be sent counts. Each step to the \
         right is ten times rarer; a line ends where the sample cannot carry the percentile."
    };
    let mut endpoints: Vec<Option<&str>> = vec![None];
    for architecture in record.architectures.values() {
        for endpoint in architecture.endpoints.keys() {
            if !endpoints.contains(&Some(endpoint)) {
                endpoints.push(Some(endpoint));
            }
        }
    }
    let panel = |endpoint: Option<&str>| {
        let draw = |room| charts::percentiles::percentiles(record, endpoint, room);
        let name = endpoint.unwrap_or("all requests").to_owned();
        (name, svg::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::architectures(record)))
    };
    let panels: Vec<_> = endpoints.into_iter().map(panel).collect();
    section("latency", "Response time by percentile", &note, &Tabs::new("latency", "endpoint").of(&panels))
}

fn time(record: &Record) -> Markup {
    let draw =
        |room| over_time::stacked(record, &[Figure::Median, Figure::P99], "Response time over time", room);
    let note = html! {
        "Requests by the moment they were meant to be sent, in windows of "
        (duration(record.window_us as f64)) "."
    };
    let figure = svg::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::architectures(record));
    section("time", "Response time over time", &note, &html! { (figure) (tables::phases(record)) })
}

fn breakdown(record: &Record) -> Markup {
    let note = html! {
        "Every microsecond of the mean request has an owner: along the critical path the parts sum exactly to \
         the response time. Blue is the network, orange the proxies, green the services."
    };
    let keys = Keys::owners(&charts::breakdown::owners_seen(record));
    let phases: IndexSet<&str> = record
        .architectures
        .values()
        .flat_map(|architecture| &architecture.phases)
        .filter(|(_, phase)| !phase.breakdown_us.is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    let phases = if phases.len() > 1 { phases } else { IndexSet::new() };
    let parts: Vec<_> = std::iter::once(None)
        .chain(phases.into_iter().map(Some))
        .map(|phase| {
            let draw = |room| charts::breakdown::by_architecture(record, phase, room);
            let name = phase.unwrap_or("the whole run").to_owned();
            (name, svg::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::none()))
        })
        .collect();
    let added = |room| charts::breakdown::added(record, room);
    let tabs = Tabs::new("hops", "architecture").chosen_last();
    let architectures = record.architectures.iter().filter(|(_, architecture)| !architecture.hops.is_empty());
    let panels: Vec<_> = architectures
        .map(|(name, architecture)| {
            let draw = |room| charts::breakdown::by_hop(name, architecture, room);
            (name.clone(), svg::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::none()))
        })
        .collect();
    let body = html! {
        (keys.markup())
        (Tabs::new("owners", "part of the run").of(&parts))
        @if record.architectures.len() > 1 {
            h3 { (added(Room::Wide).title) }
            (svg::figure(&added(Room::Wide), &added(Room::Narrow), &Keys::none()))
        }
        @if !panels.is_empty() {
            h3 { "Hop by hop" }
            (tabs.of(&panels))
        }
    };
    section("breakdown", "Where the time goes", &note, &body)
}

fn breakers(record: &Record) -> Markup {
    let Some(wide) = charts::breakers::breakers(record, Room::Wide) else {
        let note = html! { "No breaker changed its state." };
        return section("breakers", "Circuit breakers", &note, &html! {});
    };
    let note = html! { "A lane for each breaker that ever moved. All start closed." };
    let narrow = charts::breakers::breakers(record, Room::Narrow).unwrap_or_else(|| wide.clone());
    let left_out: u64 =
        record.architectures.values().map(|architecture| architecture.breakers_left_out).sum();
    let body = html! {
        (svg::figure(&wide, &narrow, &Keys::states()))
        @if left_out > 0 { p.note { (plural(left_out, "later change")) " were not kept by the recorder." } }
    };
    section("breakers", "Circuit breakers", &note, &body)
}

fn policies(record: &Record) -> Markup {
    let Some(wide) = charts::policies::policies(record, Room::Wide) else {
        let note = html! { "No policy decided anything: nothing was retried, hedged, ejected or refused." };
        return section("policies", "What policies decided", &note, &html! {});
    };
    let note = html! {
        "A lane for each decision and upstream, the proxies of all pods together; a bar is as high as there were \
         decisions, measured by its lane's highest."
    };
    let narrow = charts::policies::policies(record, Room::Narrow).unwrap_or_else(|| wide.clone());
    let left_out: u64 =
        record.architectures.values().map(|architecture| architecture.policies_left_out).sum();
    let body = html! {
        (svg::figure(&wide, &narrow, &Keys::none()))
        @if left_out > 0 {
            p.note { (plural(left_out, "later decision")) " were not kept one by one; the table counts all." }
        }
        (tables::decisions(record))
    };
    section("policies", "What policies decided", &note, &body)
}

/// Attempts per call in any window from which their chart is worth its place.
const RETRIED_FROM: f64 = 1.02;

fn goodput(record: &Record) -> Markup {
    let mut figures = vec![Figure::Goodput, Figure::Errors];
    let windows = record.architectures.values().flat_map(|architecture| &architecture.windows);
    let retried = |window: &Window| window.attempts as f64 > window.calls as f64 * RETRIED_FROM;
    if windows.into_iter().any(retried) {
        figures.push(Figure::Attempts);
    }
    let draw = |room| over_time::stacked(record, &figures, "Goodput, errors and attempts over time", room);
    let note = html! {
        "Good answers are those below status 500, in time for the client. Attempts beyond one per call are \
         retries: load that the fault breeds."
    };
    let figure = svg::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::architectures(record));
    section("goodput", "Goodput, errors and retries", &note, &figure)
}

/// So many of the slowest requests are drawn for each architecture.
const SLOWEST_SHOWN: usize = 3;

fn slowest(record: &Record) -> Markup {
    let note = html! {
        "The critical path of a request over the hops that it went through, each stretch in the colour of its owner."
    };
    let architectures =
        record.architectures.iter().filter(|(_, architecture)| !architecture.slowest.is_empty());
    let panels: Vec<_> = architectures
        .map(|(name, architecture)| {
            let panel = html! {
                @for (rank, trace) in architecture.slowest.iter().take(SLOWEST_SHOWN).enumerate() {
                    details open[rank == 0] {
                        summary {
                            b { (duration(trace.latency_us as f64)) } " " (trace.endpoint)
                            span.quiet { "sent at " (glued(&moment(trace.at_us))) ", outcome " (trace.outcome) }
                        }
                        (svg::figure(
                            &charts::waterfall::waterfall(trace, Room::Wide),
                            &charts::waterfall::waterfall(trace, Room::Narrow),
                            &Keys::none(),
                        ))
                        p.note { "trace " code { (trace.id) } }
                    }
                }
            };
            (name.clone(), panel)
        })
        .collect();
    if panels.is_empty() {
        return html! {};
    }
    let keys = Keys::owners(&charts::breakdown::owners_seen(record)).markup();
    let body = html! { (keys) (Tabs::new("slowest", "architecture").chosen_last().of(&panels)) };
    section("slowest", "The slowest requests", &note, &body)
}

fn foot(record: &Record) -> Markup {
    let names: Vec<&str> = record.architectures.keys().map(String::as_str).collect();
    let path = record.sources.first().map_or(record.scenario.as_str(), |source| source.path.as_str());
    let scale = if (record.scale - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!(" --scale {}", record.scale)
    };
    html! {
        footer {
            h2 { "Run it again" }
            p { "In the folder of this page; it says whether the digest is the same:" }
            pre.command { code { "hoplab replay ." } }
            p { "Or from the scenario:" }
            pre.command { code {
                "hoplab run " (path) " --seed " (record.seed) " --arch " (names.join(",")) (scale)
            } }
            div.scroll { table {
                thead { tr {
                    th.text scope="col" { "hoplab " (record.version) ", seed " (record.seed) }
                    th.text scope="col" { "digest" } th scope="col" { "requests" }
                    th scope="col" { "open at the end" } th scope="col" { "spans" } th scope="col" { "packets" }
                } }
                tbody {
                    @for (name, architecture) in &record.architectures { tr {
                        th scope="row" { (name) }
                        td.digest { code { (architecture.digest) } }
                        td { (count(architecture.total.requests.sent)) }
                        td { (share(architecture.total.requests.open, architecture.total.requests.sent)) }
                        td { (count(architecture.effort.spans)) }
                        td { (count(architecture.effort.packets)) }
                    } }
                    tr { th scope="row" { "all" } td.digest { code { (record.digest) } } td {} td {} td {} td {} }
                }
            } }
            @for source in &record.sources {
                details {
                    summary { code { (source.path) } }
                    pre.source { code { (source.text) } }
                }
            }
        }
    }
}
