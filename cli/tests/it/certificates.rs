//! Certificates that products and their peers are given: those of hosts and those of the mesh's workloads, with the
//! authorities that have signed them. Who trusts which is said by the tests.

use std::time::SystemTime;

use hoplab_proxy::tls::{Authority, SpiffeId};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::Folder;

/// An authority for DNS names, and what it has signed.
pub(crate) struct Public(CertifiedIssuer<'static, KeyPair>);

impl Public {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "an authority of hoplab's tests");
        parameters.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes a certificate for these names and its key, as `name.pem` and `name-key.pem`.
    pub(crate) fn write(&self, folder: &Folder, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let certificate = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.0).unwrap();
        folder.write(&format!("{name}.pem"), &certificate.pem());
        folder.write_key(&format!("{name}-key.pem"), &key.serialize_pem());
    }
}

/// Writes what a service of the mesh proves its name with; the keys of its file that say so.
pub(crate) fn identity(folder: &Folder, authority: &Authority, service: &str) -> String {
    let id = SpiffeId::of_service(authority.trust_domain(), service).unwrap();
    let credentials = authority.issue(&id, "pod", SystemTime::now());
    folder.write("authorities.pem", &credentials.authorities);
    folder.write(&format!("{service}.pem"), &credentials.certificate);
    folder.write_key(&format!("{service}-key.pem"), &credentials.key);
    format!(
        "identity = {{ certificate = \"{service}.pem\", key = \"{service}-key.pem\", authorities = \"authorities.pem\" }}\n"
    )
}
