//! What is drawn at random, `[explore]`, and what must always hold, `[invariants]`.

use hoplab_config::form::{Describe, Form, Key};
use hoplab_config::quantity::{Bandwidth, Duration, Share};
use hoplab_config::{At, Names, Read, table, way};

use super::Counted;
use crate::fault::KINDS;

table! {
    /// `[explore]`.
    pub(in crate::scenario) struct Explore {
        /// How often each kind is drawn in relation to the others; kinds that are not named are not drawn.
        pub(in crate::scenario) faults: Names<f64> as Weights = "all alike",
        /// How many faults a run has at most, beside those that are written.
        pub(in crate::scenario) at_most: u32 as Counted = 3,
        /// Where they may be.
        pub(in crate::scenario) services: Vec<At<String>> = "all",
        /// Range of how long they last.
        pub(in crate::scenario) r#for: Vec<At<Duration>> = "`[\"500ms\", \"10s\"]`",
        /// Range of how many times as long work takes.
        pub(in crate::scenario) times: Vec<At<f64>> = "`[2, 100]`",
        /// Range of how much later packets come.
        pub(in crate::scenario) add: Vec<At<Duration>> = "`[\"1ms\", \"500ms\"]`",
        /// Range of which share of requests or segments.
        pub(in crate::scenario) share: Vec<At<Share>> = "`[\"1%\", \"100%\"]`",
        /// Range of how narrow, or how fast a slow reader reads.
        pub(in crate::scenario) bandwidth: Vec<At<Bandwidth>> = "`[\"1 Mbps\", \"100 Mbps\"]`",
    }
}

way!(Weights: Names<f64>, weights(), Names::read);

/// A weight for each kind of fault.
fn weights() -> Form {
    let key = |name| Key {
        name,
        about: format!("How often `{name}` is drawn in relation to the others."),
        form: f64::form(),
        default: None,
        is_required: false,
    };
    Form::Table(KINDS.map(key).into())
}

table! {
    /// `[invariants]`.
    pub(in crate::scenario) struct Invariants {
        /// How long after the last fault everything must be as before.
        pub(in crate::scenario) settle: Duration = "`\"10s\"`",
        /// How many times as long an endpoint's median may then be.
        pub(in crate::scenario) slower: f64 as Slower = "`2`",
        /// By how much the share of failed requests may then be higher.
        pub(in crate::scenario) errors: Share = "`\"1%\"`",
    }
}

way!(Slower: f64, Form::Number { least: 1.0 }, f64::read);
