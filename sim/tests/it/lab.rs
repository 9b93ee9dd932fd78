//! What `shared/tools/linux_tcp_lab.py` asks a real kernel, asked of a world: requests over one connection or a
//! connection each, over a wire with delay and loss. Used by a test and by an example.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::{Endpoint, Host, Instant, Listener};
use hoplab_proxy::telemetry::{Observer, Report};
use hoplab_sim::costs::Costs;
use hoplab_sim::distribution::Distribution;
use hoplab_sim::journal::Journal;
use hoplab_sim::scenario::plan::{CongestionControl, Line, Network, Ways};
use hoplab_sim::stalls::Stalls;
use hoplab_sim::world::{
    self, Config, Container, ContainerKind, CoresOf, Impairment, ImpairmentKind, PodConfig, PodId, SimHost,
    SimStream, World,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

const PORT: u16 = 7_000;
/// Both ends read and write numbers and sizes of four bytes each.
const HEAD: usize = 8;

/// How requests are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// At a rate, over one connection, with answers of 100 bytes.
    Mux,
    /// One after the other, over one connection.
    Warm,
    /// One after the other, each over a connection of its own; connecting is not measured.
    Cold,
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    /// One way.
    pub(crate) delay: Duration,
    pub(crate) loss: f64,
    /// The mean of what each packet takes besides, exponentially distributed.
    pub(crate) jitter: Duration,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) size: usize,
    pub(crate) count: usize,
    pub(crate) congestion: CongestionControl,
}

impl Case {
    /// Reads the lab's words, and the seed among them.
    ///
    /// # Panics
    /// If they are others.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> (Self, u64) {
        let mode = match words.next().as_deref() {
            Some("mux") => Mode::Mux,
            Some("warm") => Mode::Warm,
            Some("cold") => Mode::Cold,
            word => panic!("mux, warm or cold, not {word:?}"),
        };
        let mut case = Self {
            mode,
            delay: Duration::from_millis(10),
            loss: 0.0,
            jitter: Duration::ZERO,
            rate: 200.0,
            size: 100_000,
            count: 200,
            congestion: CongestionControl::Cubic,
        };
        let mut seed = 1;
        while let (Some(option), Some(value)) = (words.next(), words.next()) {
            match (option.as_str(), value.as_str()) {
                ("--delay", value) => case.delay = Duration::from_secs_f64(quantity(value)),
                ("--jitter", value) => case.jitter = Duration::from_secs_f64(quantity(value)),
                ("--loss", value) => case.loss = quantity(value),
                ("--rate", value) => case.rate = quantity(value),
                ("--size", value) => case.size = quantity(value) as usize,
                ("--count", value) => case.count = quantity(value) as usize,
                ("--seed", value) => seed = quantity(value) as u64,
                ("--congestion", "cubic") => case.congestion = CongestionControl::Cubic,
                ("--congestion", "reno") => case.congestion = CongestionControl::Reno,
                ("--congestion", "bbr") => case.congestion = CongestionControl::Bbr,
                _ => panic!("what is {option} {value}?"),
            }
        }
        (case, seed)
    }
}

fn quantity(text: &str) -> f64 {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("%", 0.01)];
    let scaled =
        units.iter().find_map(|(unit, scale)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * scale));
    scaled.or_else(|| text.parse().ok()).unwrap_or_else(|| panic!("no quantity: {text}"))
}

/// Response times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Times {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    pub(crate) packets: u64,
}

/// Hears nothing.
struct Deaf;

impl Observer for Deaf {
    fn observe(&self, _: Report) {}
}

