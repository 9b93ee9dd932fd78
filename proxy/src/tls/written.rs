//! TLS as live files write it: which PEM files, and whom. The files are read here, through the reader's door to the disk;
//! what is wrong with them is noted where they are named.

use hoplab_config::form::Form;
use hoplab_config::read::parsed;
use hoplab_config::{At, Context, Place, REQUIRED, Read, Value, file, table, way};
use rustls::pki_types::ServerName;

use super::{
    Authorities, Certificate, Credentials, CredentialsError, Expected, Identity, Part, SpiffeId, Terms,
};

table! {
    /// What a proxy proves its name to workloads with: PEM files, from this file's folder.
    pub struct IdentityKeys {
        /// The certificate, then any intermediates.
        pub certificate: String as Pem = REQUIRED,
        /// The private key.
        pub key: String as Pem = REQUIRED,
        /// The certificates of the authorities that are trusted.
        pub authorities: String as Pem = REQUIRED,
    }
}

table! {
    /// A certificate for the public, with its key: PEM files, from this file's folder.
    pub struct CertificateKeys {
        /// The certificate, then any intermediates. Its DNS names say which hosts it is for.
        pub certificate: String as Pem = REQUIRED,
        /// The private key.
        pub key: String as Pem = REQUIRED,
    }
}

table! {
    /// TLS where callers connect, versions 1.2 and 1.3, with HTTP/2 and HTTP/1.1 by ALPN. Who speaks HTTP/1.1 in the clear
    /// is told so (400).
    pub struct ListenKeys {
        /// What callers are shown: the certificate for the name that they ask for (SNI), an exact name before `*.`; the
        /// first where they ask for none, or for one that no certificate is for.
        pub certificates: Vec<At<CertificateKeys>> = REQUIRED,
    }
}

table! {
    /// TLS towards an upstream. `{}` demands a certificate for the host of the endpoint that is called.
    pub struct CallKeys {
        /// The workload that the upstream must prove to be, whatever its addresses are; `identity` is shown to it.
        pub spiffe: String as Spiffe = "`name` holds",
        /// The name that the upstream's certificate must be for, and that is asked for (SNI).
        pub name: String as Name = "the host of the endpoint, or the name whose addresses the endpoints are",
        /// The certificates of the authorities that are trusted: a PEM file, from this file's folder.
        pub authorities: String as Pem = "those of `identity`",
        /// What is shown to an upstream of that `name` which asks for it: a PEM file.
        pub certificate: String as Pem = "nothing",
        /// The private key of `certificate`: a PEM file.
        pub key: String as Pem = "none",
    }
}

way!(Pem: String, Form::Text { what: "the path of a PEM file", example: "order.pem" }, String::read);
way!(Spiffe: String, Form::Text { what: "a SPIFFE id", example: "spiffe://shop/ns/default/sa/order" }, spiffe);
way!(Name: String, Form::Text { what: "a DNS name or an IP address", example: "pay.example.com" }, name);

fn spiffe(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<String> {
    const HINT: &str = "write `spiffe://DOMAIN/ns/default/sa/SERVICE`";
    parsed(value, place, ("a SPIFFE id", HINT), context, |text| match text.parse::<SpiffeId>() {
        Ok(_) => Ok(text.to_owned()),
        Err(wrong) => Err(format!("{wrong}: {HINT}")),
    })
}

fn name(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<String> {
    const HINT: &str = "write it without a port, such as `pay.example.com`";
    parsed(value, place, ("a name", HINT), context, |text| match ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("`{text}` is neither a DNS name nor an IP address: {HINT}")),
    })
}

impl IdentityKeys {
    /// The identity, or `None` when it was noted what is wrong with it.
    pub fn resolve(&self, context: &mut Context<'_>) -> Option<Identity> {
        let Self { certificate, key, authorities } = self;
        let (certificate, key, authorities) = (certificate.as_ref(), key.as_ref(), authorities.as_ref());
        let (shown, secret) = (text(certificate, context), secret(key, context));
        let trusted = text(authorities, context);
        let credentials = Credentials { certificate: shown?, key: secret?, authorities: trusted? };
        let identity = Identity::from_pem(&credentials)
            .map_err(|wrong| note(&wrong, [certificate, key, authorities], context))
            .ok()?;
        warn_of_time(identity.certificate(), certificate, context);
        warn_of_passed_over(identity.authorities(), authorities, context);
        Some(identity)
    }
}

impl CertificateKeys {
    /// The certificate, or `None` when it was noted what is wrong with it.
    fn resolve(&self, context: &mut Context<'_>) -> Option<Certificate> {
        pair(self.certificate.as_ref(), self.key.as_ref(), context)
    }
}

impl ListenKeys {
    /// The certificates that can be used; what is wrong with the others was noted.
    pub fn resolve(&self, context: &mut Context<'_>) -> Vec<Certificate> {
        let Some(At { value: written, place }) = &self.certificates else { return Vec::new() };
        if written.is_empty() {
            let hint = "write `certificates = [{ certificate = \"shop.pem\", key = \"shop-key.pem\" }]`";
            context.error(*place, "there is no certificate").hint(hint);
        }
        let mut certificates = Vec::new();
        for At { value: keys, place } in written {
            let Some(certificate) = keys.resolve(context) else { continue };
            if !certificate.is_for_somebody() {
                let hint = "issue one with the hosts as DNS names among its subject alternative names";
                let place = keys.certificate.as_ref().map_or(*place, |named| named.place);
                context
                    .warning(
                        place,
                        "the certificate is for no DNS name and no address, so no client accepts it",
                    )
                    .hint(hint);
            }
            certificates.push(certificate);
        }
        certificates
    }
}

