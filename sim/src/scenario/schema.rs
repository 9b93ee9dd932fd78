//! What a scenario file may say, as it was written: each table a type, each value with its place.
//! Units and types are checked here; what needs a second look elsewhere (names, order, sums) is
//! resolved into a plan. No files are opened but through the reader's context.

pub(super) mod direct;
mod distribution;
pub(super) mod expect;
pub(super) mod explore;
pub(super) mod fault;
pub(super) mod load;
pub(crate) mod network;
pub(super) mod policies;
pub(super) mod sweep;
pub(super) mod topology;

use hoplab_config::quantity::Duration;
use hoplab_config::{At, Context, Named, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

use super::grid::Search;
use direct::Direct;
use expect::Expect;
use fault::Fault;
use load::Load;
use network::Network;
use policies::{Gateway, Mesh};
use sweep::Sweep;
use topology::Service;

/// A scenario file.
pub(super) struct File {
    pub(super) scenario: Scenario,
    pub(super) compare: Option<Compare>,
    pub(super) network: Network,
    pub(super) services: Named<Service>,
    pub(super) loads: Named<Load>,
    pub(super) direct: Direct,
    pub(super) gateway: Gateway,
    pub(super) mesh: Mesh,
    pub(super) costs: Costs,
    pub(super) faults: Vec<At<Fault>>,
    pub(super) expectations: Vec<At<Expect>>,
    pub(super) sweep: Sweep,
    pub(super) search: Option<At<Search>>,
    pub(super) invariants: explore::Invariants,
    pub(super) explore: explore::Explore,
}

impl Read for File {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let file = Self {
            scenario: table.required("scenario", context).map(|at| at.value).unwrap_or_default(),
            compare: table.optional("compare", context).map(|at| at.value),
            network: table.optional("network", context).map(|at| at.value).unwrap_or_default(),
            services: table.named("services", context),
            loads: table.named("load", context),
            direct: table.optional("direct", context).map(|at| at.value).unwrap_or_default(),
            gateway: table.optional("gateway", context).map(|at| at.value).unwrap_or_default(),
            mesh: table.optional("mesh", context).map(|at| at.value).unwrap_or_default(),
            costs: table.optional("costs", context).map(|at| at.value).unwrap_or_default(),
            faults: table.optional("faults", context).map(|at| at.value).unwrap_or_default(),
            expectations: table.optional("expect", context).map(|at| at.value).unwrap_or_default(),
            sweep: table.optional("sweep", context).map(|at| at.value).unwrap_or_default(),
            search: table.optional("search", context),
            invariants: table.optional("invariants", context).map(|at| at.value).unwrap_or_default(),
            explore: table.optional("explore", context).map(|at| at.value).unwrap_or_default(),
        };
        table.refuse_rest(context);
        Some(file)
    }
}

/// The tables of a scenario file.
pub fn tables() -> Vec<&'static str> {
    let names = [
        "scenario",
        "compare",
        "network",
        "services",
        "load",
        "direct",
        "gateway",
        "mesh",
        "costs",
        "faults",
        "expect",
        "sweep",
        "search",
        "invariants",
        "explore",
    ];
    names.into()
}

/// An application file: services that several scenarios share.
pub(super) struct App {
    pub(super) services: Named<Service>,
}

impl Read for App {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let app = Self { services: table.named("services", context) };
        table.refuse_rest(context);
        Some(app)
    }
}

/// `[scenario]`.
#[derive(Default)]
pub(super) struct Scenario {
    pub(super) title: Option<At<String>>,
    pub(super) app: Option<At<String>>,
    pub(super) duration: Option<At<Duration>>,
    pub(super) warmup: Option<At<Duration>>,
    pub(super) seed: Option<At<u64>>,
}

impl Read for Scenario {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let scenario = Self {
            title: table.optional("title", context),
            app: table.optional("app", context),
            duration: table.required("duration", context),
            warmup: table.optional("warmup", context),
            seed: table.optional("seed", context),
        };
        table.refuse_rest(context);
        Some(scenario)
    }
}

/// `[compare]`.
pub(super) struct Compare {
    pub(super) architectures: Option<At<Vec<At<String>>>>,
}

impl Read for Compare {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let compare = Self { architectures: table.required("architectures", context) };
        table.refuse_rest(context);
        Some(compare)
    }
}

/// `[costs]`.
#[derive(Default)]
pub(super) struct Costs {
    pub(super) gateway: Option<Cost>,
    pub(super) sidecar: Option<Cost>,
}

impl Read for Costs {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let costs = Self {
            gateway: table.optional("gateway", context).map(|at| at.value),
            sidecar: table.optional("sidecar", context).map(|at| at.value),
        };
        table.refuse_rest(context);
        Some(costs)
    }
}

/// `gateway = { latency = …, cpu = … }`.
pub(super) struct Cost {
    pub(super) latency: Option<At<Duration>>,
    pub(super) cpu: Option<At<Duration>>,
}

impl Read for Cost {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let cost = Self { latency: table.optional("latency", context), cpu: table.optional("cpu", context) };
        table.refuse_rest(context);
        Some(cost)
    }
}
