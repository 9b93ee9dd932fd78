//! The world: pods on a simulated network, in simulated time.
//!
//! One world is one OS thread: one tokio runtime, and a clock of our own (`clock`). Nothing ticks. When no task is ready,
//! the runtime calls `Shared::rest`: it takes the segments that all kernels (`kernel`) want to send and gives them to the
//! wire (`wire`), which decides when each arrives; then the clock goes on to the next time that somebody waits for. One
//! task, the courier, sleeps until the next arrival and delivers all that is due.
//!
//! Not here: what runs in the pods, and what goes wrong when.

mod backlog;
mod busy;
mod clock;
mod connection;
mod cores;
mod courier;
mod flow;
mod host;
mod kernel;
mod link;
mod loopback;
mod main;
mod meter;
mod pace;
mod port;
mod process;
mod services;
mod socket;
mod standstill;
mod stream;
mod tap;
mod tcp;
mod timers;
mod traffic;
mod wheel;
mod wire;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};

use hoplab_proxy::host::Instant;
use hoplab_proxy::tasks::Tasks;
use hoplab_proxy::telemetry::Observer;
use rustls::crypto::CryptoProvider;

use crate::costs::Costs;
use crate::journal::Journal;
use crate::lens::{self, Lens};
use crate::scenario::plan::network::{Capacity, Network, ZoneId};
use crate::stalls::Stalls;
use clock::Clock;
use cores::{Cores, Lane, SlowdownId};
use courier::Courier;
use host::EPOCH;
pub use host::{Full, SimHost};
use link::ImpairmentId;
pub use link::{Impairment, ImpairmentKind};
use loopback::Loopback;
use main::Main;
use meter::Meters;
pub use meter::{ContainerKind, Usage};
use process::{Hold, HoldId, Process};
use services::Services;
pub use stream::{SimListener, SimStream};
use tap::{Keys, Tap};
pub use traffic::Crossed;
use wire::Wire;

/// What a world is made from.
#[derive(Clone)]
pub struct Config {
    /// The wires between pods.
    pub network: Network,
    /// Seeds the wires and the pods' cryptography.
    pub seed: u64,
    /// Where packet departures are logged.
    pub journal: Journal,
    /// The pods; a [`PodId`] is an index into them.
    pub pods: Vec<PodConfig>,
    /// Who is told when connections stand still.
    pub stalls: Stalls,
    /// The part of the run of which [`World::usage`] and [`World::crossed`] tell.
    pub reported: Range<Instant>,
}

/// A pod of the world.
#[derive(Debug, Clone)]
pub struct PodConfig {
    /// Its name, which resolves to its address.
    pub name: String,
    /// Where it stands.
    pub zone: Option<ZoneId>,
    /// What each direction of its NIC carries; without limit when `None`.
    pub nic: Option<Capacity>,
    /// What runs in it, the innermost first: its traffic with other pods is the last one's.
    pub containers: Vec<Container>,
}

/// A container of a pod: a program with cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Container {
    /// What it is; a pod has one of a kind.
    pub kind: ContainerKind,
    /// Its cores.
    pub cores: CoresOf,
}

/// Whose cores a container works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoresOf {
    /// So many of its own; as many as it asks for when `None`.
    Own(Option<u32>),
    /// Those of the container before it, ahead of what waits there.
    Shared,
}

/// Index into [`Config::pods`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub usize);

/// Something that the world was asked to put in the way, until it is lifted; it counts what that hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Impairment(ImpairmentId),
    Slowdown(PodId, SlowdownId),
    /// Its process is stopped, or reads slowly.
    Hold(PodId, HoldId),
}

/// A handle to the world that this thread simulates.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    journal: Journal,
    clock: Arc<Clock>,
    wire: Mutex<Wire>,
    loopback: Arc<Loopback>,
    services: Mutex<Services>,
    meters: Arc<Mutex<Meters>>,
    pods: Vec<Arc<Pod>>,
    courier: Mutex<Courier>,
    /// A buffer for those who are woken, to be used again.
    woken: Mutex<Vec<Waker>>,
    main: Arc<Main>,
    /// Set while somebody wants the secrets of TLS sessions.
    keys: OnceLock<Arc<Keys>>,
}

