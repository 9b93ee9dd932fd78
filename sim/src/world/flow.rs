//! The name of a direction of a connection. Owns no connection.

/// One direction of a connection, and the end that sends it. Valid as long as an end is held or something is under
/// way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowId {
    pub(super) connection: usize,
    /// 0 from the end that opened the connection, 1 from the other.
    pub(super) side: usize,
}

impl FlowId {
    pub(super) fn reverse(self) -> Self {
        Self { side: 1 - self.side, ..self }
    }
}
