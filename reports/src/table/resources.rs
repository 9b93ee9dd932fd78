//! The grid that says what each architecture takes of its machines: cores busy by kind of container,
//! connections, bytes on the wire.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Architecture, Record, Resources};

use super::{Grid, printable};
use crate::column;
use crate::format::count;

/// A kind of container: its key in a record, and what its column is called.
const KINDS: [(&str, &str); 3] =
    [("application", "applications"), ("sidecar", "sidecars"), ("gateway", "gateway")];

/// What each architecture takes; `None` where the record does not know.
pub(super) fn rows(record: &Record) -> Option<Grid> {
    let is_there = |kind: &str| record.architectures.values().any(|seen| seen.resources.contains_key(kind));
    let kinds: Vec<_> = KINDS.into_iter().filter(|(kind, _)| is_there(kind)).collect();
    let mut head = vec![String::new()];
    head.extend(kinds.iter().map(|(_, label)| (*label).to_owned()));
    let has_memory = record.architectures.values().any(|seen| all(seen).memory > 0);
    head.extend(has_memory.then(|| "memory".to_owned()));
    head.extend(["connections", "sent"].map(str::to_owned));
    let mut rows = vec![head];
    let known = record.architectures.iter().filter(|(_, seen)| !seen.resources.is_empty());
    let sent = column::amounts(&known.clone().map(|(_, seen)| all(seen).bytes).collect::<Vec<_>>());
    let taken: Vec<u64> = known.clone().map(|(_, seen)| all(seen).memory).collect();
    let memory = column::amounts(&taken).into_iter().zip(taken);
    let memory: Vec<String> =
        memory.map(|(text, bytes)| if bytes == 0 { "–".to_owned() } else { text }).collect();
    let cores = kinds.iter().map(|(kind, _)| cores(known.clone().map(|(_, seen)| seen.resources.get(*kind))));
    let cores: Vec<Vec<String>> = cores.collect();
    for (index, ((name, seen), sent)) in known.zip(sent).enumerate() {
        let mut row = vec![printable(name)];
        row.extend(cores.iter().map(|column| column[index].clone()));
        row.extend(has_memory.then(|| memory[index].clone()));
        row.extend([count(all(seen).connections_peak), sent]);
        rows.push(row);
    }
    let memory = if has_memory { "memory of proxies, " } else { "" };
    let title =
        format!("Cores busy on average (at most), {memory}connections open at most, and bytes on the wire");
    (rows.len() > 1).then_some((title, rows))
}

/// The cells of a kind of container, `0.49 (8)`: the mean, and the peak.
fn cores<'a>(of: impl Iterator<Item = Option<&'a Resources>> + Clone) -> Vec<String> {
    let means = busy(of.clone());
    let cell = |(mean, of): (String, Option<&Resources>)| match of {
        Some(of) => format!("{mean} ({})", count(of.cores_peak)),
        None => mean,
    };
    means.into_iter().zip(of).map(cell).collect()
}

/// The mean numbers of cores that were busy.
pub(crate) fn busy<'a>(of: impl Iterator<Item = Option<&'a Resources>>) -> Vec<String> {
    column::figures(Figure::Cores, &of.map(|of| of.map(|of| of.cores_mean)).collect::<Vec<_>>())
}

/// What all kinds of containers took together.
fn all(seen: &Architecture) -> Resources {
    seen.resources.values().copied().sum()
}
