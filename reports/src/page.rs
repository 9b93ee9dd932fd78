//! `report.html`: one page that needs nothing else, neither network nor script. Follows the reader's
//! light or dark theme, fits a phone and prints. Owns the order of what is told; each part has a file
//! of its own below.

mod details;
pub(crate) mod frame;
mod graph;
mod layout;
mod pairs;
mod profiles;
pub(crate) mod shell;
pub(crate) mod svg;
mod tables;
pub(crate) mod theme;
mod thin;
mod topology;

use hoplab_sim::record::{Architecture, Record, Window};
use indexmap::IndexSet;
use maud::{Markup, html};

use crate::charts::heat::Heat;
use crate::charts::over_time::{self, Figure};
use crate::charts::percentiles::Part;
use crate::charts::{self, Room};
use crate::column;
use crate::format::{count, duration, exact, glued, listed, moment, plural};
use crate::outcomes::{Outcomes, pill_class};
use crate::table::{expectations_by_text, seeds};
use crate::verdict::{self, Verdict};
use frame::{Keys, Tabs, folded, section};

/// The page of a run.
pub fn page(record: &Record) -> String {
    let body = html! {
        main {
            (frame::switches(record))
            (head(record))
            (tables::overview(record))
            (facts(record))
            (graph_section(record))
            (time(record))
            (tables::invariants(record))
            (tables::expectations(record))
            (tables::costs(record))
            (latency(record))
            @if let Some(pairs) = pairs::pairs(record) { (pairs) }
            (heat(record))
            (breakdown(record))
            (goodput(record))
            (breakers(record))
            (policies(record))
            (slowest(record))
            @if let Some(profiles) = profiles::profiles(record) { (profiles) }
            (details::details(record))
        }
        (foot(record))
    };
    shell::with_charts(&record.title, &record.version, panels(record), &body)
}

/// The most panels that any tabs of the page have.
pub(crate) fn panels(record: &Record) -> usize {
    record.architectures.len().max(percentile_parts(record).len())
}

/// The parts of a page, for the links at its top.
const PARTS: [(&str, &str); 12] = [
    ("graph", "service graph"),
    ("time", "over time"),
    ("costs", "what each costs"),
    ("latency", "percentiles"),
    ("pairs", "request by request"),
    ("heat", "how many took how long"),
    ("breakdown", "where the time goes"),
    ("goodput", "goodput and retries"),
    ("breakers", "breakers and ejections"),
    ("policies", "policies"),
    ("profiles", "known systems"),
    ("details", "all the figures"),
];

/// So many sentences of the verdict stand open below its first one: what fails, so that the table keeps to the first
/// screen.
const SENTENCES_OPEN: usize = 1;

fn head(record: &Record) -> Markup {
    let Verdict { headline, sentences } = verdict::verdict(record);
    let by_text = expectations_by_text(record);
    let outcomes = Outcomes::of(by_text.values().flatten().map(|(_, expectation)| *expectation));
    let rules =
        |seen: &Architecture| seen.violations.iter().map(|found| found.invariant.clone()).collect::<Vec<_>>();
    let broken = record.architectures.values().flat_map(rules).collect::<IndexSet<_>>().len() as u64;
    html! {
        header {
            p.eyebrow { span.mark { "hoplab" } " " (record.scenario) }
            h1 { (record.title) }
            @if !record.question.is_empty() {
                div.question { @for line in record.question.lines() { (line) " " } }
            }
            div.verdict {
                p.headline { (headline) }
                @for sentence in sentences.iter().take(SENTENCES_OPEN) { p { (sentence) } }
                @if let Some(more) = sentences.get(SENTENCES_OPEN..).filter(|more| !more.is_empty()) { details {
                    summary { "Waits, faults, costs: " (plural(more.len() as u64, "sentence")) " more" }
                    @for sentence in more { p { (sentence) } }
                } }
                @if broken > 0 || outcomes.all() > 0 { p.pills {
                    @if broken > 0 { a.pill.bad href="#invariants" { "✗ " (plural(broken, "invariant")) " broken" } " " }
                    @if outcomes.all() > 0 {
                        a class=(pill_class(outcomes.together())) href="#expectations" { (outcomes.pill()) }
                    }
                } }
            }
        }
    }
}

