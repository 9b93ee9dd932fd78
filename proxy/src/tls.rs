//! Mutual TLS between workloads: TLS 1.3, certificates that carry SPIFFE ids, ALPN for HTTP.
//!
//! Read it in this order: [`spiffe`] (names), [`identity`] (what a workload shows), `verify` (what it
//! demands), then [`ServerTls`] and [`ClientTls`] here (handshakes), [`sniff`] (is it TLS at all?) and
//! [`authority`] (who signs, in the simulation and in tests).
//!
//! Sessions are never resumed and no tickets are sent, so each handshake costs the same. Time comes
//! from [`Host::wall`] and cryptography from [`Host::crypto`]: nothing here is ambient.
//! Not here: pools, accept loops, and TLS for the public (a certificate with a DNS name).

pub mod authority;
pub mod identity;
pub mod sniff;
pub mod spiffe;
#[cfg(test)]
mod tests;
mod verify;

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::Resumption;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{Acceptor, NoServerSessionStorage};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, CommonState, ServerConfig};
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, TlsStream};

pub use authority::Authority;
pub use identity::{Credentials, Identity, IdentityError};
pub use sniff::{Opening, Sniffed};
pub use spiffe::{NotSpiffe, SpiffeId, TrustDomain};

use crate::host::{Host, Work};

/// ALPN names in the order of our preference.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The work of one side of a handshake.
const HANDSHAKE: Work = Work { requests: 0, bytes: 0, tls_bytes: 0, handshakes: 1, connections: 0 };

/// A connection whose peer has proven who it is.
#[derive(Debug)]
pub struct Secured<S> {
    /// The bytes in the clear. Boxed, since a TLS session is a kilobyte of state.
    pub stream: Box<TlsStream<S>>,
    /// Who is at the other end.
    pub peer: SpiffeId,
    /// What was agreed to be spoken.
    pub protocol: Protocol,
}

/// An HTTP version that ALPN can agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1; also when the peer named nothing.
    Http1,
    /// HTTP/2.
    Http2,
}

/// The accepting side: shows its identity and demands one of the same trust domain.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// A server that shows `identity`.
    pub fn new<H: Host>(host: &H, identity: &Identity) -> Result<Self, rustls::Error> {
        let provider = host.crypto();
        let verifier = verify::Clients::new(identity, &provider)?;
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(Calendar(host.clone())))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(identity.chain().to_vec(), identity.key())?;
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.key_log = host.key_log();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { config: Arc::new(config) })
    }

    /// Answers a handshake. The work is done once the client's first message has come, as in life.
    pub async fn accept<H: Host>(
        &self,
        host: &H,
        stream: Sniffed<H::Stream>,
    ) -> io::Result<Secured<Sniffed<H::Stream>>> {
        let handshake = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        host.work(HANDSHAKE, |_, _| {}).await;
        let stream = handshake.into_stream(Arc::clone(&self.config)).await?;
        secured(TlsStream::Server(stream))
    }
}

/// The connecting side: shows its identity and demands a certain one.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// A client that shows `identity` and talks to `expected` alone.
    pub fn new<H: Host>(host: &H, identity: &Identity, expected: SpiffeId) -> Result<Self, rustls::Error> {
        let provider = host.crypto();
        let verifier = verify::Server::new(identity, expected, &provider);
        let mut config = ClientConfig::builder_with_details(provider, Arc::new(Calendar(host.clone())))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(identity.chain().to_vec(), identity.key())?;
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        config.key_log = host.key_log();
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(Self { config: Arc::new(config) })
    }

    /// The same, which offers HTTP/1.1 alone.
    pub(crate) fn speaking_http1(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { config: Arc::new(config) }
    }

    /// Opens a handshake over `stream` and sees it through.
    ///
    /// In TLS 1.3 the client is done before the server has judged the client's certificate: a
    /// server's refusal arrives with the first read. [`is_refusal`] recognises it.
    pub async fn connect<H: Host>(&self, host: &H, stream: H::Stream) -> io::Result<Secured<H::Stream>> {
        host.work(HANDSHAKE, |_, _| {}).await;
        // The verifier knows whom it expects: this name is neither sent nor compared.
        let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(nobody, stream).await?;
        secured(TlsStream::Client(stream))
    }
}

/// Whether `error`, which a secured stream's user met, is TLS refusing the peer: a certificate that is
/// not accepted, here or there, or bytes that are no TLS.
///
/// rustls's errors come wrapped in `InvalidData`. HTTP/2 hands on the kind and the text alone, so the
/// kind must do; in the clear no stream has errors of this kind.
pub fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.kind() == io::ErrorKind::InvalidData;
        }
        next = match error.downcast_ref::<h2::Error>().and_then(h2::Error::get_io) {
            Some(cause) => Some(cause),
            None => error.source(),
        };
    }
    false
}

/// Reads the peer's name and the protocol off a finished handshake.
fn secured<S>(stream: TlsStream<S>) -> io::Result<Secured<S>> {
    let (_, session) = stream.get_ref();
    let protocol = match session.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let peer = peer(session).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Secured { stream: Box::new(stream), peer, protocol })
}

fn peer(session: &CommonState) -> Result<SpiffeId, NotSpiffe> {
    let certificate = session.peer_certificates().and_then(<[_]>::first).ok_or(NotSpiffe::Certificate)?;
    SpiffeId::of_certificate(certificate)
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
