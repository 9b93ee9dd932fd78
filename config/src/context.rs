//! What reading and resolving share: the texts, what was found to be wrong with them, and the way to more texts. Knows
//! no key of any file.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::foreign;
use crate::place::{At, Place};
use crate::problem::{Problem, Problems, Severity};
use crate::read::{Read, Value};
use crate::source::Source;
use crate::suggest;
use crate::syntax;
use crate::table::Table;

/// Fetches the text of a file, by its path relative to the first; or says why there is none.
pub type Fetch<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// What reading and resolving share.
pub struct Context<'a> {
    sources: Vec<Source>,
    problems: Vec<Problem>,
    fetch: &'a mut Fetch<'a>,
    followed: Vec<PathBuf>,
    now: Option<SystemTime>,
}

impl<'a> Context<'a> {
    /// A context in which nothing is wrong yet. `file` is the first source, number 0.
    pub fn new(file: Source, fetch: &'a mut Fetch<'a>) -> Self {
        Self { sources: vec![file], problems: Vec::new(), fetch, followed: Vec::new(), now: None }
    }

    /// When it is read, where that is known: some things hold for a time.
    pub fn now(&self) -> Option<SystemTime> {
        self.now
    }

    /// Says when it is read.
    pub(crate) fn set_now(&mut self, now: SystemTime) {
        self.now = Some(now);
    }

    /// Notes an error; the file cannot be used.
    pub fn error(&mut self, place: Place, fact: impl Into<String>) -> &mut Problem {
        self.note(Severity::Error, Some(place), fact.into())
    }

    /// Notes an error that is in no file.
    pub fn error_outside(&mut self, fact: impl Into<String>) -> &mut Problem {
        self.note(Severity::Error, None, fact.into())
    }

    /// Notes an error at a place, or in no file.
    pub fn error_at(&mut self, place: Option<Place>, fact: impl Into<String>) -> &mut Problem {
        self.note(Severity::Error, place, fact.into())
    }

    /// Notes something to check before the result is trusted.
    pub fn warning(&mut self, place: Place, fact: impl Into<String>) -> &mut Problem {
        self.note(Severity::Warning, Some(place), fact.into())
    }

    fn note(&mut self, severity: Severity, place: Option<Place>, fact: String) -> &mut Problem {
        self.problems.push(Problem { severity, place, fact, hint: None });
        self.problems.last_mut().expect("one was pushed")
    }

    /// Whether an error was noted, so that what follows may be its consequence.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// How many problems were noted.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// Whether something was noted at this place.
    pub fn is_told(&self, place: Place) -> bool {
        self.problems.iter().any(|problem| problem.place == Some(place))
    }

    /// Whether something was noted at this place, or within it.
    pub fn is_told_within(&self, place: Place) -> bool {
        let within = |other: Place| {
            other.source == place.source && other.start >= place.start && other.end <= place.end
        };
        self.problems.iter().filter_map(|problem| problem.place).any(within)
    }

    /// Notes a message that may carry its own way out: `… is negative: write a duration such as …`.
    pub fn complaint(&mut self, place: Place, message: &str) {
        match message.rsplit_once(": write ") {
            Some((fact, rest)) => self.error(place, fact).hint(format!("write {rest}")),
            None => drop(self.error(place, message)),
        }
    }

