//! Upstreams: where requests are sent, over which connections, and under which policies.

/// The policies of one upstream, as configuration writes them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies {}
