//! What a workload shows to prove who it is, and whom it believes: certificate chain, private key,
//! trust anchors. Reads PEM texts; reading files is the caller's, judging peers is `verify`'s.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

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
    /// Reads an identity, whose key and certificate belong together.
    pub fn from_pem(credentials: &Credentials) -> Result<Self, IdentityError> {
        let chain = certificates(&credentials.certificate, Part::Certificate)?;
        let id = SpiffeId::of_certificate(chain.first().ok_or(IdentityError::Empty(Part::Certificate))?)?;
        let key = match PrivateKeyDer::from_pem_slice(credentials.key.as_bytes()) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(IdentityError::Empty(Part::Key)),
            Err(_) => return Err(IdentityError::Malformed(Part::Key)),
        };
        check_pair(&chain, &key)?;
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
    #[error("the file of `{0}` holds no PEM item of its kind")]
    Empty(Part),
    /// A part cannot be read.
    #[error("the file of `{0}` is malformed")]
    Malformed(Part),
    /// The certificate names no workload.
    #[error("the certificate names no workload: {0}")]
    NotSpiffe(#[from] NotSpiffe),
    /// The key is that of another certificate.
    #[error("the key is not that of the certificate")]
    Mismatch,
    /// The key is of a kind that is not known.
    #[error("the key is of a kind that TLS 1.3 does not know")]
    KeyKind,
}

impl IdentityError {
    /// Which part is at fault.
    pub fn part(&self) -> Part {
        match self {
            Self::Empty(part) | Self::Malformed(part) => *part,
            Self::NotSpiffe(_) => Part::Certificate,
            Self::Mismatch | Self::KeyKind => Part::Key,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty(Part::Key) | Self::Malformed(Part::Key) => {
                "name a PEM file with `PRIVATE KEY` in its first line"
            }
            Self::Empty(_) | Self::Malformed(_) => "name a PEM file with `CERTIFICATE` in its first line",
            Self::NotSpiffe(_) => {
                "issue one whose subject alternative name is `spiffe://DOMAIN/ns/default/sa/SERVICE`"
            }
            Self::Mismatch => "name the key that the certificate was issued for",
            Self::KeyKind => "issue one with an ECDSA, Ed25519 or RSA key",
        }
    }
}

/// Whether `key` is that of the first certificate of `chain`.
fn check_pair(chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Result<(), IdentityError> {
    let signing = any_supported_type(key).map_err(|_| IdentityError::KeyKind)?;
    match CertifiedKey::new(chain.to_vec(), signing).keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(_) => Err(IdentityError::Mismatch),
    }
}

fn certificates(text: &str, part: Part) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| IdentityError::Malformed(part))
}
