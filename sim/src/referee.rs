//! The referee: a second, independent [`Host`] over `turmoil::Sim`, with a network and a scheduler of
//! its own. The same small scenario here and in the [`crate::world`] must come out the same, with
//! latencies that agree within its grain.
//!
//! The grain is a millisecond, and a tick costs about the cube of the number of hosts, so it stays in
//! tests and benches. It models no processor time, no bandwidth and no faults.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hoplab_proxy::host::{Accepted, Endpoint, Host, Instant, Listener, Work};
use hoplab_proxy::telemetry::{Observer, Owner, Report};
use rustls::crypto::CryptoProvider;
use turmoil::net::{TcpListener, TcpStream};

use crate::crypto;

/// What the referee cannot tell apart: turmoil's tick.
pub const GRAIN: Duration = Duration::from_millis(1);

/// The calendar's time at the start, as in the world.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// Longer than any scenario that the referee is asked about.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// What runs on a host.
pub type Program = Pin<Box<dyn Future<Output = ()>>>;

/// Runs `main` on a host called `client`, and `server` on each of the hosts called `names`, which
/// serve from the start. Every message takes `latency` from host to host.
pub fn run<T: 'static, F: Future<Output = T> + 'static>(
    latency: Duration,
    seed: u64,
    names: &[String],
    server: impl Fn(RefereeHost, usize) -> Program + 'static,
    main: impl FnOnce(RefereeHost) -> F + 'static,
) -> T {
    let mut simulation = turmoil::Builder::new()
        .epoch(UNIX_EPOCH + EPOCH)
        .simulation_duration(LONGEST)
        .tick_duration(GRAIN)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .tcp_capacity(1 << 16)
        .rng_seed(seed)
        .build();
    let server = Arc::new(server);
    for (index, name) in names.iter().enumerate() {
        let (server, host) = (Arc::clone(&server), RefereeHost::new(seed, name));
        simulation.host(name.as_str(), move || {
            let program = server(host.clone(), index);
            async move {
                program.await;
                Ok(())
            }
        });
    }
    let result = Arc::new(Mutex::new(None));
    let (answer, host) = (Arc::clone(&result), RefereeHost::new(seed, "client"));
    simulation.client("client", async move {
        let output = main(host).await;
        *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
        Ok(())
    });
    simulation.run().expect("programs do not fail, they panic");
    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
    result.take().expect("the simulation runs until the client is done")
}

/// A handle to a host of the referee.
#[derive(Clone)]
pub struct RefereeHost {
    crypto: Arc<CryptoProvider>,
    observer: Option<Arc<dyn Observer>>,
}

impl RefereeHost {
    fn new(seed: u64, name: &str) -> Self {
        Self { crypto: crypto::seeded(seed, name), observer: None }
    }

    /// The same host, whose reports `observer` hears.
    #[must_use]
    pub fn heard_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }
}

impl Host for RefereeHost {
    type Stream = TcpStream;
    type Listener = RefereeListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<RefereeListener> {
        TcpListener::bind(address).await.map(RefereeListener)
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<TcpStream> {
        TcpStream::connect((&*endpoint.host, endpoint.port)).await
    }

    fn now(&self) -> Instant {
        Instant::START + turmoil::sim_elapsed().unwrap_or_default()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        #[expect(clippy::disallowed_methods, reason = "this is the door to the referee's clock")]
        tokio::time::sleep(deadline.saturating_since(self.now()))
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + EPOCH + self.now().saturating_since(Instant::START)
    }

    async fn work(&self, _: Work, _: impl FnMut(Owner, Instant) + Send) {}

    fn crypto(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.crypto)
    }

    fn report(&self, report: Report) {
        if let Some(observer) = &self.observer {
            observer.observe(report);
        }
    }
}

/// A bound port of a host.
pub struct RefereeListener(TcpListener);

impl Listener for RefereeListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<Accepted<TcpStream>> {
        let (stream, peer) = self.0.accept().await?;
        let original_destination = stream.local_addr()?;
        Ok(Accepted { stream, peer, original_destination })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
