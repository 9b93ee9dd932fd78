//! What a request asked for and what its caller was told: what logs want and counting does not. Taken only where
//! somebody wants it; header maps and content are not kept.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};

use super::SpanId;
use crate::body::Body;

/// A request as it arrived, and its answer as it left.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The calendar's time at the span's start.
    pub arrived: SystemTime,
    /// Who connected.
    pub peer: SocketAddr,
    /// The client's address, as trusted hops tell it, or the peer's.
    pub client: IpAddr,
    /// Which workload the peer has proven to be: its SPIFFE id.
    pub identity: Option<Arc<str>>,
    /// Whether the trace is recorded: the caller said so, or it begins here.
    pub sampled: bool,
    /// The method.
    pub method: Method,
    /// The target in origin form.
    pub target: Uri,
    /// The version that the caller speaks.
    pub version: Version,
    /// The host that the caller named.
    pub host: Option<HeaderValue>,
    /// The upstream that was chosen.
    pub upstream: Option<Arc<str>>,
    /// The status that the caller was told; `None` when it went away before.
    pub status: Option<StatusCode>,
    /// The attempt whose answer the caller was given, or the last one.
    pub attempt: Option<SpanId>,
    /// Bytes of the request's content that were read, whatever was announced.
    pub bytes_received: u64,
    /// Bytes of the answer's content that were passed on.
    pub bytes_sent: u64,
}

impl Facts {
    /// Of a `request` of that `client`, which arrived from `peer` at that time.
    pub(crate) fn of(
        request: &Request<Body>,
        peer: SocketAddr,
        client: IpAddr,
        sampled: bool,
        arrived: SystemTime,
    ) -> Self {
        Self {
            client,
            sampled,
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            host: request.headers().get(HOST).cloned(),
            ..Self::unknown(peer, arrived)
        }
    }

    /// Of a request that was refused while it was read, with as much of its `head` as there is.
    pub(crate) fn refused(head: Option<&Parts>, peer: SocketAddr, arrived: SystemTime) -> Self {
        let unknown = Self::unknown(peer, arrived);
        let Some(head) = head else { return unknown };
        Self {
            method: head.method.clone(),
            target: head.uri.clone(),
            version: head.version,
            host: head.headers.get(HOST).cloned(),
            ..unknown
        }
    }

    /// Of a request that nothing is known of: its method is called `-`, its target `*`.
    fn unknown(peer: SocketAddr, arrived: SystemTime) -> Self {
        Self {
            arrived,
            peer,
            client: peer.ip(),
            identity: None,
            sampled: false,
            method: Method::from_bytes(b"-").unwrap_or_default(),
            target: Uri::from_static("*"),
            version: Version::HTTP_11,
            host: None,
            upstream: None,
            status: None,
            attempt: None,
            bytes_received: 0,
            bytes_sent: 0,
        }
    }

    /// The caller is told `status`, with so many bytes of content; a HEAD request gets none.
    pub(crate) fn answered(&mut self, status: StatusCode, bytes: u64) {
        self.status = Some(status);
        self.bytes_sent = if self.method == Method::HEAD { 0 } else { bytes };
    }
}
