//! TLS: mutual between workloads, whose certificates carry SPIFFE ids, and with the public, by DNS names; ALPN for HTTP.
//!
//! Read it in this order: [`certificate`] (what is shown and trusted), [`spiffe`] and [`identity`] (workloads and their
//! names), `verify` (what one workload demands of another), then [`server`] and [`client`] (handshakes), [`sniff`] (is it
//! TLS at all?), [`written`] (live files) and [`authority`] (who signs, in the simulation and in tests).
//!
//! Time comes from [`Host::wall`] and cryptography from [`Host::crypto`]: nothing here is ambient.
//! Not here: pools, accept loops.

pub mod authority;
pub mod certificate;
pub mod client;
pub mod identity;
pub mod server;
pub mod sniff;
pub mod spiffe;
#[cfg(test)]
mod tests;
mod verify;
pub(crate) mod why;
pub mod written;

use std::error::Error;
use std::fmt;
use std::io;
use std::time::SystemTime;

use rustls::CommonState;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use tokio_rustls::TlsStream;

pub use authority::Authority;
pub use certificate::{Authorities, Certificate, CredentialsError, Part};
pub use client::{ClientTls, Expected, Terms};
pub use identity::{Credentials, Identity};
pub use server::ServerTls;
pub use sniff::{Opening, Sniffed};
pub use spiffe::{NotSpiffe, SpiffeId, TrustDomain};

use crate::host::{Host, Work};

/// ALPN names in the order of our preference.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The work of one side of a handshake.
const HANDSHAKE: Work = Work { requests: 0, bytes: 0, tls_bytes: 0, handshakes: 1, connections: 0 };

/// A secured connection.
#[derive(Debug)]
pub struct Secured<S> {
    /// The bytes in the clear. Boxed, since a TLS session is a kilobyte of state.
    pub stream: Box<TlsStream<S>>,
    /// Which workload has proven to be at the other end; none, when it did not have to, or is none.
    pub peer: Option<SpiffeId>,
    /// What was agreed to be spoken.
    pub protocol: Protocol,
}

impl<S> Secured<S> {
    /// What `peer` is at the other end of.
    fn new(stream: TlsStream<S>, peer: Option<SpiffeId>) -> Self {
        let (_, session) = stream.get_ref();
        let protocol = match session.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Self { stream: Box::new(stream), peer, protocol }
    }
}

impl SpiffeId {
    /// The id in the certificate that the peer of a session has shown.
    fn of_peer(session: &CommonState) -> Result<Self, NotSpiffe> {
        let certificate = session.peer_certificates().and_then(<[_]>::first).ok_or(NotSpiffe::Certificate)?;
        Self::of_certificate(certificate)
    }
}

/// A handshake that came to nothing because of the peer's name.
fn refused(error: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// An HTTP version that ALPN can agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1; also when the peer named nothing.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Why, if `error`, which a secured stream's user met, is TLS refusing the peer: a certificate that is not accepted, here
/// or there, or bytes that are no TLS.
///
/// rustls's errors come wrapped in `InvalidData`. HTTP/2 hands on the kind and the text alone, so the
/// kind must do; in the clear no stream has errors of this kind.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return (error.kind() == io::ErrorKind::InvalidData).then(|| why::in_words(error));
        }
        next = match error.downcast_ref::<h2::Error>().and_then(h2::Error::get_io) {
            Some(cause) => Some(cause),
            None => error.source(),
        };
    }
    None
}

/// The host's calendar as rustls asks for it.
struct Calendar<H>(H);

impl<H: Host> TimeProvider for Calendar<H> {
    fn current_time(&self) -> Option<UnixTime> {
        self.0.wall().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

impl<H> fmt::Debug for Calendar<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calendar")
    }
}
