//! Retries of two owners that multiply: an application's and its sidecar's, a client's and the gateway's. Nothing is wrong
//! with either; together they send a call as many times as the product of both.

use std::collections::BTreeSet;

use hoplab_config::{Context, Place};
use hoplab_proxy::upstream::Settings;

use crate::scenario::plan::{Architecture, Load, Service};

/// A call that two retry.
struct Doubled {
    call: String,
    under: String,
    first: u32,
    second: u32,
}

/// Warns of calls that both an application and its sidecar retry, or a client and the gateway, at the `place` where
/// applications and clients are told to.
pub(super) fn warn(
    architectures: &[Architecture],
    services: &[Service],
    loads: &[Load],
    place: Option<Place>,
    context: &mut Context<'_>,
) {
    let Some(place) = place else { return };
    let found = architectures.iter().flat_map(|of| [calls(of, services), requests(of, services, loads)]);
    let mut found: Vec<Doubled> = found.flatten().collect();
    found.sort_by_key(|doubled| std::cmp::Reverse(doubled.product()));
    let mut seen = BTreeSet::new();
    found.retain(|doubled| seen.insert(doubled.call.clone()));
    let Some(worst) = found.first() else { return };
    let Doubled { call, under, first, second } = worst;
    let others = match found.len() - 1 {
        0 => String::new(),
        1 => ", and another call likewise".to_owned(),
        others => format!(", and {others} other calls likewise"),
    };
    let fact = format!(
        "{call} is retried twice over under {under}: up to {} attempts, {first} times {second}{others}",
        worst.product()
    );
    context.warning(place, fact).hint("let one of the two retry, or give one of them a `budget`");
}

impl Doubled {
    fn product(&self) -> u64 {
        u64::from(self.first) * u64::from(self.second)
    }

    fn is_double(&self) -> bool {
        self.first > 1 && self.second > 1
    }
}

/// Calls between services.
fn calls(of: &Architecture, services: &[Service]) -> Vec<Doubled> {
    let doubled = |(&(caller, callee), own): (&(usize, usize), &Settings)| {
        let mesh = of.beside(caller)?;
        let routes = mesh.calls.routes.iter().filter(|(id, _)| id.service.0 == callee).map(|(_, of)| of);
        let second = routes.chain([&mesh.calls.services[callee]]).map(attempts).max()?;
        let call = format!("{} → {}", services[caller].name, services[callee].name);
        Some(Doubled { call, under: of.name.to_string(), first: attempts(own), second })
    };
    of.applications.calls.iter().filter_map(doubled).filter(Doubled::is_double).collect()
}

/// Requests of clients.
fn requests(of: &Architecture, services: &[Service], loads: &[Load]) -> Vec<Doubled> {
    let Some(gateway) = &of.gateway else { return Vec::new() };
    let loads = loads.iter().zip(&of.applications.loads);
    let doubled = |(load, own): (&Load, &Option<Settings>)| {
        let (id, _) = load.mix.iter().max_by_key(|(id, _)| attempts(gateway.calls.of(*id)))?;
        let call = format!("{} → {}", load.name, services[id.service.0].name);
        let second = attempts(gateway.calls.of(*id));
        Some(Doubled { call, under: of.name.to_string(), first: attempts(own.as_ref()?), second })
    };
    loads.filter_map(doubled).filter(Doubled::is_double).collect()
}

/// How many attempts these settings allow, where no budget bounds them.
fn attempts(settings: &Settings) -> u32 {
    if settings.budget.is_some() {
        return 1;
    }
    settings
        .retry
        .as_ref()
        .filter(|retry| !retry.on.is_empty())
        .map_or(1, |retry| retry.attempts.saturating_add(1))
}
