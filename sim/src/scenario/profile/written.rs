//! What a profile's file may say, as it was written.

use hoplab_config::form::{Describe, Form};
use hoplab_config::{At, Choice, Context, Names, Outlined, Place, Read, Required, Value, table, way};

use super::basis::Basis;
use crate::scenario::schema::costs::Cost;
use crate::scenario::schema::policies::{GatewayManners, MeshManners};

table! {
    /// A profile: a known system, as defaults and figures with their sources.
    pub(in crate::scenario) struct File {
        /// What it is a profile of.
        pub(in crate::scenario) profile: About = Required::BARE,
        /// What its figures are taken from, each by a name of its own.
        pub(in crate::scenario) sources: Names<Source> = "none",
        /// The system as a gateway.
        pub(in crate::scenario) gateway: Outlined<Gateway> = "it cannot be one",
        /// The system as a mesh, with a sidecar at each pod.
        pub(in crate::scenario) mesh: Outlined<Mesh> = "it cannot be one",
        /// Where the keys of `gateway` and `mesh` come from, every one of them.
        pub(in crate::scenario) figures: Vec<At<Figure>> = "nobody knows",
    }
}

table! {
    /// `[profile]`.
    pub(in crate::scenario) struct About {
        /// Its name for headings.
        pub(in crate::scenario) title: String as Title = "the file's name",
        /// Of which version its defaults and figures are.
        pub(in crate::scenario) version: String as Version = "not said",
        /// When its sources were read.
        pub(in crate::scenario) as_of: String as Date = "not said",
        /// When the system ended.
        pub(in crate::scenario) ended: String as Date = "it has not",
        /// A profile that it stands over, key by key: one beside it, or one of hoplab's.
        pub(in crate::scenario) extends: String as Name = "none",
        /// Which parts of an architecture it can be, of those that it and what it stands over describe.
        pub(in crate::scenario) parts: Vec<At<Part>> = "all of them",
        /// What the system does that is not modelled, a sentence each.
        pub(in crate::scenario) left_out: Vec<At<String>> as Sentences = "nothing",
    }
}

table! {
    /// `[sources.NAME]`.
    pub(in crate::scenario) struct Source {
        /// What it is.
        pub(in crate::scenario) title: String as Title = Required::BARE,
        /// Where it is found.
        pub(in crate::scenario) at: String as Where = "not said",
        /// Of when it is.
        pub(in crate::scenario) date: String as Date = "not said",
        /// Of which version of the system.
        pub(in crate::scenario) version: String as Version = "the profile's",
        /// On which machines its figures were measured.
        pub(in crate::scenario) hardware: String as Title = "not said",
        /// How they were measured.
        pub(in crate::scenario) method: String as Title = "not said",
    }
}

table! {
    /// The system as a gateway: what a scenario's `[gateway]` may say, with what it costs.
    pub(in crate::scenario) struct Gateway {
        /// What its work costs.
        pub(in crate::scenario) costs: Cost = "hoplab's own",
        ..
        /// What it does.
        pub(in crate::scenario) manners: GatewayManners,
    }
}

table! {
    /// The system as a mesh: what a scenario's `[mesh]` may say, with what each sidecar costs.
    pub(in crate::scenario) struct Mesh {
        /// `4`: its proxies pass connections on and see no requests, so that what a scenario says of requests holds for nothing
        /// there.
        pub(in crate::scenario) layer: Layer = "7",
        /// What the work of each sidecar costs.
        pub(in crate::scenario) costs: Cost = "hoplab's own",
        ..
        /// What it does.
        pub(in crate::scenario) manners: MeshManners,
    }
}

table! {
    /// Where some keys come from.
    pub(in crate::scenario) struct Figure {
        /// Keys of this file with the tables they stand in, or such tables: `["gateway.costs", "gateway.defaults.retry"]`.
        pub(in crate::scenario) of: Vec<At<String>> as Paths = Required::BARE,
        /// How well they are known.
        pub(in crate::scenario) is: Basis = Required::BARE,
        /// What they are taken from, by its name; required unless they are assumed.
        pub(in crate::scenario) source: String as Name = "none",
        /// How they follow from that, or why they are assumed, which is required then.
        pub(in crate::scenario) how: String as Title = "as it says",
    }
}

way!(Title: String, Form::Text { what: "a line", example: "Kong Gateway" }, String::read);
way!(Version: String, Form::Text { what: "a version", example: "3.10.0" }, String::read);
way!(Date: String, Form::Text { what: "a date", example: "2026-11-26" }, String::read);
way!(Where: String, Form::Text { what: "an address", example: "https://example.com/benchmarks" }, String::read);
way!(Name: String, Form::Text { what: "a name", example: "benchmarks" }, String::read);
way!(
    Sentences: Vec<At<String>>,
    Form::List(Box::new(Form::Text { what: "a sentence", example: "Plugins run in no order." })),
    Vec::read
);
way!(
    Paths: Vec<At<String>>,
    Form::List(Box::new(Form::Text { what: "a key with its tables", example: "gateway.costs.cpu" })),
    Vec::read
);

/// Which layer a mesh's proxies are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Layer {
    /// They pass connections on.
    Four,
    /// They see requests.
    Seven,
}

impl Read for Layer {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match u32::read(value, place, context)? {
            4 => Some(Self::Four),
            7 => Some(Self::Seven),
            other => {
                let hint = "write 4, where proxies pass connections on, or 7, where they see requests";
                context.error(place, format!("no proxy is of layer {other}")).hint(hint);
                None
            }
        }
    }
}

impl Describe for Layer {
    fn form() -> Form {
        Form::Whole { least: 4, most: 7 }
    }
}

/// A part of an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Part {
    Gateway,
    Mesh,
}

impl Choice for Part {
    const NOUN: &'static str = "part of an architecture";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Gateway, "gateway", "what clients enter through"),
        (Self::Mesh, "mesh", "what stands beside services"),
    ];
}
