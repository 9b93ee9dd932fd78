//! The page of an advice, in the look of a run's page: the answer first, then what it rests on, then the five questions.
//! Owns the order of what is told; the charts have a file of their own.

use hoplab_sim::advise::SLOW;
use hoplab_sim::advise::knee::Knee;
use hoplab_sim::record::VERSION;
use maud::{Markup, html};

use super::advice::Advice;
use super::charts;
use super::cost::Cost;
use super::criteria::Criterion;
use super::growth::by_size;
use super::text::times;
use super::trial::Trial;
use crate::charts::{HEAT_LEVELS, Ink, Room};
use crate::format::{bytes, count, duration, glued, moment, percent, plural, significant};
use crate::money;
use crate::names::TRIALS;
use crate::page::frame::{self, Keys, section};
use crate::page::{shell, svg};
use crate::palette::SLOTS;

/// The page.
pub(super) fn page(advice: &Advice) -> String {
    let body = html! {
        main {
            (frame::switches_of(advice.costs.keys()))
            (head(advice))
            (answers(advice))
            (costs(advice))
            (wrong(advice))
            (questions(advice))
            (load(advice))
            (grown(advice))
        }
        (foot(advice))
    };
    shell::with_charts(&advice.title, VERSION, 1, &body)
}

fn head(advice: &Advice) -> Markup {
    html! {
        header {
            p.eyebrow { span.mark { "hoplab" } " " (advice.scenario) ", an advice" }
            h1 { (advice.title) }
            @if !advice.question.is_empty() {
                div.question { @for line in advice.question.lines() { (line) " " } }
            }
            div.verdict {
                p.headline { (glued(&advice.recommendation.headline)) }
                @if !advice.recommendation.margin.is_empty() { p { (prose(&advice.recommendation.margin)) } }
                @for warning in &advice.recommendation.warnings { p.bad { "Check first: " (prose(warning)) } }
            }
            ul.facts {
                li { span { "trials" } (advice.runs) }
                li { span { "seed" } (advice.seed)
                    @if advice.seeds > 1 { " to " (advice.seed + advice.seeds - 1) } }
                li { span { "digest" } code { (advice.digest.get(..12).unwrap_or(&advice.digest)) } }
            }
            nav aria-label="parts of this page" {
                a href="#when" { "when what" }
                a href="#costs" { "costs" }
                a href="#wrong" { "what goes wrong" }
                a href="#questions" { "five questions" }
                @if !advice.knees.is_empty() { a href="#load" { "load" } }
                @if !advice.grown.is_empty() { a href="#grown" { "growth" } }
                a href="#again" { "run it again" }
            }
        }
    }
}

/// When to choose what, and what would change it.
fn answers(advice: &Advice) -> Markup {
    let recommendation = &advice.recommendation;
    let note = html! {
        "By the share of requests that is lost while something is wrong, on average over all trials with faults: each \
         kind at each place by its weight in " code { "[explore]" } ", the scenario's own faults by as much as all of those \
         together. Of those under which as few are lost, the one that keeps fewest cores busy."
    };
    let drawn = |room| charts::paid_and_lost(advice, room);
    let body = html! {
        (frame::figure(&drawn(Room::Wide), &drawn(Room::Narrow), &Keys::named(advice.costs.keys())))
        @if !recommendation.conditions.is_empty() {
            h3 { "When to choose what" }
            ul { @for condition in &recommendation.conditions { li { (prose(&condition.text)) } } }
        }
        h3 { "What would change it" }
        ul { @for change in &recommendation.changes { li { (prose(change)) } } }
    };
    section("when", "What is lost, and what that costs", &note, &body)
}

