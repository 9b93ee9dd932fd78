//! What a scenario file may say, as it was written: each table a list of keys, each value with its place. Readers and
//! the schema for editors come from the same lists.
//! Units and types are checked here; what needs a second look elsewhere (names, order, sums) is
//! resolved into a plan. No files are opened but through the reader's context.

pub(super) mod adoption;
pub(super) mod calls;
pub(super) mod costs;
pub(super) mod direct;
mod distribution;
pub(super) mod expect;
pub(super) mod explore;
pub(super) mod fault;
pub(super) mod generate;
pub(super) mod load;
pub(crate) mod network;
pub(super) mod policies;
pub(super) mod prices;
pub(super) mod sweep;
pub(super) mod topology;

use hoplab_config::form::{Form, Key, Word};
use hoplab_config::quantity::Duration;
use hoplab_config::{At, Keys, Named, Names, Read, Required, table, way};

use super::grid::Search;
use adoption::Adoption;
use calls::Calls;
use costs::Costs;
use direct::Direct;
use expect::Expect;
use fault::Fault;
use generate::Generate;
use load::Load;
use network::Network;
use policies::{Gateway, Mesh};
use prices::Prices;
use sweep::Sweep;
use topology::Service;

table! {
    /// A scenario file.
    pub(super) struct File {
        /// What it is called, how long it runs, and what it is seeded with.
        pub(super) scenario: Scenario = Required::BARE,
        /// What is run beside each other.
        pub(super) compare: Compare = "all four architectures",
        /// How a system is adopted, phase by phase; each is compared like an architecture, and with the one before it.
        pub(super) adoption: Adoption = "none",
        /// The wires between pods.
        pub(super) network: Network,
        /// An application that is generated, in the place of one that is written.
        pub(super) generate: Generate = "none",
        /// The services, each by its name; what the scenario says lies over what its application says, key by key.
        pub(super) services: Names<Service>,
        /// Where requests come from, each by its name: `rate` or `users`.
        pub(super) load: Names<Load>,
        /// How services are reached where no proxy stands at the caller's side: by clients that have no gateway, and by
        /// services outside a mesh.
        pub(super) direct: Direct,
        /// How applications call by themselves in every architecture, whatever stands beside them.
        pub(super) calls: Calls = "as a plain HTTP library",
        /// How applications call under the architecture `library`, over what they do by themselves.
        pub(super) library: Calls = "as `mesh` says",
        /// The gateway: the keys of its live file that a scenario does not know by itself.
        pub(super) gateway: Gateway,
        /// The sidecars: the keys of their live file that a scenario does not know by itself.
        pub(super) mesh: Mesh,
        /// What proxies cost.
        pub(super) costs: Costs = "those of its profiles, else as measured",
        /// What machines cost in money; then it is told what each architecture costs.
        pub(super) prices: Prices = "nothing is told of money",
        /// What goes wrong: each of exactly one kind, within the run.
        pub(super) faults: Vec<At<Fault>> = "none",
        /// What must hold of the result.
        pub(super) expect: Vec<At<Expect>> = "nothing",
        /// What `hoplab sweep` runs: every value of each key with every value of the others. `hoplab run` runs the file as
        /// it stands.
        pub(super) sweep: Sweep = "none",
        /// What `hoplab sweep` looks for at each point of the grid: the highest value of a key at which all expectations
        /// hold, by halving.
        pub(super) search: Search = "none",
        /// The bounds of what must always hold.
        pub(super) invariants: explore::Invariants,
        /// What `hoplab explore` draws; a range is the smallest and the largest value, or one that is always taken.
        pub(super) explore: explore::Explore,
    }
}

/// The keys of a scenario file.
pub fn keys() -> Vec<Key> {
    File::keys()
}

/// The keys of an application file.
pub fn application_keys() -> Vec<Key> {
    App::keys()
}

/// The tables of a scenario file.
pub fn tables() -> Vec<&'static str> {
    keys().into_iter().map(|key| key.name).collect()
}

table! {
    /// An application file: services that several scenarios share.
    pub(super) struct App {
        /// The services, each by its name.
        pub(super) services: Names<Service>,
    }
}

table! {
    /// `[scenario]`.
    pub(super) struct Scenario {
        /// One line for headings.
        pub(super) title: String as Title = "the file's name",
        /// An application file, relative to this one: services that several scenarios share.
        pub(super) app: String as Path = "none",
        /// How long there is load, warm-up included. Answers are then waited for until the longest timeout allows no
        /// request to be open, for 30 s at least.
        pub(super) duration: Duration = Required::BARE,
        /// What is measured but not reported, from the start on.
        pub(super) warmup: Duration = "`\"0s\"`",
        /// What all random streams are seeded with.
        pub(super) seed: u64 = "`1`",
    }
}

way!(Title: String, Form::Text { what: "a line", example: "A retry storm" }, String::read);
way!(Path: String, Form::Text { what: "a path", example: "apps/shop.toml" }, String::read);

table! {
    /// `[compare]`.
    pub(super) struct Compare {
        /// The architectures that are run.
        pub(super) architectures: Vec<At<String>> as Architectures = Required::BARE,
    }
}

way!(pub(super) Architectures: Vec<At<String>>, Form::List(Box::new(architectures())), Vec::read);

/// How architectures are called; what they mean, and which profiles there are, is resolved.
fn architectures() -> Form {
    let known =
        words(["direct", "gateway", "mesh", "gateway+mesh", "mesh+gateway", "library", "gateway+library"]);
    let profiled = Form::Text { what: "an architecture with profiles", example: "gateway:kong+mesh:linkerd" };
    Form::Either(vec![known, profiled])
}

way!(pub(super) Counted: u32, Form::Whole { least: 1, most: u32::MAX.into() }, u32::read);

/// What was written for a table, or nothing of it.
pub(super) fn said<T: Default>(written: Option<At<T>>) -> T {
    written.map(|at| at.value).unwrap_or_default()
}

/// What stands under each name.
pub(super) fn named<T>(written: Option<At<Names<T>>>) -> Named<T> {
    said(written).0
}

/// One of these words, which mean something elsewhere.
fn words(names: impl IntoIterator<Item = &'static str>) -> Form {
    Form::Word(names.into_iter().map(|name| Word { name, about: "" }).collect())
}
