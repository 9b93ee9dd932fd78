//! The grid that says what each architecture takes of its machines: cores busy by kind of container,
//! connections, bytes on the wire.

use hoplab_sim::record::{Architecture, Record, Resources};

use super::{Grid, printable};
use crate::column;
use crate::format::{count, significant};

/// A kind of container: its key in a record, and what its column is called.
const KINDS: [(&str, &str); 3] =
    [("application", "applications"), ("sidecar", "sidecars"), ("gateway", "gateway")];

/// What each architecture takes; `None` where the record does not know.
pub(super) fn rows(record: &Record) -> Option<Grid> {
    let is_there = |kind: &str| record.architectures.values().any(|seen| seen.resources.contains_key(kind));
    let kinds: Vec<_> = KINDS.into_iter().filter(|(kind, _)| is_there(kind)).collect();
    let mut head = vec![String::new()];
    head.extend(kinds.iter().map(|(_, label)| (*label).to_owned()));
    head.extend(["connections", "sent"].map(str::to_owned));
    let mut rows = vec![head];
    let known = record.architectures.iter().filter(|(_, seen)| !seen.resources.is_empty());
    let sent = column::amounts(&known.clone().map(|(_, seen)| all(seen).bytes).collect::<Vec<_>>());
    for ((name, seen), sent) in known.zip(sent) {
        let mut row = vec![printable(name)];
        row.extend(kinds.iter().map(|(kind, _)| seen.resources.get(*kind).map_or("–".to_owned(), cores)));
        row.extend([count(all(seen).connections_peak), sent]);
        rows.push(row);
    }
    let title = "Cores busy on average (at most), connections open at most, and bytes on the wire";
    (rows.len() > 1).then(|| (title.to_owned(), rows))
}

/// `0.49 (8)`: the mean, and the peak.
fn cores(of: &Resources) -> String {
    format!("{} ({})", busy(of), count(of.cores_peak))
}

/// The mean number of cores that were busy.
pub(crate) fn busy(of: &Resources) -> String {
    significant(of.cores_mean)
}

/// What all kinds of containers took together.
fn all(seen: &Architecture) -> Resources {
    seen.resources.values().copied().sum()
}