/// What a pod consists of.
struct Pod {
    id: PodId,
    name: String,
    containers: Vec<Running>,
    /// Made when first asked for: most pods never encrypt.
    crypto: OnceLock<Arc<CryptoProvider>>,
    tasks: Mutex<Tasks>,
}

/// A container as it runs in a pod.
#[derive(Clone)]
struct Running {
    kind: ContainerKind,
    process: Arc<Process>,
    cores: Arc<Cores>,
    lane: Lane,
    /// How many latencies its proxy has drawn, also before it last began anew.
    draws: Arc<AtomicU64>,
}

impl Running {
    /// The containers of a pod.
    fn all(containers: &[Container], clock: &Arc<Clock>, meters: &Arc<Mutex<Meters>>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::with_capacity(containers.len());
        for &Container { kind, cores } in containers {
            let (cores, lane) = match (cores, all.last()) {
                (CoresOf::Shared, Some(before)) => (Arc::clone(&before.cores), Lane::Ahead),
                (CoresOf::Shared, None) => panic!("a container shares the cores of the one before it"),
                (CoresOf::Own(count), _) => {
                    (Arc::new(Cores::new(count, Arc::clone(clock), Arc::clone(meters))), Lane::Behind)
                }
            };
            all.push(Self { kind, process: Arc::default(), cores, lane, draws: Arc::default() });
        }
        all
    }

    fn hold(&self, hold: Hold) -> HoldId {
        let id = self.process.hold(hold);
        self.cores.halt(self.process.is_stopped());
        id
    }

    fn lift(&self, hold: HoldId) {
        self.process.lift(hold);
        self.cores.halt(self.process.is_stopped());
    }

    /// Its process has ended.
    fn ends(&self) {
        self.process.ends();
        self.cores.halt(false);
    }
}

/// Simulates a world on this thread for as long as `main` runs. The thread should be a fresh one:
/// some libraries count things per thread.
pub fn run<T, F: Future<Output = T>>(config: Config, main: impl FnOnce(World) -> F) -> T {
    let clock = Arc::new(Clock::default());
    let meters = Arc::new(Mutex::new(Meters::new(config.reported.clone())));
    let services = Mutex::new(Services::new(config.seed));
    let loopback = Arc::new(Loopback::new(Arc::clone(&clock), config.stalls.clone()));
    let wire = Wire::new(
        config.network,
        config.seed,
        config.journal.clone(),
        Arc::clone(&meters),
        &config.pods,
        config.reported,
        config.stalls,
    );
    let pods = config.pods.into_iter().enumerate().map(|(index, pod)| {
        Arc::new(Pod {
            id: PodId(index),
            containers: Running::all(&pod.containers, &clock, &meters),
            crypto: OnceLock::new(),
            tasks: Mutex::default(),
            name: pod.name,
        })
    });
    let pods = pods.collect();
    let shared = Arc::new(Shared {
        journal: config.journal,
        clock: Arc::clone(&clock),
        meters: Arc::clone(&meters),
        wire: Mutex::new(wire),
        loopback,
        services,
        pods,
        courier: Mutex::default(),
        woken: Mutex::default(),
        main: Arc::default(),
        keys: OnceLock::new(),
    });
    // The world knows the runtime, by the waker of `main`: it does not own it.
    let world = Arc::downgrade(&shared);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .on_thread_park(move || world.upgrade().iter().for_each(|world| world.rest()))
        .build()
        .expect("a runtime without I/O needs nothing that could be missing");
    runtime.block_on(async {
        #[expect(clippy::disallowed_methods, reason = "the courier lives as long as the runtime")]
        tokio::spawn(courier::deliver(Arc::clone(&shared)));
        shared.main.run(main(World { shared: Arc::clone(&shared) })).await
    })
}

impl World {
    /// A handle to the machine that `pod` is, for the product in its container of this `kind`: what its work
    /// costs, and who hears its reports. All handles to a pod share its loopback.
    ///
    /// # Panics
    /// If the pod has no such container.
    pub fn host(
        &self,
        pod: PodId,
        kind: ContainerKind,
        costs: Costs,
        observer: Arc<dyn Observer>,
    ) -> SimHost {
        let pod = self.pod(pod);
        let container = pod.containers.iter().find(|container| container.kind == kind).cloned();
        let container = container.unwrap_or_else(|| panic!("{} has no {}", pod.name, kind.name()));
        if costs.latency.grows() {
            container.cores.watch();
        }
        SimHost::new(Arc::clone(&self.shared), pod, container, costs, observer)
    }

