//! Reads the tables of a TOML text value by value: everything keeps its place, and what is wrong is
//! noted and left out, so that one pass finds all problems. Knows TOML and quantities; what a
//! scenario is made of stands in `schema`.

use std::time::Duration;

use hoplab_proxy::quantity;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{At, Place};
use super::problem::{Problem, Severity};
use super::source::Source;
use super::suggest;
use crate::distribution::{Distribution, Empirical, NotADistribution, Sizes};

/// The longest run, and the longest time of anything in it: timers reach 18 simulated hours, and answers are waited for
/// after the load has ended.
pub(crate) const LONGEST: Duration = Duration::from_secs(17 * 3_600);

/// Fetches the text of a file, by its path relative to the scenario file.
pub(crate) type Fetch<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// What reading and resolving share: the texts, the problems found so far, and the way to more texts.
pub(crate) struct Context<'a> {
    pub(crate) sources: Vec<Source>,
    pub(crate) problems: Vec<Problem>,
    fetch: &'a mut Fetch<'a>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(scenario: Source, fetch: &'a mut Fetch<'a>) -> Self {
        Self { sources: vec![scenario], problems: Vec::new(), fetch }
    }

    /// Notes an error; the scenario cannot run.
    pub(crate) fn error(&mut self, place: Place, fact: impl Into<String>) -> &mut Problem {
        self.note(Severity::Error, Some(place), fact.into())
    }

    /// Notes an error that is in no file.
    pub(crate) fn error_outside(&mut self, fact: impl Into<String>) -> &mut Problem {
        self.note(Severity::Error, None, fact.into())
    }

    /// Notes something to check before the result is trusted.
    pub(crate) fn warning(&mut self, place: Place, fact: impl Into<String>) -> &mut Problem {
        self.note(Severity::Warning, Some(place), fact.into())
    }

    fn note(&mut self, severity: Severity, place: Option<Place>, fact: String) -> &mut Problem {
        self.problems.push(Problem { severity, place, fact, hint: None });
        self.problems.last_mut().expect("one was pushed")
    }

    /// Whether an error was noted, so that what follows may be its consequence.
    pub(crate) fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Notes a message that may carry its own way out: `… is negative: write a duration such as …`.
    pub(crate) fn complaint(&mut self, place: Place, message: &str) {
        match message.rsplit_once(": write ") {
            Some((fact, rest)) => self.error(place, fact).hint(format!("write {rest}")),
            None => drop(self.error(place, message)),
        }
    }

    pub(crate) fn unknown<'n>(
        &mut self,
        what: &str,
        name: &At<String>,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        let hint = suggest::hint(&name.value, known);
        self.error(name.place, format!("unknown {what} \"{}\"", name.value)).hint(hint);
    }

    /// The index of the source that the text at `from` calls `name`; fetches it the first time.
    pub(crate) fn open(&mut self, name: &str, from: Place) -> Result<usize, String> {
        let path = self.beside(name, from.source);
        if let Some(index) = self.sources.iter().skip(1).position(|source| source.path == path) {
            return Ok(index + 1);
        }
        let text = (self.fetch)(&path)?;
        self.sources.push(Source { path, text });
        Ok(self.sources.len() - 1)
    }

    /// The path of `name`, relative to the scenario file, as seen from another source.
    fn beside(&self, name: &str, source: usize) -> String {
        match self.sources[source].path.rsplit_once('/') {
            Some((folder, _)) if source > 0 && !name.starts_with('/') => format!("{folder}/{name}"),
            _ => name.to_owned(),
        }
    }

    /// Reads the whole text of a source. What is not TOML is noted, and then nothing is read: half a
    /// text would seem to lack what stands in its other half.
    pub(crate) fn document<T: Read>(&mut self, source: usize) -> Option<T> {
        let text = self.sources[source].text.clone();
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            self.error(Place::new(source, span), format!("not TOML: {}", error.message()));
        }
        let place = Place::new(source, 0..0);
        let value = Spanned::new(0..0, DeValue::Table(table.into_inner()));
        if errors.is_empty() { T::read(&value, place, self) } else { None }
    }
}

/// Something that can be read from a TOML value.
pub(crate) trait Read: Sized {
    /// Reads `value`, which stands at `place`; `None` when that was noted as a problem.
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self>;
}

/// A table whose keys are taken one after the other; what is left is unknown.
pub(crate) struct Table<'v, 'i> {
    /// Where it begins: its key or its header.
    pub(crate) place: Place,
    entries: Vec<Entry<'v, 'i>>,
    known: Vec<&'static str>,
}

struct Entry<'v, 'i> {
    key: At<String>,
    value: &'v Spanned<DeValue<'i>>,
    taken: bool,
}

