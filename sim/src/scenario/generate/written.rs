//! The text of a generated application, as a person would write it, below a comment that says what it is.

use std::fmt::Write as _;
use std::time::Duration;

use hoplab_config::quantity;

use super::calls::{Application, Endpoint, Id, Service, endpoint_name};
use super::shape::Role;
use super::{Recipe, dice, mix};
use crate::distribution::{Distribution, Sizes};
use crate::random;

/// The application file.
pub(super) fn text(application: &Application, recipe: &Recipe) -> String {
    let mut text = head(application, recipe);
    for (index, service) in application.services.iter().enumerate() {
        let Recipe { replicas, cores, .. } = recipe;
        let _ = write!(text, "\n[services.{}]\nreplicas = {replicas}\ncores = {cores}\n", service.name);
        if service.role == Role::Store {
            text.push_str("store = true\n");
        }
        for endpoint in 0..service.endpoints.len() {
            write_endpoint(&mut text, (index, endpoint), application, recipe);
        }
    }
    text
}

/// What the application is, and what loads ask for that do not say so.
fn head(application: &Application, recipe: &Recipe) -> String {
    let services = || application.services.iter();
    let count = |is_meant: fn(Role) -> bool| services().filter(|service| is_meant(service.role)).count();
    let entries = || services().filter(|service| service.role == Role::Entry);
    let all: Vec<&Endpoint> = entries().flat_map(|service| &service.endpoints).collect();
    let mix = mix_of(application);
    let weights: f64 = mix.iter().map(|(_, weight)| weight).sum();
    let asked = all.iter().zip(&mix).map(|(endpoint, (_, weight))| f64::from(endpoint.total) * weight);
    let depths: u32 = all.iter().map(|endpoint| endpoint.depth).sum();
    let most = |of: fn(&Endpoint) -> u32| all.iter().map(|endpoint| of(endpoint)).max().unwrap_or(0);
    let mix: Vec<String> = mix.iter().map(|(name, weight)| format!("\"{name}\" = {weight}")).collect();
    format!(
        "# {} services of [generate] with seed {}. Entries: {}; in layers: {}; leaves: {}, of which hubs: {}, stores: {}.\n\
         # A request makes {:.1} calls on average, {} at most; {:.1} one below the other, {} at most.\n\
         # mix = {{ {} }}\n",
        application.services.len(),
        recipe.seed,
        count(|role| role == Role::Entry),
        count(|role| matches!(role, Role::Middle(_))),
        count(|role| matches!(role, Role::Hub | Role::Leaf | Role::Store)),
        count(|role| role == Role::Hub),
        count(|role| role == Role::Store),
        asked.sum::<f64>() / weights,
        most(|endpoint| endpoint.total),
        f64::from(depths) / all.len() as f64,
        most(|endpoint| endpoint.depth),
        mix.join(", "),
    )
}

/// What loads ask for that do not say so.
fn mix_of(application: &Application) -> Vec<(String, f64)> {
    let endpoints = |service: &Service| (0..service.endpoints.len()).map(endpoint_name).collect::<Vec<_>>();
    let names = application.services.iter().map(|service| (&service.name, endpoints(service)));
    let names: Vec<_> = names.collect();
    mix(names.iter().flat_map(|(service, all)| all.iter().map(|name| (service.as_str(), name.as_str()))))
}

fn write_endpoint(text: &mut String, id: Id, application: &Application, recipe: &Recipe) {
    let service = &application.services[id.0];
    let endpoint = &service.endpoints[id.1];
    let stream = |purpose| dice::stream(recipe.seed, purpose, &service.name, id.1);
    let work = if service.role == Role::Store { &recipe.store_work } else { &recipe.work };
    let work = around(work.sample(&mut stream("generate.work")));
    let response = sizes_around(&recipe.response, || stream("generate.response"));
    let mut steps = vec![format!("{{ work = \"{work}\" }}")];
    let calls = endpoint.calls.iter().map(|call| {
        let times = if call.times > 1 { format!(", times = {}", call.times) } else { String::new() };
        format!("{{ call = \"{}\"{times} }}", application.text(call.callee))
    });
    let calls: Vec<String> = calls.collect();
    let at_once = random::happens(&mut stream("generate.parallel"), recipe.parallel);
    if at_once && calls.len() > 1 {
        steps.push(format!("{{ all = [\n    {},\n  ] }}", calls.join(",\n    ")));
    } else {
        steps.extend(calls);
    }
    let name = endpoint_name(id.1);
    let _ = writeln!(text, "endpoints.{name}.response = \"{response}\"");
    let _ = writeln!(text, "endpoints.{name}.steps = [\n  {},\n]", steps.join(",\n  "));
}

/// What varies without memory around a mean, of three digits, in whole microseconds; what takes no time, never.
fn around(mean: Duration) -> Distribution {
    let mean = Duration::from_micros(rounded((mean.as_nanos() as f64 / 1e3).round() as u64));
    if mean.is_zero() { Distribution::Constant(mean) } else { Distribution::Exponential { mean } }
}

/// The same of sizes.
fn sizes_around<R: rand::Rng>(sizes: &Sizes, random: impl FnOnce() -> R) -> String {
    match quantity::Size(rounded(sizes.draw(random))) {
        quantity::Size(0) => "0 B".to_owned(),
        mean => format!("exp({mean})"),
    }
}

/// To three significant digits.
fn rounded(number: u64) -> u64 {
    let unit = 10_u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(2));
    number.saturating_add(unit / 2) / unit * unit
}
