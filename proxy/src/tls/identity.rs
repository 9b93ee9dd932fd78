//! What a workload shows to prove who it is, and whom it believes: certificate chain, private key,
//! trust anchors. Reads PEM texts; reading files is the caller's, judging peers is `verify`'s.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::spiffe::{NotSpiffe, SpiffeId};

/// The PEM texts that an [`Identity`] is read from.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The workload's certificate, then any intermediates.
    pub certificate: String,
    /// The workload's private key.
    pub key: String,
    /// The certificates of the authorities that are trusted.
    pub authorities: String,
}

/// A workload's name with its proof, and the anchors of its trust.
pub struct Identity {
    id: SpiffeId,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    anchors: Arc<RootCertStore>,
}

impl Identity {
    /// Reads an identity. Whether key and certificate belong together shows when it is first used.
    pub fn from_pem(credentials: &Credentials) -> Result<Self, IdentityError> {
        let chain = certificates(&credentials.certificate, Part::Certificate)?;
        let id = SpiffeId::of_certificate(chain.first().ok_or(IdentityError::Empty(Part::Certificate))?)?;
        let key = match PrivateKeyDer::from_pem_slice(credentials.key.as_bytes()) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(IdentityError::Empty(Part::Key)),
            Err(_) => return Err(IdentityError::Malformed(Part::Key)),
        };
        let mut anchors = RootCertStore::empty();
        for authority in certificates(&credentials.authorities, Part::Authorities)? {
            anchors.add(authority).map_err(|_| IdentityError::Malformed(Part::Authorities))?;
        }
        if anchors.is_empty() {
            return Err(IdentityError::Empty(Part::Authorities));
        }
        Ok(Self { id, chain, key, anchors: Arc::new(anchors) })
    }

    /// The workload's name.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    pub(super) fn anchors(&self) -> &Arc<RootCertStore> {
        &self.anchors
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            id: self.id.clone(),
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            anchors: Arc::clone(&self.anchors),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A part of [`Credentials`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`Credentials::certificate`].
    Certificate,
    /// [`Credentials::key`].
    Key,
    /// [`Credentials::authorities`].
    Authorities,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::Authorities => "authorities",
        })
    }
}

/// Why credentials are no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A part holds nothing.
    #[error("`{0}` holds no PEM item of its kind")]
    Empty(Part),
    /// A part cannot be read.
    #[error("`{0}` is malformed")]
    Malformed(Part),
    /// The certificate names no workload.
    #[error("`certificate` names no workload: {0}")]
    NotSpiffe(#[from] NotSpiffe),
}

fn certificates(text: &str, part: Part) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| IdentityError::Malformed(part))
}
