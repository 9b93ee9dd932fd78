//! Draws faults: which, where, when and how long; how bad is for each kind to draw ([`crate::fault`]). All of it from named streams of the seed; sizes and
//! lengths evenly on a scale of ratios, so that small ones are as likely as large ones.

use std::time::Duration;

use hoplab_proxy::quantity;
use rand::rngs::ChaCha8Rng;
use toml_edit::{Array, Table, Value};

use crate::fault;
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

/// What a drawn fault's table holds.
pub(crate) type Entries = Vec<(&'static str, Value)>;

/// What a fault is drawn for.
#[derive(Clone, Copy)]
pub(crate) struct Drawing<'a> {
    pub(crate) plan: &'a Plan,
    /// The service that it is to be about.
    pub(crate) service: usize,
    /// How long it lasts.
    pub(crate) lasts: Duration,
}

/// The stream that a fault is drawn from.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    fn fault(&mut self, plan: &Plan, (from, until): (Duration, Duration), number: usize) -> Table {
        let kind = self.weighed(&plan.explore.weights);
        let lasts = (plan.explore.lasts.0, plan.explore.lasts.1.min(until.saturating_sub(from)));
        let lasts = self.duration(lasts);
        let latest = until.saturating_sub(lasts);
        let at = from + latest.saturating_sub(from).mul_f64(random::unit(&mut self.0));
        let at = Duration::from_millis(at.as_millis() as u64);
        let service = plan.explore.services[self.below(plan.explore.services.len())].0;
        let what = inline(fault::draw(kind, self, &Drawing { plan, service, lasts }));
        let mut entry = table([
            ("name", Value::from(format!("drawn-{}", number + 1))),
            ("at", text(at)),
            ("for", text(lasts)),
        ]);
        entry.insert(FAULT_KINDS[kind], toml_edit::Item::Value(what));
        entry
    }

    /// All pods of a service, or one.
    pub(crate) fn pods(&mut self, drawing: &Drawing<'_>) -> Entries {
        let service = &drawing.plan.services[drawing.service];
        let mut entries = vec![("service", Value::from(service.name.as_str()))];
        if random::happens(&mut self.0, 0.5) {
            entries.push(("replica", Value::from(self.below(service.replicas as usize) as i64)));
        }
        entries
    }

    /// A service and one that calls it, or all traffic of it or of one of its pods.
    pub(crate) fn sides(&mut self, drawing: &Drawing<'_>) -> Entries {
        let Drawing { plan, service, .. } = *drawing;
        let calls =
            |caller: &usize| *caller != service && plan.services[*caller].callees().contains(&service);
        let callers: Vec<usize> = (0..plan.services.len()).filter(calls).collect();
        let picked = self.below(callers.len().max(1));
        if callers.is_empty() || random::happens(&mut self.0, 0.5) {
            return self.pods(drawing);
        }
        let names = [callers[picked], service].map(|index| plan.services[index].name.as_str());
        vec![("between", Value::Array(Array::from_iter(names)))]
    }

    /// One of so many, from 0 on.
    pub(crate) fn below(&mut self, count: usize) -> usize {
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
    pub(crate) fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        let unit = random::unit(&mut self.0);
        if low > 0.0 { low * (high / low).powf(unit) } else { low + (high - low) * unit }
    }

    fn duration(&mut self, (low, high): (Duration, Duration)) -> Duration {
        let seconds = self.between((low.as_secs_f64(), high.max(low).as_secs_f64()));
        rounded(Duration::from_secs_f64(seconds))
    }

    /// A share as a scenario writes it.
    pub(crate) fn share(&mut self, range: (f64, f64)) -> Value {
        let percent = (self.between(range) * 1000.0).round().max(1.0) / 10.0;
        Value::from(format!("{percent}%"))
    }
}

/// To the millisecond, and no less than one.
pub(crate) fn rounded(duration: Duration) -> Duration {
    Duration::from_millis((duration.as_secs_f64() * 1e3).round().max(1.0) as u64)
}

/// A duration as a scenario writes it.
pub(crate) fn text(duration: Duration) -> Value {
    Value::from(quantity::Duration(duration).to_string())
}
