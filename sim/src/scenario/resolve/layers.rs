//! What the policies and limits of a gateway or a mesh mean: laid over each other, for each service and for single
//! endpoints, with every default filled in. What contradicts itself is noted where it was written.

use hoplab_config::{At, Context, Named, Outline, Outlined, Place};
use hoplab_proxy::load_control::{self, LimitsPolicy};
use hoplab_proxy::upstream::settings::{Limits, Retries};
use hoplab_proxy::upstream::{Contradiction, Policies, PoolPolicy, RetryPolicy, Settings};

use super::names::Names;
use crate::scenario::plan::application::{EndpointId, ServiceId};
use crate::scenario::schema::policies::{Called, Layers};

/// What the tables of a gateway or a mesh mean.
pub(super) struct Resolved {
    /// How each service is called.
    pub(super) services: Vec<Settings>,
    /// Whether the scenario itself says what is spoken with each.
    pub(super) says_protocol: Vec<bool>,
    /// How single endpoints are called that have policies of their own.
    pub(super) routes: Vec<(EndpointId, Settings)>,
    /// What all requests meet.
    pub(super) limits: load_control::Settings,
    /// What the requests to each service meet, those of all below them.
    pub(super) service_limits: Vec<load_control::Settings>,
    /// What the requests to single endpoints meet.
    pub(super) route_limits: Vec<(EndpointId, load_control::Settings)>,
}

/// What holds for all services, in layers, the upper ones first.
#[derive(Default)]
pub(super) struct Usual<'a> {
    /// How they are called: what the scenario says, in layers.
    pub(super) defaults: Vec<&'a Outlined<Policies>>,
    /// What its profile says of that, in layers.
    pub(super) profile: Vec<&'a Outlined<Policies>>,
    /// What requests meet where they arrive, in layers, the profile's among them.
    pub(super) limits: Vec<&'a Outlined<LimitsPolicy>>,
    /// Where the uppermost says how services are called.
    pub(super) place: Option<Place>,
}

impl<'a> Usual<'a> {
    /// What is said of calls and of limits in layers, so many of them the scenario's `own`, which come first.
    pub(super) fn of(
        own: usize,
        layers: impl Iterator<Item = (&'a Option<At<Outlined<Policies>>>, &'a Option<At<Outlined<LimitsPolicy>>>)>,
    ) -> Self {
        let mut usual = Self::default();
        for (number, (defaults, limits)) in layers.enumerate() {
            let policies = defaults.as_ref().map(|at| &at.value);
            let said = if number < own { &mut usual.defaults } else { &mut usual.profile };
            said.extend(policies);
            usual.limits.extend(limits.as_ref().map(|at| &at.value));
            usual.place = usual.place.or(defaults.as_ref().map(|at| at.place));
        }
        usual
    }
}

/// Policies laid over each other, and where they were written.
#[derive(Clone)]
struct Laid<'a> {
    policies: Policies,
    /// In the scenario, the upper layers first.
    own: Vec<&'a Outline>,
    /// In profiles.
    profile: Vec<&'a Outline>,
}

/// Resolves the `layers` of a gateway or a mesh, the upper one first, over what is `usual`.
pub(super) fn resolve(
    layers: &[&Layers],
    usual: &Usual<'_>,
    names: &Names,
    context: &mut Context<'_>,
) -> Resolved {
    let shared = Laid::of(usual);
    let of_all = shared.settings(context);
    let limited = stacked(&usual.limits, LimitsPolicy::over);
    let limits_of_all = limits_of(&limited.0, &limited.1, context);
    let count = names.services().count();
    let (mut laid, mut limited) = (vec![shared; count], vec![limited; count]);
    let mut services = vec![of_all; count];
    let mut service_limits = vec![limits_of_all.clone(); count];
    let of_services = layers
        .iter()
        .rev()
        .flat_map(|layers| known(&layers.services, |name, context| names.service(name, context), context));
    for (ServiceId(index), called) in of_services.collect::<Vec<_>>() {
        laid[index] = laid[index].below(&called.policies);
        services[index] = laid[index].settings(context);
        if let Some(At { value: written, .. }) = &called.limits {
            let (limits, outlines) = &mut limited[index];
            *limits = written.value.over(limits);
            outlines.insert(0, &written.outline);
            service_limits[index] = limits_of(limits, outlines, context);
        }
    }
    let says_protocol = laid.iter().map(|laid| laid.own.iter().any(|own| own.find("protocol").is_some()));
    let says_protocol = says_protocol.collect();
    let (routes, route_limits) = routes(layers, &laid, names, context);
    Resolved { services, says_protocol, routes, limits: limits_of_all, service_limits, route_limits }
}

