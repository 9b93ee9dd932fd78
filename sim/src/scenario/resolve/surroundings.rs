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
use crate::scenario::plan::target::{Between, Side, Target, Ways, Workload};

/// What faults are resolved against.
pub(crate) struct Surroundings<'a> {
    pub(crate) names: &'a Names,
    pub(super) services: &'a [Service],
    pub(super) loads: &'a [Load],
    pub(super) architectures: &'a [Compared],
    /// How many pods a gateway has.
    pub(super) gateways: u32,
}

impl Surroundings<'_> {
    /// How many pods `target` means.
    pub(crate) fn pods_of(&self, target: Target) -> u32 {
        let all = || match target.workload {
            Workload::Gateway => self.gateways,
            Workload::Service(service) => self.services[service.0].replicas,
        };
        target.replica.map_or_else(all, |_| 1)
    }

    /// Finds the pods that are written.
    pub(crate) fn target(&self, target: WrittenTarget, context: &mut Context<'_>) -> Option<Target> {
        let name = target.service?;
        if name.value == GATEWAY {
            self.check_gateway(name.place, context);
            let replica = match target.replica {
                None => None,
                Some(replica) => Some(self.gateway(&replica, context)?),
            };
            return Some(Target { replica, ..Target::GATEWAY });
        }
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
        Some(Target::of_service(service, replica))
    }

    /// One of the gateway's pods.
    fn gateway(&self, replica: &At<u32>, context: &mut Context<'_>) -> Option<u32> {
        numbered(GATEWAY, self.gateways, replica, context)
    }

    fn replica(&self, service: ServiceId, replica: &At<u32>, context: &mut Context<'_>) -> Option<u32> {
        let Service { name, replicas, .. } = &self.services[service.0];
        numbered(name, *replicas, replica, context)
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
            return Some(Side::Pods(Target::of_service(service, None)));
        }
        if let Some((service, number)) = self.names.pod(&name.value) {
            let replica = At { value: number, place: name.place };
            let replica = Some(self.replica(service, &replica, context)?);
            return Some(Side::Pods(Target::of_service(service, replica)));
        }
        if let Some(number) = name.value.strip_prefix("gateway-").and_then(|number| number.parse().ok()) {
            self.check_gateway(name.place, context);
            let replica = self.gateway(&At { value: number, place: name.place }, context)?;
            return Some(Side::Pods(Target { replica: Some(replica), ..Target::GATEWAY }));
        }
        match name.value.as_str() {
            CLIENT => Some(Side::Clients),
            GATEWAY => {
                self.check_gateway(name.place, context);
                Some(Side::Pods(Target::GATEWAY))
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
            Side::Pods(target) if self.pods_of(Target { replica: None, ..target }) == 1 => {
                Side::Pods(Target { replica: None, ..target })
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

/// One of so many pods of what is called `name`.
fn numbered(name: &str, pods: u32, replica: &At<u32>, context: &mut Context<'_>) -> Option<u32> {
    if replica.value < pods {
        return Some(replica.value);
    }
    let hint = match pods.saturating_sub(1) {
        0 => format!("its only pod is {name}-0: leave the replica out"),
        last => format!("its pods are {name}-0 to {name}-{last}: write {last} or less"),
    };
    context.error(replica.place, format!("\"{name}\" has no replica {}", replica.value)).hint(hint);
    None
}