/// What was run, and links to the parts of the page.
fn facts(record: &Record) -> Markup {
    let measured = record.duration_us.saturating_sub(record.warmup_us);
    let is_there = |id: &str| match id {
        "pairs" => !record.paired.is_empty(),
        "heat" => Heat::of(record).is_some(),
        "profiles" => !record.profiles.is_empty(),
        _ => true,
    };
    html! {
        ul.facts {
            li { span { "load" } (moment(measured))
                @if record.warmup_us > 0 { " after " (moment(record.warmup_us)) " of warm-up" } }
            li { span { "services" } (count(record.graph.services.len() as u64)) }
            li { span { "run" } (seeds(record)) }
            li { span { "digest" } code { (record.digest.get(..12).unwrap_or(&record.digest)) } }
        }
        nav aria-label="parts of this page" {
            @for (id, name) in PARTS.iter().filter(|(id, _)| is_there(id)) { a href={ "#" (id) } { (name) } }
        }
    }
}

fn graph_section(record: &Record) -> Markup {
    let note = html! {
        "Who calls whom, and what proxies on the way decided. A line is as thick as its traffic; it says how many \
         attempts a call took where that is not one, what share of attempts failed, and what was retried, shed or ejected."
    };
    let tabs = Tabs::new("graph", "architecture").chosen_last();
    let panels = record.architectures.iter();
    let panels = panels.map(|(name, architecture)| (name.clone(), graph::graph(record, name, architecture)));
    let tabs = tabs.architectures(record, record.architectures.keys());
    let body = html! { (tabs.of(&panels.collect::<Vec<_>>())) (graph::keys().markup()) };
    section("graph", "Service graph", &note, &body)
}

fn latency(record: &Record) -> Markup {
    let note = html! {
        "From the moment a request was meant to be sent, so that waiting to be sent counts. Each step to the \
         right is ten times rarer; a line ends where the sample cannot carry the percentile. A strip is the 95 % \
         confidence interval, where the run is even enough to tell."
    };
    let panel = |part: Part| {
        let draw = |room| charts::percentiles::percentiles(record, part, room);
        let figure = frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::architectures(record));
        (part.name().to_owned(), figure)
    };
    let panels: Vec<_> = percentile_parts(record).into_iter().map(panel).collect();
    let tabs = Tabs::new("latency", "part of the run or endpoint");
    folded("latency", "Response time by percentile", &note, &tabs.of(&panels))
}

/// All requests, those of each part of the run where it has several, and those of each endpoint.
fn percentile_parts(record: &Record) -> Vec<Part<'_>> {
    let seen = || record.architectures.values();
    let phases: IndexSet<&str> = seen().flat_map(|seen| seen.phases.keys().map(String::as_str)).collect();
    let phases = if phases.len() > 1 { phases } else { IndexSet::new() };
    let endpoints: IndexSet<&str> =
        seen().flat_map(|seen| seen.endpoints.keys().map(String::as_str)).collect();
    let mut parts = vec![Part::All];
    parts.extend(phases.into_iter().map(Part::Phase));
    parts.extend(endpoints.into_iter().map(Part::Endpoint));
    parts
}

fn time(record: &Record) -> Markup {
    let mut figures = vec![Figure::Median, Figure::P99];
    let mut all = record.architectures.values();
    if all.any(|seen| seen.total.requests.sent > seen.total.requests.ok) {
        figures.push(Figure::Errors);
    }
    let draw = |room| over_time::stacked(record, &figures, "Response time over time", room);
    let note = html! {
        "Requests by the moment they were meant to be sent, in windows of "
        (duration(record.window_us as f64)) "; where a window has too few to carry a percentile, as many together as \
         carry it are drawn as one level stretch."
    };
    let figure = frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::architectures(record));
    let body = html! { (figure) (tables::phases(record)) };
    section("time", "What happened over time", &note, &body)
}