    /// Lets `name` stand for `pods`: each connection to it is given one of them, at random.
    pub fn name_service(&self, name: &str, pods: &[PodId]) {
        let pods = pods.iter().map(|pod| (*pod, self.pod(*pod).name.clone())).collect();
        lock(&self.shared.services).add(name.to_owned(), pods);
    }

    /// A pod is told to stop: no connection to a service is given it any more, until it starts.
    pub fn stops(&self, pod: PodId) {
        lock(&self.shared.services).stops(pod);
    }

    /// A pod starts, perhaps anew.
    pub fn starts(&self, pod: PodId) {
        lock(&self.shared.services).starts(pod);
    }

    /// Slows the cores of a pod's innermost container, its application: work takes so many `times` as long, also
    /// what is under way, until that is lifted.
    pub fn slow(&self, pod: PodId, times: f64) -> Trouble {
        Trouble(Kind::Slowdown(pod, self.application(pod).cores.slow(times)))
    }

    /// Stops the process of a pod's innermost container, its application, until that is lifted or the pod crashes:
    /// none of its tasks goes on, its cores stand still, and its kernel lives.
    pub fn pause(&self, pod: PodId) -> Trouble {
        Trouble(Kind::Hold(pod, self.application(pod).hold(Hold::Stopped)))
    }

    /// Lets the process of a pod's innermost container read each of its connections no faster than so many bits a
    /// second, until that is lifted.
    pub fn read_slowly(&self, pod: PodId, bits_per_second: u64) -> Trouble {
        Trouble(Kind::Hold(pod, self.application(pod).hold(Hold::Reads(bits_per_second))))
    }

    /// What containers of a kind have taken so far, within the reported part of the run.
    pub fn usage(&self, kind: ContainerKind) -> Usage {
        lock(&self.shared.meters).usage(kind, self.shared.clock.now())
    }

