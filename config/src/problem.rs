//! What is wrong with a file, or worth a look: place, fact and hint, all of them at once, and
//! how they are shown. Not here: what is checked.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::place::Place;
use crate::source::Source;

/// How many problems are shown: more are not read.
const SHOWN_MAX: usize = 100;

/// Whether a file can be used in spite of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but check this before you trust the result.
    Warning,
}

/// Something that is wrong with a file, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the file can be used in spite of it.
    pub severity: Severity,
    /// Where it is; `None` when it is in no file (an argument, say).
    pub place: Option<Place>,
    /// What is the case.
    pub fact: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Adds what to do about it.
    pub fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fact)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, ": {hint}"))
    }
}

/// Everything that was found in a file and those that it names, in the order of their text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    sources: Vec<Source>,
    list: Vec<Problem>,
}

impl Problems {
    /// The problems of a text that is made of `sources`; the file itself first.
    pub fn new(sources: Vec<Source>, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| problem.place);
        list.dedup();
        Self { sources, list }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Each of them in a line: the fact, and what to do about it.
    pub fn in_words(&self) -> Vec<String> {
        self.list.iter().map(ToString::to_string).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The first of them with the lines they are about, ready to be read, and how many more there are. Each of
    /// these takes time in proportion to the text.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let shown = self.list.iter().take(SHOWN_MAX);
        let mut texts: Vec<String> = shown.map(|problem| self.one(&renderer, problem)).collect();
        match self.list.len().saturating_sub(SHOWN_MAX) {
            0 => {}
            1 => texts.push("and one problem more".to_owned()),
            more => texts.push(format!("and {more} problems more")),
        }
        texts.join("\n\n")
    }

    fn one(&self, renderer: &Renderer, problem: &Problem) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let level = match (problem.severity, problem.place) {
            (Severity::Error, Some(_)) => level.no_name(),
            _ => level,
        };
        let located = problem.place.and_then(|place| Some((place, self.sources.get(place.source)?)));
        let title = match located {
            Some((place, source)) => {
                let (line, column) = line_and_column(&source.text, place.start);
                format!("{}:{line}:{column}: {}", self.path(place.source), problem.fact)
            }
            None => problem.fact.clone(),
        };
        let mut group = Group::with_title(level.primary_title(title));
        if let Some((place, source)) = located {
            let start = floor_to_char(&source.text, place.start);
            let end = floor_to_char(&source.text, place.end).max(start);
            let annotation = AnnotationKind::Primary.span(start..end);
            group = group.element(Snippet::source(&source.text).fold(true).annotation(annotation));
        }
        let hint = problem.hint.as_ref().map(|hint| Group::with_title(Level::HELP.secondary_title(hint)));
        let groups: Vec<Group<'_>> = [group].into_iter().chain(hint).collect();
        renderer.render(&groups)
    }

    /// The path of a source as the user would open it: the others stand relative to the first.
    fn path(&self, source: usize) -> String {
        let path = &self.sources[source].path;
        match self.sources[0].path.rsplit_once('/') {
            Some((folder, _)) if source > 0 && !path.starts_with('/') => format!("{folder}/{path}"),
            _ => path.clone(),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// Line and column of a byte, both counted from 1, the column in characters.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..floor_to_char(text, byte)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The last boundary between characters that is not behind `byte`.
fn floor_to_char(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|&index| text.is_char_boundary(index)).unwrap_or(0)
}
