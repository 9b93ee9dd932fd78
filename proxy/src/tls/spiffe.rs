//! SPIFFE ids, the names of workloads: `spiffe://cluster.local/ns/default/sa/payment`.
//!
//! Parsing and reading them from certificates, by the rules of the SPIFFE-ID and X.509-SVID
//! standards. Owns no trust: whether a certificate is genuine is judged elsewhere.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

const SCHEME: &str = "spiffe://";

/// The longest id that the standard demands to be accepted, in bytes.
const LENGTH_BYTES_MAX: usize = 2048;

/// The longest trust domain, in bytes.
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// The part of the world that shares trust anchors: `cluster.local`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Arc<str>);

impl TrustDomain {
    /// The domain's name, without a scheme.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = NotSpiffe;

    fn from_str(text: &str) -> Result<Self, NotSpiffe> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > TRUST_DOMAIN_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(NotSpiffe::TrustDomain(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: Arc<str>,
    trust_domain: TrustDomain,
}

impl SpiffeId {
    /// The id of a service's pods, as meshes name them: `spiffe://DOMAIN/ns/default/sa/SERVICE`.
    pub fn of_service(trust_domain: &TrustDomain, service: &str) -> Result<Self, NotSpiffe> {
        format!("{SCHEME}{trust_domain}/ns/default/sa/{service}").parse()
    }

    /// The id that a workload's certificate carries. X.509-SVID: exactly one URI among the
    /// alternative names, and a certificate that cannot sign others.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Result<Self, NotSpiffe> {
        let (_, certificate) =
            x509_parser::parse_x509_certificate(certificate).map_err(|_| NotSpiffe::Certificate)?;
        if signs_certificates(&certificate)? {
            return Err(NotSpiffe::Authority);
        }
        let names = certificate.subject_alternative_name().map_err(|_| NotSpiffe::Certificate)?;
        let mut uris =
            names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
                GeneralName::URI(uri) => Some(*uri),
                _ => None,
            });
        match (uris.next(), uris.next()) {
            (Some(uri), None) => uri.parse(),
            (None, _) => Err(NotSpiffe::NoUri),
            (Some(_), Some(_)) => Err(NotSpiffe::SeveralUris),
        }
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where its trust comes from.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }
}

impl FromStr for SpiffeId {
    type Err = NotSpiffe;

    fn from_str(text: &str) -> Result<Self, NotSpiffe> {
        let malformed = || NotSpiffe::Id(text.to_owned());
        let rest = text.strip_prefix(SCHEME).ok_or_else(malformed)?;
        let (domain, path) = rest.split_once('/').ok_or_else(malformed)?;
        if text.len() > LENGTH_BYTES_MAX || !path.split('/').all(is_segment) {
            return Err(malformed());
        }
        Ok(Self { text: text.into(), trust_domain: domain.parse()? })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why something is no workload's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSpiffe {
    /// A text is no id.
    #[error("`{0}` is not a SPIFFE id: spiffe://trust-domain/path")]
    Id(String),
    /// A text is no trust domain.
    #[error("`{0}` is not a trust domain: lower case letters, digits, dots, hyphens, underscores")]
    TrustDomain(String),
    /// A certificate could not be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// A certificate belongs to an authority and not to a workload.
    #[error("the certificate may sign others, so it names no workload")]
    Authority,
    /// A certificate names nothing.
    #[error("the certificate carries no URI, so it names no workload")]
    NoUri,
    /// A certificate names more than one thing.
    #[error("the certificate carries several URIs; a workload has one name")]
    SeveralUris,
}

fn is_segment(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !text.is_empty() && text != "." && text != ".." && text.bytes().all(allowed)
}

fn signs_certificates(certificate: &X509Certificate<'_>) -> Result<bool, NotSpiffe> {
    let usage = certificate.key_usage().map_err(|_| NotSpiffe::Certificate)?;
    let signs = usage.is_some_and(|usage| usage.value.key_cert_sign() || usage.value.crl_sign());
    Ok(signs || certificate.is_ca())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id: SpiffeId = "spiffe://hoplab/ns/default/sa/payment".parse().unwrap();
        assert_eq!(id.trust_domain().as_str(), "hoplab");
        assert_eq!(id.to_string(), "spiffe://hoplab/ns/default/sa/payment");
        let domain: TrustDomain = "hoplab".parse().unwrap();
        assert_eq!(SpiffeId::of_service(&domain, "payment").unwrap(), id);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "payment",
            "https://hoplab/ns/default",
            "SPIFFE://hoplab/a",
            "spiffe://hoplab",
            "spiffe://hoplab/",
            "spiffe:///a",
            "spiffe://Hoplab/a",
            "spiffe://hoplab:8443/a",
            "spiffe://user@hoplab/a",
            "spiffe://hoplab/a//b",
            "spiffe://hoplab/a/",
            "spiffe://hoplab/a/../b",
            "spiffe://hoplab/a?b",
            "spiffe://hoplab/a#b",
            "spiffe://hoplab/a%20b",
            "spiffe://hoplab/ä",
        ] {
            assert!(text.parse::<SpiffeId>().is_err(), "{text}");
        }
        let long = format!("spiffe://hoplab/{}", "a".repeat(LENGTH_BYTES_MAX));
        assert!(long.parse::<SpiffeId>().is_err());
    }
}
