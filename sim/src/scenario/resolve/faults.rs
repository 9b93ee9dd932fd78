//! Faults: when, and where. Not here: what each kind makes of it ([`crate::fault`]).

use std::time::Duration;

use hoplab_proxy::quantity::Duration as Quantity;

use super::Window;
use super::names::{self, Names};
use crate::fault::{self, WrittenSides, WrittenTarget};
use crate::scenario::place::{At, Place};
use crate::scenario::plan::{Architecture, Between, Endpoint, Fault, Load, Service, ServiceId, Side, Target};
use crate::scenario::reader::Context;
use crate::scenario::schema::fault as written;

/// Parts of a run that have these names already.
const TAKEN: [&str; 3] = ["steady", "recovery", "all"];

/// What faults are resolved against.
pub(crate) struct Surroundings<'a> {
    pub(crate) names: &'a Names,
    pub(super) services: &'a [Service],
    pub(super) loads: &'a [Load],
    pub(super) window: &'a Window,
    pub(super) architectures: &'a [Architecture],
}

impl Surroundings<'_> {
    /// Resolves every fault.
    pub(super) fn resolve(&self, faults: Vec<At<written::Fault>>, context: &mut Context<'_>) -> Vec<Fault> {
        let mut all: Vec<Fault> = Vec::new();
        for At { value: fault, .. } in faults {
            let at = fault.at.as_ref().map_or(Duration::ZERO, |at| at.value.0);
            let lasts = fault.lasts.as_ref().map_or(Duration::ZERO, |lasts| lasts.value.0);
            self.check_time(&fault, context);
            let kind = fault.kind.and_then(|kind| kind.resolve(fault.lasts.as_ref(), self, context));
            let Some(name) = fault.name else { continue };
            names::check("a fault", &name, context);
            if TAKEN.contains(&name.value.as_str()) {
                let fact = format!("a fault cannot be called \"{}\"", name.value);
                context.error(name.place, fact).hint("it is the name of a part of every run");
            }
            if all.iter().any(|other| other.name == name.value) {
                context.error(name.place, format!("a second fault called \"{}\"", name.value));
            }
            // A fault that is wrong keeps its name, so that expectations may refer to it.
            all.push(Fault { name: name.value, at, lasts, kind: kind.unwrap_or_else(fault::nothing) });
        }
        all
    }

    fn check_time(&self, fault: &written::Fault, context: &mut Context<'_>) {
        let (Some(at), Some(lasts)) = (&fault.at, &fault.lasts) else { return };
        let duration = self.window.duration;
        let end = Quantity(duration);
        if lasts.value.0.is_zero() {
            context.error(lasts.place, "a fault of no length");
        } else if at.value.0 >= duration {
            context.error(at.place, format!("the fault starts after the run, which ends at {end}"));
        } else if at.value.0.saturating_add(lasts.value.0) > duration {
            context.error(lasts.place, format!("the fault ends after the run, which ends at {end}"));
        } else if at.value.0 < self.window.warmup {
            let hint = "the warm-up is measured but not reported: let the fault start later";
            context.warning(at.place, "the fault starts within the warm-up").hint(hint);
        }
    }

    /// How many pods `target` means.
    pub(crate) fn pods_of(&self, target: Target) -> u32 {
        target.replica.map_or(self.services[target.service.0].replicas, |_| 1)
    }

    /// Finds the pods that are written.
    pub(crate) fn target(&self, target: WrittenTarget, context: &mut Context<'_>) -> Option<Target> {
        let name = target.service?;
        let service = self.names.service(&name, context)?;
        if !context.has_errors() && !self.is_reached(service) {
            let hint = "the fault will touch nothing, which makes the run invalid";
            context.warning(name.place, format!("no load reaches \"{}\"", name.value)).hint(hint);
        }
        let replica = match target.replica {
            None => None,
            Some(replica) => Some(self.replica(service, &replica, context)?),
        };
        Some(Target { service, replica })
    }

    fn replica(&self, service: ServiceId, replica: &At<u32>, context: &mut Context<'_>) -> Option<u32> {
        let Service { name, replicas, .. } = &self.services[service.0];
        if replica.value < *replicas {
            return Some(replica.value);
        }
        let last = replicas - 1;
        let hint = format!("its pods are {name}-0 to {name}-{last}: write {last} or less");
        context.error(replica.place, format!("\"{name}\" has no replica {}", replica.value)).hint(hint);
        None
    }

    /// Finds the sides that are written.
    pub(crate) fn between(&self, sides: WrittenSides, context: &mut Context<'_>) -> Option<Between> {
        let list = match sides {
            WrittenSides::Around(target) => {
                return Some(Between { a: Side::Pods(self.target(target, context)?), b: None });
            }
            WrittenSides::Between(list) => list,
        };
        let [a, b] = &list.value[..] else {
            context.error(list.place, format!("{} named where two sides belong", list.value.len()));
            return None;
        };
        let (first, second) = (self.side(a, context), self.side(b, context));
        if first.is_some() && first == second {
            context.error(b.place, format!("\"{}\" on both sides", b.value)).hint("name two sides");
        }
        Some(Between { a: first?, b: Some(second?) })
    }

    /// A side by its name: an end of the traffic, a service, or one of its pods.
    fn side(&self, name: &At<String>, context: &mut Context<'_>) -> Option<Side> {
        if let Some(service) = self.names.find(&name.value) {
            return Some(Side::Pods(Target { service, replica: None }));
        }
        if let Some((service, number)) = name.value.rsplit_once('-')
            && let (Some(service), Ok(number)) = (self.names.find(service), number.parse())
        {
            let replica = At { value: number, place: name.place };
            let replica = Some(self.replica(service, &replica, context)?);
            return Some(Side::Pods(Target { service, replica }));
        }
        match name.value.as_str() {
            "client" => Some(Side::Clients),
            "gateway" => {
                self.check_gateway(name.place, context);
                Some(Side::Gateway)
            }
            _ => {
                let known = ["client", "gateway"].into_iter().chain(self.names.services());
                context.unknown("side", name, known);
                None
            }
        }
    }

    fn check_gateway(&self, place: Place, context: &mut Context<'_>) {
        let without = self.architectures.iter().find(|architecture| !architecture.gateway);
        if let Some(architecture) = without {
            let fact = format!("there is no gateway in \"{}\"", architecture.name());
            let hint = "the fault will touch nothing there, which makes the run invalid";
            context.warning(place, fact).hint(hint);
        }
    }

    /// Whether some request of the load comes by the service.
    fn is_reached(&self, service: ServiceId) -> bool {
        let mut reached = vec![false; self.services.len()];
        let mut seen = std::collections::BTreeSet::new();
        let mut open: Vec<_> =
            self.loads.iter().flat_map(|load| load.mix.iter().map(|(id, _)| *id)).collect();
        while let Some(id) = open.pop() {
            reached[id.service.0] = true;
            if seen.insert(id) {
                let endpoint: &Endpoint = &self.services[id.service.0].endpoints[id.endpoint];
                open.extend(endpoint.calls().iter().map(|call| call.target));
            }
        }
        reached[service.0]
    }
}
