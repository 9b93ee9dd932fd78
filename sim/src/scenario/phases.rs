//! How a run is divided: into the parts that are told apart, steady, each fault, faults that overlap together, what lies
//! between, and recovery, and into windows of equal width. A request belongs to those that its intended send lies in.

use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::plan::{Fault, Plan};
use crate::record::Episode;

/// The parts of a run, in order: `steady`, the faults, those that overlap together, what lies between, `recovery`; only
/// those that have a length.
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
        let at = |since_start: Duration| Instant::START + since_start.clamp(plan.warmup, plan.duration);
        let part = |name: &str, from, until| Part { name: name.to_owned(), from: at(from), until: at(until) };
        let names: Vec<&str> = plan.faults.iter().map(|fault| &*fault.name).collect();
        let span = |fault: &Fault| (fault.at, fault.at + fault.lasts);
        let episodes = Episode::of(plan.faults.iter().map(span));
        let broken_from = episodes.first().map_or(plan.duration, |first| first.from);
        let healed_from = episodes.last().map_or(plan.duration, |last| last.until);
        let mut parts = vec![part("steady", plan.warmup, broken_from)];
        parts.extend(plan.faults.iter().map(|fault| part(&fault.name, span(fault).0, span(fault).1)));
        let overlapping = episodes.iter().filter(|of| of.faults.len() > 1);
        parts.extend(overlapping.map(|of| part(&of.name(&names), of.from, of.until)));
        let between =
            episodes.windows(2).map(|two| part(&two[0].name_after(&names), two[0].until, two[1].from));
        parts.extend(between);
        parts.push(part("recovery", healed_from, plan.duration));
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
    use hoplab_config::Source;

    use crate::scenario::{self, Overrides};

    const OVERLAPPING: &str = r#"
[scenario]
duration = "30s"
warmup = "5s"
[compare]
architectures = ["direct"]
[services.a.endpoints.get]
[load.all]
rate = "1 rps"
mix = { "a.get" = 1 }
[[faults]]
name = "late"
at = "20s"
for = "2s"
slow = { service = "a", times = 2 }
[[faults]]
name = "first"
at = "8s"
for = "4s"
slow = { service = "a", times = 2 }
[[faults]]
name = "second"
at = "10s"
for = "5s"
slow = { service = "a", times = 2 }
"#;

    #[test]
    fn faults_that_overlap_are_a_part_and_every_moment_after_the_warm_up_has_one() {
        let source = Source { path: "it.toml".to_owned(), text: OVERLAPPING.to_owned() };
        let plan =
            scenario::parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let phases = Phases::of(&plan);
        let told = phases.parts().iter().map(|part| {
            let second = |at: Instant| at.saturating_since(Instant::START).as_secs();
            (part.name.as_str(), second(part.from), second(part.until))
        });
        let expected = [
            ("steady", 5, 8),
            ("late", 20, 22),
            ("first", 8, 12),
            ("second", 10, 15),
            ("first + second", 8, 15),
            ("after first + second", 15, 20),
            ("recovery", 22, 30),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

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