impl<'v, 'i> Table<'v, 'i> {
    /// The table that `value` is.
    pub(crate) fn open(
        value: &'v Spanned<DeValue<'i>>,
        place: Place,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            wrong_type(value, place, ("a table", "write `{ … }`, or a header in brackets"), context);
            return None;
        };
        let entry = |(key, value): (&Spanned<_>, &'v Spanned<DeValue<'i>>)| {
            let place = Place::new(place.source, key.span());
            Entry {
                key: At { value: String::from(AsRef::<str>::as_ref(key.get_ref())), place },
                value,
                taken: false,
            }
        };
        let mut entries: Vec<_> = table.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.key.place);
        Some(Self { place, entries, known: Vec::new() })
    }

    /// The value of `key`, if it is there and right.
    pub(crate) fn optional<T: Read>(
        &mut self,
        key: &'static str,
        context: &mut Context<'_>,
    ) -> Option<At<T>> {
        self.known.push(key);
        let entry = self.entries.iter_mut().find(|entry| entry.key.value == key)?;
        entry.taken = true;
        let place = place_of(&entry.key, entry.value);
        T::read(entry.value, place, context).map(|value| At { value, place })
    }

    /// The value of `key`, if it is right; notes its absence.
    pub(crate) fn required<T: Read>(
        &mut self,
        key: &'static str,
        context: &mut Context<'_>,
    ) -> Option<At<T>> {
        if !self.has(key) {
            self.known.push(key);
            context.error(self.place, format!("missing key \"{key}\""));
            return None;
        }
        self.optional(key, context)
    }

    /// The table that `key` holds.
    pub(crate) fn inner(&mut self, key: &str, context: &mut Context<'_>) -> Option<Self> {
        let entry = self.entries.iter_mut().find(|entry| entry.key.value == key)?;
        entry.taken = true;
        let place = place_of(&entry.key, entry.value);
        Self::open(entry.value, place, context)
    }

    /// Takes note that `key` is known, and leaves its value alone.
    pub(crate) fn accept(&mut self, key: &'static str) {
        self.known.push(key);
        self.pass(key);
    }

    /// Leaves `key` alone without admitting that it is known.
    pub(crate) fn pass(&mut self, key: &str) {
        self.entries.iter_mut().filter(|entry| entry.key.value == key).for_each(|entry| entry.taken = true);
    }

    /// Whether `key` is there, right or wrong.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == key)
    }

    /// Where `key` stands, if it does.
    pub(crate) fn key_place(&self, key: &str) -> Option<Place> {
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| entry.key.place)
    }

    /// Notes every key that was not asked for.
    pub(crate) fn refuse_rest(self, context: &mut Context<'_>) {
        for entry in self.entries.iter().filter(|entry| !entry.taken) {
            context.unknown("key", &entry.key, self.known.iter().copied());
        }
    }

    /// The table under `key`, whose keys are names; empty when there is none.
    pub(crate) fn named<T: Read>(&mut self, key: &'static str, context: &mut Context<'_>) -> Named<T> {
        self.optional::<Names<T>>(key, context).map(|names| names.value.0).unwrap_or_default()
    }

    /// Every key with its value, for tables whose keys are names; in the order of the file.
    pub(crate) fn names<T: Read>(self, context: &mut Context<'_>) -> Named<T> {
        let read = |entry: Entry<'v, 'i>| {
            let place = place_of(&entry.key, entry.value);
            let value = T::read(entry.value, place, context);
            (entry.key, value)
        };
        self.entries.into_iter().map(read).collect()
    }
}

/// Things with names, in the order of the file; what is `None` was noted as a problem.
pub(crate) type Named<T> = Vec<(At<String>, Option<T>)>;

/// A table whose keys are names.
pub(crate) struct Names<T>(pub(crate) Named<T>);

impl<T: Read> Read for Names<T> {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        Table::open(value, place, context).map(|table| Self(table.names(context)))
    }
}

/// Where to point for a value: at itself, but for a table with a header at its key.
fn place_of(key: &At<String>, value: &Spanned<DeValue<'_>>) -> Place {
    match value.get_ref() {
        DeValue::Table(_) => key.place,
        _ => Place::new(key.place.source, value.span()),
    }
}

/// Notes that something else was expected, and how that is written.
pub(super) fn wrong_type(
    value: &Spanned<DeValue<'_>>,
    place: Place,
    (expected, hint): (&str, &str),
    context: &mut Context<'_>,
) {
    let found = match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    context.error(place, format!("{found} where {expected} belongs")).hint(hint);
}

impl Read for String {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            wrong_type(value, place, ("a text", "write one text, in quotes"), context);
        }
        text
    }
}

impl Read for bool {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            wrong_type(value, place, ("`true` or `false`", "write the word without quotes"), context);
        }
        truth
    }
}

