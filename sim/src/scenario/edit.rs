//! A scenario's text that can be changed: keys set and removed, tables added, the application written into
//! it. Comments and layout stay. Owns the text, not what it means: whether a key is one that scenarios have
//! is for [`super::parse`] to say.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Key, Table, TableLike, Value};

use super::plan::Source;
use super::suggest;

/// The text of a scenario, with the files that it names.
#[derive(Debug, Clone)]
pub struct Draft {
    path: String,
    document: DocumentMut,
    others: Vec<Source>,
}

/// Why a text cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no TOML.
    #[error("{path} is not TOML: {reason}")]
    NotToml {
        /// Which file.
        path: String,
        /// What the parser says.
        reason: String,
    },
    /// The path is no sequence of keys.
    #[error("\"{path}\" is no key: {reason}")]
    NotAKey {
        /// The path.
        path: String,
        /// What the parser says.
        reason: String,
    },
    /// The value is no TOML value.
    #[error("`{value}` is no value: {reason}")]
    NotAValue {
        /// The value.
        value: String,
        /// What the parser says.
        reason: String,
    },
    /// There is nothing of this name in a list of tables.
    #[error("there is no \"{name}\" in \"{list}\": {hint}")]
    NotInList {
        /// The list's path.
        list: String,
        /// The name or index.
        name: String,
        /// What there is.
        hint: String,
    },
    /// Something that is no table has no keys.
    #[error("\"{path}\" is no table: it has no \"{key}\"")]
    NotATable {
        /// Where.
        path: String,
        /// The key.
        key: String,
    },
}

impl Draft {
    /// The scenario that `sources` are, the scenario file first.
    pub fn of(sources: &[Source]) -> Result<Self, Error> {
        let empty = Source { path: String::new(), text: String::new() };
        let (first, others) = sources.split_first().unwrap_or((&empty, &[]));
        Ok(Self { path: first.path.clone(), document: document(first)?, others: others.to_vec() })
    }

    /// Its text.
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// The texts, for [`super::parse`].
    pub fn sources(&self) -> Vec<Source> {
        let first = Source { path: self.path.clone(), text: self.text() };
        std::iter::once(first).chain(self.others.iter().cloned()).collect()
    }

    /// Sets the key at `path` to `value`, a TOML value (`"200 rps"` with its quotes, `3`). Tables on the way
    /// are made where there are none. An entry of a list of tables is found by its `name` or its index:
    /// `faults.payment-slow.for`, `expect.0.max`.
    pub fn set(&mut self, path: &str, value: &str) -> Result<(), Error> {
        let refused = |error: toml_edit::TomlError| {
            let reason = error.message().to_owned();
            Error::NotAValue { value: value.to_owned(), reason }
        };
        let parsed: Value = value.parse().map_err(refused)?;
        let keys = keys(path)?;
        let Some((last, way)) = keys.split_last() else { return Ok(()) };
        let table =
            reach(self.document.as_table_mut(), &[], way, Missing::Make).map_err(|error| match error {
                Error::NotATable { path, key } if key.is_empty() => {
                    Error::NotATable { path, key: last.get().to_owned() }
                }
                error => error,
            })?;
        if let Some(table) = table {
            put(table, last, parsed);
        }
        Ok(())
    }

    /// Removes what is at `path`, which may be an entry of a list of tables; says whether there was something.
    pub fn remove(&mut self, path: &str) -> Result<bool, Error> {
        let keys = keys(path)?;
        let Some((last, way)) = keys.split_last() else { return Ok(false) };
        if let Some((list, up)) = way.split_last()
            && let Some(parent) = reach(self.document.as_table_mut(), &[], up, Missing::Leave)?
            && let Some(Item::ArrayOfTables(list)) = parent.get_mut(list.get())
        {
            let found = position(list, last.get());
            if let Some(index) = found {
                list.remove(index);
            }
            return Ok(found.is_some());
        }
        let table = reach(self.document.as_table_mut(), &[], way, Missing::Leave)?;
        Ok(table.is_some_and(|table| table.remove(last.get()).is_some()))
    }

    /// Adds `table`, the text of a TOML document, to the list of tables called `list`: `faults`, `expect`.
    pub fn push(&mut self, list: &str, table: &str) -> Result<(), Error> {
        let refused = |error: toml_edit::TomlError| Error::NotAValue {
            value: table.to_owned(),
            reason: error.message().to_owned(),
        };
        let parsed: DocumentMut = table.parse().map_err(refused)?;
        let tables = self.document.entry(list).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let Some(tables) = tables.as_array_of_tables_mut() else {
            return Err(Error::NotATable { path: list.to_owned(), key: "[[…]]".to_owned() });
        };
        let mut table = parsed.as_table().clone();
        table.decor_mut().set_prefix("\n");
        tables.push(table);
        Ok(())
    }

