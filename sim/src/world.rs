//! The world: pods on a simulated network, in simulated time.
//!
//! One world is one OS thread: one tokio runtime with its clock paused, one `turmoil_net::Net`.
//! Nothing ticks. When no task is ready, and before the paused clock jumps to the next timer, the
//! runtime calls the world's hook: it collects the packets that all kernels want to send, hands
//! them to the wire ([`wire`]), delivers those that are due, and sets one timer for the next arrival.
//!
//! One tokio millisecond is one model microsecond, because tokio's timers have a grain of 1 ms; only
//! this module and [`host`] know. Timers reach 19 hours.
//!
//! Not here: what runs in the pods, and what goes wrong when.

mod host;
mod stream;
mod wire;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use hoplab_proxy::host::Instant;
use hoplab_proxy::tasks::Tasks;
use hoplab_proxy::telemetry::Observer;
use rustls::crypto::CryptoProvider;
use tokio::sync::Semaphore;
use turmoil_net::{EnterGuard, HostId, KernelConfig, Net, Packet};

use crate::costs::Costs;
use crate::crypto;
use crate::journal::Journal;
use crate::scenario::plan::{Network, ZoneId};
pub use host::SimHost;
pub use stream::{SimListener, SimStream};
use wire::{Due, Wire};
pub use wire::{Impairment, ImpairmentId, ImpairmentKind};

/// What a world is made from.
#[derive(Clone)]
pub struct Config {
    /// The wires between pods.
    pub network: Network,
    /// Seeds the wires and the pods' cryptography.
    pub seed: u64,
    /// Where packet departures are logged.
    pub journal: Journal,
    /// The pods; a [`PodId`] is an index into them. turmoil-net takes hosts only before it starts.
    pub pods: Vec<PodConfig>,
}

/// A pod of the world.
#[derive(Debug, Clone)]
pub struct PodConfig {
    /// Its name, which resolves to its address.
    pub name: String,
    /// How many pieces of work it does at a time; any number when `None`.
    pub cores: Option<u32>,
    /// Where it stands.
    pub zone: Option<ZoneId>,
}

/// Index into [`Config::pods`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub(crate) usize);

/// A handle to the world that this thread simulates.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    /// The installed network; dropped last, after every socket.
    net: EnterGuard,
    journal: Journal,
    /// When the model's clock started, in tokio's time.
    start: OnceLock<tokio::time::Instant>,
    /// Whether a socket was touched, or a packet delivered, since the kernels were last drained.
    touched: AtomicBool,
    pods: Vec<Arc<Pod>>,
    wire: Mutex<Wire>,
    /// Fires at the next arrival. It wakes nobody: that the clock moved brings the hook back.
    alarm: Mutex<Option<Pin<Box<tokio::time::Sleep>>>>,
}

/// What a pod consists of.
struct Pod {
    name: String,
    kernel: HostId,
    cores: Option<Semaphore>,
    /// How many services' requests wait for a core.
    waiting: AtomicUsize,
    crypto: Arc<CryptoProvider>,
    tasks: Mutex<Tasks>,
}

/// Simulates a world on this thread for as long as `main` runs. The thread should be a fresh one.
pub fn run<T, F: Future<Output = T>>(config: Config, main: impl FnOnce(World) -> F) -> T {
    // The kernels' own retransmission counts passes, not time: the wire loses time instead. A
    // window is 16 bits, so 64 KiB is as much as can be on the way in a connection.
    let kernel = KernelConfig::default()
        .retx_threshold(u32::MAX)
        .default_backlog(16 * 1024)
        .send_buf_cap(64 * 1024)
        .recv_buf_cap(64 * 1024);
    let mut net = Net::with_config(kernel);
    let mut wire = Wire::new(config.network, config.seed, config.journal.clone());
    let pods = config.pods.into_iter().enumerate().map(|(index, pod)| {
        let [.., high, low] = (index as u32 + 1).to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, high, low));
        wire.add_pod(&pod.name, address, pod.zone);
        Arc::new(Pod {
            kernel: net.add_host(address),
            cores: pod.cores.map(|cores| Semaphore::new(cores as usize)),
            waiting: AtomicUsize::new(0),
            crypto: crypto::seeded(config.seed, &pod.name),
            tasks: Mutex::default(),
            name: pod.name,
        })
    });
    let pods = pods.collect();
    let shared = Arc::new(Shared {
        net: net.enter(),
        journal: config.journal,
        start: OnceLock::new(),
        touched: AtomicBool::new(false),
        pods,
        wire: Mutex::new(wire),
        alarm: Mutex::new(None),
    });
    let world = World { shared };
    let hook = world.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(move || hook.advance())
        .build()
        .expect("a runtime without I/O needs nothing that could be missing");
    let result = runtime.block_on(async {
        #[expect(clippy::disallowed_methods, reason = "this is the door to the simulation's clock")]
        let start = tokio::time::Instant::now();
        world.shared.start.get_or_init(|| start);
        *lock(&world.shared.alarm) = Some(Box::pin(far_sleep(start)));
        main(world.clone()).await
    });
    // Sockets are closed in their kernels, so everything that holds one ends before the network does.
    for pod in &world.shared.pods {
        drop(std::mem::take(&mut *lock(&pod.tasks)));
    }
    drop(runtime);
    result
}

#[expect(clippy::disallowed_methods, reason = "this is the door to the simulation's clock")]
fn far_sleep(start: tokio::time::Instant) -> tokio::time::Sleep {
    tokio::time::sleep_until(start + host::FAR)
}

