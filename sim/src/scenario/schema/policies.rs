//! The policies of a gateway and of a mesh: `[gateway]` and `[mesh]`, each with `defaults` and one
//! table a service. A policy's own keys are the proxy's; they are read one by one and laid over each
//! other, so that all that is wrong with a table is found at once.

use hoplab_config::form::{Describe, Form, Key, Word};
use hoplab_config::quantity::{Bandwidth, Duration};
use hoplab_config::{At, Context, Keys, Named, Names, Outlined, Place, Read, Table, Value, table, way};
use hoplab_mesh::config::Protection;
use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::upstream::{Policies, PoolPolicy, Protocol, RetryPolicy};

use super::{Counted, named};
use crate::scenario::plan::connections::DirectBalance;

/// Policies for parts of an application, over those for all of it.
#[derive(Default)]
pub(in crate::scenario) struct Layers {
    /// For one service each.
    pub(in crate::scenario) services: Named<Called>,
    /// For one endpoint each.
    pub(in crate::scenario) routes: Named<Called>,
}

table! {
    /// How something is called, and what requests to it meet where they arrive.
    pub(in crate::scenario) struct Called {
        /// Load control where its requests arrive.
        pub(in crate::scenario) limits: Outlined<LimitsPolicy> = "none",
        ..
        /// How it is called.
        pub(in crate::scenario) policies: Outlined<Policies>,
    }
}

table! {
    /// `[gateway]`: the live file's keys, less what a scenario knows by itself (where to listen, where
    /// the upstreams are, which requests go where).
    pub(in crate::scenario) struct Gateway {
        /// Its pods.
        pub(in crate::scenario) replicas: u32 as Counted = 1,
        /// How clients spread over several.
        pub(in crate::scenario) balancer: DirectBalance = "`\"per-connection\"`",
        /// Where it stands.
        pub(in crate::scenario) zone: String = "none",
        /// Of its NIC.
        pub(in crate::scenario) bandwidth: Bandwidth = "the network's",
        ..
        /// What it does in this scenario.
        pub(in crate::scenario) tuning: GatewayTuning,
        ..
        /// Refuses keys of the live file.
        pub(in crate::scenario) live: LiveGateway,
    }
}

table! {
    /// What a gateway does in a scenario, or in a phase of one.
    pub(in crate::scenario) struct GatewayTuning {
        /// Policies for one endpoint each, such as `"order.place"`, over its service's; it then has breakers, budgets,
        /// health checks and connections of its own. Its `limits` its requests meet after those of all.
        pub(in crate::scenario) routes: Names<Called> = "none",
        /// Policies for one service each, over the defaults, key by key.
        pub(in crate::scenario) upstreams: Names<Outlined<Policies>> = "none",
        ..
        /// What it does for all.
        pub(in crate::scenario) manners: GatewayManners,
    }
}

table! {
    /// What a gateway does wherever it stands, in a scenario or in a profile.
    pub(in crate::scenario) struct GatewayManners {
        /// Its cores.
        pub(in crate::scenario) cores: Cores = 2,
        /// What clients speak with it; what it speaks with services is a policy.
        pub(in crate::scenario) protocol: Protocol = "what the service speaks that they ask",
        /// How long it lets a client's connection be idle.
        pub(in crate::scenario) keep_alive: Duration = "as for a service",
        /// How old a client's connection may become.
        pub(in crate::scenario) max_connection_age: Duration = "as for a service",
        /// Policies for every service.
        pub(in crate::scenario) defaults: Outlined<Policies> = "none",
        /// Load control of all its requests.
        pub(in crate::scenario) limits: Outlined<LimitsPolicy> = "none",
    }
}

table! {
    /// `[mesh]`: the live sidecar's keys, less what a scenario knows by itself.
    pub(in crate::scenario) struct Mesh {
        ..
        /// What it does in this scenario.
        pub(in crate::scenario) tuning: MeshTuning,
        ..
        /// Refuses keys of the live file.
        pub(in crate::scenario) live: LiveSidecar,
    }
}

