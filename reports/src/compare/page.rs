//! `compare.html`: the same as the table on the terminal, with all of it, and both curves. Works without
//! script. Owns no figure.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Outcome, VERSION};
use maud::{Markup, html};

use super::figures::{Pair, Subject};
use super::inputs::{Line, Text};
use super::moved::{self, Step, Turned};
use super::{Compared, Comparison, chart};
use crate::charts::Room;
use crate::format::glued;
use crate::outcomes::{mark, mark_class};
use crate::page::frame::{self, Keys, Tabs, section};
use crate::page::{self, shell, theme};
use crate::table;

pub(super) fn page(comparison: &Comparison) -> String {
    let title = format!("{} and {}, side by side", comparison.first.label, comparison.second.label);
    let style = theme::style(page::panels(comparison.second.record)) + include_str!("style.css");
    let differing: Vec<&Compared> =
        comparison.architectures.iter().filter(|compared| !compared.same).collect();
    let body = html! {
        main {
            (head(comparison, &title))
            (inputs(comparison))
            @if !differing.is_empty() {
                (figures(comparison, &differing))
                (curves(comparison, &differing))
                (moved(comparison, &differing))
            }
            (expectations(comparison))
        }
        footer {}
        div #tip hidden {}
    };
    shell::document(&title, VERSION, &style, &body, include_str!("../page/script.js"))
}

fn head(comparison: &Comparison, title: &str) -> Markup {
    let record = comparison.second.record;
    html! {
        header {
            p.eyebrow { span.mark { "hoplab" } " compare · " (record.scenario) }
            h1 { (title) }
            p.question { (record.title) }
            div.verdict {
                p.headline { (glued(&comparison.verdict.headline)) }
                @for sentence in &comparison.verdict.sentences { p { (glued(sentence)) } }
            }
            ul.facts {
                @for side in [&comparison.first, &comparison.second] {
                    li { span { (side.label) } "seed " (side.record.seed) ", digest "
                        code { (side.record.digest.get(..12).unwrap_or(&side.record.digest)) } }
                }
            }
        }
    }
}

fn inputs(comparison: &Comparison) -> Markup {
    let note = if comparison.inputs.is_empty() && comparison.texts.is_empty() {
        html! { "The same: seed, scale, version, architectures and every line of the scenario." }
    } else {
        html! { "Whatever is not named here was the same in both." }
    };
    let (first, second) = (&comparison.first.label, &comparison.second.label);
    let body = html! {
        @if !comparison.inputs.is_empty() {
            (frame::scroll("what was run", &html! { table {
                thead { tr { th scope="col" { "what" } th.text scope="col" { (first) } th.text scope="col" { (second) } } }
                tbody { @for input in &comparison.inputs { tr {
                    th scope="row" { (input.name) } td.text { (input.before) } td.text { (input.now) }
                } } }
            } }))
        }
        @for text in &comparison.texts { (difference(text)) }
    };
    section("inputs", "What was run", &note, &body)
}

fn difference(text: &Text) -> Markup {
    html! {
        h3 { code { (text.path) } }
        pre.source.diff tabindex="0" role="group" aria-label={ "what differs in " (text.path) } { code {
            @for line in &text.lines {
                @match line {
                    Line::Gap => span.gap { "  …\n" },
                    Line::Same(line) => span { "  " (line) "\n" },
                    Line::Before(line) => del { "- " (line) "\n" },
                    Line::Now(line) => ins { "+ " (line) "\n" },
                }
            }
        } }
    }
}

/// Panels of the architectures, the last one chosen.
fn tabs(id: &'static str, differing: &[&Compared], panel: impl Fn(&Compared) -> Markup) -> Markup {
    let panels: Vec<_> = differing.iter().map(|compared| (compared.name.clone(), panel(compared))).collect();
    Tabs::new(id, "architecture").chosen_last().of(&panels)
}

fn figures(comparison: &Comparison, differing: &[&Compared]) -> Markup {
    let note = html! {
        b.apart { "≠" } " marks what chance alone does not explain: of the " (comparison.trust.tested) " figures that have \
         an interval in both runs, the odds that a single one is marked for nothing are below 5 % (Holm 1979). "
        @if comparison.trust.same_requests { "Both ran the same requests: what is exact is real for these, and other \
         seeds may show another. " }
        "A dash is a figure that the sample cannot carry, or an interval that it does not tell."
    };
    let body = tabs("figures", differing, |compared| {
        html! {
            (all_requests(comparison, &compared.subjects[0]))
            @if !compared.phases.is_empty() { (by(comparison, "part of the run", &compared.phases)) }
            @if compared.subjects.len() > 1 { (by(comparison, "endpoint", &compared.subjects[1..])) }
        }
    });
    section("figures", "Figures", &note, &body)
}

fn all_requests(comparison: &Comparison, subject: &Subject) -> Markup {
    let known = subject.figures.iter().any(|figure| figure.intervals().is_some());
    html! {
        (frame::scroll("all requests", &html! { table {
            thead { tr {
                th scope="col" { "all requests" } th scope="col" { (comparison.first.label) }
                th scope="col" { (comparison.second.label) } th scope="col" { "change" }
                @if known { th scope="col" { "95 % intervals" } }
            } }
            tbody { @for figure in subject.figures.iter().filter(|figure| figure.is_shown()) { tr {
                th scope="row" { (table::head(figure.figure)) }
                (cells(figure))
                @if known { td.quiet { (figure.intervals().unwrap_or_default()) } }
            } } }
        } }))
    }
}

