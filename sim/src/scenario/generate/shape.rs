//! How many services an application has of each role, how deep the graph of each of its entries' endpoints is, and how many
//! services stand in each layer. Layers are counted from below, so that calls that go down one layer at least never come
//! back: those of layer 1 call leaves alone, those of layer 2 one of layer 1 at least.

use super::{Depth, Recipe, dice};

/// How names of entries begin.
pub(super) const ENTRY: &str = "entry-";

/// What a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Clients ask it.
    Entry,
    /// It is called and calls others, from this layer.
    Middle(u32),
    /// It calls none, and many call it.
    Hub,
    /// It calls none.
    Leaf,
    /// It calls none, and is a database or a cache.
    Store,
}

impl Role {
    /// The name of the service of this role and number, from 1 on.
    pub(super) fn name(self, number: u32) -> String {
        match self {
            Self::Entry => format!("{ENTRY}{number}"),
            Self::Middle(layer) => format!("svc-{layer}-{number}"),
            Self::Hub => format!("hub-{number}"),
            Self::Leaf => format!("leaf-{number}"),
            Self::Store => format!("store-{number}"),
        }
    }
}

/// How many there are of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// By entry and endpoint, how many calls lie one below the other; at least 1.
    pub(super) entries: Vec<Vec<u32>>,
    /// How many services each layer has, the lowest first; at least 1.
    pub(super) layers: Vec<u32>,
    /// How many leaves are hubs.
    pub(super) hubs: u32,
    /// How many are neither hubs nor stores.
    pub(super) leaves: u32,
    /// How many are stores.
    pub(super) stores: u32,
}

impl Shape {
    /// The shape of what `recipe` makes. What is left out of entries and leaves stands in layers, or where all graphs are
    /// of depth 1, so that there is none, beside the leaves.
    pub(super) fn of(recipe: &Recipe) -> Self {
        let all = recipe.services;
        let entries = part(all, recipe.entries).clamp(1, all - 1);
        let leaves = part(all, recipe.leaves).clamp(1, all - entries);
        let middle = all - entries - leaves;
        let entries: Vec<Vec<u32>> =
            (1..=entries).map(|number| depths(recipe, &Role::Entry.name(number), middle)).collect();
        let layers = layers(middle, &entries);
        let leaves = if layers.is_empty() { leaves + middle } else { leaves };
        let hubs = part(all, recipe.hubs).min(leaves);
        let stores = part(leaves, recipe.stores).min(leaves - hubs);
        Self { entries, layers, hubs, stores, leaves: leaves - hubs - stores }
    }

    /// The roles with how many services each has, as they are written.
    pub(super) fn roles(&self) -> Vec<(Role, u32)> {
        let layers = (1..).zip(&self.layers).map(|(layer, count)| (Role::Middle(layer), *count));
        let below = [(Role::Hub, self.hubs), (Role::Leaf, self.leaves), (Role::Store, self.stores)];
        let entries = (Role::Entry, self.entries.len() as u32);
        let middle: Vec<_> = layers.collect();
        std::iter::once(entries).chain(middle.into_iter().rev()).chain(below).collect()
    }
}

/// This `share` of `all`, to the nearest whole number.
fn part(all: u32, share: f64) -> u32 {
    (f64::from(all) * share).round() as u32
}

/// How many endpoints the service called `name` has.
pub(super) fn endpoints(recipe: &Recipe, name: &str) -> usize {
    let random = &mut dice::stream(recipe.seed, "generate.endpoints", name, 0);
    dice::index(recipe.endpoints as usize, random) + 1
}

/// How deep the graph of each endpoint of the entry called `name` is: no deeper than there are services between entries
/// and leaves.
fn depths(recipe: &Recipe, name: &str, middle: u32) -> Vec<u32> {
    let depth = |endpoint| {
        let random = &mut dice::stream(recipe.seed, "generate.depth", name, endpoint);
        let drawn = match recipe.depth {
            Depth::Always(depth) => depth,
            Depth::Drawn { mean, max } => (1 + dice::poisson(mean - 1.0, max, random)).min(max),
        };
        drawn.min(middle + 1).min(recipe.calls)
    };
    (0..endpoints(recipe, name)).map(depth).collect()
}

/// How many of the `middle` services stand in each layer: one at least, the rest in proportion to how many graphs go
/// through it.
fn layers(middle: u32, entries: &[Vec<u32>]) -> Vec<u32> {
    let depths = || entries.iter().flatten().copied();
    let tallest = depths().max().unwrap_or(1) - 1;
    let through: Vec<u32> =
        (1..=tallest).map(|layer| depths().filter(|depth| *depth > layer).count() as u32).collect();
    let (sum, rest) = (through.iter().sum::<u32>(), middle.saturating_sub(tallest));
    let (mut weight, mut placed) = (0, 0);
    let layer = |through: &u32| {
        weight += through;
        let until = (u64::from(rest) * u64::from(weight) / u64::from(sum)) as u32;
        let count = 1 + until - placed;
        placed = until;
        count
    };
    through.iter().map(layer).collect()
}
