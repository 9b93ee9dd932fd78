//! What TLS shows and trusts: a certificate with its private key, and the authorities whose certificates are believed.
//! Reads PEM texts; reading files is the caller's, judging peers is `verify`'s.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore};
use x509_parser::certificate::Validity;
use x509_parser::extensions::GeneralName;

use super::spiffe::NotSpiffe;

/// A certificate, any intermediates, and the private key that belongs to it. Cloning gives another handle.
#[derive(Clone)]
pub struct Certificate {
    certified: Arc<CertifiedKey>,
    scope: Arc<Scope>,
}

impl Certificate {
    /// Reads the certificate, then any intermediates, and the key, which must be that of the certificate.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, CredentialsError> {
        let chain = chain(certificate)?;
        let scope = chain.first().and_then(Scope::of);
        let scope = scope.ok_or(CredentialsError::Malformed(Part::Certificate))?;
        let key = match PrivateKeyDer::from_pem_slice(key.as_bytes()) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(CredentialsError::Empty(Part::Key)),
            Err(_) => return Err(CredentialsError::Malformed(Part::Key)),
        };
        let key = any_supported_type(&key).map_err(|_| CredentialsError::KeyKind)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(CredentialsError::Mismatch),
        }
        Ok(Self { certified: Arc::new(certified), scope: Arc::new(scope) })
    }

    /// The DNS names that it is for, in lower case; `*.example.com` is for one label below.
    pub fn names(&self) -> &[String] {
        &self.scope.names
    }

    /// What is wrong with the time that it is for, at `now`; nothing, as a rule.
    pub fn out_of_time(&self, now: SystemTime) -> Option<String> {
        let seconds = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
        let Validity { not_before, not_after } = &self.scope.validity;
        if seconds > not_after.timestamp() {
            return Some(format!("the certificate has expired ({not_after}), so nobody accepts it"));
        }
        (seconds < not_before.timestamp())
            .then(|| format!("the certificate is not valid yet ({not_before}), so nobody accepts it"))
    }

    /// Whether it is for a DNS name or an address, as clients demand of the public's servers.
    pub fn is_for_somebody(&self) -> bool {
        !self.scope.names.is_empty() || self.scope.has_address
    }

    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// Shows it to whoever asks.
    pub(super) fn always(&self) -> Arc<SingleCertAndKey> {
        Arc::new(CertifiedKey::clone(&self.certified).into())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.scope.names).finish_non_exhaustive()
    }
}

/// The authorities whose certificates are believed. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct Authorities {
    anchors: Arc<RootCertStore>,
    passed_over: usize,
}

impl Authorities {
    /// Reads their certificates, of which there is at least one. Those that cannot be used are passed over, as everybody does:
    /// bundles of systems have such.
    pub fn from_pem(text: &str) -> Result<Self, CredentialsError> {
        let mut anchors = RootCertStore::empty();
        let passed_over = match anchors.add_parsable_certificates(certificates(text, Part::Authorities)?) {
            (0, 0) => return Err(CredentialsError::Empty(Part::Authorities)),
            (0, _) => return Err(CredentialsError::Malformed(Part::Authorities)),
            (_, passed_over) => passed_over,
        };
        Ok(Self { anchors: Arc::new(anchors), passed_over })
    }

    /// How many certificates were passed over.
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    pub(super) fn anchors(&self) -> &Arc<RootCertStore> {
        &self.anchors
    }
}

/// A part of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The certificate.
    Certificate,
    /// The private key.
    Key,
    /// The certificates of the authorities.
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

/// Why texts are no certificate with its key, no authorities, or no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
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

impl CredentialsError {
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

fn certificates(text: &str, part: Part) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| CredentialsError::Malformed(part))
}

/// A certificate, then any intermediates: at least one.
pub(super) fn chain(text: &str) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let chain = certificates(text, Part::Certificate)?;
    if chain.is_empty() { Err(CredentialsError::Empty(Part::Certificate)) } else { Ok(chain) }
}

/// Whom a certificate is for, and when.
pub(super) struct Scope {
    /// DNS names, in lower case.
    pub(super) names: Vec<String>,
    /// Whether it is for an address, too.
    has_address: bool,
    validity: Validity,
}

impl Scope {
    /// `None` when the certificate cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'static>) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let alternative = certificate.subject_alternative_name().ok()?;
        let validity = certificate.validity().clone();
        let mut scope = Self { names: Vec::new(), has_address: false, validity };
        for name in alternative.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => scope.names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(_) => scope.has_address = true,
                _ => {}
            }
        }
        Some(scope)
    }
}
