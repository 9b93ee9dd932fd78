//! The policies of a gateway and of a mesh: `[gateway]` and `[mesh]`, each with `defaults` and one
//! table a service. A policy's own keys are the proxy's; they are read one by one and laid over each
//! other, so that all that is wrong with a table is found at once.

use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::quantity::{Bandwidth, Duration};
use hoplab_proxy::upstream::Policies;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::scenario::place::{At, Place};
use crate::scenario::reader::{Context, Named, Read, Table};

/// Policies in layers: those of a service stand over the defaults.
#[derive(Default)]
pub(in crate::scenario) struct Layers {
    pub(in crate::scenario) defaults: Option<At<Policies>>,
    /// What requests meet where they arrive.
    pub(in crate::scenario) limits: Option<At<LimitsPolicy>>,
    pub(in crate::scenario) services: Named<Called>,
    /// For one endpoint each.
    pub(in crate::scenario) routes: Named<Called>,
}

/// How something is called, and what requests to it meet where they arrive.
#[derive(Default)]
pub(in crate::scenario) struct Called {
    pub(in crate::scenario) policies: Policies,
    pub(in crate::scenario) limits: Option<At<LimitsPolicy>>,
}

impl Read for Called {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let limits = Table::open(value, place, context)?.optional("limits", context);
        let mut rest = value.get_ref().as_table()?.clone();
        rest.remove("limits");
        let policies = Policies::read(&Spanned::new(value.span(), DeValue::Table(rest)), place, context)?;
        Some(Self { policies, limits })
    }
}

/// `[gateway]`: the live file's keys, less what a scenario knows by itself (where to listen, where
/// the upstreams are, which requests go where).
#[derive(Default)]
pub(in crate::scenario) struct Gateway {
    pub(in crate::scenario) layers: Layers,
    pub(in crate::scenario) zone: Option<At<String>>,
    pub(in crate::scenario) cores: Option<At<Cores>>,
    pub(in crate::scenario) bandwidth: Option<At<Bandwidth>>,
    pub(in crate::scenario) protocol: Option<At<String>>,
    pub(in crate::scenario) keep_alive: Option<At<Duration>>,
    pub(in crate::scenario) max_connection_age: Option<At<Duration>>,
}

/// `cores = 2`, or `cores = "shared"`.
pub(in crate::scenario) enum Cores {
    Number(u32),
    Name(String),
}

impl Read for Cores {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref().as_str() {
            Some(name) => Some(Self::Name(name.to_owned())),
            None => u32::read(value, place, context).map(Self::Number),
        }
    }
}

impl Read for Gateway {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        for key in ["listen", "drain_timeout"] {
            if let Some(place) = table.key_place(key) {
                let fact = format!("\"{key}\" is not there yet in a scenario");
                context.error(place, fact).hint("a scenario's gateway serves every endpoint, on port 8080");
            }
            table.pass(key);
        }
        let routes = table.named("routes", context);
        let services = called(table.named::<Policies>("upstreams", context));
        let zone = table.optional("zone", context);
        let cores = table.optional("cores", context);
        let bandwidth = table.optional("bandwidth", context);
        let protocol = table.optional("protocol", context);
        let keep_alive = table.optional("keep_alive", context);
        let max_connection_age = table.optional("max_connection_age", context);
        let layers = Layers { services, routes, ..layers(table, context) };
        Some(Self { layers, zone, cores, bandwidth, protocol, keep_alive, max_connection_age })
    }
}

/// `[mesh]`: the live sidecar's keys, less what a scenario knows by itself.
#[derive(Default)]
pub(in crate::scenario) struct Mesh {
    pub(in crate::scenario) layers: Layers,
    pub(in crate::scenario) cores: Option<At<Cores>>,
}

