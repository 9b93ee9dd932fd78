//! What was run differently: seed, scale, version, architectures, and the texts of the scenario line by
//! line. Owns what is compared, not how it is shown.

use std::collections::BTreeSet;

use hoplab_sim::record::Record;
use hoplab_sim::scenario::plan::Source;
use similar::{ChangeTag, TextDiff};

use crate::format::{moment, plural};

/// Lines that are shown around those that differ.
const CONTEXT: usize = 3;

/// Something that both runs were given, and not alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) before: String,
    pub(super) now: String,
}

/// What differs, in the order in which it matters; the texts apart.
pub(super) fn inputs(first: &Record, second: &Record) -> Vec<Input> {
    let facts = [
        ("scenario", |record: &Record| record.scenario.clone()),
        ("hoplab", |record| record.version.clone()),
        ("seed", seeds),
        ("scale", |record| format!("{}", record.scale)),
        ("load", |record| moment(record.duration_us)),
        ("warm-up", |record| moment(record.warmup_us)),
        ("architectures", |record| record.architectures.keys().cloned().collect::<Vec<_>>().join(", ")),
        ("faults", |record| {
            record.faults.iter().map(|fault| fault.text.clone()).collect::<Vec<_>>().join("; ")
        }),
    ] as [(&'static str, fn(&Record) -> String); 8];
    let both = facts.into_iter().map(|(name, fact)| Input { name, before: fact(first), now: fact(second) });
    let dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
    both.filter(|input| input.before != input.now)
        .map(|Input { name, before, now }| Input { name, before: dash(before), now: dash(now) })
        .collect()
}

fn seeds(record: &Record) -> String {
    match record.runs() {
        1 => record.seed.to_string(),
        count => format!("{} from {} on", plural(count, "seed"), record.seed),
    }
}

/// A text that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// Where it lay.
    pub(super) path: String,
    pub(super) lines: Vec<Line>,
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Lines that are alike were left out.
    Gap,
    Same(String),
    Before(String),
    Now(String),
}

/// The texts that differ, the scenario file first: it is compared whatever it is called.
pub(super) fn texts(first: &[Source], second: &[Source]) -> Vec<Text> {
    let main = (first.first(), second.first());
    let mut texts: Vec<Text> = difference(main.0, main.1).into_iter().collect();
    let named =
        |sources: &[Source], path: &str| sources.iter().skip(1).find(|source| source.path == path).cloned();
    let others = first.iter().skip(1).chain(second.iter().skip(1));
    let paths: BTreeSet<&str> = others.map(|source| source.path.as_str()).collect();
    texts.extend(paths.into_iter().filter_map(|path| {
        let (before, now) = (named(first, path), named(second, path));
        difference(before.as_ref(), now.as_ref())
    }));
    texts
}

fn difference(before: Option<&Source>, now: Option<&Source>) -> Option<Text> {
    let path = now.or(before)?.path.clone();
    let text = |source: Option<&Source>| source.map_or_else(String::new, |source| source.text.clone());
    let (before, now) = (text(before), text(now));
    let lines = lines(&before, &now);
    (!lines.is_empty()).then_some(Text { path, lines })
}

fn lines(before: &str, now: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(before, now);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(CONTEXT) {
        if group.first().is_some_and(|op| op.old_range().start > 0) {
            lines.push(Line::Gap);
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let text = change.value().trim_end_matches(['\n', '\r']).to_owned();
            lines.push(match change.tag() {
                ChangeTag::Equal => Line::Same(text),
                ChangeTag::Delete => Line::Before(text),
                ChangeTag::Insert => Line::Now(text),
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_around_it_and_no_more() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n";
        assert!(lines(before, before).is_empty());
        let now = before.replace('6', "six");
        let same = |text: &str| Line::Same(text.to_owned());
        let (old, new) = (Line::Before("6".to_owned()), Line::Now("six".to_owned()));
        let shown = [Line::Gap, same("3"), same("4"), same("5"), old, new, same("7"), same("8")];
        assert_eq!(lines(before, &now), shown);
    }
}
