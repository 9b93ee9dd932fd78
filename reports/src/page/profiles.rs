//! The known systems that a run's architectures behave by: what each figure is taken from, and what is assumed. Read from
//! the texts that were kept with the run.

use hoplab_sim::record::Record;
use hoplab_sim::scenario::profile::{self, Basis, Evidence, Profile};
use maud::{Markup, html};

use super::frame::{folded, scroll};
use crate::format::plural;

/// The section; nothing where no architecture names a profile.
pub(super) fn profiles(record: &Record) -> Option<Markup> {
    let all = named(record);
    if all.is_empty() {
        return None;
    }
    let assumed: usize = all.iter().map(|profile| profile.count(Basis::Assumed)).sum();
    let note = html! {
        "What hoplab knows of the systems that were compared, and from whom. "
        (plural(assumed as u64, "value")) " of them nobody has published: change them where you know better, in a profile \
         of your own."
    };
    Some(folded("profiles", "Known systems", &note, &html! { @for profile in &all { (told(profile)) } }))
}

/// The profiles that the architectures name.
fn named(record: &Record) -> Vec<Profile> {
    // A record of another hoplab may say what this one cannot read.
    record.profiles.iter().filter_map(|name| profile::of_run(name, &record.sources).ok()).collect()
}

fn told(profile: &Profile) -> Markup {
    let of = |basis| profile.count(basis);
    html! {
        h3 { (profile.title) @if let Some(version) = &profile.version { " " (version) } }
        p.note {
            @if let Some(ended) = &profile.ended { "Ended on " (ended) ". " }
            @if let Some(as_of) = &profile.as_of { "Sources read on " (as_of) ". " }
            (of(Basis::Published)) " values published, " (of(Basis::Derived)) " derived, " (of(Basis::Assumed)) " assumed."
        }
        (scroll(&format!("values of {}", profile.title), &html! { table {
            thead { tr {
                th.text scope="col" { "key" } th.text scope="col" { "value" } th.text scope="col" { "is" }
                th.text scope="col" { "from" }
            } }
            tbody { @for figure in &profile.figures { tr {
                th.text scope="row" { code { (figure.key) } }
                td.text { code { (figure.value.split_whitespace().collect::<Vec<_>>().join(" ")) } }
                td.text { (figure.basis.name()) }
                td.text {
                    @if let Some(source) = &figure.source { (source) }
                    @if let Some(how) = &figure.how { @if figure.source.is_some() { ": " } (how) }
                    @if figure.profile != profile.name { " (" (figure.profile) ")" }
                }
            } } }
        } }))
        @if !profile.sources.is_empty() { ul.sources { @for source in &profile.sources { li { (evidence(source)) } } } }
        @if !profile.left_out.is_empty() {
            p.note { "Not modelled:" }
            ul { @for sentence in &profile.left_out { li { (sentence) } } }
        }
    }
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
