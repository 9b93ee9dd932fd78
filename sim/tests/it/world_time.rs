//! Time is exact, and a seed repeats: closed forms to the microsecond, and equal digests.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use hoplab_proxy::host::{Endpoint, Host, Instant, Listener, Work};
use hoplab_proxy::telemetry::Owner;
use hoplab_sim::costs::Costs;
use hoplab_sim::distribution::Distribution;
use hoplab_sim::scenario::plan::{Capacity, Line, Zone, ZoneId};
use hoplab_sim::world::{self, Config, Container, ContainerKind, CoresOf, Full, PodId, SimHost, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::worlds::{Deaf, host, network, pods};

const PORT: u16 = 80;

/// Accepts connections and sends everything back, a read at a time.
async fn echo(host: SimHost) {
    let mut listener = host.bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.unwrap();
    let tasks = hoplab_proxy::tasks::Tasks::default();
    let spawner = tasks.spawner(host);
    loop {
        let mut stream = listener.accept().await.unwrap().stream;
        spawner.spawn(async move {
            let mut bytes = [0; 1_000];
            while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                if stream.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// What the client in pod 0 returns, with an echo server in pod 1.
fn against_echo<T, F: Future<Output = T>>(
    config: Config,
    client: impl FnOnce(World, SimHost, Endpoint) -> F,
) -> T {
    world::run(config, async |world| {
        let server = host(&world, 1);
        world.spawn(PodId(1), &server, echo(server.clone()));
        tokio::task::yield_now().await;
        let machine = host(&world, 0);
        client(world, machine, Endpoint::new("pod-1", PORT)).await
    })
}

async fn round_trips(host: &SimHost, endpoint: &Endpoint, count: usize) -> Vec<u128> {
    let mut began = host.now();
    let mut stream = host.connect(endpoint).await.unwrap();
    let mut times = vec![(host.now() - began).as_micros()];
    for _ in 0..count {
        began = host.now();
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        times.push((host.now() - began).as_micros());
    }
    times
}

#[test]
fn a_link_of_137_microseconds_has_a_round_trip_of_274() {
    let config = pods(network(Duration::from_micros(137)), 1, 2);
    let times = against_echo(config, async |_, host, endpoint| round_trips(&host, &endpoint, 5).await);
    assert_eq!(times, [274; 6]);
}

#[test]
fn a_wire_without_latency_takes_no_time() {
    let config = pods(network(Duration::ZERO), 1, 2);
    let times = against_echo(config, async |_, host, endpoint| round_trips(&host, &endpoint, 5).await);
    assert_eq!(times, [0; 6]);
}

/// Who is woken by a timer need not be anybody who is ready.
#[test]
fn a_timer_that_wakes_nobody_holds_up_nothing() {
    let now = world::run(pods(network(Duration::ZERO), 1, 1), async |world| {
        let host = host(&world, 0);
        let mut forgotten = pin!(host.sleep_until(Instant::from_nanos(1_000_000)));
        assert!(forgotten.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        host.sleep_until(Instant::from_nanos(2_000_000)).await;
        host.now().micros()
    });
    assert_eq!(now, 2_000);
}

/// The wire out of a zone is long; between two zones the longer one counts.
#[test]
fn zones_are_as_far_as_they_say() {
    let zone = |name: &str, millis| Zone {
        name: name.to_owned(),
        line: Line::new(Distribution::Constant(Duration::from_millis(millis))),
        access: None,
    };
    let mut network = network(Duration::from_micros(100));
    network.zones = vec![zone("near", 2), zone("far", 20)];
    let trip = |from: Option<usize>, to: Option<usize>| {
        let mut config = pods(network.clone(), 1, 2);
        config.pods[0].zone = from.map(ZoneId);
        config.pods[1].zone = to.map(ZoneId);
        against_echo(config, async |_, host, endpoint| round_trips(&host, &endpoint, 1).await[1])
    };
    assert_eq!(trip(None, None), 200);
    assert_eq!(trip(Some(0), Some(0)), 200);
    assert_eq!(trip(Some(0), None), 4_000);
    assert_eq!(trip(None, Some(1)), 40_000);
    assert_eq!(trip(Some(1), Some(0)), 40_000);
}

/// Closed form 28, `latency + size / bandwidth`, at its own 1 MB, 100 Mbit/s and 10 ms. The first megabyte opens the
/// window; the second is the one that is measured.
#[test]
fn a_megabyte_takes_its_size_over_the_bandwidth() {
    let mut network = network(Duration::from_millis(10));
    network.nic = Some(Capacity { bits_per_second: 100_000_000, queue: None });
    let config = pods(network, 1, 2);
    let took = world::run(config, async |world| {
        let (client, server) = (host(&world, 0), host(&world, 1));
        let mut listener = server.bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.unwrap();
        let endpoint = Endpoint::new("pod-1", PORT);
        let (stream, accepted) = tokio::join!(client.connect(&endpoint), listener.accept());
        let (mut stream, mut accepted) = (stream.unwrap(), accepted.unwrap().stream);
        let body = vec![7; 1_000_000];
        let mut received = vec![0; body.len()];
        let mut took = 0;
        for _ in 0..2 {
            let began = client.now();
            let (write, read) = tokio::join!(stream.write_all(&body), accepted.read_exact(&mut received));
            write.unwrap();
            read.unwrap();
            took = (client.now() - began).as_micros();
        }
        took
    });
    assert_eq!(took, 10_000 + 80_000);
}

/// Packets that leave a pod at once share its NIC, wherever they go, and so do those that come into it.
#[test]
fn a_nic_is_a_queue() {
    let mut network = network(Duration::ZERO);
    network.nic = Some(Capacity { bits_per_second: 8_000_000, queue: None });
    let config = pods(network, 1, 3);
    let times = world::run(config, async |world| {
        let hosts = [0, 1, 2].map(|pod| host(&world, pod));
        for pod in [1, 2] {
            world.spawn(PodId(pod), &hosts[pod], echo(hosts[pod].clone()));
        }
        tokio::task::yield_now().await;
        let ping = async |pod: usize| {
            let endpoint = Endpoint::new(format!("pod-{pod}"), PORT);
            let mut stream = hosts[0].connect(&endpoint).await.unwrap();
            hosts[0].sleep_until(Instant::from_nanos(1_000_000_000)).await;
            stream.write_all(&[0; 60]).await.unwrap();
            stream.read_exact(&mut [0; 60]).await.unwrap();
            hosts[0].now().micros() - 1_000_000
        };
        tokio::join!(ping(1), ping(1), ping(2))
    });
    // A byte takes a microsecond. All leave, and come back, by one NIC.
    assert_eq!(times, (120, 180, 240));
}

/// When work began on a core and when it was done, in microseconds.
async fn occupy(host: &SimHost, micros: u64) -> (u64, u64) {
    let mut began = 0;
    let work = Duration::from_micros(micros);
    host.occupy(work, None, |at| began = at.micros()).await.expect("nothing is ever full");
    (began, host.now().micros())
}

#[test]
fn work_waits_for_a_core_first_come_first_served() {
    let mut config = pods(network(Duration::ZERO), 1, 1);
    config.pods[0].containers[0].cores = CoresOf::Own(Some(2));
    let (worked, full, free) = world::run(config, async |world| {
        let app = host(&world, 0);
        let dropped = async {
            let waiting = std::pin::pin!(occupy(&app, 1_000_000));
            let timer = std::pin::pin!(app.sleep_until(Instant::from_nanos(10_000)));
            futures_util::future::select(waiting, timer).await;
            app.occupy(Duration::from_micros(1), Some(1), |_| ()).await
        };
        let (a, b, full, c) = tokio::join!(occupy(&app, 300), occupy(&app, 100), dropped, occupy(&app, 100));
        ([a, b, c], full, occupy(&app, 0).await)
    });
    // Two cores: the third waits for the second. Who has gone is no longer in the way, and who comes when one waits
    // where one may is refused.
    assert_eq!(worked, [(0, 300), (0, 100), (100, 200)]);
    assert_eq!(full, Err(Full));
    assert_eq!(free, (0, 300), "no work needs no core");
}

#[test]
fn a_proxy_has_cores_of_its_own_or_goes_ahead_of_what_waits() {
    let costs = Costs {
        request: Duration::from_micros(80),
        handshake: Duration::from_micros(20),
        latency: Duration::from_micros(500).into(),
        ..Costs::default()
    };
    let run = |cores: CoresOf| {
        let mut config = pods(network(Duration::ZERO), 1, 1);
        config.pods[0].containers[0].cores = CoresOf::Own(Some(1));
        config.pods[0].containers.push(Container { kind: ContainerKind::Sidecar, cores });
        world::run(config, async |world| {
            let app = host(&world, 0);
            let sidecar =
                world.host(PodId(0), ContainerKind::Sidecar, costs.clone(), std::sync::Arc::new(Deaf));
            let proxy = async {
                sidecar.sleep_until(Instant::from_nanos(1_000)).await;
                let mut turns = Vec::new();
                let work = Work { requests: 1, handshakes: 1, ..Work::default() };
                sidecar.work(work, |owner, from| turns.push((owner, from.micros()))).await;
                (turns, sidecar.now().micros())
            };
            let (a, b, proxy) = tokio::join!(occupy(&app, 1_000), occupy(&app, 1_000), proxy);
            let used = [ContainerKind::Application, ContainerKind::Sidecar].map(|kind| world.usage(kind));
            ([a, b], proxy, used.map(|used| (used.processor.as_micros(), used.cores_peak)))
        })
    };
    let turns = |from| vec![(Owner::Tls, from), (Owner::Cpu, from + 20), (Owner::Latency, from + 100)];
    let own = run(CoresOf::Own(Some(2)));
    assert_eq!(own, ([(0, 1_000), (1_000, 2_000)], (turns(1), 601), [(2_000, 1), (100, 1)]));
    // It does not interrupt what is under way.
    let shared = run(CoresOf::Shared);
    assert_eq!(shared, ([(0, 1_000), (1_100, 2_100)], (turns(1_000), 1_600), [(2_000, 1), (100, 1)]));
}

#[test]
fn a_slow_core_is_slow_while_it_lasts() {
    let mut config = pods(network(Duration::ZERO), 1, 1);
    config.pods[0].containers[0].cores = CoresOf::Own(Some(1));
    let (worked, hits) = world::run(config, async |world| {
        let app = host(&world, 0);
        let slowness = async {
            app.sleep_until(Instant::from_nanos(400_000)).await;
            let id = world.slow(PodId(0), 20.0);
            app.sleep_until(Instant::from_nanos(2_400_000)).await;
            world.lift(id);
            id
        };
        let (a, b, c, id) = tokio::join!(occupy(&app, 450), occupy(&app, 100), occupy(&app, 100), slowness);
        ([a, b, c], world.hits(id))
    });
    // 50 µs are left when the core gets slow: 1,000. The next has another 1,000, in which it does 50 of its 100.
    assert_eq!(worked, [(0, 1_400), (1_400, 2_450), (2_450, 2_550)]);
    assert_eq!(hits, 2);
}

/// Some traffic with random latencies; `disturb` is called as it goes.
fn digest(seed: u64, disturb: impl Fn()) -> String {
    let mut network = network(Duration::ZERO);
    network.line.latency =
        Distribution::Uniform { from: Duration::from_micros(100), to: Duration::from_micros(900) };
    network.nic = Some(Capacity { bits_per_second: 1_000_000_000, queue: None });
    let config = pods(network, seed, 2);
    let journal = config.journal.clone();
    against_echo(config, async |_, host, endpoint| {
        let calls = (1..20).map(async |index: usize| {
            let mut stream = host.connect(&endpoint).await.unwrap();
            for length in [1, 3_000, 70_000] {
                disturb();
                let bytes = vec![index as u8; length];
                let (mut read, mut write) = tokio::io::split(&mut stream);
                let mut echoed = vec![0; length];
                let (wrote, read) = tokio::join!(write.write_all(&bytes), read.read_exact(&mut echoed));
                wrote.unwrap();
                read.unwrap();
                assert!(echoed == bytes);
            }
        });
        futures_util::future::join_all(calls).await;
    });
    journal.digest()
}

#[test]
fn a_seed_repeats_and_another_does_not() {
    assert_eq!(digest(1, || ()), digest(1, || ()));
    assert_ne!(digest(1, || ()), digest(2, || ()));
}

#[test]
fn a_slow_machine_changes_nothing() {
    let undisturbed = digest(1, || ());
    let state = std::cell::Cell::new(1_u64);
    #[expect(clippy::disallowed_methods, reason = "stalls the machine, not the model")]
    let disturbed = digest(1, || {
        state.set(state.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        std::thread::sleep(Duration::from_micros(state.get() >> 53));
    });
    assert_eq!(undisturbed, disturbed);
}

#[test]
fn sockets_may_outlive_their_world() {
    let config = pods(network(Duration::from_micros(100)), 1, 2);
    let left = against_echo(config, async |_, host, endpoint| {
        let listener = host.bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.unwrap();
        (host.connect(&endpoint).await.unwrap(), listener, host)
    });
    drop(left);
}
