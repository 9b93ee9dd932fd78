//! A scenario's text that can be changed: values are set, entries are added and taken away, and comments
//! and layout stay as they are.
//!
//! A path is dotted keys as TOML writes them, `load.shoppers.rate`; an entry of a list is named by its
//! `name` or its number, `faults.trigger.for`, `expect.0.max`. Whether what is written means anything is
//! for [`super::parse`] to say.

mod app;
mod walk;

use super::generate;
use hoplab_config::Source;
use toml_edit::{DocumentMut, InlineTable, Item, Key, Table, TableLike, Value};

/// A scenario's text that can be changed, with the files that it names.
#[derive(Debug, Clone)]
pub struct Draft {
    path: String,
    document: DocumentMut,
    /// The files that the scenario names, by their paths relative to it.
    beside: Vec<Source>,
}

/// Why a text cannot be changed as it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEdited {
    /// The text is not TOML.
    #[error("{path} is not TOML: {why}")]
    NotToml {
        /// Of which file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// What was to be a path is none.
    #[error("\"{path}\" is no path: write keys with dots between them, such as \"load.shoppers.rate\"")]
    NotAPath {
        /// What was given.
        path: String,
    },
    /// What was to be a value is none.
    #[error("`{value}` is no value: write it as TOML does, such as `\"200 rps\"`, `3` or `[\"mesh\"]`")]
    NotAValue {
        /// What was given.
        value: String,
    },
    /// There is no such part.
    #[error("\"{path}\": there is no \"{part}\"; {hint}")]
    Missing {
        /// Where to.
        path: String,
        /// What is not there.
        part: String,
        /// What is.
        hint: String,
    },
    /// A path leads through something that has no parts.
    #[error("\"{path}\": what stands before \"{part}\" has no parts")]
    NotATable {
        /// Where to.
        path: String,
        /// What cannot be there.
        part: String,
    },
}

/// What can be written at a path: a value, or a text that is one in TOML.
pub trait IntoTomlValue {
    /// The value.
    fn into_toml_value(self) -> Result<Value, NotEdited>;
}

impl IntoTomlValue for Value {
    fn into_toml_value(self) -> Result<Value, NotEdited> {
        Ok(self)
    }
}

impl IntoTomlValue for &str {
    fn into_toml_value(self) -> Result<Value, NotEdited> {
        self.parse().map_err(|_| NotEdited::NotAValue { value: self.to_owned() })
    }
}

impl Draft {
    /// The texts of a plan, the scenario file first.
    pub fn of(sources: &[Source]) -> Result<Self, NotEdited> {
        let empty = Source { path: String::new(), text: String::new() };
        let (scenario, beside) = sources.split_first().unwrap_or((&empty, &[]));
        let document = walk::document(scenario)?;
        Ok(Self { path: scenario.path.clone(), document, beside: beside.to_vec() })
    }

    /// What stands at `path`, if anything does.
    pub fn get(&self, path: &str) -> Option<Item> {
        walk::get(self.document.as_item(), &keys(path).ok()?)
    }

    /// Writes `value` at `path`, over what stands there or anew, with the tables that lead to it.
    pub fn set(&mut self, path: &str, value: impl IntoTomlValue) -> Result<(), NotEdited> {
        let value = value.into_toml_value()?;
        walk::set(self.document.as_item_mut(), &keys(path)?, value, path)
    }

    /// Takes what stands at `path` away.
    pub fn remove(&mut self, path: &str) -> Result<(), NotEdited> {
        walk::remove(self.document.as_item_mut(), &keys(path)?, path)
    }

    /// Adds an entry at the end of the list of tables `name`, such as `faults`.
    pub fn push(&mut self, name: &str, entry: Table) -> Result<(), NotEdited> {
        walk::push(self.document.as_table_mut(), name, entry)
    }

    /// The names in the table at `path`, in the order of the text; none where there is no table.
    pub fn names(&self, path: &str) -> Vec<String> {
        let item = self.get(path);
        let table = item.as_ref().and_then(Item::as_table_like);
        table.map_or_else(Vec::new, |table| table.iter().map(|(name, _)| name.to_owned()).collect())
    }

    /// How many entries the list at `path` has; 0 where there is no list.
    pub fn count(&self, path: &str) -> usize {
        self.get(path).as_ref().map_or(0, walk::count)
    }

    /// Lays the scenario's services over those of its application and names no application any more, nor has one
    /// generated, so that the text stands alone; measurements that it names lie beside it afterwards.
    pub fn inline_app(&mut self) -> Result<(), NotEdited> {
        app::lay_under(&mut self.document, &mut self.beside)
    }

    /// Puts a comment before everything else, in place of the one that opens the file.
    pub fn open_with(&mut self, comment: &str) {
        let text = self.text();
        let rest = text.trim_start_matches(|c: char| c.is_whitespace());
        let rest = rest.lines().skip_while(|line| line.trim_start().starts_with('#'));
        let rest = rest.skip_while(|line| line.trim().is_empty()).collect::<Vec<_>>().join("\n");
        let comment: Vec<String> = comment
            .lines()
            .map(|line| if line.is_empty() { "#".to_owned() } else { format!("# {line}") })
            .collect();
        if let Ok(document) = format!("{}\n{rest}\n", comment.join("\n")).parse() {
            self.document = document;
        }
    }

    /// The scenario file's text.
    pub fn text(&self) -> String {
        self.document.to_string()
    }

    /// The texts, for [`super::parse`]: the scenario file first.
    pub fn sources(&self) -> Vec<Source> {
        let scenario = Source { path: self.path.clone(), text: self.text() };
        // What is generated follows from the text, which may have been changed.
        let beside = self.beside.iter().filter(|source| source.path != generate::PATH);
        std::iter::once(scenario).chain(beside.cloned()).collect()
    }

    /// The texts to be written beside each other, the scenario file first: without what is part of hoplab.
    pub fn files(&self) -> Vec<Source> {
        self.sources().into_iter().filter(|source| !source.path.starts_with(OWN)).collect()
    }
}

/// Where texts are said to stand that are part of hoplab, and on no disk.
const OWN: &str = "(hoplab)/";

/// The keys of a path.
fn keys(path: &str) -> Result<Vec<Key>, NotEdited> {
    Key::parse(path).map_err(|_| NotEdited::NotAPath { path: path.to_owned() })
}

/// An inline table of `entries`, as `{ service = "payment", times = 20 }`.
pub fn inline(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let table: InlineTable = entries.into_iter().collect();
    Value::InlineTable(table)
}

/// A table of `entries`.
pub fn table(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Table {
    let mut table = Table::new();
    for (key, value) in entries {
        TableLike::insert(&mut table, key, Item::Value(value));
    }
    table
}

#[cfg(test)]
mod tests;
