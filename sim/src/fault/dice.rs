//! Draws for faults: pods, sides, sizes and lengths, which are drawn evenly on a scale of ratios, so that small ones
//! are as likely as large ones; or the middle of each, where nothing is to be left to chance. Not here: which fault is
//! drawn, and when (`crate::explore`).

use std::time::Duration;

use hoplab_config::quantity::{self, Bandwidth};
use rand::rngs::ChaCha8Rng;
use toml_edit::{Array, Item, Table, Value};

use crate::random;
use crate::scenario::edit::{inline, table};
use crate::scenario::plan::Plan;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::party::{CLIENT, GATEWAY};

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

impl<'a> Drawing<'a> {
    /// The service that it is to be about.
    pub(crate) fn service(&self) -> &'a Service {
        &self.plan.services[self.service]
    }

    /// Whether clients ask for the service.
    fn is_asked_for(&self) -> bool {
        self.plan.requested_services().contains(&self.service)
    }

    /// The service beside each that calls it; where clients ask for it, these are clients or the gateway, and the two
    /// themselves.
    fn pairs(&self) -> Vec<[&'a str; 2]> {
        let Plan { services, architectures, .. } = self.plan;
        let name = &*self.service().name;
        let calls = |other: &&Service| other.name != name && other.callees().contains(&self.service);
        let mut pairs: Vec<_> = services.iter().filter(calls).map(|caller| [&*caller.name, name]).collect();
        let is_entered_by =
            |gateway| self.is_asked_for() && architectures.iter().any(|of| of.gateway.is_some() == gateway);
        if is_entered_by(false) {
            pairs.push([CLIENT, name]);
        }
        if is_entered_by(true) {
            pairs.extend([[GATEWAY, name], [CLIENT, GATEWAY]]);
        }
        pairs
    }
}

/// What a fault is drawn from.
pub(crate) enum Dice {
    /// A stream of random numbers.
    Random(Box<ChaCha8Rng>),
    /// Nothing random: the middle of each range, and of two ways the likelier one.
    Middle,
}

impl Dice {
    /// The stream of `seed` for an `entity`, and of its streams the `counter`th.
    pub(crate) fn new(seed: u64, entity: u64, counter: u64) -> Self {
        Self::Random(Box::new(random::stream(seed, "explore", entity, counter)))
    }

    /// Draws the middle of everything: one pod of several, all of its traffic, and as bad as half of what is drawn.
    pub(crate) fn middle() -> Self {
        Self::Middle
    }

    /// All pods of a service, or one.
    pub(crate) fn pods(&mut self, drawing: &Drawing<'_>) -> Entries {
        let service = drawing.service();
        let mut entries = vec![("service", Value::from(service.name.as_str()))];
        if self.happens(0.5) {
            entries.push(("replica", Value::from(self.below(service.replicas as usize) as i64)));
        }
        entries
    }

    /// Who reads, by name: `payment`, `payment-0`, and a quarter of the times that clients ask for the service, they.
    pub(crate) fn reader(&mut self, drawing: &Drawing<'_>) -> Value {
        if drawing.is_asked_for() && self.happens(0.25) {
            return Value::from(CLIENT);
        }
        let service = drawing.service();
        if self.happens(0.5) {
            return Value::from(format!("{}-{}", service.name, self.below(service.replicas as usize)));
        }
        Value::from(service.name.as_str())
    }

    /// A service and one that calls it, or all traffic of it or of one of its pods.
    pub(crate) fn sides(&mut self, drawing: &Drawing<'_>) -> Entries {
        match self.pair(drawing) {
            Some(names) => vec![("between", Value::Array(Array::from_iter(names)))],
            None => self.pods(drawing),
        }
    }

    /// The same, but between the two also one way, and a quarter of the times only some connections.
    pub(crate) fn directed(&mut self, drawing: &Drawing<'_>) -> Entries {
        let mut entries = match self.pair(drawing) {
            None => self.pods(drawing),
            Some([caller, service]) => match self.below(3) {
                0 => vec![("from", Value::from(caller)), ("to", Value::from(service))],
                1 => vec![("from", Value::from(service)), ("to", Value::from(caller))],
                _ => vec![("between", Value::Array(Array::from_iter([caller, service])))],
            },
        };
        if self.happens(0.25) {
            entries.push(("connections", self.share((0.1, 0.9))));
        }
        entries
    }

    /// A service and one that calls it, or clients and their gateway, half of the times that there are such.
    fn pair<'a>(&mut self, drawing: &Drawing<'a>) -> Option<[&'a str; 2]> {
        let pairs = drawing.pairs();
        let picked = self.below(pairs.len().max(1));
        if pairs.is_empty() || self.happens(0.5) {
            return None;
        }
        Some(pairs[picked])
    }

    /// Evenly from 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        match self {
            Self::Random(stream) => random::unit(stream),
            Self::Middle => 0.5,
        }
    }

    /// Whether something happens that has this probability.
    fn happens(&mut self, probability: f64) -> bool {
        self.unit() <= probability
    }

    /// One of so many, from 0 on.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let drawn = (1.0 - self.unit()) * count as f64;
        (drawn as usize).min(count.saturating_sub(1))
    }

    /// One of so many, each as likely as its weight says.
    pub(crate) fn weighed(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
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
        let unit = self.unit();
        if low > 0.0 { low * (high / low).powf(unit) } else { low + (high - low) * unit }
    }

    /// A duration, likewise.
    pub(crate) fn duration(&mut self, (low, high): (Duration, Duration)) -> Duration {
        let seconds = self.between((low.as_secs_f64(), high.max(low).as_secs_f64()));
        rounded(Duration::from_secs_f64(seconds))
    }

    /// A bandwidth as a scenario writes it.
    pub(crate) fn bandwidth(&mut self, drawing: &Drawing<'_>) -> Value {
        let (least, most) = drawing.plan.explore.bandwidth;
        let kilobits = (self.between((least as f64, most as f64)) / 1e3).round().max(1.0);
        Value::from(Bandwidth(kilobits as u64 * 1_000).to_string())
    }

    /// A share as a scenario writes it.
    pub(crate) fn share(&mut self, range: (f64, f64)) -> Value {
        let percent = (self.between(range) * 1000.0).round().max(1.0) / 10.0;
        Value::from(format!("{percent}%"))
    }
}

/// An entry of `[[faults]]`.
pub(crate) fn entry(name: &str, (at, lasts): (Duration, Duration), kind: &str, what: Entries) -> Table {
    let mut entry = table([("name", Value::from(name)), ("at", text(at)), ("for", text(lasts))]);
    entry.insert(kind, Item::Value(inline(what)));
    entry
}

/// To the millisecond, and no less than one.
pub(crate) fn rounded(duration: Duration) -> Duration {
    Duration::from_millis((duration.as_secs_f64() * 1e3).round().max(1.0) as u64)
}

/// A duration as a scenario writes it.
pub(crate) fn text(duration: Duration) -> Value {
    Value::from(quantity::Duration(duration).to_string())
}