    /// Runs `task` in `pod` until it is done or the pod crashes. `host` hears of a panic.
    pub fn spawn(&self, pod: PodId, host: &SimHost, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.pod(pod).tasks).spawner(host.clone()).spawn(task);
    }

    /// Ends everything that runs in `pod`, sockets included; its peers see their connections close.
    /// What is spawned afterwards runs: that is a restart.
    pub fn crash(&self, pod: PodId) {
        let tasks = std::mem::take(&mut *lock(&self.pod(pod).tasks));
        drop(tasks);
        self.application(pod).ends();
    }

    /// The kernel of `pod` forgets its connections, of which no peer is told: what it had to send is gone, and what
    /// comes for them is answered with a reset. To be followed by [`World::crash`]: there is nothing left to
    /// say to anybody.
    pub fn forget(&self, pod: PodId) {
        lock(&self.shared.wire).kernels.forget(self.shared.clock.now(), pod);
    }

    /// Impairs the wires between two sets of pods until that is lifted.
    pub fn impair(&self, impairment: Impairment) -> Trouble {
        Trouble(Kind::Impairment(lock(&self.shared.wire).links.impair(impairment)))
    }

    /// Ends trouble. What it held back goes on when its time comes.
    pub fn lift(&self, trouble: Trouble) {
        match trouble.0 {
            Kind::Impairment(id) => lock(&self.shared.wire).links.lift(id),
            Kind::Slowdown(pod, id) => self.application(pod).cores.lift(id),
            Kind::Hold(pod, hold) => self.application(pod).lift(hold),
        }
    }

    /// What trouble has hit: segments held back, delayed or lost, pieces of work slowed, processes stopped, connections
    /// that began to wait to be read.
    pub fn hits(&self, trouble: Trouble) -> u64 {
        match trouble.0 {
            Kind::Impairment(id) => lock(&self.shared.wire).links.hits(id),
            Kind::Slowdown(pod, id) => self.application(pod).cores.hits(id),
            Kind::Hold(pod, hold) => self.application(pod).process.hits(hold),
        }
    }

    /// Resets every established connection between two sets of pods; how many there were.
    pub fn reset(&self, a: &[PodId], b: &[PodId]) -> u64 {
        let mut wire = lock(&self.shared.wire);
        let count = wire.reset(self.shared.clock.now(), a, b);
        let mut woken = Vec::new();
        wire.exchange_woken(&mut woken);
        drop(wire);
        woken.into_iter().for_each(Waker::wake);
        count
    }

    /// Keeps what `lens` wants of packets and secrets; to be called before anything is started.
    pub fn look(&self, lens: &Lens) {
        if lens.packets > 0 {
            lock(&self.shared.wire).tap = Some(Tap::new(lens.packets));
        }
        if lens.keys {
            self.shared.keys.get_or_init(Arc::default);
        }
    }

    /// What [`World::look`] kept so far, without requests.
    pub fn seen(&self) -> lens::Seen {
        let tap = lock(&self.shared.wire).tap.take().unwrap_or_default();
        let (packets, packets_left_out) = tap.into_packets();
        let pod = |pod: &Arc<Pod>| lens::Pod { name: pod.name.clone(), address: pod.id.address() };
        let pods = self.shared.pods.iter().map(pod).collect();
        let keys = self.shared.keys.get().map(|keys| keys.lines()).unwrap_or_default();
        lens::Seen { epoch: EPOCH, pods, packets, packets_left_out, keys, ..lens::Seen::default() }
    }

    /// Packets that have left a pod for another.
    pub fn packets(&self) -> u64 {
        lock(&self.shared.wire).packets()
    }

    /// Packets that found a queue full.
    pub fn dropped(&self) -> u64 {
        lock(&self.shared.wire).links.dropped()
    }

    /// What became of the connections that pods opened to others, and of what was sent on them, within the reported
    /// part of the run: from who opened them, and to whom.
    pub fn crossed(&self) -> Vec<((PodId, PodId), Crossed)> {
        let wire = lock(&self.shared.wire);
        wire.links.all().map(|(link, ends)| (ends, wire.kernels.traffic.of(link))).collect()
    }

    /// Where what happens is logged.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// The innermost container of a pod.
    fn application(&self, pod: PodId) -> Running {
        self.pod(pod).containers[0].clone()
    }

    fn pod(&self, id: PodId) -> Arc<Pod> {
        Arc::clone(&self.shared.pods[id.0])
    }
}

impl PodId {
    /// 10.0.0.1 onwards.
    fn address(self) -> Ipv4Addr {
        let [_, high, middle, low] = (self.0 as u32 + 1).to_be_bytes();
        Ipv4Addr::new(10, high, middle, low)
    }

    fn at_port(self, port: u16) -> SocketAddr {
        (self.address(), port).into()
    }

    /// The pod that would have this address.
    fn at(address: IpAddr) -> Option<Self> {
        let IpAddr::V4(address) = address else { return None };
        let [10, high, middle, low] = address.octets() else { return None };
        (u32::from_be_bytes([0, high, middle, low]) as usize).checked_sub(1).map(Self)
    }
}

impl Shared {
    /// The hook, which is called whenever no task is ready: takes what the kernels want to send, and lets time go on unless
    /// somebody is woken for now.
    fn rest(&self) {
        if !self.collect() && !self.main.is_woken() && self.clock.advance() {
            stay_awake();
        }
    }

    /// Takes what the kernels want to send; whether something of it arrives right now.
    fn collect(&self) -> bool {
        let mut wire = lock(&self.wire);
        let now = self.clock.now();
        self.loopback.settle(now);
        wire.standstill.round(now, |pod| self.pods[pod.0].name.clone());
        let earlier = wire.collect(now);
        drop(wire);
        earlier.is_some_and(|at| lock(&self.courier).comes_earlier(at, now))
    }

    /// Delivers everything that has arrived by now.
    fn deliver_due(&self) {
        let (mut woken, mut wire) = (lock(&self.woken), lock(&self.wire));
        wire.deliver_due(self.clock.now());
        wire.exchange_woken(&mut woken);
        drop(wire);
        woken.drain(..).for_each(Waker::wake);
    }
}

/// Keeps the runtime from waiting for ever for another thread: who was woken by a timer need not be anybody who is ready.
fn stay_awake() {
    // What yields is pending, so that there is something to do.
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(Waker::noop()));
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
