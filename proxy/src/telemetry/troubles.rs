//! What goes wrong beside requests, for the people who run a product. How often it is said is theirs to decide.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::instant::Instant;

/// It could not be learned who an upstream's members are; the last ones that were known still are.
#[derive(Debug, Clone)]
pub struct SourceTrouble {
    /// When.
    pub at: Instant,
    /// Whose members they are.
    pub upstream: Arc<str>,
    /// What is wrong.
    pub fact: String,
}

/// A connection was not secured, since one side refuses the other or does not speak TLS.
#[derive(Debug, Clone)]
pub struct TlsTrouble {
    /// When.
    pub at: Instant,
    /// Who is at the other end.
    pub with: TlsPeer,
    /// What is wrong.
    pub fact: String,
}

/// Who is at the other end of a connection that is to be secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsPeer {
    /// An endpoint that was connected to.
    Endpoint(Arc<str>),
    /// A caller that has connected.
    Caller(SocketAddr),
}
