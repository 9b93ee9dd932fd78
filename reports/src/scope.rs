//! What the catalogue of figures computes from, out of a record. Owns no figure.

use hoplab_sim::figures::Scope;
use hoplab_sim::record::{Architecture, Record};

/// All that was seen under an architecture, for the catalogue of figures.
pub(crate) fn scope<'a>(record: &Record, seen: &'a Architecture) -> Scope<'a> {
    let seconds = record.duration_us.saturating_sub(record.warmup_us) as f64 / 1e6 * record.runs() as f64;
    Scope::of(seen, seconds)
}
