//! The policies of a gateway and of a mesh: `[gateway]` and `[mesh]`, each with `defaults` and one
//! table a service. A policy's own keys are the proxy's; they are read one by one and laid over each
//! other, so that all that is wrong with a table is found at once.

use hoplab_config::quantity::{Bandwidth, Duration};
use hoplab_config::{At, Context, Keys, Named, Outline, Outlined, Place, Read, Table};
use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::upstream::Policies;
use toml::Spanned;
use toml::de::DeValue;

/// Policies in layers: those of a service stand over the defaults.
#[derive(Default)]
pub(in crate::scenario) struct Layers {
    pub(in crate::scenario) defaults: Option<At<Outlined<Policies>>>,
    /// What requests meet where they arrive.
    pub(in crate::scenario) limits: Option<At<Outlined<LimitsPolicy>>>,
    pub(in crate::scenario) services: Named<Called>,
    /// For one endpoint each.
    pub(in crate::scenario) routes: Named<Called>,
}

/// How something is called, and what requests to it meet where they arrive.
#[derive(Default)]
pub(in crate::scenario) struct Called {
    pub(in crate::scenario) policies: Outlined<Policies>,
    pub(in crate::scenario) limits: Option<At<Outlined<LimitsPolicy>>>,
}

impl Read for Called {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let limits = table.optional("limits", context);
        let policies =
            Outlined { value: Policies::take(&mut table, context), outline: Outline::of(value, place) };
        table.refuse_rest(context);
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
        let services = called(table.named::<Outlined<Policies>>("upstreams", context));
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
        let routes = called(table.named::<Outlined<Policies>>("routes", context));
        let cores = table.optional("cores", context);
        Some(Self { layers: Layers { services, routes, ..layers(table, context) }, cores })
    }
}

/// Where no limits may stand.
fn called(policies: Named<Outlined<Policies>>) -> Named<Called> {
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