/// What each costs when all is well.
fn costs(advice: &Advice) -> Markup {
    let known = |us: Option<f64>| us.map_or_else(|| "–".to_owned(), duration);
    let carries = |name: &str| {
        let knee = advice.knees.iter().find(|knee| knee.architecture == *name);
        knee.and_then(Knee::carries).map_or_else(|| "–".to_owned(), times)
    };
    let has_memory = advice.costs.values().any(|cost| cost.memory > 0);
    let note = html! {
        "What is paid all the time. What is added to the median is request by request, over " (advice.baseline) "; what is \
         carried is how many times this load."
    };
    let row = |name: &str, cost: &Cost| {
        html! {
            td { (known(cost.p50_us)) } td { (known(cost.p99_us)) } td { (known(cost.added_us)) } td { (percent(cost.lost)) }
            td { (significant(cost.cores)) } td { (significant(cost.proxy_cores)) }
            td { (count(u64::from(cost.parts.gateways + cost.parts.sidecars))) }
            @if has_memory { td { (bytes(cost.memory)) } }
            td { (count(cost.connections)) } td { (percent(cost.encrypted)) }
            @if advice.currency.is_some() { td { (cost.money_hour.map_or_else(|| "–".to_owned(), money::amount)) } }
            @if !advice.knees.is_empty() { td { (carries(name)) } }
        }
    };
    let table = html! { table {
        thead { tr {
            th scope="col" {} th scope="col" { "median" } th scope="col" { "99 %" } th scope="col" { "added" } th scope="col" { "lost" }
            th scope="col" { "cores" } th scope="col" { "of proxies" } th scope="col" { "proxies" }
            @if has_memory { th scope="col" { "memory" } }
            th scope="col" { "connections" } th scope="col" { "encrypted" }
            @if let Some(currency) = &advice.currency { th scope="col" { (currency) " an hour" } }
            @if !advice.knees.is_empty() { th scope="col" { "carries" } }
        } }
        tbody { @for ((name, cost), slot) in advice.costs.iter().zip(charts::slots(advice)) {
            tr class={ "of-" (slot % SLOTS) } { th scope="row" { (swatch(slot)) (name) } (row(name, cost)) }
        } }
    } };
    section("costs", "What each costs when all is well", &note, &frame::scroll("costs", &table))
}

/// What is lost while something is wrong.
fn wrong(advice: &Advice) -> Markup {
    let note = html! {
        "The share of requests that is not served well within " (advice.patience.told(&advice.baseline)) ", of those of the \
         time in which something is wrong. Bold: as good as any, beyond chance and by a tenth of a per cent."
        @if let Some(untouched) = advice.untouched() { " " (untouched) }
    };
    let table = html! { table {
        thead { tr {
            th scope="col" { "while" }
            @for name in advice.costs.keys() { th scope="col" { (name) } }
            th.text scope="col" { "best alone" } th.text scope="col" { "trial" }
        } }
        tbody { @for trial in &advice.trials { (row(trial)) } }
    } };
    section("wrong", "What is lost while something is wrong", &note, &frame::scroll("what is lost", &table))
}

fn row(trial: &Trial) -> Markup {
    html! { tr {
        th.wrap scope="row" { (trial.text) br; span.quiet { (moment(trial.from_us)) " to " (moment(trial.until_us)) } }
        @for (name, seen) in &trial.seen {
            td style={ "background:color-mix(in srgb, var(--h" (level(seen.lost)) ") 45%, transparent);padding-right:10px" }
                title={ (percent(seen.failed)) " not served well at all, " (seen.after.map_or_else(|| "–".to_owned(), percent)) " lost afterwards" } {
                @if trial.choice.as_good.contains(name) { strong { (percent(seen.lost)) } } @else { (percent(seen.lost)) }
            }
        }
        td.text { @if trial.counts() { (trial.choice.architecture) } @else { "–" } }
        td.text { a href={ (TRIALS) (trial.name) ".toml" } { code { (trial.name) } } }
    } }
}

/// The shade of a share: of nothing the palest, of half and more the darkest but one.
fn level(share: f64) -> usize {
    let darkest = HEAT_LEVELS - 2;
    ((share * 2.0).sqrt() * darkest as f64).round().clamp(0.0, darkest as f64) as usize
}

