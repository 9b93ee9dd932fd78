//! Reference pages: the keys of a table as a table of Markdown. Owns no prose but what keys say of themselves.

use std::fmt::Write;

use crate::form::{Form, Key};

/// The keys as a table: what is written for each, what it is, what holds without it. A table below a key has its keys
/// below it, unless `apart` says that they stand somewhere else.
pub fn table(keys: &[Key], apart: impl Fn(&Key) -> bool) -> String {
    let mut text = "| key | written | is | default |\n|---|---|---|---|\n".to_owned();
    rows(keys, "", &apart, &mut text);
    text
}

fn rows(keys: &[Key], indent: &str, apart: &dyn Fn(&Key) -> bool, text: &mut String) {
    for key in keys {
        let default = match (&key.default, key.is_required) {
            (_, true) => "required".to_owned(),
            (Some(default), false) => default.clone(),
            (None, false) => String::new(),
        };
        let (written, words) = (written(&key.form), meanings(&key.form));
        let about = if words.is_empty() { key.about.clone() } else { format!("{} {words}", key.about) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {indent}`{}` | {written} | {} | {default} |", key.name, cell(&about));
        if let Some(inner) = keys_of(&key.form).filter(|_| !apart(key)) {
            rows(inner, &format!("{indent}· "), apart, text);
        }
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What may be written, by an example.
fn written(form: &Form) -> String {
    match form {
        Form::Text { example, .. } => format!("`\"{example}\"`"),
        Form::Word(_) => "a word".to_owned(),
        Form::Whole { least, .. } => format!("a whole number from {least}"),
        Form::Number { least } => format!("a number from {least}"),
        Form::Truth => "`true`".to_owned(),
        Form::List(inner) => format!("a list: {}", written(inner)),
        Form::Table(_) => "a table".to_owned(),
        Form::Names { .. } => "a table by name".to_owned(),
        Form::Named { form, .. } => written(&form()),
        Form::Either(forms) => {
            let forms: Vec<String> = forms.iter().map(written).collect();
            forms.join(" or ")
        }
    }
}

/// What words mean, and texts of which there are several.
fn meanings(form: &Form) -> String {
    match form {
        Form::Word(words) => {
            let words: Vec<String> =
                words.iter().map(|word| format!("`\"{}\"`: {}", word.name, word.about)).collect();
            format!("{}.", words.join("; "))
        }
        Form::Either(forms) => {
            let texts = forms.iter().filter_map(|form| match form {
                Form::Text { what, example } => Some(format!("`\"{example}\"`: {what}.")),
                Form::Word(_) => Some(meanings(form)),
                _ => None,
            });
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// The keys of the table that a form is, or may be.
pub fn keys_of(form: &Form) -> Option<&[Key]> {
    match form {
        Form::Table(keys) => Some(keys),
        Form::List(inner) | Form::Names { each: inner, .. } => keys_of(inner),
        Form::Either(forms) => forms.iter().find_map(keys_of),
        _ => None,
    }
}
