//! What the policies and limits of a gateway or a mesh mean: laid over each other, for each service and for single
//! endpoints, with every default filled in. What contradicts itself is noted where it was written.

use hoplab_config::{Context, Named, Outline, Outlined};
use hoplab_proxy::load_control::{self, LimitsPolicy};
use hoplab_proxy::upstream::{Contradiction, Policies, Settings};

use super::names::Names;
use crate::scenario::plan::application::{EndpointId, ServiceId};
use crate::scenario::schema::policies::{Called, Layers};

/// What the tables of a gateway or a mesh mean.
pub(super) struct Resolved {
    /// How each service is called.
    pub(super) services: Vec<Settings>,
    /// How single endpoints are called that have policies of their own.
    pub(super) routes: Vec<(EndpointId, Settings)>,
    /// What all requests meet.
    pub(super) limits: load_control::Settings,
    /// What the requests to each service meet, those of all below them.
    pub(super) service_limits: Vec<load_control::Settings>,
    /// What the requests to single endpoints meet.
    pub(super) route_limits: Vec<(EndpointId, load_control::Settings)>,
}

/// Resolves the `layers` of a gateway or a mesh.
pub(super) fn resolve(layers: &Layers, names: &Names, context: &mut Context<'_>) -> Resolved {
    let (defaults, outline) = parts(layers.defaults.as_ref().map(|at| &at.value));
    let below: Vec<&Outline> = outline.into_iter().collect();
    let usual = settings(&defaults, &below, context);
    let (limits, limits_outline) = parts(layers.limits.as_ref().map(|at| &at.value));
    let usual_limits = limits_of(&limits, &limits_outline.into_iter().collect::<Vec<_>>(), context);
    let count = names.services().count();
    let mut policies = vec![(defaults, below); count];
    let mut services = vec![usual; count];
    let mut service_limits = vec![usual_limits.clone(); count];
    for (ServiceId(index), called) in
        known(&layers.services, |name, context| names.service(name, context), context)
    {
        let (own, below) = &mut policies[index];
        *own = called.policies.value.over(own);
        below.insert(0, &called.policies.outline);
        services[index] = settings(own, below, context);
        if let Some(written) = &called.limits {
            let layers: Vec<&Outline> =
                std::iter::once(&written.value.outline).chain(limits_outline).collect();
            service_limits[index] = limits_of(&written.value.value.over(&limits), &layers, context);
        }
    }
    let (mut routes, mut route_limits) = (Vec::new(), Vec::new());
    for (id, called) in known(&layers.routes, |name, context| names.endpoint(name, context), context) {
        if let Some(written) = &called.limits {
            route_limits.push((id, limits_of(&written.value.value, &[&written.value.outline], context)));
        }
        if called.policies.value != Policies::default() || called.limits.is_none() {
            let (shared, below) = &policies[id.service.0];
            let layers: Vec<&Outline> =
                std::iter::once(&called.policies.outline).chain(below.iter().copied()).collect();
            routes.push((id, settings(&called.policies.value.over(shared), &layers, context)));
        }
    }
    Resolved { services, routes, limits: usual_limits, service_limits, route_limits }
}

/// What was written, with where: nothing when it was left out.
fn parts<T: Clone + Default>(written: Option<&Outlined<T>>) -> (T, Option<&Outline>) {
    written.map_or_else(|| (T::default(), None), |written| (written.value.clone(), Some(&written.outline)))
}

/// Those that are about something known; the others are noted.
fn known<'a, T>(
    named: &'a Named<Called>,
    find: impl Fn(&hoplab_config::At<String>, &mut Context<'_>) -> Option<T>,
    context: &mut Context<'_>,
) -> Vec<(T, &'a Called)> {
    let mut found = Vec::new();
    for (name, called) in named {
        let id = find(name, context);
        found.extend(id.zip(called.as_ref()));
    }
    found
}

fn settings(policies: &Policies, layers: &[&Outline], context: &mut Context<'_>) -> Settings {
    policies.resolve().unwrap_or_else(|found| {
        Contradiction::note_all(found, layers, context);
        Settings::default()
    })
}

fn limits_of(
    limits: &LimitsPolicy,
    layers: &[&Outline],
    context: &mut Context<'_>,
) -> load_control::Settings {
    limits.resolve().unwrap_or_else(|found| {
        Contradiction::note_all(found, layers, context);
        load_control::Settings::default()
    })
}
