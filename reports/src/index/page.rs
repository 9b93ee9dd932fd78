//! The page itself: a part a run, its verdict first. Works without script; with it a box to filter by
//! any word appears. Owns no figure.

use hoplab_sim::record::VERSION;
use maud::{Markup, html};

use super::{Entry, HEADS};
use crate::format::{count, plural};
use crate::outcomes::{mark, pill_class};
use crate::page::{frame, shell, theme};

pub(super) fn page(title: &str, entries: &[Entry]) -> String {
    let style = theme::fixed() + include_str!("style.css");
    let body = html! {
        main {
            (head(title, entries))
            @for entry in entries { (part(entry)) }
            p #none hidden { "No run has these words." }
        }
        footer {}
    };
    shell::document(title, VERSION, &style, &body, include_str!("filter.js"))
}

fn head(title: &str, entries: &[Entry]) -> Markup {
    let unmet = entries.iter().filter(|entry| !entry.is_met()).count() as u64;
    let is_unsure = |entry: &&Entry| entry.expectations.is_some_and(|outcomes| outcomes.unjudged > 0);
    let unsure = entries.iter().filter(is_unsure).count() as u64;
    let judged = unmet > 0 || entries.iter().any(|entry| entry.expectations.is_some());
    html! {
        header {
            p.eyebrow { span.mark { "hoplab" } " index" }
            h1 { (title) }
            p.question { (kinds(entries)) }
            @if judged {
                @if unmet == 0 && unsure == 0 {
                    p { span.pill.good { "✓ everything expected is met" } }
                } @else if unmet == 0 {
                    p { span.pill { "? something cannot be judged in " (count(unsure)) " of them" } }
                } @else {
                    p { span.pill.bad { "✗ something fails in " (count(unmet)) " of them" } }
                }
            }
            label #filter hidden {
                span { "Filter" }
                input type="search" placeholder="words of title, question, folder or figures" autocomplete="off";
            }
        }
    }
}

/// `2 runs, 1 sweep`.
fn kinds(entries: &[Entry]) -> String {
    let counted = ["run", "sweep", "exploration"].into_iter().filter_map(|noun| {
        let number = entries.iter().filter(|entry| entry.noun == noun).count() as u64;
        (number > 0).then(|| plural(number, noun))
    });
    counted.collect::<Vec<_>>().join(", ")
}

fn part(entry: &Entry) -> Markup {
    html! {
        article {
            p.eyebrow { @if entry.noun != "run" { span.mark { (entry.noun) } " " } (entry.name) }
            h2 {
                @if let Some(link) = &entry.link { a href=(link) { (entry.title) } } @else { (entry.title) }
            }
            @if !entry.question.is_empty() {
                p.question { @for line in entry.question.lines() { (line) " " } }
            }
            p.headline { (entry.headline) }
            ul.facts {
                @if let Some(outcomes) = entry.expectations { li {
                    @let outcome = outcomes.together();
                    b class=(pill_class(outcome)) { (mark(outcome)) " " (outcomes.in_words()) }
                } }
                @if !entry.extent.is_empty() { li { (entry.extent) } }
                li { (entry.seeds) }
                li { span { "digest" } code { (entry.digest) } }
            }
            @if !entry.rows.is_empty() { (figures(entry)) }
        }
    }
}

fn figures(entry: &Entry) -> Markup {
    html! {
        (frame::scroll("figures", &html! { table {
            thead { tr { th scope="col" { "architecture" } @for head in HEADS { th scope="col" { (head) } } } }
            tbody { @for (name, figures) in &entry.rows { tr {
                th scope="row" { (name) }
                @for figure in figures { td { (figure) } }
            } } }
        } }))
    }
}
