//! The simulated machine: the [`Host`] that products see in a pod.
//!
//! Several handles to one pod (an application, its sidecar) share its loopback and differ in whose cores they
//! work on, in what their work costs and in who hears their reports.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hoplab_proxy::host::{Endpoint, Host, Instant, Resolved, Work};
use hoplab_proxy::telemetry::{ConnectionId, Observer, Owner, Report};
use rustls::crypto::CryptoProvider;
use rustls::{KeyLog, NoKeyLog};

use super::{Pod, Running, Shared, SimListener, SimStream, lock, stream};
use crate::costs::{Costs, Price};
use crate::crypto;
use crate::random;

/// The calendar's time at the start of every simulation: 2026-01-01T00:00:00Z.
pub(super) const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// How long what names stand for may be relied on: CoreDNS's default for the names of a cluster.
const NAME_TTL: Duration = Duration::from_secs(5);

/// A handle to a simulated pod, for one product in it. Cheap to clone, and small: every request holds some.
#[derive(Clone)]
pub struct SimHost {
    machine: Arc<Machine>,
}

/// What a product sees of its pod.
struct Machine {
    shared: Arc<Shared>,
    pod: Arc<Pod>,
    container: Running,
    costs: Costs,
    observer: Arc<dyn Observer>,
}

/// No core is free, and as many pieces of work wait for one as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl SimHost {
    pub(super) fn new(
        shared: Arc<Shared>,
        pod: Arc<Pod>,
        container: Running,
        costs: Costs,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { machine: Arc::new(Machine { shared, pod, container, costs, observer }) }
    }

    /// Occupies one of the container's cores with what takes `work` at full pace, first come first served; no time
    /// needs no core. Does not wait behind as many as `queue`. Once a core is occupied, `began` is told; what it
    /// returns is dropped when the core is given back, also when the future is.
    pub async fn occupy<G>(
        &self,
        work: Duration,
        queue: Option<u32>,
        began: impl FnOnce(Instant) -> G,
    ) -> Result<(), Full> {
        if work.is_zero() {
            return Ok(());
        }
        let Running { kind, ref cores, lane, .. } = self.machine.container;
        if !cores.has_free() && queue.is_some_and(|most| cores.waiting(lane) >= most as usize) {
            return Err(Full);
        }
        let core = cores.core(kind, lane).await;
        let _guard = began(self.now());
        core.work(work).await;
        Ok(())
    }

    /// A client of `load` asks for something.
    pub fn asks(&self, load: &str) {
        lock(&self.machine.shared.wire).standstill.asks(load);
    }

    /// From now until `until` work of the container takes so many `times` as long. Said again, it lasts longer.
    pub fn crowd(&self, times: f64, until: Instant) {
        self.machine.container.cores.crowd(times, until);
    }

    /// Does what costs `price` on a core, and says when which part of it began.
    async fn pay(&self, price: Price, enters: &mut (impl FnMut(Owner, Instant) + Send)) {
        let on_core = price.tls + price.cpu;
        let Running { kind, ref cores, lane, .. } = self.machine.container;
        let core = cores.core(kind, lane).await;
        let started = self.now();
        enters(if price.tls.is_zero() { Owner::Cpu } else { Owner::Tls }, started);
        core.work(on_core).await;
        drop(core);
        if !price.tls.is_zero() && !price.cpu.is_zero() {
            // Slowed cores are as slow for the one as for the other.
            let took = self.now() - started;
            let slowed = took > on_core + CLOCK_GRAIN;
            let share = price.tls.as_secs_f64() / on_core.as_secs_f64();
            enters(Owner::Cpu, started + if slowed { took.mul_f64(share) } else { price.tls });
        }
    }

    /// Occupies a core for `after` as soon as one is free. Nobody waits for it; a crash ends it.
    fn pay_later(&self, after: Duration) {
        let host = self.clone();
        let work = async move {
            let Running { kind, ref cores, lane, .. } = host.machine.container;
            cores.core(kind, lane).await.work(after).await;
        };
        lock(&self.machine.pod.tasks).spawner(self.clone()).spawn(work);
    }

    /// What a request takes besides, by how busy the container's cores are.
    fn latency(&self) -> Duration {
        let Machine { shared, pod, container, costs, .. } = &*self.machine;
        if let Some(always) = costs.latency.constant() {
            return always;
        }
        let seed = lock(&shared.wire).links.seed();
        let entity = random::join(random::key(&pod.name), random::key(container.kind.name()));
        let mut random =
            random::stream(seed, "proxy latency", entity, container.draws.fetch_add(1, Ordering::Relaxed));
        costs.latency.exceeded_with(container.cores.busy(), random::unit(&mut random))
    }
}

/// What is rounded up to the next microsecond is no slower for it.
const CLOCK_GRAIN: Duration = Duration::from_micros(1);

impl Host for SimHost {
    type Stream = SimStream;
    type Listener = SimListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<SimListener> {
        SimListener::bind(&self.machine.shared, self.machine.pod.id, &self.machine.container, address)
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<SimStream> {
        SimStream::connect(&self.machine.shared, &self.machine.pod, &self.machine.container, endpoint).await
    }

    fn connection(&self, stream: &SimStream) -> Option<ConnectionId> {
        Some(stream.connection())
    }

    fn assign(&self, endpoint: &Endpoint) -> Option<Endpoint> {
        let mut services = lock(&self.machine.shared.services);
        let given = services.give((self.machine.pod.id, &self.machine.pod.name), &endpoint.host)?;
        Some(Endpoint::new(given, endpoint.port))
    }

    async fn resolve(&self, name: &str) -> io::Result<Resolved> {
        let services = lock(&self.machine.shared.services);
        let of_service = services.pods(name).map(|pods| pods.map(|pod| pod.address().into()).collect());
        drop(services);
        // A name that nobody has is told by an answer without an address.
        let of_pod = || stream::resolve(&self.machine.shared, &self.machine.pod, name).into_iter().collect();
        Ok(Resolved { addresses: of_service.unwrap_or_else(of_pod), ttl: NAME_TTL })
    }

    fn now(&self) -> Instant {
        self.machine.shared.clock.now()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.machine.shared.clock.sleep_until(deadline)
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + EPOCH + self.now().saturating_since(Instant::START)
    }

    async fn work(&self, work: Work, mut enters: impl FnMut(Owner, Instant) + Send) {
        let price = self.machine.costs.price(work);
        if price.tls + price.cpu > Duration::ZERO {
            self.pay(price, &mut enters).await;
        }
        if !price.after.is_zero() {
            self.pay_later(price.after);
        }
        let latency = (0..work.requests).map(|_| self.latency()).sum::<Duration>();
        if !latency.is_zero() {
            let from = self.now();
            enters(Owner::Latency, from);
            self.sleep_until(from + latency).await;
        }
    }

    fn crypto(&self) -> Arc<CryptoProvider> {
        let seed = || crypto::seeded(lock(&self.machine.shared.wire).links.seed(), &self.machine.pod.name);
        Arc::clone(self.machine.pod.crypto.get_or_init(seed))
    }

    fn key_log(&self) -> Arc<dyn KeyLog> {
        match self.machine.shared.keys.get() {
            Some(keys) => Arc::clone(keys) as Arc<dyn KeyLog>,
            None => Arc::new(NoKeyLog {}),
        }
    }

    fn report(&self, report: Report) {
        self.machine.observer.observe(report);
    }

    fn poll_running(&self, context: &mut Context<'_>) -> Poll<()> {
        self.machine.container.process.poll_running(context)
    }
}