/// The answer of a world with this seed.
pub(crate) fn ask(case: Case, seed: u64) -> Times {
    let jitter = (!case.jitter.is_zero()).then_some(Distribution::Exponential { mean: case.jitter });
    let network = Network {
        line: Line { jitter, ..Line::new(Distribution::Constant(case.delay)) },
        nic: None,
        congestion: case.congestion,
        zones: Vec::new(),
        between: Vec::new(),
    };
    let containers = vec![Container { kind: ContainerKind::Application, cores: CoresOf::Own(None) }];
    let pod = |index| PodConfig {
        name: format!("pod-{index}"),
        zone: None,
        nic: None,
        containers: containers.clone(),
    };
    let reported = Instant::START..Instant::from_nanos(u64::MAX);
    let pods = (0..2).map(pod).collect();
    let config = Config { network, seed, journal: Journal::new(), stalls: Stalls::default(), pods, reported };
    world::run(config, |world| async move {
        let host = |pod| world.host(PodId(pod), ContainerKind::Application, Costs::default(), Arc::new(Deaf));
        let (client, server) = (host(0), host(1));
        world.spawn(PodId(1), &server, serve(world.clone(), server.clone()));
        let times = match case.mode {
            Mode::Mux => at_a_rate(&world, &client, case).await,
            Mode::Warm | Mode::Cold => in_turn(&world, &client, case).await,
        };
        Times { packets: world.packets(), ..summary(times) }
    })
}

fn summary(mut times: Vec<f64>) -> Times {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    Times { mean, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1.0), packets: 0 }
}

async fn serve(world: World, host: SimHost) {
    let mut listener = host.bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.expect("the port is free");
    loop {
        let stream = listener.accept().await.expect("it listens").stream;
        world.spawn(PodId(1), &host, answer(stream));
    }
}

async fn answer(mut stream: SimStream) {
    let mut head = [0; HEAD];
    while stream.read_exact(&mut head).await.is_ok() {
        let size = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let mut bytes = vec![b'z'; HEAD + size];
        bytes[..HEAD].copy_from_slice(&head);
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn connect(world: &World, client: &SimHost, loss: f64, is_first: bool) -> SimStream {
    let stream = client.connect(&Endpoint::new("pod-1", PORT)).await.expect("somebody listens");
    // As in the lab, where the first packets are not lost.
    if is_first && loss > 0.0 {
        let kind = ImpairmentKind::Loss(loss);
        let (a, b) = (vec![PodId(0)], vec![PodId(1)]);
        world.impair(Impairment { a, b, ways: Ways::Both, connections: 1.0, kind });
    }
    stream
}

fn request(number: usize, size: usize) -> [u8; HEAD] {
    let mut bytes = [0; HEAD];
    bytes[..4].copy_from_slice(&(number as u32).to_be_bytes());
    bytes[4..].copy_from_slice(&(size as u32).to_be_bytes());
    bytes
}

fn millis(from: Instant, until: Instant) -> f64 {
    (until - from).as_secs_f64() * 1e3
}

async fn at_a_rate(world: &World, client: &SimHost, case: Case) -> Vec<f64> {
    let (reader, writer) = tokio::io::split(connect(world, client, case.loss, true).await);
    let start = client.now();
    let intended = move |number: usize| start + Duration::from_secs_f64(number as f64 / case.rate);
    tokio::join!(read(client, reader, case.count, intended), write(client, writer, case.count, intended)).0
}

async fn write(
    client: &SimHost,
    mut writer: WriteHalf<SimStream>,
    count: usize,
    intended: impl Fn(usize) -> Instant,
) {
    for number in 0..count {
        client.sleep_until(intended(number)).await;
        writer.write_all(&request(number, 100)).await.expect("the connection holds");
    }
}

async fn read(
    client: &SimHost,
    mut reader: ReadHalf<SimStream>,
    count: usize,
    intended: impl Fn(usize) -> Instant,
) -> Vec<f64> {
    let mut times = Vec::with_capacity(count);
    let mut bytes = [0; HEAD + 100];
    for number in 0..count {
        reader.read_exact(&mut bytes).await.expect("the connection holds");
        times.push(millis(intended(number), client.now()));
    }
    times
}

async fn in_turn(world: &World, client: &SimHost, case: Case) -> Vec<f64> {
    let (mut times, mut kept) = (Vec::with_capacity(case.count), None);
    let mut bytes = vec![0; HEAD + case.size];
    for number in 0..case.count {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => connect(world, client, case.loss, number == 0).await,
        };
        let start = client.now();
        stream.write_all(&request(number, case.size)).await.expect("the connection holds");
        stream.read_exact(&mut bytes).await.expect("the connection holds");
        times.push(millis(start, client.now()));
        kept = (case.mode == Mode::Warm).then_some(stream);
    }
    times
}
