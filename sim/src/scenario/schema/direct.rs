//! How services are reached where no proxy stands in between: `[direct]`.

use hoplab_config::{Choice, table};

use crate::scenario::plan::connections::DirectBalance;

table! {
    /// `[direct]`.
    pub(in crate::scenario) struct Direct {
        /// Who gets a request.
        pub(in crate::scenario) balance: DirectBalance = "`\"per-request\"`",
    }
}

impl Choice for DirectBalance {
    const NOUN: &'static str = "way to balance without a proxy";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::PerRequest,
            "per-request",
            "each request goes to the next pod in turn, as with a balancing client library",
        ),
        (
            Self::PerConnection,
            "per-connection",
            "each new connection is given a pod at random and stays there, as behind kube-proxy",
        ),
    ];
}
