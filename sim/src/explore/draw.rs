//! Draws faults: which, where, when, how long and how bad. All of it from named streams of the seed; sizes and
//! lengths evenly on a scale of ratios, so that small ones are as likely as large ones.

use std::time::Duration;

use hoplab_proxy::quantity;
use rand::rngs::ChaCha8Rng;
use toml_edit::{Array, Table, Value};

use crate::deployment::called_by;
use crate::random;
use crate::scenario::edit::{inline, table};
use crate::scenario::plan::{FAULT_KINDS, Plan};

/// The entries of `[[faults]]` that `seed` draws, within `window`.
pub(super) fn faults(plan: &Plan, window: (Duration, Duration), seed: u64) -> Vec<Table> {
    let mut dice = Dice(random::stream(seed, "explore", 0, 0));
    let count = 1 + dice.below(plan.explore.at_most as usize);
    (0..count)
        .map(|number| Dice(random::stream(seed, "explore", 1, number as u64)).fault(plan, window, number))
        .collect()
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn fault(&mut self, plan: &Plan, (from, until): (Duration, Duration), number: usize) -> Table {
        let kind = FAULT_KINDS[self.weighed(&plan.explore.weights)];
        let lasts = (plan.explore.lasts.0, plan.explore.lasts.1.min(until.saturating_sub(from)));
        let lasts = self.duration(lasts);
        let latest = until.saturating_sub(lasts);
        let at = from + latest.saturating_sub(from).mul_f64(random::unit(&mut self.0));
        let at = Duration::from_millis(at.as_millis() as u64);
        let service = plan.explore.services[self.below(plan.explore.services.len())].0;
        let what = self.what(plan, kind, service, lasts);
        let mut entry = table([
            ("name", Value::from(format!("drawn-{}", number + 1))),
            ("at", text(at)),
            ("for", text(lasts)),
        ]);
        entry.insert(kind, toml_edit::Item::Value(what));
        entry
    }

    /// The table that says what a fault of `kind` does at `service`.
    fn what(&mut self, plan: &Plan, kind: &str, service: usize, lasts: Duration) -> Value {
        let explore = &plan.explore;
        let is_on_network = matches!(kind, "partition" | "latency" | "loss" | "reset");
        let mut entries = if is_on_network { self.sides(plan, service) } else { self.pods(plan, service) };
        match kind {
            "slow" => {
                let times = self.between(explore.times);
                entries.push(("times", Value::from((times * 10.0).round() / 10.0)));
            }
            "error" => {
                let status = [500, 503][self.below(2)];
                entries.push(("status", Value::from(i64::from(status))));
                entries.push(("share", self.share(explore.share)));
            }
            "restart" => {
                // Each pod has its turn within the fault's time.
                let turn = lasts / plan.services[service].replicas.max(1);
                entries.push(("drain", text(rounded(turn.mul_f64(0.3)))));
                entries.push(("down", text(rounded(turn.mul_f64(0.5)))));
            }
            "latency" => {
                let add = self.between((explore.add.0.as_secs_f64(), explore.add.1.as_secs_f64()));
                // No finer than people say it: three figures.
                let grain = 10_f64.powf(add.log10().floor() - 2.0);
                let micros = ((add / grain).round() * grain * 1e6).round().max(1.0);
                entries.push(("add", text(Duration::from_micros(micros as u64))));
            }
            "loss" => entries.push(("share", self.share(explore.share))),
            _ => {}
        }
        inline(entries)
    }

    /// All pods of a service, or one.
    fn pods(&mut self, plan: &Plan, service: usize) -> Vec<(&'static str, Value)> {
        let service = &plan.services[service];
        let mut entries = vec![("service", Value::from(service.name.as_str()))];
        if random::happens(&mut self.0, 0.5) {
            entries.push(("replica", Value::from(self.below(service.replicas as usize) as i64)));
        }
        entries
    }

    /// A service and one that calls it, or all traffic of it or of one of its pods.
    fn sides(&mut self, plan: &Plan, service: usize) -> Vec<(&'static str, Value)> {
        let calls = |caller: &usize| *caller != service && called_by(plan, *caller).contains(&service);
        let callers: Vec<usize> = (0..plan.services.len()).filter(calls).collect();
        let picked = self.below(callers.len().max(1));
        if callers.is_empty() || random::happens(&mut self.0, 0.5) {
            return self.pods(plan, service);
        }
        let names = [callers[picked], service].map(|index| plan.services[index].name.as_str());
        vec![("between", Value::Array(Array::from_iter(names)))]
    }

    fn below(&mut self, count: usize) -> usize {
        let drawn = (1.0 - random::unit(&mut self.0)) * count as f64;
        (drawn as usize).min(count.saturating_sub(1))
    }

    fn weighed(&mut self, weights: &[f64]) -> usize {
        let mut left = random::unit(&mut self.0) * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            if left <= *weight && *weight > 0.0 {
                return index;
            }
            left -= weight;
        }
        weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0)
    }

    /// Evenly on a scale of ratios.
    fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        let unit = random::unit(&mut self.0);
        if low > 0.0 { low * (high / low).powf(unit) } else { low + (high - low) * unit }
    }

    fn duration(&mut self, (low, high): (Duration, Duration)) -> Duration {
        let seconds = self.between((low.as_secs_f64(), high.max(low).as_secs_f64()));
        rounded(Duration::from_secs_f64(seconds))
    }

    fn share(&mut self, range: (f64, f64)) -> Value {
        let percent = (self.between(range) * 1000.0).round().max(1.0) / 10.0;
        Value::from(format!("{percent}%"))
    }
}

/// To the millisecond, and no less than one.
fn rounded(duration: Duration) -> Duration {
    Duration::from_millis((duration.as_secs_f64() * 1e3).round().max(1.0) as u64)
}

/// A duration as a scenario writes it.
pub(super) fn text(duration: Duration) -> Value {
    Value::from(quantity::Duration(duration).to_string())
}
