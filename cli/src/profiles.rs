//! `hoplab profiles`: which known systems there are, and what is known of each, with its sources and what is assumed.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;
use hoplab_config::{file, suggest};
use hoplab_sim::scenario::profile::{self, Basis, Evidence, Figure, Profile};

use crate::arguments::ProfilesArguments;
use crate::end::End;
use crate::terminal;

/// Lists hoplab's profiles, or shows one; [`End::Unusable`] when it is a file that is wrong.
pub(crate) fn profiles(arguments: &ProfilesArguments) -> anyhow::Result<End> {
    let Some(name) = &arguments.name else {
        terminal::line(list(&all()).trim_end())?;
        return Ok(End::Well);
    };
    if let Some(profile) = profile::of_hoplab(name) {
        terminal::line(page(&profile).trim_end())?;
        return Ok(End::Well);
    }
    if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
        let hint = suggest::hint(name, profile::shipped());
        bail!("there is no profile \"{name}\": {hint} A file's path ends in .toml");
    }
    match file::load(Path::new(name), profile::document) {
        Ok(loaded) => {
            terminal::problems(&loaded.warnings);
            terminal::line(page(&loaded.value).trim_end())?;
            Ok(End::Well)
        }
        Err(problems) => {
            terminal::problems(&problems);
            Ok(End::Unusable)
        }
    }
}

/// A profile in a line, for `hoplab check`.
pub(crate) fn summary(profile: &Profile) -> String {
    format!("a profile of {}, {}; {}", heading(profile), parts(profile), counted(profile))
}

fn all() -> Vec<Profile> {
    profile::shipped().into_iter().filter_map(profile::of_hoplab).collect()
}

/// The profiles, one a line.
fn list(profiles: &[Profile]) -> String {
    let rows = profiles.iter().map(|profile| {
        let version = profile.version.clone().unwrap_or_default();
        let ended = profile.ended.as_ref().map_or_else(String::new, |ended| format!("ended on {ended}; "));
        let architectures = names(profile);
        [profile.name.clone(), architectures, version, format!("{ended}{}", counted(profile))]
    });
    let head = ["profile", "as architecture", "version", "figures"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
    columns(&rows, "")
}

/// Rows with their columns below each other, each line behind `indent`.
fn columns<const N: usize>(rows: &[[String; N]], indent: &str) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// How it is named in architectures.
fn names(profile: &Profile) -> String {
    let parts = [("gateway", profile.is_gateway), ("mesh", profile.is_mesh)];
    let named = parts.into_iter().filter(|(_, is_there)| *is_there);
    named.map(|(part, _)| format!("{part}:{}", profile.name)).collect::<Vec<_>>().join(", ")
}

fn parts(profile: &Profile) -> &'static str {
    match (profile.is_gateway, profile.is_mesh) {
        (true, true) => "as a gateway and as a mesh",
        (true, false) => "as a gateway",
        (false, true) => "as a mesh",
        (false, false) => "as neither a gateway nor a mesh",
    }
}

fn heading(profile: &Profile) -> String {
    match &profile.version {
        Some(version) => format!("{} {version}", profile.title),
        None => profile.title.clone(),
    }
}

/// How many of its figures are known how well: `12 published, 3 derived, 4 assumed`.
fn counted(profile: &Profile) -> String {
    let all = [Basis::Published, Basis::Derived, Basis::Assumed];
    all.map(|basis| format!("{} {}", profile.count(basis), basis.name())).join(", ")
}

/// All that is known of a profile.
fn page(profile: &Profile) -> String {
    let mut text = format!("{}, {}", heading(profile), parts(profile));
    for (what, date) in [("ended on", &profile.ended), ("sources read on", &profile.as_of)] {
        let _ = date.as_ref().map(|date| write!(text, "; {what} {date}"));
    }
    if !profile.extends.is_empty() {
        let _ = write!(text, "; stands over {}", profile.extends.join(", then "));
    }
    let _ = writeln!(text, "\nFigures: {}\n", counted(profile));
    let rows: Vec<_> = profile.figures.iter().map(|figure| row(figure, profile)).collect();
    text.push_str(&columns(&rows, "  "));
    text.push_str("\nSources\n");
    profile.sources.iter().for_each(|evidence| text.push_str(&told(evidence, profile)));
    if !profile.left_out.is_empty() {
        text.push_str("\nNot modelled\n");
    }
    for sentence in &profile.left_out {
        let _ = writeln!(text, "  - {sentence}");
    }
    text
}

/// A figure: its key, its value, how well it is known, and from where.
fn row(figure: &Figure, profile: &Profile) -> [String; 4] {
    let value: Vec<&str> = figure.value.split_whitespace().collect();
    let mut from = figure.source.clone().unwrap_or_default();
    if let Some(how) = &figure.how {
        from = if from.is_empty() { how.clone() } else { format!("{from}: {how}") };
    }
    if figure.profile != profile.name {
        from = format!("{from} ({})", figure.profile);
    }
    [figure.key.clone(), value.join(" "), figure.basis.name().to_owned(), from]
}

/// A source in some lines.
fn told(evidence: &Evidence, profile: &Profile) -> String {
    let of =
        if evidence.profile == profile.name { String::new() } else { format!(" ({})", evidence.profile) };
    let mut text = format!("  {}{of}: {}", evidence.name, evidence.title);
    for (what, said) in [("version", &evidence.version), ("of", &evidence.date)] {
        let _ = said.as_ref().map(|said| write!(text, ", {what} {said}"));
    }
    text.push('\n');
    for (what, said) in [("on", &evidence.hardware), ("how", &evidence.method), ("at", &evidence.at)] {
        let _ = said.as_ref().map(|said| writeln!(text, "    {what}: {said}"));
    }
    text
}
