//! Handshakes between two parties in memory: who is accepted, who is refused, and what it costs.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::crypto::CryptoProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::host::{Accepted, Endpoint, Instant, Listener};
use crate::telemetry::{Owner, Report};

const DAY: Duration = Duration::from_hours(24);

/// A machine without network, whose calendar stands at a chosen day.
#[derive(Clone)]
struct Desk {
    wall: SystemTime,
    work: Arc<Mutex<Vec<Work>>>,
}

struct NoPort;

impl Listener for NoPort {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<Accepted<DuplexStream>> {
        pending().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Host for Desk {
    type Stream = DuplexStream;
    type Listener = NoPort;

    async fn bind(&self, _: SocketAddr) -> io::Result<NoPort> {
        Ok(NoPort)
    }

    async fn connect(&self, _: &Endpoint) -> io::Result<DuplexStream> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn now(&self) -> Instant {
        Instant::START
    }

    fn sleep_until(&self, _: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        pending()
    }

    fn wall(&self) -> SystemTime {
        self.wall
    }

    async fn work(&self, work: Work, _: impl FnMut(Owner, Instant) + Send) {
        self.work.lock().unwrap().push(work);
    }

    fn crypto(&self) -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    fn report(&self, _: Report) {}
}

fn desk() -> Desk {
    Desk { wall: SystemTime::UNIX_EPOCH + 20_000 * DAY, work: Arc::default() }
}

fn authority(seed: u64) -> Authority {
    Authority::new(seed, "hoplab".parse().unwrap(), desk().wall)
}

fn id(service: &str) -> SpiffeId {
    SpiffeId::of_service(&"hoplab".parse().unwrap(), service).unwrap()
}

fn identity(seed: u64, service: &str) -> Identity {
    Identity::from_pem(&authority(seed).issue(&id(service), "pod", desk().wall)).unwrap()
}

/// What each side said: client, then server. A byte goes each way, since a server's refusal of a
/// client arrives only with the first read.
type Ends = (io::Result<Secured<DuplexStream>>, io::Result<Secured<Sniffed<DuplexStream>>>);

async fn meet(desk: &Desk, client: &ClientTls, server: &ServerTls) -> Ends {
    let (near, far) = duplex(64 * 1024);
    let connect = async {
        let mut secured = client.connect(desk, "shop.example.com", near).await?;
        secured.stream.write_all(b"?").await?;
        secured.stream.flush().await?;
        secured.stream.read_u8().await?;
        Ok(secured)
    };
    let accept = async {
        let (sniffed, opening) = Sniffed::new(far).await?;
        assert_eq!(opening, Opening::Tls);
        let mut secured = server.accept(desk, sniffed).await.map_err(|(error, _)| error)?;
        secured.stream.read_u8().await?;
        secured.stream.write_all(b"!").await?;
        secured.stream.flush().await?;
        Ok(secured)
    };
    tokio::join!(connect, accept)
}

/// Both ends of `frontend` calling `payment`, with their identities and the calendar as given.
async fn call(desk: &Desk, frontend: &Identity, payment: &Identity) -> Ends {
    let client = ClientTls::new(desk, &Terms::mutual(frontend, id("payment")));
    let server = ServerTls::new(desk, payment);
    meet(desk, &client, &server).await
}

fn assert_refused<T: fmt::Debug>(end: io::Result<T>, why: &str) {
    let error = end.unwrap_err();
    let said = refusal(&error).unwrap_or_else(|| panic!("{error}"));
    assert!(said.contains(why), "{said}");
}

#[tokio::test]
async fn both_ends_learn_the_other_one_and_pay_for_one_handshake() {
    let desk = desk();
    let (client, server) = call(&desk, &identity(1, "frontend"), &identity(1, "payment")).await;
    let (client, server) = (client.unwrap(), server.unwrap());
    assert_eq!(client.peer, Some(id("payment")));
    assert_eq!(server.peer, Some(id("frontend")));
    assert_eq!((client.protocol, server.protocol), (Protocol::Http2, Protocol::Http2));
    assert_eq!(*desk.work.lock().unwrap(), [HANDSHAKE, HANDSHAKE]);
    let session = client.stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[tokio::test]
async fn no_session_is_resumed() {
    let desk = desk();
    let client = ClientTls::new(&desk, &Terms::mutual(&identity(1, "frontend"), id("payment")));
    let server = ServerTls::new(&desk, &identity(1, "payment"));
    for _ in 0..3 {
        let (client, _) = meet(&desk, &client, &server).await;
        let kind = client.unwrap().stream.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn another_service_is_not_taken_for_the_expected_one() {
    let (client, server) = call(&desk(), &identity(1, "frontend"), &identity(1, "cart")).await;
    assert_refused(
        client,
        "it is spiffe://hoplab/ns/default/sa/cart, and not spiffe://hoplab/ns/default/sa/payment",
    );
    assert_refused(server, "");
}

#[tokio::test]
async fn another_authority_is_refused_by_either_side() {
    let (client, server) = call(&desk(), &identity(1, "frontend"), &identity(2, "payment")).await;
    assert_refused(client, "");
    assert_refused(server, "");
    // The client believes the server, and the server not the client.
    let mut mixed = authority(2).issue(&id("frontend"), "pod", desk().wall);
    mixed.authorities = authority(1).certificate().to_owned();
    let stranger = Identity::from_pem(&mixed).unwrap();
    let (client, server) = call(&desk(), &stranger, &identity(1, "payment")).await;
    assert_refused(client, "");
    assert_refused(server, "");
}

#[tokio::test]
async fn another_trust_domain_is_refused_by_either_side_though_its_authority_is_trusted() {
    let wall = desk().wall;
    let far = Authority::new(1, "elsewhere".parse().unwrap(), wall);
    let both = format!("{}{}", authority(1).certificate(), far.certificate());
    let trusting_both = |mut credentials: Credentials| {
        credentials.authorities.clone_from(&both);
        Identity::from_pem(&credentials).unwrap()
    };
    let foreign = |service| SpiffeId::of_service(&"elsewhere".parse().unwrap(), service).unwrap();
    let near = |service| trusting_both(authority(1).issue(&id(service), "pod", wall));
    let far = |service| trusting_both(far.issue(&foreign(service), "pod", wall));

    let (client, server) = call(&desk(), &near("frontend"), &near("payment")).await;
    assert!(client.is_ok() && server.is_ok());
    let (client, _) = call(&desk(), &near("frontend"), &far("payment")).await;
    assert_refused(client, "it is spiffe://elsewhere/ns/default/sa/payment");
    let (client, server) = call(&desk(), &far("frontend"), &near("payment")).await;
    assert_refused(client, "");
    assert_refused(server, "is not of the trust domain hoplab");
}

#[tokio::test]
async fn certificates_are_judged_by_the_hosts_calendar() {
    let (frontend, payment) = (identity(1, "frontend"), identity(1, "payment"));
    for (days, valid) in [(0, true), (2, false)] {
        let desk = Desk { wall: desk().wall + days * DAY, ..desk() };
        let (client, server) = call(&desk, &frontend, &payment).await;
        assert_eq!(client.is_ok() && server.is_ok(), valid);
        if !valid {
            assert_refused(client, "expired");
        }
    }
    let desk = Desk { wall: desk().wall - DAY, ..desk() };
    let (client, _) = call(&desk, &frontend, &payment).await;
    assert_refused(client, "not valid yet");
}

#[test]
fn what_cannot_be_used_in_a_bundle_is_passed_over() {
    let good = authority(1).issue(&id("payment"), "pod", desk().wall()).authorities;
    // A certificate that no parser takes, between text that is none.
    let odd = "# of a system\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let passed_over = |text: &str| Authorities::from_pem(text).map(|read| read.passed_over());
    assert_eq!(passed_over(&good).unwrap(), 0);
    assert_eq!(passed_over(&format!("{odd}{good}")).unwrap(), 1);
    assert_eq!(passed_over(odd).unwrap_err(), CredentialsError::Malformed(Part::Authorities));
    assert_eq!(passed_over("# of a system\n").unwrap_err(), CredentialsError::Empty(Part::Authorities));
}

#[test]
fn a_certificate_is_for_a_time() {
    let payment = identity(1, "payment");
    let wrong = |now| payment.certificate().out_of_time(now);
    let now = desk().wall();
    assert_eq!(wrong(now), None);
    let (before, after) =
        (now - Duration::from_hours(24 * 365 * 10), now + Duration::from_hours(24 * 365 * 10));
    assert!(wrong(before).is_some_and(|fact| fact.starts_with("the certificate is not valid yet (")));
    assert!(wrong(after).is_some_and(|fact| fact.starts_with("the certificate has expired (")));
}

#[tokio::test]
async fn an_expired_client_is_refused() {
    let expired = authority(1).issue(&id("frontend"), "pod", desk().wall - 2 * DAY);
    let (client, server) =
        call(&desk(), &Identity::from_pem(&expired).unwrap(), &identity(1, "payment")).await;
    assert_refused(client, "");
    assert_refused(server, "expired");
}

/// A client that shows nothing and believes everything that the authority of seed 1 signed.
fn anonymous(desk: &Desk) -> ClientTls {
    let expects = Expected::Workload(id("payment"));
    ClientTls::new(desk, &Terms { shows: None, trusts: trusts(1), expects })
}

fn trusts(seed: u64) -> Authorities {
    Authorities::from_pem(authority(seed).certificate()).unwrap()
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let desk = desk();
    let server = ServerTls::new(&desk, &identity(1, "payment"));
    let (client, server) = meet(&desk, &anonymous(&desk), &server).await;
    assert_refused(client, "");
    assert_refused(server, "");
}

/// A certificate that the authority of seed 1 did sign, with these names; and its key.
fn signed(names: Vec<SanType>, is_ca: IsCa) -> (rcgen::Certificate, KeyPair) {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "hoplab");
    let issuer = Issuer::new(parameters, authority::key(1, &["authority", "hoplab"]));
    let key = authority::key(1, &["test"]);
    let mut parameters = CertificateParams::default();
    parameters.subject_alt_names = names;
    parameters.is_ca = is_ca;
    (parameters.signed_by(&key, &issuer).unwrap(), key)
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[tokio::test]
async fn a_genuine_server_without_a_workloads_name_is_refused() {
    let desk = desk();
    let payment = id("payment");
    let ours = || uri(payment.as_str());
    let cases = [
        (vec![SanType::DnsName("payment".try_into().unwrap())], IsCa::NoCa, "carries no URI"),
        (vec![ours(), uri("spiffe://hoplab/ns/default/sa/cart")], IsCa::NoCa, "several URIs"),
        (vec![uri("https://hoplab/payment")], IsCa::NoCa, "is not a SPIFFE id"),
        (vec![ours()], IsCa::NoCa, ""),
    ];
    for (names, is_ca, why) in cases {
        let (certificate, key) = signed(names, is_ca);
        let certificate = Certificate::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap();
        let server = ServerTls::public(&desk, vec![certificate]);
        let client = ClientTls::new(&desk, &Terms::mutual(&identity(1, "frontend"), id("payment")));
        let (client, _) = meet(&desk, &client, &server).await;
        match why {
            // Nothing is wrong with this name.
            "" => assert_eq!(client.unwrap().peer, Some(id("payment"))),
            why => assert_refused(client, why),
        }
    }
}

#[test]
fn an_authority_is_no_workload() {
    let (certificate, _) =
        signed(vec![uri(id("payment").as_str())], IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    assert_eq!(SpiffeId::of_certificate(certificate.der()), Err(NotSpiffe::Authority));
}

#[tokio::test]
async fn garbage_instead_of_tls_is_a_refusal() {
    let desk = desk();
    let client = ClientTls::new(&desk, &Terms::mutual(&identity(1, "frontend"), id("payment")));
    let (near, mut far) = duplex(1024);
    let answer = async {
        far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    };
    let (secured, ()) = tokio::join!(client.connect(&desk, "payment", near), answer);
    assert_refused(secured.map(|_| ()), "");
}

#[test]
fn credentials_repeat_with_their_seed() {
    let issue = |seed, holder| authority(seed).issue(&id("payment"), holder, desk().wall);
    assert!(issue(1, "payment-0") == issue(1, "payment-0"));
    let (one, other) = (issue(1, "payment-0"), issue(2, "payment-0"));
    assert_ne!(one.certificate, other.certificate);
    assert_ne!(one.key, other.key);
    assert_ne!(one.authorities, other.authorities);
    assert_ne!(one.key, issue(1, "payment-1").key, "pods do not share a key");
    for seed in 0..50 {
        let credentials = issue(seed, "payment-0");
        assert_eq!(credentials.certificate.len(), one.certificate.len(), "seed {seed}");
        assert_eq!(credentials.authorities.len(), one.authorities.len(), "seed {seed}");
    }
}

#[test]
fn credentials_that_are_no_identity_say_which_part_is_wrong() {
    let good = authority(1).issue(&id("payment"), "payment-0", desk().wall);
    assert_eq!(*Identity::from_pem(&good).unwrap().id(), id("payment"));
    let broken = |change: &dyn Fn(&mut Credentials)| {
        let mut credentials = good.clone();
        change(&mut credentials);
        Identity::from_pem(&credentials).unwrap_err().to_string()
    };
    insist(&broken(&|c| c.certificate.clear()), "`certificate` holds no");
    insist(&broken(&|c| c.key.clear()), "`key` holds no");
    insist(&broken(&|c| c.authorities.clear()), "`authorities` holds no");
    insist(&broken(&|c| c.certificate = c.certificate.replace("MII", "!!!")), "`certificate` is malformed");
    insist(&broken(&|c| c.certificate.clone_from(&c.authorities)), "names no workload");
    insist(&broken(&|c| c.key.clone_from(&c.certificate)), "`key` holds no");
}

fn insist(text: &str, part: &str) {
    assert!(text.contains(part), "{text}");
}

#[test]
fn a_key_of_someone_else_is_no_identity() {
    let mut credentials = authority(1).issue(&id("payment"), "payment-0", desk().wall);
    credentials.key = authority(1).issue(&id("payment"), "payment-1", desk().wall).key;
    assert_eq!(Identity::from_pem(&credentials).unwrap_err(), CredentialsError::Mismatch);
}

#[tokio::test]
async fn openings_are_told_apart_and_nothing_is_lost() {
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and more";
    let long = format!("POST /charge HTTP/1.1\r\nhost: payment\r\n\r\n{}", "x".repeat(100));
    for (text, opening) in [
        ("\u{16}\u{3}\u{1} hello", Opening::Tls),
        (preface, Opening::Http2),
        (&long, Opening::Http1),
        ("PRI * HTTP/1.1\r\n", Opening::Http1),
        ("P", Opening::Http1),
        ("", Opening::Http1),
    ] {
        for chunk_bytes in [1, 7, 1000] {
            let (mut near, far) = duplex(4);
            let send = async {
                for chunk in text.as_bytes().chunks(chunk_bytes) {
                    near.write_all(chunk).await.unwrap();
                }
                near.shutdown().await.unwrap();
            };
            let read = async {
                let (mut sniffed, told) = Sniffed::new(far).await.unwrap();
                let mut all = String::new();
                sniffed.read_to_string(&mut all).await.unwrap();
                (told, all)
            };
            let ((), read) = tokio::join!(send, read);
            assert_eq!(read, (opening, text.to_owned()));
        }
    }
}

/// A certificate for these DNS names.
fn public(names: &[&str]) -> Certificate {
    let names = names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap()));
    let (certificate, key) = signed(names.collect(), IsCa::NoCa);
    Certificate::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap()
}

/// A client that asks for `name`, or for who it connects to, and shows nothing.
fn visitor(desk: &Desk, name: Option<&str>) -> ClientTls {
    let name = name.map(|name| name.to_owned().try_into().unwrap());
    ClientTls::new(desk, &Terms { shows: None, trusts: trusts(1), expects: Expected::Name(name) })
}

/// The names of the certificate that a client was shown.
fn shown<S>(secured: &Secured<S>) -> Vec<String> {
    let session = secured.stream.get_ref().1;
    certificate::Scope::of(session.peer_certificates().unwrap().first().unwrap()).unwrap().names
}

#[tokio::test]
async fn the_public_is_shown_the_certificate_that_it_asks_for() {
    let desk = desk();
    let certificates = [
        &["fallback.example"][..],
        &["*.example.com", "example.com"],
        &["shop.example.com"],
        &["later.example.com", "shop.example.com"],
    ];
    let certificates = certificates.iter().map(|names| public(names));
    let server = ServerTls::public(&desk, certificates.collect());
    for (asked, names) in [
        ("shop.example.com", &["shop.example.com"][..]),
        ("SHOP.Example.com", &["shop.example.com"]),
        ("help.example.com", &["*.example.com", "example.com"]),
        ("example.com", &["*.example.com", "example.com"]),
        ("fallback.example", &["fallback.example"]),
    ] {
        let (client, server) = meet(&desk, &visitor(&desk, Some(asked)), &server).await;
        let client = client.unwrap_or_else(|error| panic!("{asked}: {error}"));
        assert_eq!(shown(&client), names, "{asked}");
        assert_eq!((client.peer, server.unwrap().peer), (None, None));
    }
    // No certificate is for these, so the first is shown, with which the client is not content.
    for asked in ["a.shop.example.com", "other.example", "192.0.2.1"] {
        assert_refused(meet(&desk, &visitor(&desk, Some(asked)), &server).await.0, "fallback.example");
    }
}

#[tokio::test]
async fn who_is_connected_to_is_demanded_where_no_name_is_said() {
    let desk = desk();
    let server = ServerTls::public(&desk, vec![public(&["shop.example.com"])]);
    let (client, _) = meet(&desk, &visitor(&desk, None), &server).await;
    assert_eq!(client.unwrap().protocol, Protocol::Http2);
    let (client, _) = meet(&desk, &visitor(&desk, None).speaking_http1(), &server).await;
    assert_eq!(client.unwrap().protocol, Protocol::Http1);
    let other = ServerTls::public(&desk, vec![public(&["shop.example.org"])]);
    assert_refused(meet(&desk, &visitor(&desk, None), &other).await.0, "shop.example.com");
}

#[tokio::test]
async fn sessions_of_the_public_are_resumed_until_the_terms_are_renewed() {
    let desk = desk();
    let client = visitor(&desk, None);
    let server = ServerTls::public(&desk, vec![public(&["shop.example.com"])]);
    let kind = async || {
        let (client, _) = meet(&desk, &client, &server).await;
        client.unwrap().stream.get_ref().1.handshake_kind().unwrap()
    };
    assert_eq!(kind().await, rustls::HandshakeKind::Full);
    assert_eq!(kind().await, rustls::HandshakeKind::Resumed);
    let expects = Expected::Name(None);
    client.renew(&desk, &Terms { shows: None, trusts: trusts(1), expects: expects.clone() });
    assert_eq!(kind().await, rustls::HandshakeKind::Full);
    client.clone().speaking_http1().renew(&desk, &Terms { shows: None, trusts: trusts(2), expects });
    assert_refused(meet(&desk, &client, &server).await.0, "BadSignature");
}
