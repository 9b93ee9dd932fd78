//! What must hold of any run, whatever the scenario asks: no request gets lost, nothing that may happen only
//! once happens twice, nobody who was refused is served, and what broke is whole again some time after all
//! faults have healed. Owns the rules and what they have to remember; the recorder tells what happens.

mod after;
pub(crate) mod watch;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Every request that was sent has ended in exactly one way, or is open when the run has drained.
    Conservation,
    /// An endpoint marked `once` completes its steps at most once for each logical call, or each client's request.
    OnceOnly,
    /// A request that was answered 401, 403 or 429 was not served by the service it asked for.
    Denied,
    /// Breakers whose upstream is still called are closed again at the end, when all faults have healed.
    BreakersClose,
    /// Latency and errors are what they were before the first fault, some time after the last.
    Recovery,
}

impl Invariant {
    /// Each of them.
    pub const ALL: [Self; 5] =
        [Self::Conservation, Self::OnceOnly, Self::Denied, Self::BreakersClose, Self::Recovery];

    /// Its name in scenarios and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conservation => "conservation",
            Self::OnceOnly => "once-only",
            Self::Denied => "denied",
            Self::BreakersClose => "breakers-close",
            Self::Recovery => "recovery",
        }
    }
}
