//! Where a sender stands, as Linux's `tcp_ca_state` has it; who moves it is [`super::recovery`].

/// Where a sender stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// All is well.
    #[default]
    Open,
    /// Something arrived beyond a gap; it may be reordered.
    Disorder,
    /// What is lost is sent again, and the window falls to what is left of it.
    Recovery,
    /// A timeout: the window begins anew.
    Loss,
}
