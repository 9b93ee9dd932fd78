//! A certificate authority that repeats itself: keys, serial numbers and dates all follow from a
//! seed and a time, so that a run's certificates are the same bytes whenever it is repeated.
//!
//! For simulations and tests. **Its keys are only as secret as its seed**: a live mesh brings
//! credentials of its own authority.

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType, SerialNumber,
};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::identity::Credentials;
use super::spiffe::{SpiffeId, TrustDomain};

/// How long a workload's certificate lasts, as with Istio and Linkerd.
const WORKLOAD_LIFETIME: Duration = Duration::from_hours(24);

/// How long the authority's own certificate lasts, as with Istio.
const AUTHORITY_LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// How far certificates are dated back, for peers whose clocks are behind.
const SKEW: Duration = Duration::from_mins(2);

/// What precedes the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410, 7).
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Signs the certificates of one trust domain.
pub struct Authority {
    seed: u64,
    trust_domain: TrustDomain,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// The authority of `trust_domain` that `seed` stands for, founded at `epoch`.
    pub fn new(seed: u64, trust_domain: TrustDomain, epoch: SystemTime) -> Self {
        let key = key(seed, &["authority", trust_domain.as_str()]);
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, trust_domain.as_str());
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.serial_number = Some(serial(seed, &["authority", trust_domain.as_str()]));
        let root = format!("spiffe://{trust_domain}");
        parameters.subject_alt_names = vec![SanType::URI(root.try_into().expect("a trust domain is ASCII"))];
        parameters.not_before = (epoch - SKEW).into();
        parameters.not_after = (epoch + AUTHORITY_LIFETIME).into();
        let certificate = parameters.self_signed(&key).expect("Ed25519 signs whatever is well formed").pem();
        Self { seed, trust_domain, issuer: Issuer::new(parameters, key), certificate }
    }

    /// The trust domain that it signs for.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Its own certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Signs a certificate for `id` with a key of its own for `holder`, a pod as a rule, valid
    /// for a day from `at`.
    pub fn issue(&self, id: &SpiffeId, holder: &str, at: SystemTime) -> Credentials {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos().to_string();
        let name = ["workload", id.as_str(), holder, &since];
        let key = key(self.seed, &name);
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters.serial_number = Some(serial(self.seed, &name));
        parameters.subject_alt_names =
            vec![SanType::URI(id.as_str().try_into().expect("a SPIFFE id is ASCII"))];
        parameters.use_authority_key_identifier_extension = true;
        parameters.not_before = (at - SKEW).into();
        parameters.not_after = (at + WORKLOAD_LIFETIME).into();
        let certificate =
            parameters.signed_by(&key, &self.issuer).expect("Ed25519 signs whatever is well formed");
        Credentials {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            authorities: self.certificate.clone(),
        }
    }
}

/// The key pair that `name` has under `seed`.
pub(super) fn key(seed: u64, name: &[&str]) -> KeyPair {
    let secret = derive(seed, "key", name);
    let pkcs8 = [PKCS8_ED25519.as_slice(), &secret].concat();
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), &PKCS_ED25519)
        .expect("any 32 bytes are an Ed25519 key")
}

/// A serial number of 16 bytes, whose first bits are fixed so that its encoding keeps its length.
fn serial(seed: u64, name: &[&str]) -> SerialNumber {
    let mut bytes = derive(seed, "serial", name);
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from_slice(&bytes[..16])
}

/// 32 bytes that repeat with the seed, the purpose and the name.
fn derive(seed: u64, purpose: &str, name: &[&str]) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    digest.update(&seed.to_be_bytes());
    for part in std::iter::once(&purpose).chain(name) {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}
