//! The simulated machine: the [`Host`] that products see in a pod.
//!
//! Multiplies model time by 1,000 on the way into tokio's clock and divides on the way out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hoplab_proxy::host::{Endpoint, Host, Instant, Work, Worked};
use hoplab_proxy::telemetry::{Observer, Report};
use rustls::crypto::CryptoProvider;

use super::{Pod, SimListener, SimStream, World};
use crate::costs::Costs;

/// As far as tokio's timers reach, less a little: 18 model hours.
pub(super) const FAR: Duration = Duration::from_millis(18 * 3_600 * 1_000_000);

/// The calendar's time at the start of every simulation: 2026-01-01T00:00:00Z.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// A handle to a simulated pod, for one product in it.
#[derive(Clone)]
pub struct SimHost {
    world: World,
    pod: Arc<Pod>,
    costs: Costs,
    observer: Arc<dyn Observer>,
}

impl SimHost {
    pub(super) fn new(world: World, pod: Arc<Pod>, costs: Costs, observer: Arc<dyn Observer>) -> Self {
        Self { world, pod, costs, observer }
    }

    /// Occupies one of the pod's cores for `duration`, first come first served.
    pub async fn occupy(&self, duration: Duration) -> Worked {
        let waiting = Waiting::start(&self.pod);
        let core = self.core().await;
        drop(waiting);
        let started = self.now();
        self.sleep_until(started + duration).await;
        drop(core);
        Worked { started, tls: Duration::ZERO, finished: self.now() }
    }

    /// How many callers of [`SimHost::occupy`] wait for a core.
    pub fn queue_length(&self) -> usize {
        self.pod.waiting.load(Ordering::Relaxed)
    }

    /// Whether a core is free right now.
    pub fn has_free_core(&self) -> bool {
        self.pod.cores.as_ref().is_none_or(|cores| cores.available_permits() > 0)
    }

    async fn core(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        match &self.pod.cores {
            Some(cores) => Some(cores.acquire().await.expect("the cores of a pod are never taken away")),
            None => None,
        }
    }
}

/// Counts as waiting until it is dropped.
struct Waiting<'a>(&'a Pod);

impl<'a> Waiting<'a> {
    fn start(pod: &'a Pod) -> Self {
        pod.waiting.fetch_add(1, Ordering::Relaxed);
        Self(pod)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Host for SimHost {
    type Stream = SimStream;
    type Listener = SimListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<SimListener> {
        SimListener::bind(&self.world, &self.pod, address).await
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<SimStream> {
        SimStream::connect(&self.world, &self.pod, endpoint).await
    }

    fn now(&self) -> Instant {
        self.world.now()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        let start = *self.world.shared.start.get().expect("the simulation has started");
        #[expect(clippy::disallowed_methods, reason = "this is the door to the simulation's clock")]
        tokio::time::sleep_until(tokio_time(start, deadline))
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + EPOCH + self.now().saturating_since(Instant::START)
    }

    async fn work(&self, work: Work) -> Worked {
        let price = self.costs.price(work);
        let mut worked = Worked { started: self.now(), tls: price.tls, finished: self.now() };
        let on_core = price.tls + price.cpu;
        if !on_core.is_zero() {
            let core = self.core().await;
            worked.started = self.now();
            self.sleep_until(worked.started + on_core).await;
            drop(core);
            worked.finished = self.now();
        }
        if !price.latency.is_zero() {
            self.sleep_until(worked.finished + price.latency).await;
        }
        worked
    }

    fn crypto(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.pod.crypto)
    }

    fn report(&self, report: Report) {
        self.observer.observe(report);
    }
}

/// The model's time, when its clock started at `start`.
pub(super) fn model_time(start: Option<tokio::time::Instant>) -> Instant {
    let Some(start) = start else { return Instant::START };
    #[expect(clippy::disallowed_methods, reason = "this is the door to the simulation's clock")]
    let elapsed = tokio::time::Instant::now() - start;
    Instant::from_nanos(elapsed.as_millis() as u64 * 1_000)
}

/// The instant of tokio's clock at which the model reaches `at`, rounded up to a microsecond.
pub(super) fn tokio_time(start: tokio::time::Instant, at: Instant) -> tokio::time::Instant {
    start + Duration::from_millis(at.nanos().div_ceil(1_000)).min(FAR)
}
