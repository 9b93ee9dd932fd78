//! How applications call by themselves: `[calls]`, `[library]` and `[services.NAME.calls]`.

use hoplab_config::{Names, Outlined, table};
use hoplab_proxy::upstream::Policies;

table! {
    /// How applications call, as by a library in their own process.
    pub(in crate::scenario) struct Calls {
        /// Policies for every service that is called.
        pub(in crate::scenario) defaults: Outlined<Policies> = "none",
        /// Policies for one service that is called each, over the defaults, key by key.
        pub(in crate::scenario) services: Names<Outlined<Policies>> = "none",
    }
}
