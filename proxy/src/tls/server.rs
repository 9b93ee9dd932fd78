//! The accepting side: towards workloads, which prove who they are, and towards the public, which does not.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::server::{
    Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

use super::certificate::Certificate;
use super::identity::Identity;
use super::sniff::Sniffed;
use super::spiffe::SpiffeId;
use super::{ALPN, Calendar, HANDSHAKE, Secured, refused, verify};
use crate::host::Host;

/// How many sessions of the public are kept for those who come again: some 20 MB.
const SESSIONS_MAX: usize = 20_000;

/// The accepting side. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    /// Whether who connects must prove who it is.
    is_mutual: bool,
}

impl ServerTls {
    /// A server that shows `identity` and demands one of the same trust domain, over TLS 1.3. Sessions are never resumed
    /// and no tickets are sent, so that each handshake costs the same.
    pub fn new<H: Host>(host: &H, identity: &Identity) -> Self {
        let verifier = Arc::new(verify::Clients::new(identity, &host.crypto()));
        let mut config = builder(host, &[&TLS13])
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(identity.certificate().always());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Self { config: finished(config, host), is_mutual: true }
    }

    /// A server for the public, over TLS 1.2 and 1.3: it shows the certificate that is for the name that is asked for
    /// (RFC 6066, 3), the exact one before a wildcard's, and of these the first whose key the client can judge; the first
    /// of all when no name is asked for or none is for it, as nginx. There is at least one. Sessions are resumed.
    pub fn public<H: Host>(host: &H, certificates: Vec<Certificate>) -> Self {
        let mut config = builder(host, &[&TLS13, &TLS12])
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ByName(certificates)));
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS_MAX);
        Self { config: finished(config, host), is_mutual: false }
    }

    /// Answers a handshake. The work is done once the client's first message has come, as in life.
    ///
    /// # Errors
    ///
    /// Fails when the handshake does. The stream comes back with a client that was told so and may be sending all the same:
    /// with TLS 1.3 it is done before its certificate is judged.
    pub async fn accept<H: Host>(
        &self,
        host: &H,
        stream: Sniffed<H::Stream>,
    ) -> Result<Secured<Sniffed<H::Stream>>, (io::Error, Option<Sniffed<H::Stream>>)> {
        let handshake =
            LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(|error| (error, None))?;
        host.work(HANDSHAKE, |_, _| {}).await;
        let accepted = handshake.into_stream(Arc::clone(&self.config)).into_fallible().await;
        let stream = accepted.map_err(|(error, stream)| (error, Some(stream)))?;
        let (_, session) = stream.get_ref();
        let peer = match self.is_mutual.then(|| SpiffeId::of_peer(session)).transpose() {
            Ok(peer) => peer,
            Err(unnamed) => return Err((refused(unnamed), Some(stream.into_inner().0))),
        };
        Ok(Secured::new(TlsStream::Server(stream), peer))
    }
}

/// How every server begins.
fn builder<H: Host>(
    host: &H,
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_details(host.crypto(), Arc::new(Calendar(host.clone())))
        .with_protocol_versions(versions)
        .expect("a host's cryptography knows TLS 1.3")
}

/// How every server ends.
fn finished<H: Host>(mut config: ServerConfig, host: &H) -> Arc<ServerConfig> {
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    config.key_log = host.key_log();
    Arc::new(config)
}

/// Certificates that are chosen by the name that is asked for.
struct ByName(Vec<Certificate>);

impl ByName {
    /// Those that are for `name`, the best first.
    fn of(&self, name: &str) -> impl Iterator<Item = &Certificate> {
        let wildcard = name.split_once('.').map(|(_, above)| format!("*.{above}"));
        let names = std::iter::once(name.to_owned()).chain(wildcard);
        names.flat_map(|name| self.0.iter().filter(move |certificate| certificate.names().contains(&name)))
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase).unwrap_or_default();
        let can_judge = |certificate: &&Certificate| {
            certificate.certified().key.choose_scheme(hello.signature_schemes()).is_some()
        };
        let chosen = self.of(&name).find(can_judge).or_else(|| self.0.iter().find(can_judge));
        chosen.or(self.0.first()).map(|certificate| Arc::clone(certificate.certified()))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByName").field(&self.0).finish()
    }
}
