//! The page: placeholder.
use hoplab_sim::record::Record;
/// The page.
pub fn page(record: &Record) -> String {
    record.title.clone()
}
