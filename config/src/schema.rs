//! JSON Schemas (draft 7, which editors know) of files, from the same tables by which they are read. What an editor
//! cannot know, such as whether two keys agree with each other, is for `hoplab check`.

use serde_json::{Map, Value, json};

use crate::form::{Form, Key};

/// The schema of a file with these keys at its top.
pub fn schema(title: &str, keys: &[Key]) -> Value {
    let mut definitions = Map::new();
    let mut schema = table(keys, &mut definitions);
    schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".to_owned(), json!(title));
    schema.insert("definitions".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

fn table(keys: &[Key], definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), described(key, definitions))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut table = Map::new();
    table.insert("type".to_owned(), json!("object"));
    table.insert("additionalProperties".to_owned(), json!(false));
    table.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        table.insert("required".to_owned(), json!(required));
    }
    table
}

/// What a key holds. A table that stands under the same name in several places is written down once.
fn described(key: &Key, definitions: &mut Map<String, Value>) -> Value {
    let about = match &key.default {
        Some(default) => format!("{} Default: {default}.", key.about),
        None => key.about.clone(),
    };
    let schema = form(&key.form, definitions);
    let is_table = crate::reference::keys_of(&key.form).is_some();
    let mut schema = match definitions.get(key.name) {
        _ if !is_table => schema,
        Some(other) if *other != schema => schema,
        _ => {
            definitions.insert(key.name.to_owned(), schema);
            referred(key.name)
        }
    };
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(about));
    }
    schema
}

/// What is written down under this name. Beside `$ref` nothing else would count.
fn referred(name: &str) -> Value {
    json!({ "allOf": [{ "$ref": format!("#/definitions/{name}") }] })
}

fn form(form: &Form, definitions: &mut Map<String, Value>) -> Value {
    match form {
        Form::Table(keys) => Value::Object(table(keys, definitions)),
        Form::Text { what, example } => json!({ "type": "string", "title": what, "examples": [example] }),
        Form::Word(words) => {
            json!({ "enum": words.iter().map(|word| word.name).collect::<Vec<_>>() })
        }
        Form::Whole { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Number { least } => json!({ "type": "number", "minimum": least }),
        Form::Truth => json!({ "type": "boolean" }),
        Form::List(inner) => json!({ "type": "array", "items": self::form(inner, definitions) }),
        Form::Names { of, each } => {
            json!({ "type": "object", "title": of, "additionalProperties": self::form(each, definitions) })
        }
        Form::Named { name, form } => {
            if !definitions.contains_key(*name) {
                // Known from here on, since it may stand within itself.
                definitions.insert((*name).to_owned(), Value::Null);
                let schema = self::form(&form(), definitions);
                definitions.insert((*name).to_owned(), schema);
            }
            referred(name)
        }
        Form::Either(forms) => {
            json!({ "anyOf": forms.iter().map(|form| self::form(form, definitions)).collect::<Vec<_>>() })
        }
    }
}