    /// Notes a name that is none of those `known`: a key, a service, whatever `what` says.
    pub fn unknown<'n>(&mut self, what: &str, name: &At<String>, known: impl IntoIterator<Item = &'n str>) {
        let hint = suggest::hint(&name.value, known);
        self.error(name.place, format!("unknown {what} \"{}\"", name.value)).hint(hint);
    }

    /// The text of a source.
    pub fn text(&self, source: usize) -> &str {
        &self.sources[source].text
    }

    /// The index of the source that the text at `from` calls `name`, which may be the first one; fetches it the first time.
    pub fn open(&mut self, name: &str, from: Place) -> Result<usize, String> {
        if self.locate(name, from) == Path::new(&self.sources[0].path) {
            return Ok(0);
        }
        let path = self.beside(name, from.source);
        if let Some(index) = self.sources.iter().skip(1).position(|source| source.path == path) {
            return Ok(index + 1);
        }
        let text = (self.fetch)(&path)?;
        self.sources.push(Source { path, text });
        Ok(self.sources.len() - 1)
    }

    /// The index of a source that the reader brings along: called `path`, with `text`, unless one of that path was kept.
    pub fn open_own(&mut self, path: &str, text: &str) -> usize {
        if let Some(index) = self.sources.iter().position(|source| source.path == path) {
            return index;
        }
        let text = (self.fetch)(path).unwrap_or_else(|_| text.to_owned());
        self.sources.push(Source { path: path.to_owned(), text });
        self.sources.len() - 1
    }

    /// The text of a file of another kind, which the text at `from` calls `name`.
    pub fn fetch(&mut self, name: &str, from: Place) -> Result<String, String> {
        let path = self.beside(name, from.source);
        (self.fetch)(&path)
    }

    /// As [`Context::fetch`], of a file whose changes count while its reader runs ([`crate::file::Loaded::files`]).
    pub fn follow(&mut self, name: &str, from: Place) -> Result<String, String> {
        self.followed.push(self.locate(name, from));
        self.fetch(name, from)
    }

    /// The files whose changes count.
    pub(crate) fn followed(&self) -> &[PathBuf] {
        &self.followed
    }

    /// Where the file is that the text at `from` calls `name`.
    pub fn locate(&self, name: &str, from: Place) -> PathBuf {
        let folder = Path::new(&self.sources[0].path).parent().unwrap_or(Path::new(""));
        folder.join(self.beside(name, from.source))
    }

    /// The path of `name`, relative to the first file, as seen from another source.
    fn beside(&self, name: &str, source: usize) -> String {
        match self.sources[source].path.rsplit_once('/') {
            Some((folder, _)) if source > 0 && !name.starts_with('/') => format!("{folder}/{name}"),
            _ => name.to_owned(),
        }
    }

    /// Reads the whole text of a source. What is not TOML is noted, and then nothing is read: half a text would seem to
    /// lack what stands in its other half. A text in another format is told as that, once.
    pub fn document<T: Read>(&mut self, source: usize) -> Option<T> {
        let text = self.sources[source].text.clone();
        let (table, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty()
            && let Some(format) = foreign::format(&text)
        {
            let place = Place::new(source, format.place);
            self.error(place, format!("this is {}, not TOML", format.name)).hint(format.hint);
            return None;
        }
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            let hint = syntax::hint(&text, span.start, error.message());
            self.error(Place::new(source, span), format!("not TOML: {}", error.message())).hint(hint);
        }
        let place = Place::new(source, 0..0);
        let value = Spanned::new(0..0, DeValue::Table(table.into_inner()));
        if errors.is_empty() { T::read(&value, place, self) } else { None }
    }

    /// The texts, in the order in which they were opened.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// All that was found.
    pub fn into_problems(self) -> Problems {
        Problems::new(self.sources, self.problems)
    }
}

/// Reads a text that names no other files, as a file called `path`.
pub fn read<T: Read>(path: &str, text: &str) -> Result<T, Problems> {
    let source = Source { path: path.to_owned(), text: text.to_owned() };
    read_with(source, |context| context.document::<T>(0)).map(|(read, _)| read)
}

/// Reads a text that names no other files in a way of its own: what it means with what is worth a look, or all that is
/// wrong with it.
pub fn read_with<T>(
    source: Source,
    read: impl FnOnce(&mut Context<'_>) -> Option<T>,
) -> Result<(T, Problems), Problems> {
    let mut fetch = |name: &str| Err(format!("there is no file \"{name}\""));
    read_from(source, &mut fetch, read)
}

/// As [`read_with`], where other files are fetched.
pub fn read_from<T>(
    source: Source,
    fetch: &mut Fetch<'_>,
    read: impl FnOnce(&mut Context<'_>) -> Option<T>,
) -> Result<(T, Problems), Problems> {
    let mut context = Context::new(source, fetch);
    let read = read(&mut context);
    let problems = context.into_problems();
    match read {
        Some(read) if !problems.has_errors() => Ok((read, problems)),
        _ => Err(problems),
    }
}

/// As [`read_from`], of texts that were kept, the file itself first; no disk is touched.
pub fn read_kept<T>(
    texts: &[Source],
    read: impl FnOnce(&mut Context<'_>) -> Option<T>,
) -> Result<(T, Problems), Problems> {
    let empty = Source { path: String::new(), text: String::new() };
    let (first, others) = texts.split_first().unwrap_or((&empty, &[]));
    let mut fetch = |name: &str| {
        let found = others.iter().find(|source| source.path == name);
        found.map(|source| source.text.clone()).ok_or_else(|| format!("there is no file \"{name}\""))
    };
    read_from(first.clone(), &mut fetch, read)
}

/// Reads a single value, as it would stand behind a key.
pub fn read_value<T: Read>(written: &str) -> Result<T, Problems> {
    struct Only<T>(T);

    impl<T: Read> Read for Only<T> {
        fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
            let mut table = Table::open(value, place, context)?;
            let only = table.required("value", context)?;
            table.refuse_rest(context);
            Some(Self(only.value))
        }
    }

    read::<Only<T>>("value.toml", &format!("value = {written}")).map(|Only(value)| value)
}
