//! The connections of a plan: what services speak, and how whoever has no proxy reaches them. Not here: the wires
//! below ([`super::network`]), and how proxies reach services, which are their policies.

/// What a service speaks, and is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, in the clear by prior knowledge.
    Http2,
    /// gRPC over it: framed messages, and the status in trailers.
    Grpc,
}

impl Protocol {
    /// What it says on the wire.
    pub(crate) fn http(self) -> hoplab_proxy::upstream::Protocol {
        match self {
            Self::Http1 => hoplab_proxy::upstream::Protocol::Http1,
            Self::Http2 | Self::Grpc => hoplab_proxy::upstream::Protocol::Http2,
        }
    }
}

/// How whoever has no proxy at its side spreads requests over the pods of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DirectBalance {
    /// Each request goes to the next pod in turn.
    #[default]
    PerRequest,
    /// Each connection goes to one pod, at random, as behind kube-proxy.
    PerConnection,
}
