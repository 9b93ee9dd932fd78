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

    /// Names the connection of a flow from the one port to the other among those between the two pods: both of its
    /// flows alike.
    pub(super) fn ports(self, (from, to): (u16, u16)) -> u64 {
        let (opener, acceptor) = if self.side == 0 { (from, to) } else { (to, from) };
        u64::from(opener) << 16 | u64::from(acceptor)
    }
}
