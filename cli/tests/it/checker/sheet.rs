//! What a file must say, figure by figure, each with its place in it as a JSON pointer; compares it with what the file
//! says. Owns no figure and no file.

use std::collections::BTreeSet;

use serde_json::Value;

use super::figure::Figure;

/// Figures by their place.
#[derive(Default)]
pub(super) struct Sheet {
    lines: Vec<(String, Figure)>,
}

impl Sheet {
    pub(super) fn put(&mut self, place: &str, figure: Figure) {
        self.lines.push((place.to_owned(), figure));
    }

    pub(super) fn whole(&mut self, place: &str, number: i64) {
        self.put(place, Figure::Whole(number));
    }

    /// What differs, a line each; how often that is noticed is asserted, not assumed: of every figure, the least
    /// alteration must be.
    pub(super) fn differences(&self, written: &Value) -> Vec<String> {
        let differs = self.lines.iter().filter_map(|(place, figure)| {
            let seen = written.pointer(place).unwrap_or(&Value::Null);
            if figure.is(seen) {
                assert!(!figure.is(&figure.altered(seen)), "blind at {place}: {figure:?}");
                return None;
            }
            Some(format!("{place}: {seen} is written, the traces say {figure:?}"))
        });
        differs.collect()
    }

    /// What the file says and this does not, by its place, but for what lies under one of the `known` keys.
    pub(super) fn unsaid(&self, written: &Value, known: &[&str]) -> Vec<String> {
        let said: BTreeSet<&str> = self.lines.iter().map(|(place, _)| &**place).collect();
        let mut unsaid = Vec::new();
        let mut left = vec![(String::new(), written)];
        while let Some((place, value)) = left.pop() {
            let below: Vec<(String, &Value)> = match value {
                _ if said.contains(&*place) => continue,
                Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
                Value::Array(all) => {
                    all.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
                }
                _ => {
                    unsaid.push(format!("{place}: {value} is written, the traces say nothing of it"));
                    continue;
                }
            };
            let below = below.into_iter().filter(|(key, _)| !known.contains(&&**key));
            left.extend(below.map(|(key, value)| (format!("{place}/{key}"), value)));
        }
        unsaid
    }
}
