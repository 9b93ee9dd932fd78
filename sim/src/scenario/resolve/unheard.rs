//! What a file says to nobody: limits of a service that has no sidecar to enforce them, policies for calls that nobody makes, a
//! balance of calls without a proxy where there are none. Nothing of it is wrong; it does nothing. Not here: what is said to
//! proxies that see no requests ([`super::products`]).

use hoplab_config::{At, Context, Place};

use super::architectures::Compared;
use super::calls::Written;
use super::names::Names;
use super::phases::Phase;
use crate::scenario::plan::{Architecture, EndpointId, Load, Service, ServiceId};
use crate::scenario::schema::calls::Calls;
use crate::scenario::schema::policies::Layers;

/// What is looked at.
pub(super) struct Unheard<'a> {
    pub(super) names: &'a Names,
    pub(super) services: &'a [Service],
    pub(super) loads: &'a [Load],
    /// What the file compares.
    pub(super) compared: &'a [Compared],
    /// What this run takes, which need not be all of it.
    pub(super) chosen: &'a [Compared],
    /// The same, resolved.
    pub(super) architectures: &'a [Architecture],
}

impl Unheard<'_> {
    /// Warns of a balance of calls without a proxy, at `place`, where nobody makes one.
    pub(super) fn direct_balance(&self, place: Option<Place>, context: &mut Context<'_>) {
        let is_proxied =
            |architecture: &Compared| architecture.gateway.is_some() && architecture.mesh.is_some();
        let calls_by_itself = |of: &Architecture| {
            let mut services = self.services.iter().enumerate();
            services.any(|(index, service)| of.beside(index).is_none() && !service.callees().is_empty())
        };
        let is_heard = self.compared.is_empty()
            || !self.compared.iter().all(is_proxied)
            || self.architectures.iter().any(calls_by_itself);
        if let Some(place) = place.filter(|_| !is_heard) {
            let hint = "it says something of \"direct\", \"gateway\" and \"mesh\", and of services without a sidecar";
            context.warning(place, "nobody calls a service without a proxy").hint(hint);
        }
    }

    /// Warns of limits of single services, in the `mesh` and over it in `phases`, that no sidecar enforces.
    pub(super) fn limits(&self, mesh: &Layers, phases: &[Phase], context: &mut Context<'_>) {
        // What this run leaves out may have a sidecar there.
        if !self.compared.iter().all(|of| self.chosen.contains(of)) {
            return;
        }
        let all: Vec<&Architecture> = self.architectures.iter().filter(|of| of.mesh.is_some()).collect();
        self.limits_among(mesh, &all, context);
        for (number, phase) in phases.iter().enumerate() {
            let is_meant = |of: &&Architecture| of.phase.as_ref().is_some_and(|phase| phase.number == number);
            let those: Vec<&Architecture> = all.iter().copied().filter(is_meant).collect();
            self.limits_among(&phase.mesh.1, &those, context);
        }
    }

    /// Warns of limits in `layers`, which are of these `architectures` with a mesh, if there are some.
    fn limits_among(&self, layers: &Layers, architectures: &[&Architecture], context: &mut Context<'_>) {
        if architectures.is_empty() {
            return;
        }
        for (name, called) in &layers.services {
            let limits = called.as_ref().and_then(|called| called.limits.as_ref());
            let Some((limits, ServiceId(index))) = limits.zip(self.names.find(&name.value)) else {
                continue;
            };
            if architectures.iter().all(|of| of.beside(index).is_none()) {
                let fact = format!("\"{}\" has no sidecar: nothing enforces its limits", name.value);
                let hint = if self.services[index].is_store {
                    "it is a store: take the limits out, or `store = true`"
                } else {
                    "take them out, or let the mesh have the service (`only`, `except`)"
                };
                context.warning(limits.place, fact).hint(hint);
            }
        }
    }

    /// Warns of policies for calls that nobody makes.
    pub(super) fn calls(&self, written: &Written, context: &mut Context<'_>) {
        let called: Vec<usize> = self.services.iter().flat_map(Service::callees).collect();
        for calls in std::iter::once(&written.all).chain(&written.library) {
            for name in self.never_called(calls, &called) {
                let fact = format!("no service calls \"{}\"", name.value);
                context.warning(name.place, fact).hint(self.who_asks(name));
            }
        }
        for (service, calls) in self.services.iter().zip(&written.services) {
            let callees = service.callees();
            for name in self.never_called(calls, &callees) {
                let fact = format!("\"{}\" does not call \"{}\"", service.name, name.value);
                context.warning(name.place, fact).hint(self.whom_it_calls(&callees));
            }
        }
    }

    /// The services that `calls` says something of and that are not among the `callees`.
    fn never_called<'c>(&self, calls: &'c Calls, callees: &[usize]) -> Vec<&'c At<String>> {
        let named = calls.services.iter().flat_map(|at| &at.value.0).map(|(name, _)| name);
        let is_never =
            |name: &&At<String>| self.names.find(&name.value).is_some_and(|id| !callees.contains(&id.0));
        named.filter(is_never).collect()
    }

    /// What to do about policies for calls of a service that no other calls.
    fn who_asks(&self, name: &At<String>) -> String {
        let is_meant = |asked: &EndpointId| self.services[asked.service.0].name == name.value;
        let asks = |load: &&Load| load.mix.iter().any(|(asked, _)| is_meant(asked));
        self.loads.iter().find(asks).map_or_else(
            || "take it out, or write the call".to_owned(),
            |load| {
                format!("clients do: how they call is said with their load, in `[load.{}] calls`", load.name)
            },
        )
    }

    fn whom_it_calls(&self, callees: &[usize]) -> String {
        let names: Vec<_> =
            callees.iter().map(|callee| format!("\"{}\"", self.services[*callee].name)).collect();
        if names.is_empty() { "it calls nobody".to_owned() } else { format!("it calls {}", names.join(", ")) }
    }
}