impl World {
    /// A handle to the machine that `pod` is, for one product in it: what its work costs, and who
    /// hears its reports.
    pub fn host(&self, pod: PodId, costs: Costs, observer: Arc<dyn Observer>) -> SimHost {
        SimHost::new(self.clone(), self.pod(pod), costs, observer)
    }

    /// Runs `task` in `pod`, until it is done or the pod crashes.
    pub fn spawn(&self, pod: PodId, host: &SimHost, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.pod(pod).tasks).spawner(host.clone()).spawn(task);
    }

    /// Ends everything that runs in `pod`, sockets included.
    pub fn crash(&self, pod: PodId) {
        let tasks = std::mem::take(&mut *lock(&self.pod(pod).tasks));
        drop(tasks);
    }

    /// Impairs the wires between two sets of pods, in both directions, until it is lifted.
    pub fn impair(&self, impairment: Impairment) -> ImpairmentId {
        lock(&self.shared.wire).impair(impairment)
    }

    /// Ends an impairment.
    pub fn lift(&self, id: ImpairmentId) {
        lock(&self.shared.wire).lift(id);
    }

    /// How many segments an impairment held back, delayed or lost.
    pub fn impairment_hits(&self, id: ImpairmentId) -> u64 {
        lock(&self.shared.wire).hits(id)
    }

    /// Resets every connection between two sets of pods; how many there were.
    pub fn reset(&self, a: &[PodId], b: &[PodId]) -> u64 {
        let resets = lock(&self.shared.wire).resets(a, b);
        let count = resets.len() as u64 / 2;
        for packet in resets {
            self.shared.net.deliver(packet);
        }
        self.touch();
        count
    }

    /// Packets that have left a pod for another.
    pub fn packets(&self) -> u64 {
        lock(&self.shared.wire).packets()
    }

    /// Where what happens is logged.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    fn pod(&self, id: PodId) -> Arc<Pod> {
        Arc::clone(&self.shared.pods[id.0])
    }

    fn touch(&self) {
        self.shared.touched.store(true, Ordering::Relaxed);
    }

    fn now(&self) -> Instant {
        host::model_time(self.shared.start.get().copied())
    }

    /// The hook: moves packets as far as they go at this instant. Called whenever no task is ready.
    fn advance(&self) {
        if self.shared.start.get().is_none() {
            return;
        }
        let now = self.now();
        let mut wire = lock(&self.shared.wire);
        loop {
            if self.shared.touched.swap(false, Ordering::Relaxed) {
                wire.collect(now, |out: &mut Vec<Packet>| self.shared.net.egress_all(out));
            }
            let mut delivered = false;
            while let Some(due) = wire.next_due(now) {
                match due {
                    Due::Packet(packet) => {
                        delivered = true;
                        self.shared.net.deliver(packet);
                    }
                    Due::Retried => {}
                }
            }
            if !delivered {
                break;
            }
            self.touch();
        }
        let next = wire.next_arrival();
        drop(wire);
        if let Some(next) = next {
            self.set_alarm(next);
        }
    }

    fn set_alarm(&self, at: Instant) {
        let mut alarm = lock(&self.shared.alarm);
        let (Some(alarm), Some(start)) = (alarm.as_mut(), self.shared.start.get()) else { return };
        let deadline = host::tokio_time(*start, at);
        if alarm.deadline() != deadline || alarm.is_elapsed() {
            alarm.as_mut().reset(deadline);
        }
        // Polling registers the timer with the clock. If it has fired already, the hook is about to return
        // to a runtime that finds the clock due and parks again at once.
        let polled = alarm.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        debug_assert_eq!(polled, Poll::Pending, "the next arrival lies in the future");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;
    use hoplab_proxy::host::{Endpoint, Host, Listener};
    use hoplab_proxy::telemetry::Report;
    use std::net::SocketAddr;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct Deaf;

    impl Observer for Deaf {
        fn observe(&self, _: Report) {}
    }

    #[test]
    fn a_link_of_137_microseconds_has_a_round_trip_of_274() {
        let latency = Distribution::Constant(Duration::from_micros(137));
        let network = Network { latency, bandwidth: None, zones: Vec::new() };
        let pod = |name: &str| PodConfig { name: name.to_owned(), cores: Some(1), zone: None };
        let config = Config { network, seed: 1, journal: Journal::new(), pods: vec![pod("a-0"), pod("b-0")] };
        let trip = run(config, |world| async move {
            let server = world.host(PodId(1), Costs::default(), Arc::new(Deaf));
            let host = server.clone();
            world.spawn(PodId(1), &server, async move {
                let mut listener = host.bind(SocketAddr::from(([0, 0, 0, 0], 80))).await.unwrap();
                let mut stream = listener.accept().await.unwrap().stream;
                let mut byte = [0];
                while stream.read_exact(&mut byte).await.is_ok() {
                    stream.write_all(&byte).await.unwrap();
                }
            });
            let client = world.host(PodId(0), Costs::default(), Arc::new(Deaf));
            tokio::task::yield_now().await;
            let mut stream = client.connect(&Endpoint::new("b-0", 80)).await.unwrap();
            let connected = client.now();
            let mut times = vec![connected.micros()];
            for _ in 0..3 {
                let before = client.now();
                stream.write_all(b"x").await.unwrap();
                stream.read_exact(&mut [0]).await.unwrap();
                times.push((client.now() - before).as_micros() as u64);
            }
            times
        });
        assert_eq!(trip, [274, 274, 274, 274]);
    }
}
