//! A count with its noun, as people write it.

/// `1 seed`, `2 seeds`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
