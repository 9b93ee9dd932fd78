//! Cryptography that repeats itself: a rustls provider whose random bytes and X25519 key shares
//! follow from a seed, so that every byte on the wire of a simulated TLS connection does.
//!
//! **No secret in it is secret.** It lives in the simulation, which no live product depends on.
//! Signatures are out of its hands: certificates must be Ed25519, whose signatures repeat.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use xxhash_rust::xxh3::xxh3_128;

/// The cryptography of `entity`, a pod as a rule. A pod that starts anew gets it anew: the same
/// calls in the same order give the same bytes.
///
/// One cipher suite and one group, so that lengths do not depend on preferences.
pub fn seeded(seed: u64, entity: &str) -> Arc<CryptoProvider> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..24].copy_from_slice(&xxh3_128(entity.as_bytes()).to_le_bytes());
    key[24..].copy_from_slice(b"tls\0\0\0\0\0");
    let generator = ChaCha8Rng::from_seed(key);

    let mut sources = SOURCES.lock().unwrap_or_else(PoisonError::into_inner);
    let free = sources.iter().position(|(user, _)| user.strong_count() == 0);
    let place = if let Some(place) = free {
        *sources[place].1.0.lock().unwrap_or_else(PoisonError::into_inner) = generator;
        place
    } else {
        sources.push((Weak::new(), Box::leak(Box::new(Source(Mutex::new(generator))))));
        sources.len() - 1
    };
    let source = sources[place].1;
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![source],
        secure_random: source,
        ..default_provider()
    });
    sources[place].0 = Arc::downgrade(&provider);
    provider
}