table! {
    /// What a mesh does in a scenario, or in a phase of one.
    pub(in crate::scenario) struct MeshTuning {
        /// Policies for one service each, over the defaults, key by key, and limits at the inbound sidecar of each of its
        /// pods, over the mesh's.
        pub(in crate::scenario) services: Names<Called> = "none",
        /// Policies for one endpoint each, such as `"order.place"`, over its service's; it then has breakers, budgets,
        /// health checks and connections of its own.
        pub(in crate::scenario) routes: Names<Outlined<Policies>> = "none",
        /// The services that have sidecars.
        pub(in crate::scenario) only: Vec<At<String>> as Services = "all but stores",
        /// The services that have none; they speak in the clear with those that have.
        pub(in crate::scenario) except: Vec<At<String>> as Services = "stores",
        ..
        /// What its sidecars do.
        pub(in crate::scenario) manners: MeshManners,
    }
}

table! {
    /// What sidecars do wherever they stand, in a scenario or in a profile.
    pub(in crate::scenario) struct MeshManners {
        /// Of each sidecar: its own, or `"shared"`: the application's, ahead of what waits there.
        pub(in crate::scenario) cores: Cores = 2,
        /// How connections between sidecars are secured.
        pub(in crate::scenario) tls: Protection = "`\"mutual\"`",
        /// How many connections to its own application, and requests that wait for one, a sidecar may have.
        pub(in crate::scenario) inbound_pool: PoolPolicy = "as the keys of `pool` say",
        /// When a sidecar asks its own application again.
        pub(in crate::scenario) inbound_retry: Outlined<RetryPolicy> = "never",
        /// Policies for every service.
        pub(in crate::scenario) defaults: Outlined<Policies> = "none",
        /// Load control of the requests to each service, at each of its pods.
        pub(in crate::scenario) limits: Outlined<LimitsPolicy> = "none",
    }
}

way!(Services: Vec<At<String>>, Form::List(Box::new(Form::Text { what: "a service", example: "order" })), Vec::read);

impl GatewayTuning {
    /// Its policies; nothing of them is left.
    pub(in crate::scenario) fn take_layers(&mut self) -> Layers {
        Layers { services: called(self.upstreams.take()), routes: named(self.routes.take()) }
    }
}

impl MeshTuning {
    /// Its policies; nothing of them is left.
    pub(in crate::scenario) fn take_layers(&mut self) -> Layers {
        Layers { services: named(self.services.take()), routes: called(self.routes.take()) }
    }
}

/// Where no limits may stand.
fn called(policies: Option<At<Names<Outlined<Policies>>>>) -> Named<Called> {
    let called = |policies| Called { policies, limits: None };
    named(policies).into_iter().map(|(name, policies)| (name, policies.map(called))).collect()
}

/// Keys of a live file that a scenario has no use for: they are refused with the reason.
macro_rules! live {
    ($($(#[$meta:meta])* $live:ident: [$($key:literal),+], $hint:literal;)+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default)]
        pub(in crate::scenario) struct $live;

        impl Keys for $live {
            fn keys() -> Vec<Key> {
                Vec::new()
            }

            fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
                refuse(&[$($key),+], $hint, table, context);
                Self
            }
        }
    )+ };
}

live! {
    /// Refuses what only a live gateway has.
    LiveGateway: ["listen", "drain_timeout"], "a scenario's gateway serves every endpoint, on port 8080";
    /// Refuses what only a live sidecar has.
    LiveSidecar: ["service", "zone", "inbound", "outbound", "identity"],
        "a scenario's sidecars are told by the mesh itself";
}

fn refuse(keys: &[&str], hint: &str, table: &mut Table<'_, '_>, context: &mut Context<'_>) {
    for key in keys {
        if let Some(place) = table.key_place(key) {
            let fact = format!("\"{key}\" is not there yet in a scenario");
            context.error(place, fact).hint(hint);
        }
        table.pass(key);
    }
}

/// `cores = 2`, or `cores = "shared"`.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Cores {
    Number(u32),
    Name(String),
}

/// The word that stands for the application's cores.
pub(in crate::scenario) const SHARED: &str = "shared";

impl Read for Cores {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref().as_str() {
            Some(name) => Some(Self::Name(name.to_owned())),
            None => u32::read(value, place, context).map(Self::Number),
        }
    }
}

impl Describe for Cores {
    fn form() -> Form {
        let shared = Word { name: SHARED, about: "the application's" };
        Form::Either(vec![Form::Whole { least: 1, most: u32::MAX.into() }, Form::Word(vec![shared])])
    }
}