impl Read for u64 {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(integer) = value.get_ref().as_integer() else {
            wrong_type(value, place, ("a whole number", "write, say, `3`"), context);
            return None;
        };
        let digits = integer.as_str().replace('_', "");
        let number = Self::from_str_radix(&digits, integer.radix()).ok();
        if number.is_none() {
            let is_negative = digits.starts_with('-');
            let (why, hint) =
                if is_negative { ("negative", "write 0 or more") } else { ("too large", "write less") };
            context.error(place, format!("`{}` is {why}", integer.as_str())).hint(hint);
        }
        number
    }
}

impl Read for u32 {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let number = u64::read(value, place, context)?;
        let small = Self::try_from(number).ok();
        if small.is_none() {
            context.error(place, format!("`{number}` is too large")).hint("write less");
        }
        small
    }
}

impl Read for f64 {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => {
                wrong_type(value, place, ("a number", "write, say, `1.5`"), context);
                return None;
            }
        };
        let number = text.replace('_', "").parse().ok().filter(|number: &Self| number.is_finite());
        let (why, hint) = match number {
            Some(number) if number >= 0.0 => return Some(number),
            Some(_) => ("is negative", "write 0 or more"),
            None => ("is no finite number", "write, say, `1.5`"),
        };
        context.error(place, format!("`{text}` {why}")).hint(hint);
        None
    }
}

impl<T: Read> Read for Vec<At<T>> {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            wrong_type(value, place, ("a list", "write `[ … ]`"), context);
            return None;
        };
        let mut list = Self::new();
        for item in array {
            let place = Place::new(place.source, item.span());
            list.extend(T::read(item, place, context).map(|value| At { value, place }));
        }
        Some(list)
    }
}

macro_rules! read_quantity {
    ($($quantity:ident, $expected:literal, $hint:literal);+ $(;)?) => { $(
        impl Read for quantity::$quantity {
            fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
                let Some(text) = value.get_ref().as_str() else {
                    wrong_type(value, place, ($expected, $hint), context);
                    return None;
                };
                text.parse().map_err(|wrong: quantity::NotAQuantity| context.complaint(place, &wrong.to_string())).ok()
            }
        }
    )+ };
}

read_quantity! {
    Duration, "a duration", "write a duration such as `\"250us\"`";
    Rate, "a rate", "write a rate such as `\"200 rps\"`";
    Size, "a size", "write a size such as `\"1 KiB\"`";
    Share, "a percentage", "write a percentage such as `\"2%\"`";
    Bandwidth, "a bandwidth", "write a bandwidth such as `\"10 Gbps\"`";
}

impl Read for Distribution {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let expected = ("a duration or a distribution", "write `\"10ms\"` or, say, `\"exp(10ms)\"`");
            wrong_type(value, place, expected, context);
            return None;
        };
        let mut sample = |file: &str| {
            let source = context.open(file, place)?;
            Empirical::read(file, &context.sources[source].text).map_err(|wrong| format!("{file}: {wrong}"))
        };
        match Self::read(text, &mut sample) {
            Ok(distribution) if distribution.mean() <= LONGEST => Some(distribution),
            Ok(distribution) => {
                let mean = quantity::Duration(distribution.mean());
                context
                    .error(place, format!("a mean of {mean} is longer than a run"))
                    .hint("write 17h or less");
                None
            }
            Err(wrong) => no_distribution(&wrong, place, context),
        }
    }
}

impl Read for Sizes {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let expected = ("a size or a distribution", "write `\"1 KiB\"` or, say, `\"exp(1 KiB)\"`");
            wrong_type(value, place, expected, context);
            return None;
        };
        let mut sample = |file: &str| {
            let source = context.open(file, place)?;
            let read = Empirical::read_sizes(file, &context.sources[source].text);
            read.map_err(|wrong| format!("{file}: {wrong}"))
        };
        match Self::read(text, &mut sample) {
            Ok(sizes) if sizes.mean() <= Self::LARGEST => Some(sizes),
            Ok(sizes) => {
                let fact = format!("`{}` of content cannot be simulated", quantity::Size(sizes.mean()));
                context.error(place, fact).hint("write 64 MiB or less");
                None
            }
            Err(wrong) => no_distribution(&wrong, place, context),
        }
    }
}

/// Notes that a text is no distribution.
fn no_distribution<T>(wrong: &NotADistribution, place: Place, context: &mut Context<'_>) -> Option<T> {
    match wrong.unknown_name() {
        Some(name) => {
            let hint = suggest::hint(name, Distribution::names());
            context.error(place, format!("unknown distribution \"{name}\"")).hint(hint);
        }
        None => context.complaint(place, &wrong.to_string()),
    }
    None
}