/// Policies of single endpoints, and limits of them.
type Routes = (Vec<(EndpointId, Settings)>, Vec<(EndpointId, load_control::Settings)>);

/// What `layers`, the upper one first, say of single endpoints, over how their services are called.
fn routes(layers: &[&Layers], services: &[Laid<'_>], names: &Names, context: &mut Context<'_>) -> Routes {
    let (mut routes, mut limits) = (Vec::<(EndpointId, Laid<'_>)>::new(), Vec::new());
    let written = layers
        .iter()
        .rev()
        .flat_map(|layers| known(&layers.routes, |name, context| names.endpoint(name, context), context));
    for (id, called) in written.collect::<Vec<_>>() {
        if let Some(written) = &called.limits {
            limits.retain(|(other, _)| *other != id);
            limits.push((id, limits_of(&written.value.value, &[&written.value.outline], context)));
        }
        if called.policies.value != Policies::default() || called.limits.is_none() {
            match routes.iter_mut().find(|(other, _)| *other == id) {
                Some((_, below)) => *below = below.below(&called.policies),
                None => routes.push((id, services[id.service.0].below(&called.policies))),
            }
        }
    }
    (routes.into_iter().map(|(id, laid)| (id, laid.settings(context))).collect(), limits)
}

impl<'a> Laid<'a> {
    fn of(usual: &Usual<'a>) -> Self {
        let all: Vec<_> = usual.defaults.iter().chain(&usual.profile).copied().collect();
        let (policies, _) = stacked(&all, Policies::over);
        Self {
            policies,
            own: usual.defaults.iter().map(|layer| &layer.outline).collect(),
            profile: usual.profile.iter().map(|layer| &layer.outline).collect(),
        }
    }

    /// These below `upper` ones.
    fn below(&self, upper: &'a Outlined<Policies>) -> Self {
        let own = std::iter::once(&upper.outline).chain(self.own.iter().copied()).collect();
        Self { policies: upper.value.over(&self.policies), own, profile: self.profile.clone() }
    }

    /// What they mean. What a profile says where the scenario does not is a default, which gives way to what the scenario
    /// says, and contradicts nothing.
    fn settings(&self, context: &mut Context<'_>) -> Settings {
        let mut found = self.policies.resolve().err().unwrap_or_default();
        if !self.profile.is_empty() {
            found
                .retain(|contradiction| self.own.iter().any(|layer| layer.find(contradiction.key).is_some()));
        }
        let layers: Vec<&Outline> = self.own.iter().chain(&self.profile).copied().collect();
        Contradiction::note_all(found, &layers, context);
        self.policies.settings()
    }
}

/// What sidecars may have of connections to their own applications, as these layers say, the scenario's first.
pub(super) fn inbound_pool<'a>(layers: impl Iterator<Item = &'a Option<At<PoolPolicy>>>) -> Option<Limits> {
    let layers: Vec<&PoolPolicy> = layers.flatten().map(|at| &at.value).collect();
    let merged = layers.iter().rev().fold(PoolPolicy::default(), |below, layer| layer.over(&below));
    (!layers.is_empty()).then(|| merged.resolve_alone())
}

/// When sidecars ask their own applications again, as these layers say, the scenario's first.
pub(super) fn inbound_retry<'a>(
    layers: impl Iterator<Item = &'a Option<At<Outlined<RetryPolicy>>>>,
    context: &mut Context<'_>,
) -> Option<Retries> {
    let layers: Vec<&Outlined<RetryPolicy>> = layers.flatten().map(|at| &at.value).collect();
    let (policy, outlines) = stacked(&layers, RetryPolicy::over);
    if layers.is_empty() {
        return None;
    }
    policy.resolve_alone().map_err(|found| Contradiction::note_all(found, &outlines, context)).ok()
}

/// What is written in `layers`, the upper ones first, with where; nothing when nobody writes anything.
fn stacked<'a, T: Clone + Default>(
    layers: &[&'a Outlined<T>],
    over: fn(&T, &T) -> T,
) -> (T, Vec<&'a Outline>) {
    let merged = layers.iter().rev().fold(T::default(), |below, layer| over(&layer.value, &below));
    (merged, layers.iter().map(|layer| &layer.outline).collect())
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
