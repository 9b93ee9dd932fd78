//! Generated applications, `[generate]`: layered call graphs with the depth, fan-out and repetition that published traces
//! have, written as the text of an application file, which is read like any other.
//!
//! An application is drawn from named streams, one a purpose and a service, under a seed of its own: it does not change
//! with the seed of a run. Read `shape` (how many services of which role in which layer), `calls` (which endpoint calls
//! which), `written` (the text). Not here: the keys (`super::schema`), and what is wrong with them (`super::resolve`).
//!
//! Where figures come from: Luo et al. 2021 is "Characterizing Microservice Dependency and Performance: Alibaba Trace
//! Analysis" (ACM Symposium on Cloud Computing), and what is commonly quoted of it and of those traces
//! (github.com/alibaba/clusterdata); arXiv 2504.13141 counts the services of a newer set of them by role. What no
//! publication tells is *assumed*.

mod calls;
mod dice;
mod shape;
mod written;

use hoplab_config::quantity::Share;

use crate::distribution::{Distribution, Sizes};
use calls::Application;

/// Where the text of a generated application is said to stand: on no disk.
pub const PATH: &str = "(hoplab)/generated.toml";

/// Services that clients ask: 8,591 of the 64,751 that have a role (arXiv 2504.13141).
pub(super) const ENTRIES: Share = Share(0.13);
/// Services that call none: 25,201 of the same 64,751.
pub(super) const LEAVES: Share = Share(0.39);
/// Services that many call: "about 5 % have an in-degree above 16", commonly quoted of Luo et al. 2021.
pub(super) const HUBS: Share = Share(0.05);
/// Which share of the calls of leaves hubs get. Assumed: then about 90 % of the graphs have a hub, as Luo et al. 2021 tells.
pub(super) const HUB_CALLS: Share = Share(0.6);
/// Which share of the leaves are databases and caches. Assumed: Alibaba's calls of kind `db` and `mc` are many, and
/// the hotel reservation of `DeathStarBench` has 12 stores beside 10 services.
pub(super) const STORES: Share = Share(0.5);
/// How deep graphs are: "about 4.3 on average, some above 15", commonly quoted of Luo et al. 2021.
pub(super) const DEPTH: f64 = 4.3;
/// How deep they are at most.
pub(super) const DEPTH_MAX: u32 = 15;
/// How fast the number of callees falls off: that graphs' sizes are heavy-tailed is Luo et al. 2021's, the exponent assumed.
pub(super) const EXPONENT: f64 = 2.0;
/// How many an endpoint calls at most as drawn. Assumed.
pub(super) const FAN_OUT_MAX: u32 = 20;
/// How many endpoints a service has at most, but for leaves, which have one. Assumed: interfaces differ in whom they call.
pub(super) const ENDPOINTS: u32 = 2;
/// Which share of the edges are called several times: "10 to 20 %", of the same traces (see arXiv 2412.19083).
pub(super) const REPEATED: Share = Share(0.15);
/// Which share of the endpoints that call several call them at once. Assumed: most of the public applications call one
/// after the other (Online Boutique, Train Ticket, Hotel Reservation), some at once (Social Network, isotope).
pub(super) const PARALLEL: Share = Share(0.25);
/// How many calls a request causes at most: the largest graphs have "more than 1,500" (Luo et al. 2021).
pub(super) const CALLS_MAX: u32 = 1_500;
/// Pods and cores of each service. Assumed: the least with which there is something to balance. Alibaba has 28 pods on
/// average (arXiv 2504.13141), which no simulation of many services holds.
pub(super) const REPLICAS: u32 = 2;

/// What an application is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    /// How many services; at least 2.
    pub(super) services: u32,
    /// What it is drawn with.
    pub(super) seed: u64,
    /// Which share of the services clients ask.
    pub(super) entries: f64,
    /// Which share call none.
    pub(super) leaves: f64,
    /// Which share many call; they are leaves, too.
    pub(super) hubs: f64,
    /// Which share of the calls of leaves they get.
    pub(super) hub_calls: f64,
    /// Which share of the leaves are stores.
    pub(super) stores: f64,
    /// How many calls lie one below the other.
    pub(super) depth: Depth,
    /// How many endpoints an endpoint calls.
    pub(super) fan_out: FanOut,
    /// How many endpoints a service has at most.
    pub(super) endpoints: u32,
    /// Which share of the edges are called several times.
    pub(super) repeated: f64,
    /// Which share of the endpoints that call several call them at once.
    pub(super) parallel: f64,
    /// How many calls a request causes at most; not below the greatest depth.
    pub(super) calls: u32,
    /// The mean work of each endpoint.
    pub(super) work: Distribution,
    /// The mean work of each store.
    pub(super) store_work: Distribution,
    /// The mean size of each endpoint's answers.
    pub(super) response: Sizes,
    /// Pods of each service.
    pub(super) replicas: u32,
    /// Cores of each pod.
    pub(super) cores: u32,
}

/// How many calls lie one below the other where a request goes deepest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Depth {
    /// Always as many.
    Always(u32),
    /// One, and a Poisson variate more.
    Drawn {
        /// On average; at least 1.
        mean: f64,
        /// At most.
        max: u32,
    },
}

/// How many endpoints an endpoint calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum FanOut {
    /// Always as many; at least 1.
    Always(u32),
    /// `k` of them with a probability that falls like `k` to the power of minus `exponent` (Zipf).
    Zipf {
        /// How fast it falls.
        exponent: f64,
        /// At most; at least 1.
        max: u32,
    },
}

/// The text of the application that `recipe` makes.
pub(super) fn text(recipe: &Recipe) -> String {
    let application = Application::draw(recipe);
    written::text(&application, recipe)
}

/// What a load asks for that does not say so, of all `endpoints` of an application, each a service and its endpoint: those
/// of entries, with weights that fall like one over the rank. A dominant graph beside rare ones is what front-end functions
/// have (arXiv 2504.13141).
pub(super) fn mix<'a>(endpoints: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, f64)> {
    let asked = endpoints.filter(|(service, _)| service.starts_with(shape::ENTRY));
    let weight = |rank: usize| (1e4 / (rank + 1) as f64).round().max(1.0) / 1e4;
    asked.enumerate().map(|(rank, (service, name))| (format!("{service}.{name}"), weight(rank))).collect()
}
