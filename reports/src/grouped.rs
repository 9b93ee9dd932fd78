//! What is said of several architectures, once for all of whom it is the same. Owns no figure.

use crate::format::listed;

/// What is the same is said once: `4 of 9 with a and b; 3 of 9 with c`.
pub(crate) fn grouped(said: impl Iterator<Item = (String, String)>, with: &str) -> String {
    let parts: Vec<String> =
        by_text(said).into_iter().map(|(what, names)| format!("{what} {with} {}", listed(&names))).collect();
    parts.join("; ")
}

/// Names by what is said of them, in the order of the first of each.
pub(crate) fn by_text(said: impl Iterator<Item = (String, String)>) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (what, name) in said {
        match groups.iter_mut().find(|(other, _)| *other == what) {
            Some((_, names)) => names.push(name),
            None => groups.push((what, vec![name])),
        }
    }
    groups
}