fn cells(figure: &Pair) -> Markup {
    let apart = figure.is_apart();
    let [before, now, change] = figure.cells();
    html! {
        td { (before) }
        td { (now) }
        td.apart[apart] { (change)
            @if apart { " ≠" } @else if !figure.standing.mark().is_empty() { " " span.quiet { (figure.standing.mark()) } } }
    }
}

fn by(comparison: &Comparison, what: &str, subjects: &[Subject]) -> Markup {
    let shown = [Figure::P50, Figure::P99, Figure::ErrorRate];
    html! {
        h3 { "By " (what) }
        (frame::scroll(&format!("by {what}"), &html! { table {
            thead {
                tr {
                    td {}
                    @for measure in shown { th.group scope="colgroup" colspan="3" { (measure.label()) } }
                }
                tr {
                    th scope="col" { (what) }
                    @for _ in shown {
                        th scope="col" { (comparison.first.label) } th scope="col" { (comparison.second.label) }
                        th scope="col" { "change" }
                    }
                }
            }
            tbody { @for subject in subjects { tr {
                th.long scope="row" title=(subject.name) { (subject.name) }
                @for figure in shown { (cells(subject.figure(figure))) }
            } } }
        } }))
    }
}

fn curves(comparison: &Comparison, differing: &[&Compared]) -> Markup {
    let (first, second) = (comparison.first.label.as_str(), comparison.second.label.as_str());
    let note = html! {
        (first) " is dashed, " (second) " drawn through. Each step to the right is ten times rarer; a line ends where \
         the sample cannot carry the percentile."
    };
    let body = tabs("curves", differing, |compared| {
        let draw = |room| {
            let traffic = [&compared.before.total, &compared.now.total];
            chart::overlay(&compared.name, &compared.subjects[0], [first, second], traffic, room)
        };
        frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::none())
    });
    section("latency", "Response time by percentile", &note, &body)
}

fn moved(comparison: &Comparison, differing: &[&Compared]) -> Markup {
    let note = html! {
        "Where the mean request spends more or less time, how often calls are tried, and what policies decided; what \
         moved most comes first."
        @if !comparison.trust.same_requests { " No interval is known of it, and between other requests chance moves it, \
         too." }
    };
    let body = tabs("moved", differing, |compared| {
        let moved = &compared.moved;
        let parts = [
            ("Mean request, by owner", "owner", &moved.owners),
            ("Mean request, by hop and owner", "hop and owner", &moved.hops),
            ("Attempts a call", "edge", &moved.edges),
            ("Decisions of policies and changes of breakers", "what", &moved.decisions),
        ];
        let nothing = parts.iter().all(|(.., steps)| steps.is_empty());
        html! {
            @for (title, what, steps) in parts {
                @if !steps.is_empty() { (steps_table(comparison, title, what, steps)) }
            }
            @if nothing { p.note { "Nothing of this moved." } }
        }
    });
    section("moved", "What moved", &note, &body)
}

/// So many rows are shown at once.
const ROWS_OPEN: usize = 10;

fn steps_table(comparison: &Comparison, title: &str, what: &str, steps: &[Step]) -> Markup {
    let rows = |steps: &[Step]| {
        html! {
            (frame::scroll("what moved", &html! { table {
                thead { tr {
                    th scope="col" { (what) } th scope="col" { (comparison.first.label) }
                    th scope="col" { (comparison.second.label) } th scope="col" { "change" }
                } }
                tbody { @for (step, cells) in steps.iter().zip(moved::cells(steps)) { tr {
                    th.wrap scope="row" { (step.what) }
                    @for cell in cells { td { (cell) } }
                } } }
            } }))
        }
    };
    let (open, more) = steps.split_at(steps.len().min(ROWS_OPEN));
    html! {
        h3 { (title) }
        (rows(open))
        @if !more.is_empty() { details { summary { (more.len()) " more, which moved less" } (rows(more)) } }
    }
}

fn expectations(comparison: &Comparison) -> Markup {
    let turned: Vec<(&str, &Turned)> = comparison
        .architectures
        .iter()
        .flat_map(|compared| {
            compared.moved.expectations.iter().map(|turned| (compared.name.as_str(), turned))
        })
        .collect();
    if turned.is_empty() {
        let note = html! { "Every expectation came out the same." };
        return section("expectations", "Expectations", &note, &html! {});
    }
    let outcome = |came_out: &Option<(Outcome, String)>| match came_out {
        None => html! { span.quiet { "not expected" } },
        Some((outcome, seen)) => html! { span class=(mark_class(*outcome)) { (mark(*outcome)) } " " (seen) },
    };
    let note = html! { "Those that came out differently; all others did not." };
    let body = html! {
        (frame::scroll("expectations", &html! { table {
            thead { tr {
                th scope="col" { "expectation" } th.text scope="col" { "under" } th.text scope="col" { (comparison.first.label) }
                th.text scope="col" { (comparison.second.label) }
            } }
            tbody { @for (name, turned) in turned { tr {
                th.wrap scope="row" { (turned.text) } td.text { (name) }
                td.text { (outcome(&turned.before)) } td.text { (outcome(&turned.now)) }
            } } }
        } }))
    };
    section("expectations", "Expectations", &note, &body)
}
