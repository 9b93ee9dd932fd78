//! How a run is divided: into the parts that are told apart, steady, each fault and recovery, and into windows of
//! equal width. A request belongs to those that its intended send lies in.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::plan::Plan;

/// The parts of a run, in order: `steady`, the faults, `recovery`; only those that have a length.
pub(crate) struct Phases {
    parts: Vec<Part>,
}

/// A part of a run.
pub(crate) struct Part {
    /// Its name in a record.
    pub(crate) name: String,
    /// When it starts.
    pub(crate) from: Instant,
    /// When it ends, exclusively.
    pub(crate) until: Instant,
}

impl Phases {
    /// The parts of `plan`.
    pub(crate) fn of(plan: &Plan) -> Self {
        let at = |since_start: Duration| Instant::START + since_start;
        let first_fault = plan.faults.iter().map(|fault| fault.at).min().unwrap_or(plan.duration);
        let last_fault =
            plan.faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or(plan.duration);
        let part = |name: &str, from, until| Part { name: name.to_owned(), from: at(from), until: at(until) };
        let mut parts = vec![part("steady", plan.warmup, first_fault.min(plan.duration))];
        for fault in &plan.faults {
            let until = (fault.at + fault.lasts).min(plan.duration);
            parts.push(part(&fault.name, fault.at.max(plan.warmup), until));
        }
        parts.push(part("recovery", last_fault.max(plan.warmup), plan.duration));
        parts.retain(|part| part.from < part.until);
        Self { parts }
    }

    /// The parts, in order.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The indexes of the parts that `intended` lies in.
    pub(crate) fn at(&self, intended: Instant) -> impl Iterator<Item = usize> + '_ {
        let lies_in = move |(_, part): &(usize, &Part)| part.from <= intended && intended < part.until;
        self.parts.iter().enumerate().filter(lies_in).map(|(index, _)| index)
    }
}

impl Plan {
    /// How wide the windows of its record are.
    pub(crate) fn window_width(&self) -> Duration {
        window_width(self.duration)
    }
}

/// How wide the windows of a run of `duration` are: a round number that makes at most 120 of them.
fn window_width(duration: Duration) -> Duration {
    const MOST: u32 = 120;
    let wanted = (duration / MOST).max(Duration::from_millis(1));
    let mut unit = Duration::from_millis(1);
    loop {
        for factor in [1, 2, 5] {
            if unit * factor >= wanted {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_round_and_few() {
        for (seconds, millis) in [(1, 10), (30, 500), (60, 500), (61, 1_000), (600, 5_000), (12_500, 200_000)]
        {
            assert_eq!(
                window_width(Duration::from_secs(seconds)),
                Duration::from_millis(millis),
                "{seconds} s"
            );
        }
    }
}
