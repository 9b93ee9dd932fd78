//! The architectures that are compared. Not here: what runs under each (`crate::deployment`).

/// How traffic enters and how services talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Architecture {
    /// Whether clients enter through a gateway.
    pub gateway: bool,
    /// Whether every service has a sidecar.
    pub mesh: bool,
}

impl Architecture {
    /// Its name in scenario files and results: `direct`, `gateway`, `mesh`, `gateway+mesh`.
    pub fn name(self) -> &'static str {
        match (self.gateway, self.mesh) {
            (false, false) => "direct",
            (true, false) => "gateway",
            (false, true) => "mesh",
            (true, true) => "gateway+mesh",
        }
    }
}
