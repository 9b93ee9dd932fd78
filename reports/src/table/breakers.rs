//! Which circuit breakers opened, and how often: whose, towards which upstream. The same words on the terminal and on
//! the page. Owns no layout.

use hoplab_sim::record::Architecture;
use indexmap::IndexMap;

use crate::format::{count, listed, plural};

/// More breakers than this are not named one by one.
const NAMED_MAX: usize = 4;

/// `checkout-0 → payment twice and checkout-1 → payment once`, those that opened most first; `None` where none did.
pub(crate) fn opened(seen: &Architecture) -> Option<String> {
    let mut times: IndexMap<String, u64> = IndexMap::new();
    for changed in seen.changes.iter().filter(|changed| changed.state == "open") {
        *times.entry(format!("{} → {}", changed.pod, changed.upstream)).or_default() += changed.count;
    }
    times.sort_by(|a, so, b, often| often.cmp(so).then_with(|| a.cmp(b)));
    let mut named: Vec<String> =
        times.iter().take(NAMED_MAX).map(|(name, times)| format!("{name} {}", often(*times))).collect();
    let others: u64 = times.values().skip(NAMED_MAX).sum();
    named.extend(
        (others > 0)
            .then(|| format!("{} {}", plural((times.len() - NAMED_MAX) as u64, "other"), often(others))),
    );
    (!named.is_empty()).then(|| listed(&named))
}

/// How often breakers opened in all.
pub(crate) fn times_opened(seen: &Architecture) -> u64 {
    seen.changes.iter().filter(|changed| changed.state == "open").map(|changed| changed.count).sum()
}

/// `once`, `twice`, `3 times`.
pub(crate) fn often(times: u64) -> String {
    match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{} times", count(times)),
    }
}
