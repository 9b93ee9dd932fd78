//! Which endpoint calls which: from below, so that what each call causes is known when it is made. An endpoint of layer
//! `n` calls one of layer `n - 1`, and others from any lower layer. What nobody calls yet is called first, as most services
//! have one caller; what nobody calls in the end is called by those that call the fewest.

use std::cmp::Reverse;

use rand::Rng;

use super::dice::{self, Zipf};
use super::shape::{self, Role, Shape};
use super::{FanOut, Recipe};
use crate::random;

/// Which share of the calls but for the first of each endpoint go to leaves. Assumed: then more than 10 % of the graphs have
/// more than 40 calls, as Luo et al. 2021 tells, and not most of them.
const TO_LEAVES: f64 = 0.7;
/// How often at most an edge is called that is called several times, and how fast that falls off. Assumed; Jaeger's
/// example application calls ten times.
const TIMES_MAX: u32 = 10;
/// How often another callee is looked for where one is called already.
const TRIES: u32 = 4;

/// An application.
pub(super) struct Application {
    /// Its services, as they are written: entries first, leaves last.
    pub(super) services: Vec<Service>,
}

/// A service of it.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) endpoints: Vec<Endpoint>,
}

/// What a service answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Whom it calls.
    pub(super) calls: Vec<Call>,
    /// How many calls lie one below the other.
    pub(super) depth: u32,
    /// How many calls it causes in all.
    pub(super) total: u32,
    /// Whether any other calls it.
    pub(super) is_called: bool,
}

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// Of which endpoint.
    pub(super) callee: Id,
    /// How often, one after the other.
    pub(super) times: u32,
}

/// An endpoint: its service and its number there.
pub(super) type Id = (usize, usize);

impl Application {
    /// The application that `recipe` makes.
    pub(super) fn draw(recipe: &Recipe) -> Self {
        let shape = Shape::of(recipe);
        let mut drawing = Drawing::begin(recipe, &shape);
        let middle = drawing.ids(|role| matches!(role, Role::Middle(_)));
        // As they are written the highest layer comes first.
        let mut upwards = middle;
        upwards.sort_by_key(|id| drawing.endpoint(*id).depth);
        for id in upwards.into_iter().chain(drawing.ids(|role| role == Role::Entry)) {
            drawing.connect(id);
        }
        drawing.reach_all();
        drawing.application
    }

    /// The name of an endpoint: `svc-2-1.get`.
    pub(super) fn text(&self, (service, endpoint): Id) -> String {
        format!("{}.{}", self.services[service].name, endpoint_name(endpoint))
    }
}

/// The name of the endpoint of this number in its service.
pub(super) fn endpoint_name(number: usize) -> String {
    if number == 0 { "get".to_owned() } else { format!("get-{}", number + 1) }
}

/// An application that is being drawn.
struct Drawing<'a> {
    recipe: &'a Recipe,
    application: Application,
    /// The endpoints of each layer, the leaves' without those of hubs below all.
    layers: Vec<Vec<Id>>,
    /// Those of them that nobody calls yet.
    uncalled: Vec<Vec<Id>>,
    hubs: Vec<Id>,
    fan_out: Option<Zipf>,
    times: Zipf,
}

impl<'a> Drawing<'a> {
    /// All services with their endpoints, which call none.
    fn begin(recipe: &'a Recipe, shape: &Shape) -> Self {
        let mut services = Vec::new();
        let (mut layers, mut hubs) = (vec![Vec::new(); shape.layers.len() + 1], Vec::new());
        for (role, count) in shape.roles() {
            for number in 1..=count {
                let name = role.name(number);
                let depths: Vec<u32> = match role {
                    Role::Entry => shape.entries[number as usize - 1].clone(),
                    Role::Middle(layer) => vec![layer; shape::endpoints(recipe, &name)],
                    Role::Hub | Role::Leaf | Role::Store => vec![0],
                };
                let ids = (0..depths.len()).map(|endpoint| (services.len(), endpoint));
                match role {
                    Role::Entry => {}
                    Role::Hub => hubs.extend(ids),
                    Role::Middle(_) | Role::Leaf | Role::Store => layers[depths[0] as usize].extend(ids),
                }
                let endpoint = |depth| Endpoint { depth, ..Endpoint::default() };
                let endpoints = depths.into_iter().map(endpoint).collect();
                services.push(Service { name, role, endpoints });
            }
        }
        let fan_out = match recipe.fan_out {
            FanOut::Always(_) => None,
            FanOut::Zipf { exponent, max } => Some(Zipf::new(exponent, max)),
        };
        let (uncalled, times) = (layers.clone(), Zipf::new(2.0, TIMES_MAX - 1));
        Self { recipe, application: Application { services }, layers, uncalled, hubs, fan_out, times }
    }

    fn endpoint(&self, (service, endpoint): Id) -> &Endpoint {
        &self.application.services[service].endpoints[endpoint]
    }

    fn endpoint_mut(&mut self, (service, endpoint): Id) -> &mut Endpoint {
        &mut self.application.services[service].endpoints[endpoint]
    }

    /// The endpoints of the services whose role is meant, as they are written.
    fn ids(&self, is_meant: impl Fn(Role) -> bool) -> Vec<Id> {
        let services = self.application.services.iter().enumerate();
        let meant = services.filter(|(_, service)| is_meant(service.role));
        meant.flat_map(|(index, of)| (0..of.endpoints.len()).map(move |endpoint| (index, endpoint))).collect()
    }

