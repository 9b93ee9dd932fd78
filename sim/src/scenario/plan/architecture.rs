//! The architectures that are compared, each with what it is made of. Not here: what runs under each
//! (`crate::deployment`).

use std::sync::Arc;

use super::products::{Applications, Gateway, Mesh};

/// How traffic enters and how services talk. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Architecture {
    /// Its name in scenario files and results: `direct`, `gateway`, `mesh`, `gateway:kong+mesh:linkerd`.
    pub name: Arc<str>,
    /// The architecture that it is, where it is a phase of an adoption, which is compared with the one before it.
    pub phase_of: Option<Arc<str>>,
    /// Which phase it is then, from 0 on.
    pub phase_number: usize,
    /// What clients enter through; they ask services themselves when `None`.
    pub gateway: Option<Arc<Gateway>>,
    /// What stands beside services; they call each other themselves when `None`.
    pub mesh: Option<Arc<Mesh>>,
    /// How applications and clients call by themselves, with a library or without.
    pub applications: Arc<Applications>,
}

impl Architecture {
    /// What stands beside a service; nothing where it has no sidecar.
    pub(crate) fn beside(&self, service: usize) -> Option<&Arc<Mesh>> {
        self.mesh.as_ref().filter(|mesh| mesh.members[service])
    }
}
