//! Reads tables key by key: each key that is asked for is known from then on, and what is left is refused with the known
//! key that it resembles.

use toml::Spanned;
use toml::de::DeValue;

use crate::context::Context;
use crate::form::{Absence, Describe, Form};
use crate::outline::Outline;
use crate::place::{At, Place};
use crate::read::{Read, ReadAs, Value, wrong_type};

/// A table whose keys are taken one after the other; what is left is unknown.
pub struct Table<'v, 'i> {
    /// Where it begins: its key or its header.
    pub place: Place,
    entries: Vec<Entry<'v, 'i>>,
    known: Vec<&'static str>,
}

struct Entry<'v, 'i> {
    key: At<String>,
    value: &'v Value<'i>,
    taken: bool,
}

impl<'v, 'i> Table<'v, 'i> {
    /// The table that `value` is.
    pub fn open(value: &'v Value<'i>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            wrong_type(value, place, ("a table", "write `{ … }`, or a header in brackets"), context);
            return None;
        };
        let entry = |(key, value): (&Spanned<_>, &'v Value<'i>)| {
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
    pub fn optional<T: Read>(&mut self, key: &'static str, context: &mut Context<'_>) -> Option<At<T>> {
        self.known.push(key);
        let (value, place) = self.entry(key)?;
        T::read(value, place, context).map(|value| At { value, place })
    }

    /// The value of `key`, if it is there and right, read in a way of its own; notes its `absence` where that is a mistake.
    pub fn take<R: ReadAs<T>, T>(
        &mut self,
        key: &'static str,
        absence: Absence,
        context: &mut Context<'_>,
    ) -> Option<At<T>> {
        self.known.push(key);
        let Some((value, place)) = self.entry(key) else {
            let hint = match absence {
                Absence::Default => return None,
                Absence::Missing => Some(format!("write {}", R::form().written(key))),
                Absence::MissingWith(hint) => hint.map(str::to_owned),
            };
            context.error(self.place, format!("missing key \"{key}\"")).hint = hint;
            return None;
        };
        R::read(value, place, context).map(|value| At { value, place })
    }

    /// The value of `key`, if it is right; notes its absence.
    pub fn required<T: Read>(&mut self, key: &'static str, context: &mut Context<'_>) -> Option<At<T>> {
        if !self.has(key) {
            self.known.push(key);
            context.error(self.place, format!("missing key \"{key}\""));
            return None;
        }
        self.optional(key, context)
    }

    /// The table that `key` holds.
    pub fn inner(&mut self, key: &str, context: &mut Context<'_>) -> Option<Self> {
        let (value, place) = self.entry(key)?;
        Self::open(value, place, context)
    }

    /// What stands under `key`, which is taken with that, and where to point for it.
    fn entry(&mut self, key: &str) -> Option<(&'v Value<'i>, Place)> {
        let entry = self.entries.iter_mut().find(|entry| entry.key.value == key)?;
        entry.taken = true;
        Some((entry.value, place_of(entry.key.place, entry.value)))
    }

    /// Takes note that `key` is known, and leaves its value alone.
    pub fn accept(&mut self, key: &'static str) {
        self.known.push(key);
        self.pass(key);
    }

    /// Leaves `key` alone without admitting that it is known.
    pub fn pass(&mut self, key: &str) {
        self.entries.iter_mut().filter(|entry| entry.key.value == key).for_each(|entry| entry.taken = true);
    }

    /// Whether `key` is there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key.value == key)
    }

    /// Where `key` stands, if it does.
    pub fn key_place(&self, key: &str) -> Option<Place> {
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| entry.key.place)
    }

    /// Where its keys stand.
    pub(crate) fn outline(&self) -> Outline {
        let entries = self.entries.iter().map(|entry| (&*entry.key.value, entry.key.place, entry.value));
        Outline::of_entries(self.place, entries)
    }

    /// Notes every key that was not asked for.
    pub fn refuse_rest(self, context: &mut Context<'_>) {
        for entry in self.entries.iter().filter(|entry| !entry.taken) {
            context.unknown("key", &entry.key, self.known.iter().copied());
        }
    }

    /// The table under `key`, whose keys are names; empty when there is none.
    pub fn named<T: Read>(&mut self, key: &'static str, context: &mut Context<'_>) -> Named<T> {
        self.optional::<Names<T>>(key, context).map(|names| names.value.0).unwrap_or_default()
    }

    /// Every key with its value, for tables whose keys are names; in the order of the file.
    pub fn names<T: Read>(self, context: &mut Context<'_>) -> Named<T> {
        let read = |entry: Entry<'v, 'i>| {
            let place = place_of(entry.key.place, entry.value);
            let value = T::read(entry.value, place, context);
            (entry.key, value)
        };
        self.entries.into_iter().map(read).collect()
    }
}

/// Things with names, in the order of the file; what is `None` was noted as a problem.
pub type Named<T> = Vec<(At<String>, Option<T>)>;

/// A table whose keys are names.
#[derive(Debug, Clone)]
pub struct Names<T>(pub Named<T>);

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Describe> Describe for Names<T> {
    fn form() -> Form {
        Form::Names { of: "a name", each: Box::new(T::form()) }
    }
}

impl<T: Read> Read for Names<T> {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        Table::open(value, place, context).map(|table| Self(table.names(context)))
    }
}

/// Where to point for a value under a key that stands at `key`: at itself, but for a table with a header at its key.
pub(crate) fn place_of(key: Place, value: &Value<'_>) -> Place {
    match value.get_ref() {
        DeValue::Table(_) => key,
        _ => Place::new(key.source, value.span()),
    }
}