    /// How many calls an endpoint of this `depth` may cause: so few that those above it stay below what is allowed.
    fn budget(&self, depth: u32) -> u32 {
        self.recipe.calls - (self.layers.len() as u32).saturating_sub(depth)
    }

    /// Draws whom an endpoint calls.
    fn connect(&mut self, id: Id) {
        let name = &self.application.services[id.0].name;
        let random = &mut dice::stream(self.recipe.seed, "generate.calls", name, id.1);
        let depth = self.endpoint(id).depth;
        let count = match (&self.fan_out, self.recipe.fan_out) {
            (Some(zipf), _) => zipf.draw(random),
            (None, FanOut::Always(count) | FanOut::Zipf { max: count, .. }) => count,
        };
        for nth in 0..count {
            let layer = match nth {
                0 => depth - 1,
                _ if depth == 1 || random::happens(random, TO_LEAVES) => 0,
                _ => 1 + dice::index(depth as usize - 1, random) as u32,
            };
            let is_repeated = random::happens(random, self.recipe.repeated);
            let times = if is_repeated { 1 + self.times.draw(random) } else { 1 };
            if let Some(callee) = self.callee(id, layer, random) {
                self.call(id, callee, times);
            }
        }
    }

    /// An endpoint of this layer that the `caller` does not call yet, if one is found.
    fn callee(&self, caller: Id, layer: u32, random: &mut impl Rng) -> Option<Id> {
        let layer = layer as usize;
        let calls = &self.endpoint(caller).calls;
        (0..TRIES).find_map(|_| {
            let has_hub = layer == 0 && !self.hubs.is_empty();
            let to_hub = has_hub && random::happens(random, self.recipe.hub_calls);
            let among = if to_hub || self.layers[layer].is_empty() {
                &self.hubs
            } else if self.uncalled[layer].is_empty() {
                &self.layers[layer]
            } else {
                &self.uncalled[layer]
            };
            let found = among[dice::index(among.len(), random)];
            calls.iter().all(|call| call.callee != found).then_some(found)
        })
    }

    /// Lets `caller` call `callee` so many `times`, or as often as it may; whether it may at all.
    fn call(&mut self, caller: Id, callee: Id, times: u32) -> bool {
        let each = 1 + self.endpoint(callee).total;
        let left = self.budget(self.endpoint(caller).depth) - self.endpoint(caller).total;
        let times = times.min(left / each);
        if times == 0 {
            return false;
        }
        let from = self.endpoint_mut(caller);
        from.calls.push(Call { callee, times });
        from.total += times * each;
        let to = self.endpoint_mut(callee);
        to.is_called = true;
        let layer = to.depth as usize;
        self.uncalled[layer].retain(|id| *id != callee);
        true
    }

    /// Lets what nobody calls be called, from above, so that all that stands higher is reached: by the endpoint that calls
    /// the fewest, the lowest of these, or where that would be too many calls, by another endpoint of an entry.
    fn reach_all(&mut self) {
        let is_missed = |id: &Id| !self.endpoint(*id).is_called;
        let mut missed = self.ids(|role| role != Role::Entry);
        missed.retain(is_missed);
        missed.sort_by_key(|id| Reverse(self.endpoint(*id).depth));
        for callee in missed {
            let depth = self.endpoint(callee).depth;
            let mut callers = self.ids(|role| role == Role::Entry || matches!(role, Role::Middle(_)));
            callers.retain(|caller| self.endpoint(*caller).depth > depth);
            callers.sort_by_key(|id| (self.endpoint(*id).calls.len(), self.endpoint(*id).depth));
            callers.truncate(TRIES as usize);
            if !callers.into_iter().any(|caller| self.call_below(caller, callee)) {
                let caller = self.another_entry(depth + 1);
                self.call(caller, callee, 1);
            }
        }
    }

    /// Lets `caller`, which others call, call `callee`, unless one of them would then cause more calls than it may.
    fn call_below(&mut self, caller: Id, callee: Id) -> bool {
        if !self.call(caller, callee, 1) {
            return false;
        }
        let mut upwards = self.ids(|role| role == Role::Entry || matches!(role, Role::Middle(_)));
        upwards.sort_by_key(|id| self.endpoint(*id).depth);
        let before: Vec<u32> = upwards.iter().map(|id| self.endpoint(*id).total).collect();
        let mut fits = true;
        for id in &upwards {
            let calls = self.endpoint(*id).calls.iter();
            let total =
                calls.map(|call| u64::from(call.times) * u64::from(1 + self.endpoint(call.callee).total));
            let total = total.sum::<u64>().min(u32::MAX.into()) as u32;
            fits &= total <= self.budget(self.endpoint(*id).depth);
            self.endpoint_mut(*id).total = total.min(self.recipe.calls);
        }
        if !fits {
            upwards.iter().zip(before).for_each(|(id, total)| self.endpoint_mut(*id).total = total);
            let from = self.endpoint_mut(caller);
            from.calls.pop();
        }
        fits
    }

    /// Another endpoint of the entry that has the fewest.
    fn another_entry(&mut self, depth: u32) -> Id {
        let entries = self.application.services.iter().enumerate();
        let entries = entries.filter(|(_, service)| service.role == Role::Entry);
        let fewest = entries.min_by_key(|(_, service)| service.endpoints.len());
        let service = fewest.expect("an application has an entry").0;
        let endpoints = &mut self.application.services[service].endpoints;
        endpoints.push(Endpoint { depth, ..Endpoint::default() });
        (service, endpoints.len() - 1)
    }
}
