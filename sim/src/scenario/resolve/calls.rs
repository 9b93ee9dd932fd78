//! How applications and clients call by themselves: with the policies that they have in every architecture, and with those of
//! the library, where an architecture has one. Who says nothing calls as a plain HTTP library does.

use std::collections::BTreeMap;

use hoplab_config::{At, Context, Named, Outline, Outlined, Place};
use hoplab_proxy::upstream::{
    Contradiction, DeadlinePolicy, Policies, PoolPolicy, Protocol, Settings, TimeLimit,
};

use super::names::Names;
use crate::scenario::plan::products::{Applications, PATIENCE};
use crate::scenario::plan::{Service, ServiceId};
use crate::scenario::schema::calls::Calls;
use crate::scenario::schema::policies::Called;

/// What a file says of how applications and clients call.
pub(super) struct Written {
    /// All services, whatever they call.
    pub(super) all: Calls,
    /// Each service; an entry a service.
    pub(super) services: Vec<Calls>,
    /// What a library says, where the file says it.
    pub(super) library: Option<Calls>,
    /// Each load; an entry a load.
    pub(super) loads: Vec<Option<At<Outlined<Policies>>>>,
}

impl Written {
    /// Where it is said first.
    pub(super) fn place(&self) -> Option<Place> {
        let all = std::iter::once(&self.all).chain(&self.library).chain(&self.services);
        let services = all.flat_map(|calls| {
            let named = calls.services.as_ref().map(|at| at.place);
            calls.defaults.as_ref().map(|at| at.place).into_iter().chain(named)
        });
        services.chain(self.loads.iter().flatten().map(|at| at.place)).min()
    }
}

/// Policies by the service that is called.
pub(super) struct Layer<'a> {
    defaults: Option<&'a Outlined<Policies>>,
    services: BTreeMap<usize, &'a Outlined<Policies>>,
}

impl<'a> Layer<'a> {
    /// As they are written.
    pub(super) fn of(calls: &'a Calls, names: &Names, context: &mut Context<'_>) -> Self {
        let mut services = BTreeMap::new();
        for (name, policies) in calls.services.iter().flat_map(|at| &at.value.0) {
            let known = names.service(name, context).zip(policies.as_ref());
            services.extend(known.map(|(ServiceId(index), policies)| (index, policies)));
        }
        Self { defaults: calls.defaults.as_ref().map(|at| &at.value), services }
    }

    /// A mesh's policies, to be those of a library.
    pub(super) fn of_mesh(
        defaults: Option<&'a At<Outlined<Policies>>>,
        services: &'a Named<Called>,
        names: &Names,
        context: &mut Context<'_>,
    ) -> Self {
        let mut all = BTreeMap::new();
        for (name, called) in services {
            let known = names.service(name, context).zip(called.as_ref());
            all.extend(known.map(|(ServiceId(index), called)| (index, &called.policies)));
        }
        Self { defaults: defaults.map(|at| &at.value), services: all }
    }

    /// What it says of calls of this service, the upper ones first.
    fn of_callee(&self, callee: usize) -> impl Iterator<Item = &'a Outlined<Policies>> {
        self.services.get(&callee).copied().into_iter().chain(self.defaults)
    }
}

/// How applications and clients call in an architecture, where its `library`, if it has one, says this.
pub(super) fn applications(
    written: &Written,
    library: Option<&Layer<'_>>,
    services: &[Service],
    names: &Names,
    context: &mut Context<'_>,
) -> Applications {
    let all = Layer::of(&written.all, names, context);
    let own: Vec<Layer<'_>> = written.services.iter().map(|calls| Layer::of(calls, names, context)).collect();
    let mut calls = BTreeMap::new();
    for (caller, (service, own)) in services.iter().zip(&own).enumerate() {
        for callee in service.callees() {
            let layers = library.into_iter().chain([own, &all]).flat_map(|layer| layer.of_callee(callee));
            let layers: Vec<_> = layers.collect();
            let protocol = services[callee].protocol.http();
            calls.extend(settings(&layers, protocol, context).map(|settings| ((caller, callee), settings)));
        }
    }
    let load = |written: &Option<At<Outlined<Policies>>>| {
        let layers: Vec<_> = written.iter().map(|at| &at.value).collect();
        settings(&layers, Protocol::Http1, context)
    };
    Applications { calls, loads: written.loads.iter().map(load).collect() }
}

/// What these `layers` mean, the upper ones first, to whoever is patient and opens as many connections as it wants, or over
/// HTTP/2 one; nothing where nobody says anything.
fn settings(
    layers: &[&Outlined<Policies>],
    protocol: Protocol,
    context: &mut Context<'_>,
) -> Option<Settings> {
    if layers.is_empty() {
        return None;
    }
    let connections = (protocol == Protocol::Http1).then_some(u32::MAX);
    let patient = Policies {
        timeout: Some(TimeLimit::Unlimited),
        connect_timeout: Some(PATIENCE),
        // Whoever is asked is told what the application itself says, and nothing of its library's patience.
        deadline: Some(DeadlinePolicy { own: Some(false), ..DeadlinePolicy::default() }),
        pool: Some(PoolPolicy { connections, pending: Some(u32::MAX), ..PoolPolicy::default() }),
        ..Policies::default()
    };
    let policies = layers.iter().rev().fold(patient, |below, layer| layer.value.over(&below));
    let outlines: Vec<&Outline> = layers.iter().map(|layer| &layer.outline).collect();
    match policies.resolve() {
        Ok(settings) => Some(Settings { timeout: settings.timeout.or(Some(PATIENCE)), ..settings }),
        Err(found) => {
            Contradiction::note_all(found, &outlines, context);
            None
        }
    }
}
