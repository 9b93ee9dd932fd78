//! The connecting side: what it shows, and whom it demands.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::{TlsConnector, TlsStream};

use super::certificate::{Authorities, Certificate};
use super::identity::Identity;
use super::spiffe::SpiffeId;
use super::{ALPN, Calendar, HANDSHAKE, Secured, refused, verify};
use crate::host::Host;

/// On which terms a side connects.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What it shows to who asks; nothing when `None`.
    pub shows: Option<Certificate>,
    /// Whose certificates it believes.
    pub trusts: Authorities,
    /// Whom it demands.
    pub expects: Expected,
}

/// Whom a connecting side demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// A workload, over TLS 1.3, whatever its address is.
    Workload(SpiffeId),
    /// Who the public knows by this name, over TLS 1.2 or 1.3; by the host that is connected to when `None`. A DNS name
    /// is asked for, too (SNI).
    Name(Option<ServerName<'static>>),
}

impl Terms {
    /// Those of one workload towards another.
    pub fn mutual(identity: &Identity, expected: SpiffeId) -> Self {
        Self {
            shows: Some(identity.certificate().clone()),
            trusts: identity.authorities().clone(),
            expects: Expected::Workload(expected),
        }
    }
}

/// The connecting side. Cloning gives another handle, also to what is renewed.
#[derive(Debug, Clone)]
pub struct ClientTls {
    configs: Arc<ArcSwap<Configs>>,
    /// Whether HTTP/1.1 alone is offered.
    http1: bool,
}

#[derive(Debug)]
struct Configs {
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// A client that connects on `terms`.
    pub fn new<H: Host>(host: &H, terms: &Terms) -> Self {
        Self { configs: Arc::new(ArcSwap::from_pointee(Configs::new(host, terms))), http1: false }
    }

    /// From here on, connections are opened on these `terms`; those that are open stay.
    pub fn renew<H: Host>(&self, host: &H, terms: &Terms) {
        self.configs.store(Arc::new(Configs::new(host, terms)));
    }

    /// The same, which offers HTTP/1.1 alone.
    pub(crate) fn speaking_http1(&self) -> Self {
        Self { http1: true, ..self.clone() }
    }

    /// Opens a handshake with `host_name` over `stream` and sees it through.
    ///
    /// In TLS 1.3 the client is done before the server has judged the client's certificate: a
    /// server's refusal arrives with the first read. [`super::refusal`] recognises it.
    pub async fn connect<H: Host>(
        &self,
        host: &H,
        host_name: &str,
        stream: H::Stream,
    ) -> io::Result<Secured<H::Stream>> {
        host.work(HANDSHAKE, |_, _| {}).await;
        let configs = self.configs.load_full();
        let name = match &configs.name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host_name.to_owned()).map_err(refused)?,
        };
        let config = if self.http1 { &configs.http1 } else { &configs.any };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
        let (_, session) = stream.get_ref();
        // Who has proven a public name need not be a workload.
        let peer = SpiffeId::of_peer(session).ok();
        Ok(Secured::new(TlsStream::Client(stream), peer))
    }
}

impl Configs {
    fn new<H: Host>(host: &H, terms: &Terms) -> Self {
        let provider = host.crypto();
        let anchors = Arc::clone(terms.trusts.anchors());
        let (verifier, name): (Arc<dyn ServerCertVerifier>, _) = match &terms.expects {
            Expected::Workload(expected) => {
                let verifier = verify::Server::new(anchors, expected.clone(), &provider);
                // The verifier knows whom it expects: this name is neither sent nor compared.
                let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
                (Arc::new(verifier), Some(nobody))
            }
            Expected::Name(name) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(anchors, Arc::clone(&provider));
                (verifier.build().expect("there are authorities"), name.clone())
            }
        };
        let is_workload = matches!(terms.expects, Expected::Workload(_));
        let versions = if is_workload { &[&TLS13][..] } else { &[&TLS13, &TLS12] };
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Calendar(host.clone())))
            .with_protocol_versions(versions)
            .expect("a host's cryptography knows TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut any = match &terms.shows {
            Some(certificate) => builder.with_client_cert_resolver(certificate.always()),
            None => builder.with_no_client_auth(),
        };
        any.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        any.key_log = host.key_log();
        any.enable_sni = !is_workload;
        if is_workload {
            any.resumption = Resumption::disabled();
        }
        let mut http1 = any.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { any: Arc::new(any), http1: Arc::new(http1), name }
    }
}
