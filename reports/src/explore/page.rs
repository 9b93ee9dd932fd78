//! The page of an exploration, in the look of a run's page: what was found and how small it was made, what was drawn,
//! what was never exercised. Works without script. Owns the order of what is told; the figures are the summary's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hoplab_sim::explore::RuleKind;
use hoplab_sim::record::VERSION;
use maud::{Markup, html};

use super::{Finding, Summary};
use crate::column;
use crate::format::{count, plural};
use crate::page::frame::{self, folded, section};
use crate::page::{shell, theme};

/// The page of a summary; the `texts` of scenarios lie beside it.
pub(super) fn page(summary: &Summary, texts: &BTreeMap<String, String>) -> String {
    let body = html! {
        main {
            (head(summary))
            (findings(summary, texts))
            (drawn(summary))
            (missed(summary))
            (exercised(summary))
        }
        (foot(summary))
    };
    shell::document(&summary.scenario, VERSION, &theme::fixed(), &body, "")
}

fn head(summary: &Summary) -> Markup {
    let (drawn, hit) = drawn_and_hit(summary);
    html! {
        header {
            p.eyebrow { span.mark { "hoplab" } " an exploration" }
            h1 { (summary.scenario) }
            div.verdict {
                p.headline { (summary.headline()) }
                p {
                    (plural(drawn, "fault")) " drawn over " (plural(summary.seeds, "seed")) ", of which "
                    (count(hit)) " touched something, under " (summary.architectures.join(", ")) "."
                }
                @let missed = summary.missed();
                @if missed.is_empty() {
                    p { "Everything was exercised." }
                } @else {
                    p {
                        "Not everything was exercised: "
                        @for (index, (what, names)) in missed.iter().enumerate() {
                            @if index > 0 { ", " }
                            (count(names.len() as u64)) " " (what)
                        }
                        "."
                    }
                }
                p.pills {
                    @if summary.findings.is_empty() {
                        span.pill.good { "✓ nothing was broken" }
                    } @else {
                        a.pill.bad href="#found" { "✗ " (plural(summary.findings.len() as u64, "rule")) " broken" }
                    }
                }
            }
            ul.facts {
                li { span { "seeds" } (count(summary.seeds)) " from " (summary.seed) " on" }
                li { span { "digest" } code { (summary.digest.get(..12).unwrap_or(&summary.digest)) } }
            }
        }
    }
}

/// How many faults were drawn in all, and how many of them touched something.
fn drawn_and_hit(summary: &Summary) -> (u64, u64) {
    summary.exercised.faults.values().fold((0, 0), |all, of| (all.0 + of.0, all.1 + of.1))
}

fn findings(summary: &Summary, texts: &BTreeMap<String, String>) -> Markup {
    if summary.findings.is_empty() {
        return html! {};
    }
    let note = html! {
        "Every rule that did not hold, with the first seed that showed it. Each is kept as an ordinary scenario, which \
         fails when it is run."
    };
    let body = html! { @for of in &summary.findings { (finding(summary, of, texts)) } };
    section("found", "What was found", &note, &body)
}

fn finding(summary: &Summary, of: &Finding, texts: &BTreeMap<String, String>) -> Markup {
    let seeds: Vec<String> = of.first.iter().map(u64::to_string).collect();
    let more = if of.seeds > of.first.len() as u64 { ", …" } else { "" };
    let small = super::small_file(Path::new(&of.file)).to_string_lossy().into_owned();
    let rule = if of.kind == RuleKind::Expectation { format!("\"{}\"", of.rule) } else { of.rule.clone() };
    html! {
        article.finding {
            h3 { (of.rule) }
            p { b.bad { (kind(of.kind)) } " under " (of.architectures.join(", ")) ", in " (count(of.seeds)) " of "
                (plural(summary.seeds, "seed")) ": " (seeds.join(", ")) (more) }
            p { "Seen with seed " (seeds.first().map_or("–", String::as_str)) ": " (of.text) }
            @if !of.faults.is_empty() {
                p { "Faults drawn with it:" }
                ul { @for fault in &of.faults { li { (fault) } } }
            }
            p { "Scenario: " @if texts.contains_key(&of.file) { a href=(of.file) { (of.file) } } @else { (of.file) } }
            @if let Some(text) = texts.get(&small) {
                p { "Made small: " a href=(small) { (small) } }
                (frame::text(&small, &html! { (text) }))
            } @else if of.kind != RuleKind::Panic {
                p { "It can be made small, and is then shown here:" }
                pre.command { code { "hoplab shrink " (of.file) " --expect " (rule) " && hoplab report ." } }
            }
        }
    }
}

