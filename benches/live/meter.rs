//! Processor time, from the kernel's scheduler: nanoseconds on a core, also those that the kernel
//! spent on the network in a thread's name. And what several rounds of a measurement say together.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// The nanoseconds that all threads of a process have spent.
pub(super) fn process_nanos(id: u32) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread that has just ended is no matter: products keep theirs.
        sum += read(&task?.path().join("schedstat")).unwrap_or_default();
    }
    Ok(sum)
}

/// The nanoseconds that the calling thread has spent.
pub fn this_thread_nanos() -> anyhow::Result<f64> {
    read(Path::new("/proc/thread-self/schedstat"))
}

fn read(path: &Path) -> anyhow::Result<f64> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

/// One figure over several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one round.
    pub fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut rounds: Vec<f64> = rounds.into_iter().collect();
        rounds.sort_by(f64::total_cmp);
        Self { median: rounds[rounds.len() / 2], min: rounds[0], max: rounds[rounds.len() - 1] }
    }
}
