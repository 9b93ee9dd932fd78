//! The schema for editors: it takes what is read, and refuses keys that nobody knows. How it is kept is tested where it
//! is printed; what an editor cannot know is for the reader.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hoplab_config::form::{Form, Key};
use serde_json::Value;

use super::{GOOD, read};

/// The schema of scenarios.
fn schema() -> Value {
    hoplab_config::schema::schema("A hoplab scenario", &hoplab_sim::scenario::keys())
}

/// The schema of applications.
fn schema_of_applications() -> Value {
    hoplab_config::schema::schema("A hoplab application", &hoplab_sim::scenario::application_keys())
}

fn schema_of_profiles() -> Value {
    hoplab_config::schema::schema("A hoplab profile", &hoplab_sim::scenario::profile::keys())
}

/// What the schema has against a scenario, each with where it is; `None` when the text is no TOML.
pub(super) fn complaints(text: &str) -> Option<Vec<String>> {
    complaints_of(&schema(), text)
}

fn complaints_of(schema: &Value, text: &str) -> Option<Vec<String>> {
    let file: toml::Table = text.parse().ok()?;
    Some(Check { root: schema }.complaints(schema, &serde_json::to_value(file).ok()?, ""))
}

/// Checks values by a schema: as much of JSON Schema as is written here.
struct Check<'a> {
    root: &'a Value,
}

impl Check<'_> {
    fn complaints(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let schema = schema.as_object().expect("a schema is a table");
        let mut all = Vec::new();
        for (keyword, says) in schema {
            let is_met = match keyword.as_str() {
                // Of the last two, see below.
                "$schema"
                | "definitions"
                | "title"
                | "description"
                | "examples"
                | "properties"
                | "additionalProperties" => true,
                "type" => is_of_type(says.as_str().expect("one type"), value),
                "enum" => says.as_array().expect("words").contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= says.as_f64().expect("a number")),
                "maximum" => value.as_f64().is_none_or(|number| number <= says.as_f64().expect("a number")),
                "required" => says.as_array().expect("names").iter().all(|name| {
                    value.as_object().is_none_or(|table| table.contains_key(name.as_str().expect("a name")))
                }),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        all.extend(self.complaints(says, item, &format!("{place}[{index}]")));
                    }
                    true
                }
                "allOf" => {
                    for one in says.as_array().expect("schemas") {
                        all.extend(self.complaints(one, value, place));
                    }
                    true
                }
                "anyOf" => {
                    let mut schemas = says.as_array().expect("schemas").iter();
                    schemas.any(|one| self.complaints(one, value, place).is_empty())
                }
                "$ref" => {
                    let path = says.as_str().expect("a path").trim_start_matches('#');
                    let referred = self.root.pointer(path).expect("what is referred to is there");
                    all.extend(self.complaints(referred, value, place));
                    true
                }
                other => panic!("a keyword that is not checked: {other}"),
            };
            if !is_met {
                all.push(format!("{place}: {keyword}"));
            }
        }
        all.extend(self.of_keys(schema, value, place));
        all
    }

    /// What there is against the keys of a table, and against what they hold.
    fn of_keys(&self, schema: &serde_json::Map<String, Value>, value: &Value, place: &str) -> Vec<String> {
        let mut all = Vec::new();
        for (key, value) in value.as_object().into_iter().flatten() {
            let place = format!("{place}.{key}");
            let known = schema.get("properties").and_then(|properties| properties.get(key));
            match known.or(schema.get("additionalProperties")) {
                None => {}
                Some(Value::Bool(false)) => all.push(format!("{place}: unknown")),
                Some(schema) => all.extend(self.complaints(schema, value, &place)),
            }
        }
        all
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("a type that is not checked: {other}"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

/// All scenarios and applications below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// The reference's example, which uses every key.
fn example() -> String {
    let reference = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = reference.split_once("```toml\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn every_scenario_of_the_repository_meets_it() {
    let files = files(&root());
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap();
        let folder = path.parent().unwrap();
        let schema = match folder.file_name().and_then(|name| name.to_str()) {
            Some("apps") => schema_of_applications(),
            Some("profiles") => schema_of_profiles(),
            _ => schema(),
        };
        assert_eq!(complaints_of(&schema, &text), Some(Vec::new()), "{}", path.display());
    }
    assert!(files.len() > 50, "{}", files.len());
    assert_eq!(complaints(&example()), Some(Vec::new()));
    assert_eq!(complaints(GOOD), Some(Vec::new()));
}

#[test]
fn no_table_takes_a_key_that_nobody_knows() {
    let text = example();
    let parsed = || toml::Value::Table(text.parse().unwrap());
    let (mut good, mut tried) = (parsed(), 0);
    let mut paths = Vec::new();
    tables(&good, &mut Vec::new(), &mut paths);
    for path in paths {
        let table = path.iter().try_fold(&mut good, |value, step| match value {
            toml::Value::Array(list) => list.get_mut(step.parse::<usize>().unwrap()),
            value => value.get_mut(step),
        });
        let table = table.unwrap().as_table_mut().unwrap();
        table.insert("unknown-key".to_owned(), toml::Value::Boolean(true));
        let wrong = toml::to_string(&good).unwrap();
        let refused = read(&wrong, &[]).is_err();
        assert!(refused && complaints(&wrong) != Some(Vec::new()), "{path:?} takes any key");
        good = parsed();
        tried += 1;
    }
    assert!(tried > 80, "{tried}");
}

/// The path of every table below `value`.
fn tables(value: &toml::Value, path: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    let inner: Vec<(String, &toml::Value)> = match value {
        toml::Value::Table(table) => {
            all.push(path.clone());
            table.iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        toml::Value::Array(list) => {
            list.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (step, value) in inner {
        path.push(step);
        tables(value, path, all);
        path.pop();
    }
}

/// Keys are written down where they are read; the reference, which is written by hand, has each of them.
#[test]
fn the_reference_tells_every_key() {
    let reference = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, keys) = reference.split_once("\n## Keys\n").unwrap();
    let (keys, _) = keys.split_once("\n### ").unwrap();
    let written = keys.split('`').skip(1).step_by(2);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let told: BTreeSet<&str> = written.flat_map(|code| code.split(|c| !is_word(c))).collect();
    let (mut names, mut seen) = (Vec::new(), Vec::new());
    keys_below(&hoplab_sim::scenario::keys(), &mut names, &mut seen);
    let untold: Vec<&str> = names.into_iter().filter(|name| !told.contains(name)).collect();
    assert_eq!(untold, Vec::<&str>::new(), "keys that are not in scenarios/README.md");
}

/// The names of keys, but for policies and limits, which the live files' reference tells.
fn keys_below(keys: &[Key], names: &mut Vec<&'static str>, seen: &mut Vec<&'static str>) {
    for key in keys {
        names.push(key.name);
        if !["gateway", "mesh", "calls", "library"].contains(&key.name) {
            forms_below(&key.form, names, seen);
        }
    }
}

fn forms_below(form: &Form, names: &mut Vec<&'static str>, seen: &mut Vec<&'static str>) {
    match form {
        Form::Table(keys) => keys_below(keys, names, seen),
        Form::List(inner) | Form::Names { each: inner, .. } => forms_below(inner, names, seen),
        Form::Either(forms) => forms.iter().for_each(|form| forms_below(form, names, seen)),
        Form::Named { name, form } if !seen.contains(name) => {
            seen.push(name);
            forms_below(&form(), names, seen);
        }
        _ => {}
    }
}