fn kind(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::Panic => "a panic",
        RuleKind::Invariant => "a broken invariant",
        RuleKind::Expectation => "an unmet expectation",
    }
}

/// The faults that were drawn, by service and kind.
fn drawn(summary: &Summary) -> Markup {
    let never = summary.missed.never_drawn.iter();
    let all: BTreeSet<(&str, &str)> =
        summary.exercised.faults.keys().chain(never).filter_map(|name| name.split_once(' ')).collect();
    let kinds: BTreeSet<&str> = all.iter().map(|(kind, _)| *kind).collect();
    let services: BTreeSet<&str> = all.iter().map(|(_, service)| *service).collect();
    let note = html! {
        "Faults by the service that they were aimed at. 3/2 were drawn three times, and touched something twice; a dash \
         is one that could have been drawn."
    };
    let cell = |kind: &str, service: &str| {
        let times = summary.exercised.faults.get(&format!("{kind} {service}"));
        match times {
            Some((drawn, hit)) => format!("{drawn}/{hit}"),
            None if all.contains(&(kind, service)) => "–".to_owned(),
            None => String::new(),
        }
    };
    let table = html! { table {
        thead { tr {
            th scope="col" { "service" }
            @for kind in &kinds { th scope="col" { (kind) } }
        } }
        tbody { @for service in &services { tr {
            th scope="row" { (service) }
            @for kind in &kinds { td { (cell(kind, service)) } }
        } } }
    } };
    section("drawn", "What was drawn", &note, &frame::scroll("faults by service and kind", &table))
}

fn missed(summary: &Summary) -> Markup {
    let missed = summary.missed();
    let note = html! { "What is there and no seed came to: more seeds reach it, or nothing can." };
    if missed.is_empty() {
        return html! {};
    }
    let body = html! { @for (what, names) in missed {
        h3 { (count(names.len() as u64)) " " (what) }
        p { (names.join(", ")) }
    } };
    section("missed", "What was never exercised", &note, &body)
}

/// What passed along edges, and what policies decided.
fn exercised(summary: &Summary) -> Markup {
    let edges = &summary.exercised.edges;
    let failed = column::shares(edges.values().map(|edge| (edge.errors, edge.attempts)));
    let table = html! { table {
        thead { tr {
            th scope="col" { "edge" } th scope="col" { "requests" } th scope="col" { "attempts" }
            th scope="col" { "failed" } th scope="col" { "retries" } th scope="col" { "hedges" }
        } }
        tbody { @for ((name, edge), failed) in edges.iter().zip(failed) { tr {
            th scope="row" { (name) }
            td { (count(edge.requests)) } td { (count(edge.attempts)) } td { (failed) }
            td { (count(edge.retries)) } td { (count(edge.hedges)) }
        } } }
    } };
    let states: Vec<&str> = summary.exercised.states.iter().map(String::as_str).collect();
    let note = html! { "Over all seeds and architectures, warm-up included." };
    let body = html! {
        (frame::scroll("traffic by edge", &table))
        @if !states.is_empty() {
            h3 { "What policies decided" }
            p { (states.join(", ")) }
        }
    };
    folded("exercised", "What was exercised", &note, &body)
}

fn foot(summary: &Summary) -> Markup {
    html! {
        footer {
            h2 { "Run it again" }
            p { "With the scenario as FILE:" }
            pre.command { code {
                "hoplab explore FILE --seed " (summary.seed) " --seeds " (summary.seeds) " --arch "
                (summary.architectures.join(","))
            } }
            p.note { "The same numbers lie beside this page: " code { "summary.json" } "." }
        }
    }
}