impl Read for Mesh {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        for key in ["service", "zone", "inbound", "outbound", "identity"] {
            if let Some(place) = table.key_place(key) {
                let fact = format!("\"{key}\" is not there yet in a scenario");
                context.error(place, fact).hint("a scenario's sidecars are told by the mesh itself");
            }
            table.pass(key);
        }
        let services = table.named("services", context);
        let routes = called(table.named::<Policies>("routes", context));
        let cores = table.optional("cores", context);
        Some(Self { layers: Layers { services, routes, ..layers(table, context) }, cores })
    }
}

/// Where no limits may stand.
fn called(policies: Named<Policies>) -> Named<Called> {
    let called = |policies| Called { policies, limits: None };
    policies.into_iter().map(|(name, policies)| (name, policies.map(called))).collect()
}

/// What both say besides; all else is unknown.
fn layers(mut table: Table<'_, '_>, context: &mut Context<'_>) -> Layers {
    let layers = Layers {
        defaults: table.optional("defaults", context),
        limits: table.optional("limits", context),
        ..Layers::default()
    };
    table.refuse_rest(context);
    layers
}

impl Read for Policies {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        read_layered(value, place, context, Self::over)
    }
}

impl Read for LimitsPolicy {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        read_layered(value, place, context, Self::over)
    }
}

/// Reads what the proxy reads, each key by itself, laid `over` each other.
fn read_layered<T: DeserializeOwned + Default>(
    value: &Spanned<DeValue<'_>>,
    place: Place,
    context: &mut Context<'_>,
    over: impl Fn(&T, &T) -> T,
) -> Option<T> {
    Table::open(value, place, context)?;
    let mut layers = T::default();
    let mut refused = false;
    for leaf in leaves(value) {
        let at = deepest(&leaf, place);
        match T::deserialize(ValueDeserializer::from(leaf)) {
            Ok(leaf) => layers = over(&leaf, &layers),
            Err(error) => {
                refused = true;
                refuse(&error, at, place, context);
            }
        }
    }
    // Some mistakes are made by several keys together: two kinds of retry budget.
    if !refused && let Err(error) = T::deserialize(ValueDeserializer::from(value.clone())) {
        refuse(&error, place, place, context);
    }
    Some(layers)
}

/// Tables that hold one value each, at the end of one path of keys: `{ retry = { attempts = 2 } }`.
fn leaves<'i>(value: &Spanned<DeValue<'i>>) -> Vec<Spanned<DeValue<'i>>> {
    let Some(table) = value.get_ref().as_table().filter(|table| !table.is_empty()) else {
        return vec![value.clone()];
    };
    let mut all = Vec::new();
    for (key, value) in table {
        for leaf in leaves(value) {
            let span = leaf.span();
            let table: DeTable<'i> = std::iter::once((key.clone(), leaf)).collect();
            all.push(Spanned::new(span, DeValue::Table(table)));
        }
    }
    all
}

/// The place of the value at the end of a leaf's path.
fn deepest(leaf: &Spanned<DeValue<'_>>, place: Place) -> Place {
    match leaf.get_ref().as_table().and_then(|table| table.iter().next()) {
        Some((_, inner)) => deepest(inner, place),
        None => Place::new(place.source, leaf.span()),
    }
}

/// Notes what the proxy's own reader said.
fn refuse(error: &toml::de::Error, at: Place, table: Place, context: &mut Context<'_>) {
    let message = error.message();
    let place = error.span().map_or(at, |span| Place::new(table.source, span));
    if let Some(rest) = message.strip_prefix("unknown field ") {
        // "unknown field `x`, expected one of `a`, `b`": every second piece between backticks is a name.
        let mut names = rest.split('`').skip(1).step_by(2);
        let name = At { value: names.next().unwrap_or_default().to_owned(), place };
        return context.unknown("key", &name, names);
    }
    let values = ["invalid type: ", "invalid value: "].iter().find_map(|prefix| message.strip_prefix(prefix));
    match values.and_then(|values| values.split_once(", expected ")) {
        Some((found, expected)) => {
            let expected = if expected == "u32" { "a whole number" } else { expected };
            context.error(place, format!("{found} where {expected} belongs"));
        }
        None => context.complaint(place, message),
    }
}