/// How many requests took how long, over time.
fn heat(record: &Record) -> Markup {
    let Some(heat) = Heat::of(record) else { return html! {} };
    let tabs = Tabs::new("heat", "architecture").chosen_last();
    let tabs = tabs.architectures(record, record.architectures.keys());
    let panels: Vec<_> = record
        .architectures
        .iter()
        .map(|(name, seen)| {
            let draw = |room| heat.map(name, seen, room);
            (name.clone(), frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::none()))
        })
        .collect();
    let note = html! { "Shades: " (heat.shaded()) "; they are the same under each architecture." };
    let body = html! { (Keys::shades(heat.shades()).markup()) (tabs.of(&panels)) };
    folded("heat", "How many took how long", &note, &body)
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
            (name, frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::none()))
        })
        .collect();
    let added = |room| charts::breakdown::added(record, room);
    let architectures = record.architectures.iter().filter(|(_, architecture)| !architecture.hops.is_empty());
    let tabs = Tabs::new("hops", "architecture").chosen_last();
    let tabs = tabs.architectures(record, architectures.clone().map(|(name, _)| name));
    let panels: Vec<_> = architectures
        .map(|(name, architecture)| {
            let draw = |room| charts::breakdown::by_hop(name, architecture, room);
            (name.clone(), frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::none()))
        })
        .collect();
    let body = html! {
        (keys.markup())
        (Tabs::new("owners", "part of the run").of(&parts))
        @if record.architectures.len() > 1 {
            h3 { (added(Room::Wide).title) }
            (frame::figure(&added(Room::Wide), &added(Room::Narrow), &Keys::none()))
        }
        @if !panels.is_empty() {
            h3 { "Hop by hop" }
            (tabs.of(&panels))
        }
    };
    folded("breakdown", "Where the time goes", &note, &body)
}

fn breakers(record: &Record) -> Markup {
    let Some(wide) = charts::breakers::breakers(record, Room::Wide) else {
        let note =
            html! { "No breaker changed its state, and no endpoint was ejected" (in_first(record)) "." };
        let others = not_drawn(record, "change", |seen| (seen.breakers_left_out, seen.breakers_cut_us));
        return folded("breakers", "Circuit breakers and ejections", &note, &others);
    };
    let note = html! {
        "A lane for each breaker that ever moved (→), and for each endpoint that a proxy's outlier detection ever \
         took out of its pool (⇢). All start closed, all endpoints in the pool."
    };
    let narrow = charts::breakers::breakers(record, Room::Narrow).unwrap_or_else(|| wide.clone());
    let body = html! {
        (frame::figure(&wide, &narrow, &Keys::states()))
        (not_drawn(record, "change", |seen| (seen.breakers_left_out, seen.breakers_cut_us)))
    };
    folded("breakers", "Circuit breakers and ejections", &note, &body)
}

/// Where single events are known of one seed alone.
fn in_first(record: &Record) -> String {
    if record.runs() > 1 {
        format!(" in seed {}, the first of {}", record.seed, record.runs())
    } else {
        String::new()
    }
}

/// Which events a chart of single ones leaves out: the later ones, where there were too many to keep, and those of all
/// seeds but the first.
fn not_drawn(record: &Record, noun: &str, of: impl Fn(&Architecture) -> (u64, Option<u64>)) -> Markup {
    let all = record.architectures.iter().map(|(name, seen)| (name, of(seen)));
    let left_out: u64 = all.clone().map(|(_, (left_out, _))| left_out).sum();
    let cut = all.filter_map(|(name, (_, cut))| Some(format!("{name} from {} on", moment(cut?))));
    let cut: Vec<String> = cut.collect();
    html! {
        @if left_out > 0 {
            p.note {
                @if record.runs() > 1 {
                    "Drawn is the first of " (record.runs()) " seeds, seed " (record.seed) ", alone. "
                }
                @if !cut.is_empty() {
                    "There were too many to keep one by one: nothing is drawn under " (listed(&cut)) ". "
                }
                (plural(left_out, noun)) " more are counted, as all are, in the table."
            }
        }
    }
}

