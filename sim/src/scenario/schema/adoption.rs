//! How a system is adopted, step by step: `[adoption]`.

use hoplab_config::form::Form;
use hoplab_config::{At, Read, Required, table, way};

use super::policies::{GatewayTuning, MeshTuning};

table! {
    /// `[adoption]`.
    pub(in crate::scenario) struct Adoption {
        /// What is there in each phase, in their order; each is compared with the others like an architecture, and with the
        /// one before it.
        pub(in crate::scenario) phases: Vec<At<Phase>> = Required::BARE,
    }
}

table! {
    /// `[[adoption.phases]]`.
    pub(in crate::scenario) struct Phase {
        /// Its name, in results and where architectures are named.
        pub(in crate::scenario) name: String as Name = Required::BARE,
        /// The architecture that is there by then.
        pub(in crate::scenario) is: String as Architecture = Required::BARE,
        /// What its gateway does, over the file's `gateway`.
        pub(in crate::scenario) gateway: GatewayTuning = "as `gateway` says",
        /// What its mesh does, and which services are in it, over the file's `mesh`.
        pub(in crate::scenario) mesh: MeshTuning = "as `mesh` says",
    }
}

way!(Name: String, Form::Text { what: "a name", example: "mesh-for-checkout" }, String::read);
way!(Architecture: String, Form::Text { what: "an architecture", example: "gateway:kong+mesh:linkerd" }, String::read);