/// Every source there is, with the provider that uses it. rustls wants sources that live for ever;
/// they are used again once their provider is gone, so there are as many as providers at one time.
static SOURCES: Mutex<Vec<(Weak<CryptoProvider>, &'static Source)>> = Mutex::new(Vec::new());

/// Where one entity's random bytes and key shares come from.
struct Source(Mutex<ChaCha8Rng>);

impl Source {
    fn draw(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl SecureRandom for Source {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        self.draw(bytes);
        Ok(())
    }
}

impl SupportedKxGroup for Source {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; 32];
        self.draw(&mut secret);
        let failed = || Error::General("an X25519 key share could not be made".to_owned());
        let secret = PrivateKey::from_private_key(&X25519, &secret).map_err(|_| failed())?;
        let public = secret.compute_public_key().map_err(|_| failed())?;
        Ok(Box::new(Share { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// One side's half of a key exchange.
struct Share {
    secret: PrivateKey,
    public: agreement::PublicKey,
}

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = UnparsedPublicKey::new(&X25519, peer);
        agreement::agree(&self.secret, peer, PeerMisbehaved::InvalidKeyShare.into(), |secret| {
            Ok(SharedSecret::from(secret))
        })
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io;
    use std::net::SocketAddr;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, SystemTime};

    use hoplab_proxy::host::{Accepted, Endpoint, Host, Instant, Listener, Work};
    use hoplab_proxy::telemetry::{Owner, Report};
    use hoplab_proxy::tls::{Authority, ClientTls, Identity, ServerTls, Sniffed, SpiffeId, Terms};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

    use super::*;

    /// A machine without network, whose calendar stands still.
    #[derive(Clone)]
    struct Desk(Arc<CryptoProvider>);

    impl Host for Desk {
        type Stream = Tapped;
        type Listener = NoPort;

        async fn bind(&self, _: SocketAddr) -> io::Result<NoPort> {
            Ok(NoPort)
        }

        async fn connect(&self, _: &Endpoint) -> io::Result<Tapped> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn now(&self) -> Instant {
            Instant::START
        }

        fn sleep_until(&self, _: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
            pending()
        }

        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 20_000)
        }

        async fn work(&self, _: Work, _: impl FnMut(Owner, Instant) + Send) {}

        fn crypto(&self) -> Arc<CryptoProvider> {
            Arc::clone(&self.0)
        }

        fn report(&self, _: Report) {}
    }

    struct NoPort;

    impl Listener for NoPort {
        type Stream = Tapped;

        async fn accept(&mut self) -> io::Result<Accepted<Tapped>> {
            pending().await
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// A stream that remembers each write.
    struct Tapped(DuplexStream, Arc<Mutex<Vec<Vec<u8>>>>);

    impl AsyncRead for Tapped {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Tapped {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let written = Pin::new(&mut self.0).poll_write(context, bytes);
            if let Poll::Ready(Ok(count)) = written {
                self.1.lock().unwrap().push(bytes[..count].to_vec());
            }
            written
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(context)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(context)
        }
    }

    fn identity(seed: u64, host: &Desk, service: &str) -> Identity {
        let authority = Authority::new(seed, "hoplab".parse().unwrap(), host.wall());
        let id = SpiffeId::of_service(authority.trust_domain(), service).unwrap();
        Identity::from_pem(&authority.issue(&id, service, host.wall())).unwrap()
    }

    /// What went over the wire, write by write, when `frontend` called `payment` twice.
    async fn wire(seed: u64) -> Vec<Vec<u8>> {
        let (frontend, payment) = (Desk(seeded(seed, "frontend-0")), Desk(seeded(seed, "payment-0")));
        let expected = identity(seed, &payment, "payment").id().clone();
        let client =
            ClientTls::new(&frontend, &Terms::mutual(&identity(seed, &frontend, "frontend"), expected));
        let server = ServerTls::new(&payment, &identity(seed, &payment, "payment"));
        let log = Arc::default();
        for _ in 0..2 {
            let (near, far) = duplex(64 * 1024);
            let (near, far) = (Tapped(near, Arc::clone(&log)), Tapped(far, Arc::clone(&log)));
            let call = async {
                let mut stream = client.connect(&frontend, "payment", near).await.unwrap().stream;
                stream.write_all(b"question").await.unwrap();
                stream.shutdown().await.unwrap();
                stream.read_u8().await.unwrap();
            };
            let answer = async {
                let (sniffed, _) = Sniffed::new(far).await.unwrap();
                let mut stream =
                    server.accept(&payment, sniffed).await.map_err(|(error, _)| error).unwrap().stream;
                let mut question = Vec::new();
                stream.read_to_end(&mut question).await.unwrap();
                stream.write_all(b"!").await.unwrap();
                stream.shutdown().await.unwrap();
                question
            };
            assert_eq!(tokio::join!(call, answer).1, b"question");
        }
        let log: Arc<Mutex<Vec<Vec<u8>>>> = log;
        std::mem::take(&mut *log.lock().unwrap())
    }

    #[tokio::test]
    async fn every_byte_on_the_wire_repeats_with_the_seed() {
        let first = wire(1).await;
        assert!(first.len() > 8 && first.concat().len() > 2000, "the tap saw both handshakes");
        for _ in 0..5 {
            assert!(wire(1).await == first);
        }
        let other = wire(2).await;
        assert_ne!(other.concat(), first.concat());
        let lengths = |writes: &[Vec<u8>]| writes.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(&other), lengths(&first));
    }

    #[test]
    fn entities_draw_from_streams_of_their_own_that_start_anew() {
        let draw = |provider: &CryptoProvider| {
            let mut bytes = [0; 16];
            provider.secure_random.fill(&mut bytes).unwrap();
            bytes
        };
        let (one, two) = (seeded(7, "payment-0"), seeded(7, "payment-1"));
        let (first, second) = (draw(&one), draw(&one));
        assert_ne!(first, second);
        assert_ne!(first, draw(&two));
        assert_eq!(draw(&seeded(7, "payment-0")), first, "another provider does not disturb it");
        drop(one);
        assert_eq!(draw(&seeded(7, "payment-0")), first);
    }
}