impl CallKeys {
    /// On which terms an upstream is called by whoever has this `identity`; `None` when it was noted what is wrong. The
    /// table stands at `place`.
    pub fn resolve(
        &self,
        place: Place,
        identity: Option<&Identity>,
        context: &mut Context<'_>,
    ) -> Option<Terms> {
        let trusts = self.trusts(place, identity, context);
        let shows = match (self.certificate.as_ref(), self.key.as_ref()) {
            (None, None) => Some(None),
            (certificate, key) => {
                let lone = certificate.xor(key);
                if let Some(lone) = lone {
                    let fact = "a certificate and its key belong together, and only one is named";
                    context.error(lone.place, fact).hint("write both `certificate` and `key`");
                }
                pair(certificate, key, context).map(Some)
            }
        };
        let Some(spiffe) = &self.spiffe else {
            let name = self.name.as_ref().map(|name| name.value.clone());
            let name = name.and_then(|name| ServerName::try_from(name).ok());
            return Some(Terms { shows: shows?, trusts: trusts?, expects: Expected::Name(name) });
        };
        for (key, other) in [("name", &self.name), ("certificate", &self.certificate)] {
            if let Some(other) = other {
                let fact = format!(
                    "a workload is known by its SPIFFE id, and shown `identity`: `{key}` has no part in it"
                );
                context.error(other.place, fact).hint(format!("take `{key}` out, or `spiffe`"));
            }
        }
        if identity.is_none() {
            let hint = "write `[identity]` with `certificate`, `key` and `authorities`";
            context.error(spiffe.place, "workloads demand an identity, and there is none").hint(hint);
        }
        let shows = Some(identity?.certificate().clone());
        Some(Terms { shows, trusts: trusts?, expects: Expected::Workload(spiffe.value.parse().ok()?) })
    }

    fn trusts(
        &self,
        place: Place,
        identity: Option<&Identity>,
        context: &mut Context<'_>,
    ) -> Option<Authorities> {
        if let Some(authorities) = &self.authorities {
            let trusted = Authorities::from_pem(&text(Some(authorities), context)?)
                .map_err(|wrong| note(&wrong, [None, None, Some(authorities)], context))
                .ok()?;
            warn_of_passed_over(&trusted, Some(authorities), context);
            return Some(trusted);
        }
        // That there is no identity either is told once.
        if identity.is_none() && self.spiffe.is_none() {
            let hint = "write `authorities = \"/etc/ssl/certs/ca-certificates.crt\"`, or whose certificates they are";
            context.error(place, "nobody says whose certificates are trusted").hint(hint);
        }
        Some(identity?.authorities().clone())
    }
}

/// A certificate with its key; `None` when one is missing, or it was noted what is wrong.
fn pair(
    certificate: Option<&At<String>>,
    key: Option<&At<String>>,
    context: &mut Context<'_>,
) -> Option<Certificate> {
    let (shown, secret) = (text(certificate, context), secret(key, context));
    let read = Certificate::from_pem(&shown?, &secret?)
        .map_err(|wrong| note(&wrong, [certificate, key, None], context))
        .ok()?;
    warn_of_time(&read, certificate, context);
    Some(read)
}

/// The text of a file that is named.
fn text(name: Option<&At<String>>, context: &mut Context<'_>) -> Option<String> {
    let At { value, place } = name?;
    let fetched = context.follow(value, *place);
    fetched.map_err(|why| context.error(*place, why).hint("paths start from this file's folder")).ok()
}

/// The same of a private key, which is nobody else's business.
fn secret(name: Option<&At<String>>, context: &mut Context<'_>) -> Option<String> {
    let text = text(name, context)?;
    let At { value, place } = name?;
    // What is no key at all is told as that.
    if text.contains("PRIVATE KEY") && file::is_open_to_all(&context.locate(value, *place)) {
        let hint = format!("chmod o-r {value}");
        context.warning(*place, "everybody on this machine can read the private key").hint(hint);
    }
    Some(text)
}

/// Notes that a certificate has expired, or is not valid yet. It may be renewed while the product runs.
fn warn_of_time(certificate: &Certificate, named: Option<&At<String>>, context: &mut Context<'_>) {
    let fact = context.now().and_then(|now| certificate.out_of_time(now));
    if let (Some(fact), Some(At { place, .. })) = (fact, named) {
        context.warning(*place, fact).hint("issue a new one: a product that runs takes it up by itself");
    }
}

/// Notes that some of the authorities' certificates cannot be used.
fn warn_of_passed_over(trusted: &Authorities, named: Option<&At<String>>, context: &mut Context<'_>) {
    if let (passed_over @ 1.., Some(At { place, .. })) = (trusted.passed_over(), named) {
        let fact = format!("{passed_over} of the certificates cannot be used, and are passed over");
        context
            .warning(*place, fact)
            .hint("what they have signed is not accepted: take them out, or mend them");
    }
}

/// Notes what is wrong with the certificate, the key or the authorities that are named.
fn note(wrong: &CredentialsError, named: [Option<&At<String>>; 3], context: &mut Context<'_>) {
    let named = match wrong.part() {
        Part::Certificate => named[0],
        Part::Key => named[1],
        Part::Authorities => named[2],
    };
    let place = named.map_or(Place::BEGINNING, |named| named.place);
    context.error(place, wrong.to_string()).hint(wrong.hint());
}
