//! Whom a side of a handshake accepts: the chain must lead to a trust anchor, and the name must be
//! the expected one (for a client) or of the same trust domain (for a server).
//! Chains and signatures are rustls's; only the rule about names is ours.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use super::identity::Identity;
use super::spiffe::{SpiffeId, TrustDomain};

/// Accepts one server by its name.
#[derive(Debug)]
pub(super) struct Server {
    expected: SpiffeId,
    anchors: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Server {
    pub(super) fn new(anchors: Arc<RootCertStore>, expected: SpiffeId, provider: &CryptoProvider) -> Self {
        Self { expected, anchors, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Server {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.anchors, intermediates, now, algorithms)?;
        let presented = SpiffeId::of_certificate(certificate).map_err(refused)?;
        if presented != self.expected {
            return Err(refused(format_args!("it is {presented}, and not {}", self.expected)));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Accepts every client of one trust domain, and none without a certificate.
#[derive(Debug)]
pub(super) struct Clients {
    trust_domain: TrustDomain,
    chains: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    pub(super) fn new(identity: &Identity, provider: &Arc<CryptoProvider>) -> Self {
        let anchors = Arc::clone(identity.authorities().anchors());
        let chains = WebPkiClientVerifier::builder_with_provider(anchors, Arc::clone(provider))
            .build()
            .expect("an identity believes somebody");
        Self { trust_domain: identity.id().trust_domain().clone(), chains }
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chains.verify_client_cert(certificate, intermediates, now)?;
        let presented = SpiffeId::of_certificate(certificate).map_err(refused)?;
        if *presented.trust_domain() != self.trust_domain {
            let ours = &self.trust_domain;
            return Err(refused(format_args!("it is {presented}, which is not of the trust domain {ours}")));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// The peer's certificate is refused because of its name.
fn refused(why: impl fmt::Display) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refusal(why.to_string())))))
}

/// Why a name is refused. rustls shows foreign errors by their `Debug`, hence ours is a sentence.
#[derive(thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
