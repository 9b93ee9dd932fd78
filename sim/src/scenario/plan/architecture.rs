//! The architectures that are compared, each with what it is made of. Not here: what runs under each
//! (`crate::deployment`).

use std::sync::Arc;

use super::products::{Applications, Gateway, Mesh};

/// How traffic enters and how services talk. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Architecture {
    /// Its name in scenario files and results: `direct`, `gateway`, `mesh`, `gateway:kong+mesh:linkerd`.
    pub name: Arc<str>,
    /// The phase of an adoption that it is, if it is one: that is compared with the one before it.
    pub phase: Option<Phase>,
    /// What clients enter through; they ask services themselves when `None`.
    pub gateway: Option<Arc<Gateway>>,
    /// What stands beside services; they call each other themselves when `None`.
    pub mesh: Option<Arc<Mesh>>,
    /// How applications and clients call by themselves, with a library or without.
    pub applications: Arc<Applications>,
}

/// A phase of an adoption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Which one, from 0 on.
    pub number: usize,
    /// The architecture that it is.
    pub is: Arc<str>,
}

impl Architecture {
    /// What stands beside a service; nothing where it has no sidecar.
    pub(crate) fn beside(&self, service: usize) -> Option<&Arc<Mesh>> {
        self.mesh.as_ref().filter(|mesh| mesh.members[service])
    }
}
