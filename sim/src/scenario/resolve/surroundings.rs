//! What faults are resolved against: finds the pods and the sides of the network that a fault names. Not here: when a
//! fault is, and what each kind makes of it ([`crate::fault`]).

use hoplab_config::quantity::Share;
use hoplab_config::{At, Context, Place};

use super::architectures::Compared;
use super::names::Names;
use crate::fault::sides::{WrittenBetween, WrittenSides, WrittenTarget};
use crate::scenario::plan::application::{Endpoint, Service, ServiceId};
use crate::scenario::plan::load::Load;
use crate::scenario::plan::party::{CLIENT, GATEWAY};
use crate::scenario::plan::target::{Between, Side, Target, Ways};

/// What faults are resolved against.
pub(crate) struct Surroundings<'a> {
    pub(crate) names: &'a Names,
    pub(super) services: &'a [Service],
    pub(super) loads: &'a [Load],
    pub(super) architectures: &'a [Compared],
}

impl Surroundings<'_> {
    /// How many pods `target` means.
    pub(crate) fn pods_of(&self, target: Target) -> u32 {
        target.replica.map_or(self.services[target.service.0].replicas, |_| 1)
    }

    /// Finds the pods that are written.
    pub(crate) fn target(&self, target: WrittenTarget, context: &mut Context<'_>) -> Option<Target> {
        let name = target.service?;
        if let Some((service, number)) = self.names.pod(&name.value) {
            let service = &self.services[service.0].name;
            let hint = format!("write `service = \"{service}\", replica = {number}`");
            context.error(name.place, format!("\"{}\" is a pod", name.value)).hint(hint);
            return None;
        }
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
        let hint = match replicas - 1 {
            0 => format!("its only pod is {name}-0: leave the replica out"),
            last => format!("its pods are {name}-0 to {name}-{last}: write {last} or less"),
        };
        context.error(replica.place, format!("\"{name}\" has no replica {}", replica.value)).hint(hint);
        None
    }

    /// Finds the sides that are written.
    pub(crate) fn between(&self, written: WrittenBetween, context: &mut Context<'_>) -> Option<Between> {
        let connections = written.connections.map_or(1.0, |At { value: Share(share), place }| {
            if share <= 0.0 {
                let hint = "write more than `\"0%\"`, or leave the key out for all";
                context.error(place, "a fault of no connection").hint(hint);
            }
            share
        });
        let between = match written.sides? {
            WrittenSides::Around(target) => Between {
                a: Side::Pods(self.target(target, context)?),
                b: None,
                ways: Ways::Both,
                connections,
            },
            WrittenSides::Between(list) => {
                let [a, b] = &list.value[..] else {
                    context.error(list.place, format!("{} named where two sides belong", list.value.len()));
                    return None;
                };
                Between { connections, ..self.two(a, b, Ways::Both, context)? }
            }
            WrittenSides::OneWay { from, to } => {
                Between { connections, ..self.two(&from?, &to?, Ways::Forth, context)? }
            }
        };
        Some(between)
    }

    fn two(&self, a: &At<String>, b: &At<String>, ways: Ways, context: &mut Context<'_>) -> Option<Between> {
        let (first, second) = (self.side(a, context), self.side(b, context));
        if first.is_some() && first.map(|side| self.all_of(side)) == second.map(|side| self.all_of(side)) {
            context.error(b.place, format!("\"{}\" on both sides", b.value)).hint("name two sides");
        }
        Some(Between { a: first?, b: Some(second?), ways, connections: 1.0 })
    }

    /// A side by its name: an end of the traffic, a service, or one of its pods.
    pub(crate) fn side(&self, name: &At<String>, context: &mut Context<'_>) -> Option<Side> {
        if let Some(service) = self.names.find(&name.value) {
            return Some(Side::Pods(Target { service, replica: None }));
        }
        if let Some((service, number)) = self.names.pod(&name.value) {
            let replica = At { value: number, place: name.place };
            let replica = Some(self.replica(service, &replica, context)?);
            return Some(Side::Pods(Target { service, replica }));
        }
        match name.value.as_str() {
            CLIENT => Some(Side::Clients),
            GATEWAY => {
                self.check_gateway(name.place, context);
                Some(Side::Gateway)
            }
            _ => {
                let known = [CLIENT, GATEWAY].into_iter().chain(self.names.services());
                context.unknown("side", name, known);
                None
            }
        }
    }

    /// The same side; the only pod of a service is the service.
    fn all_of(&self, side: Side) -> Side {
        match side {
            Side::Pods(Target { service, .. }) if self.services[service.0].replicas == 1 => {
                Side::Pods(Target { service, replica: None })
            }
            side => side,
        }
    }

    fn check_gateway(&self, place: Place, context: &mut Context<'_>) {
        if !self.architectures.iter().any(|architecture| architecture.gateway.is_some()) {
            let hint = "the fault will touch nothing, which makes the run invalid";
            context.warning(place, "none of the architectures has a gateway").hint(hint);
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