    /// Writes the application's services into the scenario, those of the scenario laid over them key by key, so
    /// that the text stands without it.
    pub fn inline_app(&mut self) -> Result<(), Error> {
        let app =
            self.document.get("scenario").and_then(|table| table.get("app")?.as_str().map(str::to_owned));
        let Some(app) = app else { return Ok(()) };
        let Some(index) = self.others.iter().position(|source| source.path == app) else { return Ok(()) };
        let app = document(&self.others[index])?;
        let own = self.document.remove("services");
        let mut services = app.get("services").cloned().unwrap_or(Item::Table(Table::new()));
        if let Some(own) = own {
            overlay(&mut services, own, &["services"]);
        }
        self.document.insert("services", services);
        self.others.remove(index);
        self.remove("scenario.app").map(|_| ())
    }
}

/// What becomes of tables on the way that are not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    Leave,
}

fn document(source: &Source) -> Result<DocumentMut, Error> {
    source.text.parse().map_err(|error: toml_edit::TomlError| Error::NotToml {
        path: source.path.clone(),
        reason: error.message().to_owned(),
    })
}

fn keys(path: &str) -> Result<Vec<Key>, Error> {
    Key::parse(path)
        .map_err(|error| Error::NotAKey { path: path.to_owned(), reason: error.message().to_owned() })
}

fn dotted(keys: &[Key]) -> String {
    keys.iter().map(Key::get).collect::<Vec<_>>().join(".")
}

/// The table at the end of `way`, from `table` on; `None` when it is not there and not to be made. `walked` is
/// the way behind, for messages.
fn reach<'a>(
    table: &'a mut dyn TableLike,
    walked: &[Key],
    way: &[Key],
    missing: Missing,
) -> Result<Option<&'a mut dyn TableLike>, Error> {
    let Some((key, rest)) = way.split_first() else { return Ok(Some(table)) };
    let walked = [walked, std::slice::from_ref(key)].concat();
    if !table.contains_key(key.get()) {
        if missing == Missing::Leave {
            return Ok(None);
        }
        // Within an inline table it becomes one itself.
        let mut made = Table::new();
        made.set_implicit(true);
        let made = Item::Table(made);
        table.insert(key.get(), made);
    }
    let item = table.get_mut(key.get()).expect("it is there or was made");
    if let Item::ArrayOfTables(list) = item {
        let Some((name, rest)) = rest.split_first() else {
            return Err(Error::NotATable { path: dotted(&walked), key: String::new() });
        };
        let Some(index) = position(list, name.get()) else {
            let names: Vec<String> = list.iter().filter_map(named).map(str::to_owned).collect();
            let hint = suggest::hint(name.get(), names.iter().map(String::as_str));
            return Err(Error::NotInList { list: dotted(&walked), name: name.get().to_owned(), hint });
        };
        let table = list.get_mut(index).expect("the position is within");
        return reach(table, &[walked, vec![name.clone()]].concat(), rest, missing);
    }
    let Some(table) = item.as_table_like_mut() else {
        let key = rest.first().map_or("", Key::get).to_owned();
        return Err(Error::NotATable { path: dotted(&walked), key });
    };
    reach(table, &walked, rest, missing)
}

fn position(list: &ArrayOfTables, name: &str) -> Option<usize> {
    let by_name = list.iter().position(|table| named(table) == Some(name));
    by_name.or_else(|| name.parse().ok().filter(|index| *index < list.len()))
}

fn named(table: &Table) -> Option<&str> {
    table.get("name")?.as_str()
}

/// Sets a key, keeping the comment behind the value that it had.
fn put(table: &mut dyn TableLike, key: &Key, value: Value) {
    match table.get_mut(key.get()).and_then(Item::as_value_mut) {
        Some(known) => {
            let decor = known.decor().clone();
            *known = value;
            *known.decor_mut() = decor;
        }
        None => drop(table.insert(key.get(), Item::Value(value))),
    }
}

/// Lays `over` over `under`. Services and their endpoints are laid over each other key by key, what lies
/// deeper is replaced.
fn overlay(under: &mut Item, over: Item, way: &[&str]) {
    let deep = matches!(way.len(), 1 | 2) || (way.len() == 3 && way[2] == "endpoints") || way.len() == 4;
    let Some(over) = over.as_table_like().filter(|_| deep) else {
        *under = over;
        return;
    };
    let Some(under) = under.as_table_like_mut() else { return };
    for (key, item) in over.iter() {
        let way = [way, &[key]].concat();
        match under.get_mut(key) {
            Some(known) => overlay(known, item.clone(), &way),
            None => drop(under.insert(key, item.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
