//! The known systems that a run's architectures behave by: what each figure is taken from, and what is assumed, of the parts
//! that ran. Read from the texts that were kept with the run; what the scenario says itself is struck out.

use hoplab_sim::record::Record;
use hoplab_sim::scenario::profile::{self, Basis, Evidence, Figure, Profile};
use maud::{Markup, html};

use super::frame::{folded, scroll};
use crate::format::plural;

/// The section; nothing where no architecture names a profile.
pub(super) fn profiles(record: &Record) -> Option<Markup> {
    let all = named(record);
    if all.is_empty() {
        return None;
    }
    let assumed: usize = all.iter().map(|system| system.count(Basis::Assumed)).sum();
    let note = html! {
        "What hoplab knows of the systems that were compared, and from whom. "
        (plural(assumed as u64, "value")) " of them nobody has published: change them where you know better, in a profile \
         of your own. What the scenario says for all services comes before these and is struck out; what it says of single \
         services, endpoints or phases comes before these, too."
    };
    Some(folded("profiles", "Known systems", &note, &html! { @for system in &all { (system.told()) } }))
}

/// A known system, as far as it ran.
struct System {
    profile: Profile,
    /// Its values, each with whether the scenario says something else.
    figures: Vec<(Figure, bool)>,
}

/// Those that the architectures name.
fn named(record: &Record) -> Vec<System> {
    let scenario = record.sources.first().map_or("", |source| &source.text);
    let system = |name: &String| {
        // A record of another hoplab may say what this one cannot read.
        let profile = profile::of_run(name, &record.sources).ok()?;
        let ran = parts(record, name);
        let figures = profile.figures.iter().filter(|figure| ran.contains(&figure.part()));
        let figures = figures.map(|figure| (figure.clone(), profile.is_replaced(figure, scenario)));
        Some(System { figures: figures.collect(), profile })
    };
    record.profiles.iter().filter_map(system).collect()
}

/// The parts of architectures that behaved by a profile: `gateway`, `mesh`.
fn parts<'a>(record: &'a Record, profile: &str) -> Vec<&'a str> {
    let names = record.architectures.keys().map(|name| record.phases.get(name).unwrap_or(name));
    let parts = names.flat_map(|name| name.split('+')).filter_map(|part| part.split_once(':'));
    parts.filter(|(_, named)| *named == profile).map(|(part, _)| part).collect()
}

impl System {
    /// How many of the values that held are known so well.
    fn count(&self, basis: Basis) -> usize {
        self.figures.iter().filter(|(figure, is_replaced)| figure.basis == basis && !is_replaced).count()
    }

    fn told(&self) -> Markup {
        let Self { profile, figures } = self;
        let of = |basis| self.count(basis);
        html! {
            h3 { (profile.title) @if let Some(version) = &profile.version { " " (version) } }
            p.note {
                @if let Some(ended) = &profile.ended { "Ended on " (ended) ". " }
                @if let Some(as_of) = &profile.as_of { "Sources read on " (as_of) ". " }
                (of(Basis::Published)) " values published, " (of(Basis::Derived)) " derived, " (of(Basis::Assumed))
                " assumed."
                @let replaced = figures.iter().filter(|(_, is_replaced)| *is_replaced).count();
                @if replaced > 0 { " " (plural(replaced as u64, "value")) " replaced by the scenario." }
            }
            (scroll(&format!("values of {}", profile.title), &html! { table {
                thead { tr {
                    th.text scope="col" { "key" } th.text scope="col" { "value" } th.text scope="col" { "is" }
                    th.text scope="col" { "from" }
                } }
                tbody { @for (figure, is_replaced) in figures { (row(figure, *is_replaced, profile)) } }
            } }))
            @if !profile.sources.is_empty() {
                ul.sources { @for source in &profile.sources { li { (evidence(source)) } } }
            }
            @if !profile.left_out.is_empty() {
                p.note { "Not modelled:" }
                ul { @for sentence in &profile.left_out { li { (sentence) } } }
            }
        }
    }
}

fn row(figure: &Figure, is_replaced: bool, profile: &Profile) -> Markup {
    let value = figure.value.split_whitespace().collect::<Vec<_>>().join(" ");
    html! { tr {
        th.text scope="row" { code { (figure.key) } }
        td.text {
            @if is_replaced { s { code { (value) } } " replaced by the scenario" } @else { code { (value) } }
        }
        td.text { (figure.basis.name()) }
        td.text {
            @if let Some(source) = &figure.source { (source) }
            @if let Some(how) = &figure.how { @if figure.source.is_some() { ": " } (how) }
            @if figure.profile != profile.name { " (" (figure.profile) ")" }
        }
    } }
}

fn evidence(of: &Evidence) -> Markup {
    let said = [("version", &of.version), ("of", &of.date), ("on", &of.hardware)];
    html! {
        strong { (of.name) } ": "
        (of.title)
        // Without its scheme: a page names nothing that is to be fetched.
        @if let Some(at) = &of.at { ", " (at.trim_start_matches("https://")) }
        @for (what, text) in said { @if let Some(text) = text { ", " (what) " " (text) } }
        @if let Some(method) = &of.method { "; " (method) }
    }
}
