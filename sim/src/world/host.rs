//! The simulated machine: the [`Host`] that products see in a pod.
//!
//! Several handles to one pod (an application, its sidecar) share its cores and its loopback and
//! differ in what their work costs and who hears their reports.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hoplab_proxy::host::{Endpoint, Host, Instant, Work, Worked};
use hoplab_proxy::telemetry::{Observer, Report};
use rustls::crypto::CryptoProvider;
use rustls::{KeyLog, NoKeyLog};
use tokio::sync::SemaphorePermit;

use super::{Pod, Shared, SimListener, SimStream, lock};
use crate::costs::Costs;
use crate::crypto;

/// The calendar's time at the start of every simulation: 2026-01-01T00:00:00Z.
pub(super) const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// A handle to a simulated pod, for one product in it.
#[derive(Clone)]
pub struct SimHost {
    shared: Arc<Shared>,
    pod: Arc<Pod>,
    costs: Costs,
    observer: Arc<dyn Observer>,
}

impl SimHost {
    pub(super) fn new(shared: Arc<Shared>, pod: Arc<Pod>, costs: Costs, observer: Arc<dyn Observer>) -> Self {
        Self { shared, pod, costs, observer }
    }

    /// Occupies one of the pod's cores for `duration`, first come first served. No time needs no core.
    pub async fn occupy(&self, duration: Duration) -> Worked {
        self.occupy_until(duration, |_, _| {}).await
    }

    /// As [`SimHost::occupy`]; `ended` learns from when until when a core was occupied, also when the future is dropped
    /// while it is.
    pub async fn occupy_until(&self, duration: Duration, ended: impl FnOnce(Instant, Instant)) -> Worked {
        let mut worked = Worked { started: self.now(), tls: Duration::ZERO, finished: self.now() };
        if !duration.is_zero() {
            let waiting = Waiting::start(&self.pod);
            let core = self.core().await;
            drop(waiting);
            worked.started = self.now();
            let occupied = Occupied { host: self, started: worked.started, ended: Some(ended) };
            self.sleep_until(worked.started + duration).await;
            drop((occupied, core));
            worked.finished = self.now();
        }
        worked
    }

    /// How many callers of [`SimHost::occupy`] wait for a core.
    pub fn queue_length(&self) -> usize {
        self.pod.waiting.load(Ordering::Relaxed)
    }

    /// Whether a core is free right now.
    pub fn has_free_core(&self) -> bool {
        self.pod.cores.as_ref().is_none_or(|cores| cores.available_permits() > 0)
    }

    async fn core(&self) -> Option<SemaphorePermit<'_>> {
        match &self.pod.cores {
            Some(cores) => Some(cores.acquire().await.expect("the cores of a pod are never taken away")),
            None => None,
        }
    }
}

impl Host for SimHost {
    type Stream = SimStream;
    type Listener = SimListener;

    async fn bind(&self, address: SocketAddr) -> io::Result<SimListener> {
        SimListener::bind(&self.shared, &self.pod, address).await
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<SimStream> {
        SimStream::connect(&self.shared, &self.pod, endpoint).await
    }

    fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.shared.clock.sleep_until(deadline)
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
        let seed = || crypto::seeded(lock(&self.shared.wire).links.seed(), &self.pod.name);
        Arc::clone(self.pod.crypto.get_or_init(seed))
    }

    fn key_log(&self) -> Arc<dyn KeyLog> {
        match self.shared.keys.get() {
            Some(keys) => Arc::clone(keys) as Arc<dyn KeyLog>,
            None => Arc::new(NoKeyLog {}),
        }
    }

    fn report(&self, report: Report) {
        self.observer.observe(report);
    }
}

/// A core that is occupied until it is dropped.
struct Occupied<'a, F: FnOnce(Instant, Instant)> {
    host: &'a SimHost,
    started: Instant,
    ended: Option<F>,
}

impl<F: FnOnce(Instant, Instant)> Drop for Occupied<'_, F> {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            ended(self.started, self.host.now());
        }
    }
}

/// Counts as waiting for a core until it is dropped.
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