fn policies(record: &Record) -> Markup {
    let Some(wide) = charts::policies::policies(record, Room::Wide) else {
        let note = html! {
            "No policy decided anything" (in_first(record)) ": nothing was retried, hedged, ejected or refused."
        };
        let counted = html! {
            (not_drawn(record, "decision", |seen| (seen.policies_left_out, seen.policies_cut_us)))
            (tables::decisions(record))
        };
        return folded("policies", "What policies decided", &note, &counted);
    };
    let note = html! {
        "A lane for each decision and upstream, the proxies of all pods together; a bar is as high as there were \
         decisions, measured by its lane's highest."
    };
    let narrow = charts::policies::policies(record, Room::Narrow).unwrap_or_else(|| wide.clone());
    let body = html! {
        (frame::figure(&wide, &narrow, &Keys::none()))
        (not_drawn(record, "decision", |seen| (seen.policies_left_out, seen.policies_cut_us)))
        (tables::decisions(record))
    };
    folded("policies", "What policies decided", &note, &body)
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
    let figure = frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::architectures(record));
    let clouds = charts::load::clouds(record);
    let load = |room| charts::load::goodput(&clouds, room);
    let body = html! {
        (figure)
        @if let (Some(wide), Some(narrow)) = (load(Room::Wide), load(Room::Narrow)) {
            h3 { (wide.title) }
            p.note {
                "A point for each " (duration(record.window_us as f64)) " after the warm-up; on the dashed line as \
                 many are answered well as are asked, above it some had waited."
            }
            (frame::figure(&wide, &narrow, &Keys::architectures(record)))
        }
    };
    folded("goodput", "Goodput, errors and retries", &note, &body)
}

/// At most so many of the slowest requests are drawn for each architecture, and so many for all.
const SLOWEST_SHOWN: (usize, usize) = (3, 12);

fn slowest(record: &Record) -> Markup {
    let note = html! {
        "The critical path of a request over the hops that it went through, each stretch in the colour of its owner."
    };
    let architectures =
        record.architectures.iter().filter(|(_, architecture)| !architecture.slowest.is_empty());
    let shown = (SLOWEST_SHOWN.1 / architectures.clone().count().max(1)).clamp(1, SLOWEST_SHOWN.0);
    let panels: Vec<_> = architectures
        .map(|(name, architecture)| {
            let panel = html! {
                @for (rank, trace) in architecture.slowest.iter().take(shown).enumerate() {
                    details open[rank == 0] {
                        summary {
                            b { (exact(trace.latency_us)) } " " (trace.endpoint)
                            span.quiet { "sent at " (glued(&moment(trace.at_us))) ", outcome " (trace.outcome) }
                        }
                        (frame::figure(
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
    let with_traces = record.architectures.iter().filter(|(_, seen)| !seen.slowest.is_empty());
    let tabs = Tabs::new("slowest", "architecture").chosen_last();
    let tabs = tabs.architectures(record, with_traces.map(|(name, _)| name));
    let body = html! { (keys) (tabs.of(&panels)) };
    folded("slowest", "The slowest requests", &note, &body)
}

fn foot(record: &Record) -> Markup {
    let names: Vec<&str> = record.architectures.keys().map(String::as_str).collect();
    let path = record.sources.first().map_or(record.scenario.as_str(), |source| source.path.as_str());
    let scale = if (record.scale - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!(" --scale {}", record.scale)
    };
    let all = record.architectures.values().map(|seen| &seen.total.requests);
    let open = column::shares(all.map(|of| (of.open, of.sent)));
    html! {
        footer {
            h2 { "Run it again" }
            p { "In the folder of this page; it says whether the digest is the same:" }
            pre.command { code { "hoplab replay ." } }
            p { "Or from the scenario:" }
            pre.command { code {
                "hoplab run " (path) " --seed " (record.seed) " --arch " (names.join(",")) (scale)
            } }
            (frame::scroll("digests", &html! { table {
                thead { tr {
                    th.text scope="col" { "hoplab " (record.version) ", seed " (record.seed) }
                    th.text scope="col" { "digest" } th scope="col" { "requests" }
                    th scope="col" { "open at the end" } th scope="col" { "spans" } th scope="col" { "packets" }
                } }
                tbody {
                    @for ((name, architecture), open) in record.architectures.iter().zip(open) { tr {
                        th scope="row" { (name) }
                        td.digest { code { (architecture.digest) } }
                        td { (count(architecture.total.requests.sent)) }
                        td { (open) }
                        td { (count(architecture.effort.spans)) }
                        td { (count(architecture.effort.packets)) }
                    } }
                    tr { th scope="row" { "all" } td.digest { code { (record.digest) } } td {} td {} td {} td {} }
                }
            } }))
            @for source in &record.sources {
                details {
                    summary { code { (source.path) } }
                    (frame::text(&source.path, &html! { (source.text) }))
                }
            }
        }
    }
}
