//! Along a path of keys through a TOML document, whichever of TOML's ways its tables are written in.

use hoplab_config::{Source, suggest};
use toml_edit::{ArrayOfTables, DocumentMut, InlineTable, Item, Key, Table, Value};

use super::NotEdited;

/// The text of `source` as a document.
pub(super) fn document(source: &Source) -> Result<DocumentMut, NotEdited> {
    let not_toml = |why: toml_edit::TomlError| NotEdited::NotToml {
        path: source.path.clone(),
        why: why.message().to_owned(),
    };
    source.text.parse().map_err(not_toml)
}

/// What `keys` lead to from `item`.
pub(super) fn get(item: &Item, keys: &[Key]) -> Option<Item> {
    let Some((key, rest)) = keys.split_first() else { return Some(item.clone()) };
    if let Some(table) = item.as_table_like() {
        return get(table.get(key.get())?, rest);
    }
    get(&entry(item, position(item, key.get())?)?, rest)
}

/// Writes `value` where `keys` lead from `item`.
pub(super) fn set(item: &mut Item, keys: &[Key], value: Value, path: &str) -> Result<(), NotEdited> {
    let Some((key, rest)) = keys.split_first() else {
        *item = Item::Value(like(item, value));
        return Ok(());
    };
    if is_list(item) {
        let index = position(item, key.get()).ok_or_else(|| missing(item, key, path))?;
        return in_entry(item, index, |entry| set(entry, rest, value, path));
    }
    let in_a_value = item.is_value();
    let Some(table) = item.as_table_like_mut() else { return Err(not_a_table(key, path)) };
    if rest.is_empty() && !table.contains_key(key.get()) {
        table.insert(key.get(), Item::Value(value));
        return Ok(());
    }
    if !table.contains_key(key.get()) {
        let mut leading = Table::new();
        leading.set_implicit(true);
        let leading = if in_a_value { Item::Value(InlineTable::new().into()) } else { Item::Table(leading) };
        table.insert(key.get(), leading);
    }
    match table.get_mut(key.get()) {
        Some(inner) => set(inner, rest, value, path),
        None => Err(not_a_table(key, path)),
    }
}

/// Takes away what `keys` lead to from `item`.
pub(super) fn remove(item: &mut Item, keys: &[Key], path: &str) -> Result<(), NotEdited> {
    let Some((key, rest)) = keys.split_first() else { return Ok(()) };
    if is_list(item) {
        let index = position(item, key.get()).ok_or_else(|| missing(item, key, path))?;
        if !rest.is_empty() {
            return in_entry(item, index, |entry| remove(entry, rest, path));
        }
        match item {
            Item::ArrayOfTables(tables) => drop(tables.remove(index)),
            Item::Value(Value::Array(values)) => drop(values.remove(index)),
            _ => {}
        }
        return Ok(());
    }
    if item.as_table_like().is_none() {
        return Err(not_a_table(key, path));
    }
    let found = item
        .as_table_like_mut()
        .and_then(|table| if rest.is_empty() { table.remove(key.get()).map(|_| Ok(())) } else { None });
    if let Some(done) = found {
        return done;
    }
    let gone = missing(item, key, path);
    match item.as_table_like_mut().and_then(|table| table.get_mut(key.get())) {
        Some(inner) if !rest.is_empty() => remove(inner, rest, path),
        _ => Err(gone),
    }
}

/// Adds `entry` at the end of the list `name`.
pub(super) fn push(root: &mut Table, name: &str, entry: Table) -> Result<(), NotEdited> {
    let list = root.entry(name).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    match list {
        Item::ArrayOfTables(tables) => tables.push(entry),
        Item::Value(Value::Array(values)) => values.push(entry.into_inline_table()),
        _ => return Err(NotEdited::NotATable { path: name.to_owned(), part: name.to_owned() }),
    }
    Ok(())
}

/// How many entries a list has; 0 when it is none.
pub(super) fn count(item: &Item) -> usize {
    match item {
        Item::ArrayOfTables(tables) => tables.len(),
        Item::Value(Value::Array(values)) => values.len(),
        _ => 0,
    }
}

fn is_list(item: &Item) -> bool {
    matches!(item, Item::ArrayOfTables(_) | Item::Value(Value::Array(_)))
}

/// The entry of a list.
fn entry(item: &Item, index: usize) -> Option<Item> {
    match item {
        Item::ArrayOfTables(tables) => tables.get(index).cloned().map(Item::Table),
        Item::Value(Value::Array(values)) => values.get(index).cloned().map(Item::Value),
        _ => None,
    }
}

/// Changes the entry of a list.
fn in_entry(
    item: &mut Item,
    index: usize,
    change: impl FnOnce(&mut Item) -> Result<(), NotEdited>,
) -> Result<(), NotEdited> {
    let Some(mut changed) = entry(item, index) else { return Ok(()) };
    change(&mut changed)?;
    match (item, changed) {
        (Item::ArrayOfTables(tables), Item::Table(table)) => {
            if let Some(place) = tables.get_mut(index) {
                *place = table;
            }
        }
        (Item::Value(Value::Array(values)), Item::Value(value)) => drop(values.replace(index, value)),
        _ => {}
    }
    Ok(())
}

/// Which entry of a list `key` is: by its `name`, or its number.
fn position(item: &Item, key: &str) -> Option<usize> {
    let named = |index: &usize| name_of(item, *index).as_deref() == Some(key);
    let number = key.parse::<usize>().ok().filter(|index| *index < count(item));
    (0..count(item)).find(named).or(number)
}

fn name_of(item: &Item, index: usize) -> Option<String> {
    let entry = entry(item, index)?;
    entry.as_table_like()?.get("name")?.as_str().map(str::to_owned)
}

/// `value` with what stands around the value at `item`: spaces, and a comment behind it.
fn like(item: &Item, mut value: Value) -> Value {
    if let Item::Value(before) = item {
        *value.decor_mut() = before.decor().clone();
    }
    value
}

fn missing(item: &Item, key: &Key, path: &str) -> NotEdited {
    let known: Vec<String> = match item.as_table_like() {
        Some(table) => table.iter().map(|(name, _)| name.to_owned()).collect(),
        None => {
            (0..count(item)).map(|index| name_of(item, index).unwrap_or_else(|| index.to_string())).collect()
        }
    };
    let hint = suggest::hint(key.get(), known.iter().map(String::as_str));
    NotEdited::Missing { path: path.to_owned(), part: key.get().to_owned(), hint }
}

fn not_a_table(key: &Key, path: &str) -> NotEdited {
    NotEdited::NotATable { path: path.to_owned(), part: key.get().to_owned() }
}
