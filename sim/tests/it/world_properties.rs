//! What must hold whatever the network does: bytes are never lost, reordered or duplicated.

use std::net::SocketAddr;
use std::time::Duration;

use hoplab_proxy::host::{Endpoint, Host, Instant, Listener};
use hoplab_sim::distribution::Distribution;
use hoplab_sim::scenario::plan::{Capacity, Queue, Ways};
use hoplab_sim::world::{self, Impairment, ImpairmentKind, PodId, SimHost, SimStream, World};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::worlds::{host, network, pods};

/// What a network does, and what is sent over it.
#[derive(Debug, Clone)]
struct Weather {
    seed: u64,
    latency_us_max: u64,
    bandwidth: Option<u64>,
    /// How many packets may wait for it.
    queue: Option<u32>,
    loss: f64,
    /// Start and length of partitions, in milliseconds.
    partitions: Vec<(u64, u64)>,
    /// Per connection, the lengths that each side writes in turn.
    connections: Vec<(Vec<usize>, Vec<usize>)>,
    /// How much is read at a time.
    read: usize,
}

fn weather() -> impl Strategy<Value = Weather> {
    let writes = || prop::collection::vec(1..60_000_usize, 0..4);
    (
        any::<u64>(),
        0..3_000_u64,
        prop::option::of(1_000_000..10_000_000_000_u64),
        prop::option::of(5..200_u32),
        prop_oneof![Just(0.0), 0.0..0.3_f64],
        prop::collection::vec((0..4_000_u64, 1..3_000_u64), 0..3),
        prop::collection::vec((writes(), writes()), 1..4),
        1..20_000_usize,
    )
        .prop_map(|(seed, latency_us_max, bandwidth, queue, loss, partitions, connections, read)| {
            Weather { seed, latency_us_max, bandwidth, queue, loss, partitions, connections, read }
        })
}

/// Byte `offset` of what `side` of connection `number` sends.
fn byte(number: usize, side: usize, offset: usize) -> u8 {
    (offset / 253 + offset * 3 + number * 17 + side * 101) as u8
}

/// Sends everything and receives everything, at once.
async fn exchange(
    stream: &mut SimStream,
    number: usize,
    side: usize,
    sends: &[usize],
    read: usize,
) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        let mut offset = 0;
        for &length in sends {
            let bytes: Vec<u8> = (offset..offset + length).map(|at| byte(number, side, at)).collect();
            offset += length;
            writer.write_all(&bytes).await.unwrap();
            tokio::task::yield_now().await;
        }
        writer.shutdown().await.unwrap();
    };
    let receive = async {
        let (mut all, mut chunk) = (Vec::new(), vec![0; read]);
        loop {
            match reader.read(&mut chunk).await.unwrap() {
                0 => return all,
                count => all.extend_from_slice(&chunk[..count]),
            }
        }
    };
    tokio::join!(write, receive).1
}

async fn partitions(world: &World, host: &SimHost, weather: &Weather) {
    let one = async |&(from, length): &(u64, u64)| {
        let start = Instant::START + Duration::from_millis(from);
        host.sleep_until(start).await;
        let id = world.impair(between(ImpairmentKind::Partition));
        host.sleep_until(start + Duration::from_millis(length)).await;
        world.lift(id);
    };
    futures_util::future::join_all(weather.partitions.iter().map(one)).await;
}

fn between(kind: ImpairmentKind) -> Impairment {
    Impairment { a: vec![PodId(0)], b: vec![PodId(1)], ways: Ways::Both, connections: 1.0, kind }
}

/// What the client and the server of a connection received.
type Received = (Vec<u8>, Vec<u8>);

/// Runs it: what was received on each connection, and the digest.
fn run(weather: &Weather) -> (Vec<Received>, String) {
    let mut network = network(Duration::ZERO);
    let to = Duration::from_micros(weather.latency_us_max);
    network.line.latency = Distribution::Uniform { from: Duration::ZERO, to: to / 2 };
    network.line.jitter = Some(Distribution::Uniform { from: Duration::ZERO, to: to / 2 });
    let queue = weather.queue.map(Queue::Packets);
    network.nic = weather.bandwidth.map(|bits_per_second| Capacity { bits_per_second, queue });
    let config = pods(network, weather.seed, 2);
    let journal = config.journal.clone();
    let received = world::run(config, async |world| {
        let (client, server) = (host(&world, 0), host(&world, 1));
        world.impair(between(ImpairmentKind::Loss(weather.loss)));
        let connection = async |(number, (ours, theirs)): (usize, &(Vec<usize>, Vec<usize>))| {
            let port = 1_000 + number as u16;
            let mut listener = server.bind(SocketAddr::from(([0, 0, 0, 0], port))).await.unwrap();
            let endpoint = Endpoint::new("pod-1", port);
            let client = async {
                // A handshake is given up after 127 s, which these networks sometimes take.
                let mut stream = loop {
                    if let Ok(stream) = client.connect(&endpoint).await {
                        break stream;
                    }
                };
                (exchange(&mut stream, number, 0, ours, weather.read).await, stream)
            };
            let server = async {
                let mut stream = listener.accept().await.unwrap().stream;
                (exchange(&mut stream, number, 1, theirs, weather.read).await, stream)
            };
            // Both hold their ends until both have read: a kernel gives up after 8 attempts what a closed socket
            // left unsent (`tcp_orphan_retries`), and who waits for it would read for ever.
            let ((client, _), (server, _)) = tokio::join!(client, server);
            (client, server)
        };
        let connections = weather.connections.iter().enumerate().map(connection);
        let connections = futures_util::future::join_all(connections);
        tokio::join!(connections, partitions(&world, &client, weather)).0
    });
    (received, journal.digest())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        rng_seed: RngSeed::Fixed(2_026),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_are_never_lost_reordered_or_duplicated(weather in weather()) {
        let (received, digest) = run(&weather);
        for (number, (client, server)) in received.iter().enumerate() {
            let (ours, theirs) = &weather.connections[number];
            let expected = |side, lengths: &[usize]| -> Vec<u8> {
                (0..lengths.iter().sum()).map(|at| byte(number, side, at)).collect()
            };
            prop_assert!(*server == expected(0, ours), "the server's bytes of {number} differ");
            prop_assert!(*client == expected(1, theirs), "the client's bytes of {number} differ");
        }
        prop_assert_eq!(digest, run(&weather).1);
    }
}
