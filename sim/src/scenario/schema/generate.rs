//! A generated application: `[generate]`. Where the defaults come from is told beside them ([`crate::scenario::generate`]).

use hoplab_config::form::{Describe, Form};
use hoplab_config::quantity::Share;
use hoplab_config::{Context, Place, Read, Required, Value, table, way};

use super::Counted;
use crate::distribution::{Distribution, Sizes};
use crate::scenario::generate as usual;

/// Services at most: each has a pod at least.
pub(in crate::scenario) const SERVICES_MAX: u32 = 2_000;

table! {
    /// `[generate]`.
    pub(in crate::scenario) struct Generate {
        /// How many services the application has, stores included.
        pub(in crate::scenario) services: u32 as Services = Required::BARE,
        /// What it is drawn with: another seed, another application. It does not change with the seed of the run.
        pub(in crate::scenario) seed: u64 = "`1`",
        /// Which share of the services clients ask: `entry-1`, … (arXiv 2504.13141).
        pub(in crate::scenario) entries: Share = usual::ENTRIES,
        /// Which share call none: `leaf-1`, …, hubs and stores among them (arXiv 2504.13141).
        pub(in crate::scenario) leaves: Share = usual::LEAVES,
        /// Which share of the services many call: `hub-1`, …, which are leaves (Luo et al. 2021).
        pub(in crate::scenario) hubs: Share = usual::HUBS,
        /// Which share of the calls of leaves go to hubs (assumed; then about nine graphs in ten have one, as Luo et al. 2021 tells).
        pub(in crate::scenario) hub_calls: Share = usual::HUB_CALLS,
        /// Which share of the leaves are databases and caches: `store-1`, …, with `store = true` (assumed).
        pub(in crate::scenario) stores: Share = usual::STORES,
        /// How many calls lie one below the other where a request goes deepest, drawn for each endpoint of an entry: a number,
        /// or one and a Poisson variate more (Luo et al. 2021). The services between entries and leaves, `svc-1-1`, …, stand in so
        /// many layers, less one, counted from below.
        pub(in crate::scenario) depth: Depth = "`{ mean = 4.3, max = 15 }`",
        /// How many endpoints an endpoint calls: a number, or of a Zipf distribution (heavy-tailed, as Luo et al. 2021 tells; its
        /// parameters are assumed). What nobody would call, those call that call the fewest.
        pub(in crate::scenario) fan_out: FanOut = "`{ exponent = 2.0, max = 20 }`",
        /// How many endpoints entries and those in layers have at most: `get`, `get-2`, … (assumed).
        pub(in crate::scenario) endpoints: u32 as Counted = usual::ENDPOINTS,
        /// Which share of the edges are called several times, 2 to 10, one after the other (arXiv 2412.19083).
        pub(in crate::scenario) repeated: Share = usual::REPEATED,
        /// Which share of the endpoints that call several call them at once (assumed).
        pub(in crate::scenario) parallel: Share = usual::PARALLEL,
        /// How many calls a request causes at most (Luo et al. 2021).
        pub(in crate::scenario) calls: u32 as Counted = usual::CALLS_MAX,
        /// The mean work of an endpoint, drawn for each; that of a request is exponential around it (assumed).
        pub(in crate::scenario) work: Distribution = "`\"lognormal(p50=1ms, p99=10ms)\"`",
        /// The same of a store: below a millisecond (assumed).
        pub(in crate::scenario) store_work: Distribution = "`\"lognormal(p50=150us, p99=800us)\"`",
        /// The mean size of an endpoint's answers, drawn for each; that of an answer is exponential around it (assumed).
        pub(in crate::scenario) response: Sizes = "`\"lognormal(p50=1 KiB, p99=32 KiB)\"`",
        /// Pods of each service (assumed).
        pub(in crate::scenario) replicas: u32 as Counted = usual::REPLICAS,
        /// Cores of each pod (assumed).
        pub(in crate::scenario) cores: u32 as Counted = usual::REPLICAS,
    }
}

way!(Services: u32, Form::Whole { least: 2, most: SERVICES_MAX.into() }, u32::read);

/// A number, or what it is drawn from.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Depth {
    Always(u32),
    Drawn(DrawnDepth),
}

table! {
    /// `{ mean = 4.3, max = 15 }`.
    pub(in crate::scenario) struct DrawnDepth {
        /// On average.
        pub(in crate::scenario) mean: f64 as AtLeastOnce = usual::DEPTH,
        /// At most.
        pub(in crate::scenario) max: u32 as Counted = usual::DEPTH_MAX,
    }
}

way!(AtLeastOnce: f64, Form::Number { least: 1.0 }, f64::read);

impl Read for Depth {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().is_table() {
            return DrawnDepth::read(value, place, context).map(Self::Drawn);
        }
        u32::read(value, place, context).map(Self::Always)
    }
}

impl Describe for Depth {
    fn form() -> Form {
        Form::Either(vec![whole(), DrawnDepth::form()])
    }
}

/// A number, or what it is drawn from.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum FanOut {
    Always(u32),
    Zipf(Zipf),
}

table! {
    /// `{ exponent = 2, max = 20 }`.
    pub(in crate::scenario) struct Zipf {
        /// How fast the probability of `k` falls: like `k` to the power of minus this.
        pub(in crate::scenario) exponent: f64 = usual::EXPONENT,
        /// At most.
        pub(in crate::scenario) max: u32 as Counted = usual::FAN_OUT_MAX,
    }
}

impl Read for FanOut {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().is_table() {
            return Zipf::read(value, place, context).map(Self::Zipf);
        }
        u32::read(value, place, context).map(Self::Always)
    }
}

impl Describe for FanOut {
    fn form() -> Form {
        Form::Either(vec![whole(), Zipf::form()])
    }
}

fn whole() -> Form {
    Form::Whole { least: 1, most: u32::MAX.into() }
}
