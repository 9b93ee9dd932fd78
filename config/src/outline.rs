//! Where the keys of a table stand, at any depth: for what turns out to be wrong only when tables have been laid over each
//! other.

use crate::context::Context;
use crate::form::{Describe, Form, Key};
use crate::keys::Keys;
use crate::place::Place;
use crate::read::{Read, Value};
use crate::table::{Table, place_of};

/// Where the keys of a table stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outline {
    place: Option<Place>,
    keys: Vec<(String, Outline)>,
}

impl Outline {
    /// The outline of `value`, which stands at `place`.
    pub fn of(value: &Value<'_>, place: Place) -> Self {
        let keys = value.get_ref().as_table().into_iter().flatten();
        let entries = keys.map(|(key, value)| {
            let name: &str = key.get_ref().as_ref();
            (name, Place::new(place.source, key.span()), value)
        });
        Self::of_entries(place, entries)
    }

    /// The outline of a table at `place` with these entries: the name of each, the place of that, and its value.
    pub(crate) fn of_entries<'v, 'i: 'v>(
        place: Place,
        entries: impl Iterator<Item = (&'v str, Place, &'v Value<'i>)>,
    ) -> Self {
        let keys = entries.map(|(name, key, value)| (name.to_owned(), Self::of(value, place_of(key, value))));
        Self { place: Some(place), keys: keys.collect() }
    }

    /// Where the key with this dotted path stands, when all of it does.
    pub fn find(&self, path: &str) -> Option<Place> {
        if path.is_empty() {
            return self.place;
        }
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        self.keys.iter().find(|(name, _)| name == first)?.1.find(rest)
    }

    /// The dotted paths of all values in it that are no tables, and where they stand, in the order of the text.
    pub fn leaves(&self) -> Vec<(String, Place)> {
        let below = |(name, inner): &(String, Self)| match inner.keys[..] {
            [] => inner.place.map(|place| (name.clone(), place)).into_iter().collect::<Vec<_>>(),
            _ => inner.leaves().into_iter().map(|(path, place)| (format!("{name}.{path}"), place)).collect(),
        };
        let mut leaves: Vec<_> = self.keys.iter().flat_map(below).collect();
        leaves.sort_by_key(|(_, place)| *place);
        leaves
    }

    /// Where the longest beginning of a dotted path stands that does, and how many keys long it is.
    fn nearest(&self, path: &str) -> Option<(usize, Place)> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let inner = self.keys.iter().find(|(name, _)| name == first).map(|(_, inner)| inner);
        match inner.and_then(|inner| inner.nearest(rest)) {
            Some((keys, place)) => Some((keys + 1, place)),
            None => self.place.map(|place| (0, place)),
        }
    }

    /// Where the key with this dotted path was written: in the first of `layers` that has it, else where the most of its
    /// path stands.
    pub fn place_in(layers: &[&Self], path: &str) -> Option<Place> {
        let exact = layers.iter().find_map(|layer| layer.find(path));
        let nearest = || {
            let all = layers.iter().rev().filter_map(|layer| layer.nearest(path));
            all.max_by_key(|(keys, _)| *keys).map(|(_, place)| place)
        };
        exact.or_else(nearest)
    }
}

/// Something that was written, with the places of its keys.
#[derive(Debug, Clone, Default)]
pub struct Outlined<T> {
    /// What.
    pub value: T,
    /// Where.
    pub outline: Outline,
}

impl<T: Read> Read for Outlined<T> {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        Table::open(value, place, context)?;
        let outline = Outline::of(value, place);
        T::read(value, place, context).map(|value| Self { value, outline })
    }
}

impl<T: Describe> Describe for Outlined<T> {
    fn form() -> Form {
        T::form()
    }
}

impl<T: Keys> Keys for Outlined<T> {
    fn keys() -> Vec<Key> {
        T::keys()
    }

    fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        let outline = table.outline();
        Self { value: T::take(table, context), outline }
    }
}