fn questions(advice: &Advice) -> Markup {
    let note = html! {
        "The questions that teams go through before they choose, each with what was measured and what was not."
    };
    section(
        "questions",
        "Five questions",
        &note,
        &html! { @for criterion in &advice.criteria { (question(criterion)) } },
    )
}

fn question(criterion: &Criterion) -> Markup {
    html! {
        article {
            h3 { (criterion.question) }
            ul { @for finding in &criterion.findings { li {
                (prose(&finding.text))
                @if let Some(trial) = &finding.trial { " " a.quiet href={ (TRIALS) (trial) ".toml" } { (trial) } }
            } } }
            @for text in &criterion.unmeasured { p.note { "Not measured: " (prose(text)) } }
        }
    }
}

fn load(advice: &Advice) -> Markup {
    let Some(wide) = charts::over_load(advice, Room::Wide) else { return html! {} };
    let Some(narrow) = charts::over_load(advice, Room::Narrow) else { return html! {} };
    let note = html! {
        "What 99 % of the requests take when more come, all else being well. A dot is a load that was tried; a load is \
         carried while it takes no longer than " (significant(advice.slower)) " times what it takes with " (advice.baseline)
        " at the scenario's own."
    };
    section("load", "More load", &note, &frame::figure(&wide, &narrow, &Keys::named(advice.costs.keys())))
}

/// The same system in other sizes.
fn grown(advice: &Advice) -> Markup {
    if advice.grown.is_empty() {
        return html! {};
    }
    let note = html! {
        "Systems of the same making, several of each size: what each architecture adds to the median request, how many \
         cores its proxies keep busy, and what is lost while a pod of the service that is asked most is "
        (SLOW) " times slower."
    };
    let others = || advice.costs.keys().skip(1);
    let table = html! { table {
        thead { tr {
            th scope="col" { "services" } th scope="col" { "calls" } th scope="col" { "deep" }
            @for name in others() { th scope="col" { (name) " adds" } th scope="col" { "cores" } }
            @for name in advice.costs.keys() { th scope="col" { "lost, " (name) } }
            th.text scope="col" { "choose" } th.text scope="col" { "trial" }
        } }
        tbody { @for (_, all) in by_size(&advice.grown) { @for of in all { tr {
            th scope="row" { (of.services) } td { (significant(of.calls)) } td { (of.depth) }
            @for name in others() {
                @let price = of.seen.get(name);
                td { (price.map_or_else(|| "–".to_owned(), |price| duration(price.added_us))) }
                td { (price.map_or_else(|| "–".to_owned(), |price| significant(price.cores))) }
            }
            @for name in advice.costs.keys() {
                td { (of.seen.get(name).map_or_else(|| "–".to_owned(), |price| percent(price.lost))) }
            }
            td.text { (of.choice) }
            td.text { a href={ (TRIALS) (of.name) ".toml" } { code { (of.name) } } }
        } } } }
    } };
    section("grown", "Larger and smaller systems", &note, &frame::scroll("sizes", &table))
}

/// A text with what stands between backticks as code.
fn prose(text: &str) -> Markup {
    html! { @for (index, part) in text.split('`').enumerate() {
        @if index % 2 == 1 { code { (part) } } @else { (glued(part)) }
    } }
}

fn swatch(slot: usize) -> Markup {
    html! { i class={ "swatch " (svg::class(Ink::Architecture(slot % SLOTS))) } {} }
}

fn foot(advice: &Advice) -> Markup {
    let seeds = if advice.seeds > 1 { format!(" --seeds {}", advice.seeds) } else { String::new() };
    html! {
        footer {
            h2 id="again" { "Run it again" }
            p { "All of it, and any of its trials:" }
            pre.command { code { "hoplab advise " (advice.file) " --seed " (advice.seed) (seeds) "\nhoplab run " (TRIALS) "NAME.toml" (seeds) } }
            p { "hoplab " (VERSION) ", " (plural(advice.costs.len() as u64, "architecture")) ", digest " code { (advice.digest) } }
        }
    }
}
