//! A baseline's line as words: `NAME… = VALUE`, names with spaces in quotes. Owns no meaning.

use std::ops::Range;

/// A word, with the bytes of the text that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// A line in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Before the sign.
    pub(super) names: Vec<Word>,
    /// Behind it, without the spaces around it.
    pub(super) value: Word,
}

/// What is wrong with a line: where, what, and what to do about it.
pub(super) type Wrong = (Range<usize>, &'static str, &'static str);

/// Reads a line that begins at byte `start` of its text.
pub(super) fn read(line: &str, start: usize) -> Result<Line, Wrong> {
    let mut names = Vec::new();
    let mut at = 0;
    loop {
        at += line[at..].len() - line[at..].trim_start().len();
        let rest = &line[at..];
        let word = match rest.chars().next() {
            None => {
                let span = start..start + line.len();
                return Err((span, "there is no value", "write `ARCHITECTURE SUBJECT METRIC = VALUE`"));
            }
            Some('=') => break,
            Some('"') => quoted(rest, start + at)?,
            Some('#') => {
                let span = start + at..start + line.len();
                return Err((span, "a comment behind something", "give it a line of its own, above"));
            }
            Some(_) => {
                let end = rest.find(|char: char| char.is_whitespace() || "=\"#".contains(char));
                let text = &rest[..end.unwrap_or(rest.len())];
                Word { text: text.to_owned(), span: start + at..start + at + text.len() }
            }
        };
        at = word.span.end - start;
        names.push(word);
    }
    let behind = &line[at + 1..];
    let trimmed = behind.trim();
    let from = start + at + 1 + (behind.len() - behind.trim_start().len());
    if trimmed.is_empty() {
        return Err((start + at..start + at + 1, "there is no value behind this", "write `… = VALUE`"));
    }
    let value = Word { text: trimmed.to_owned(), span: from..from + trimmed.len() };
    Ok(Line { names, value })
}

/// The quoted word at the beginning of `rest`.
pub(super) fn quoted(rest: &str, start: usize) -> Result<Word, Wrong> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return Ok(Word { text, span: start..start + index + 1 }),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                _ => {
                    let span = start + index..start + index + 1;
                    return Err((span, "an unknown escape", "write `\\\"`, `\\\\` or `\\n`"));
                }
            },
            _ => text.push(char),
        }
    }
    Err((start..start + rest.len(), "the quotation mark is not closed", "close it with `\"`"))
}

/// A name as [`read`] takes it: in quotes unless it is plain.
pub(super) fn written(name: &str) -> String {
    let plain = |char: char| char.is_alphanumeric() || "+-_.:/>@".contains(char);
    if !name.is_empty() && name.chars().all(plain) && name != "tolerance" {
        return name.to_owned();
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}
