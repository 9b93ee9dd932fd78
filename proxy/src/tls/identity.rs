//! What a workload proves its name with, and whom it believes.

use std::fmt;

use super::certificate::{Authorities, Certificate, CredentialsError, chain};
use super::spiffe::SpiffeId;

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

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A workload's name with its proof, and the anchors of its trust. Cloning gives another handle.
#[derive(Debug, Clone)]
pub struct Identity {
    id: SpiffeId,
    certificate: Certificate,
    authorities: Authorities,
}

impl Identity {
    /// Reads an identity, whose key and certificate belong together.
    pub fn from_pem(credentials: &Credentials) -> Result<Self, CredentialsError> {
        // Whoever shows an authority's certificate is told that first, and not that the key is another's.
        let id = SpiffeId::of_certificate(&chain(&credentials.certificate)?[0])?;
        let certificate = Certificate::from_pem(&credentials.certificate, &credentials.key)?;
        let authorities = Authorities::from_pem(&credentials.authorities)?;
        Ok(Self { id, certificate, authorities })
    }

    /// The workload's name.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// What it shows.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Whom it believes.
    pub fn authorities(&self) -> &Authorities {
        &self.authorities
    }
}
