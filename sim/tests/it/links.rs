//! Links as wide as they are: what shares a pod's NIC, a zone's access and what lies between two zones, how much may
//! wait there, and how far zones are from each other.

use std::net::SocketAddr;
use std::time::Duration;

use hoplab_proxy::host::{Endpoint, Host, Instant, Listener};
use hoplab_sim::scenario::plan::{Capacity, Network, Queue};
use hoplab_sim::world::{self, SimHost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::runs::run;
use crate::worlds::{host, network, pods};

const PORT: u16 = 80;
/// 100 Mbit/s: a byte takes 80 ns.
const MEGABITS_100: Capacity = Capacity { bits_per_second: 100_000_000, queue: None };

fn wide(nic: Capacity) -> Network {
    Network { nic: Some(nic), ..network(Duration::from_micros(250)) }
}

async fn receive(host: SimHost, bytes: usize, connections: usize) {
    let mut listener = host.bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(listener.accept().await.unwrap().stream);
    }
    let read = streams.iter_mut().map(async |stream| {
        let mut received = vec![0; bytes];
        stream.read_exact(&mut received).await.unwrap();
    });
    futures_util::future::join_all(read).await;
}

/// How long it takes, from one second on, until pod 0 has `bytes` from each of so many other pods, in milliseconds; and
/// how many packets were dropped.
fn gather(network: Network, senders: usize, bytes: usize) -> (f64, u64) {
    world::run(pods(network, 1, senders + 1), async |world| {
        let start = Instant::from_nanos(1_000_000_000);
        let receiver = host(&world, 0);
        let send = async |pod: usize| {
            let machine = host(&world, pod);
            machine.sleep_until(Instant::from_nanos(1_000)).await;
            let mut stream = machine.connect(&Endpoint::new("pod-0", PORT)).await.unwrap();
            machine.sleep_until(start).await;
            stream.write_all(&vec![7; bytes]).await.unwrap();
            stream
        };
        let sent = futures_util::future::join_all((1..=senders).map(send));
        let (streams, ()) = tokio::join!(sent, receive(receiver.clone(), bytes, senders));
        drop(streams);
        ((receiver.now() - start).as_secs_f64() * 1e3, world.dropped())
    })
}

/// Twenty times 100 KB into one pod at 100 Mbit/s are 2 MB and take 160 ms, after the 250 us of the wire.
#[test]
fn all_that_comes_into_a_pod_shares_its_nic() {
    let (took, dropped) = gather(wide(MEGABITS_100), 20, 100_000);
    assert!((160.2..160.3).contains(&took), "{took}");
    assert_eq!(dropped, 0);
}

/// A single flow passes two NICs, of which the second goes along with the first.
#[test]
fn a_flow_of_its_own_is_as_fast_as_one_nic() {
    let (took, _) = gather(wide(MEGABITS_100), 1, 100_000);
    assert!((8.25..8.3).contains(&took), "{took}");
}

/// What finds no place is dropped, and comes nevertheless.
#[test]
fn a_full_queue_drops() {
    let full = Capacity { queue: Some(Queue::Packets(20)), ..MEGABITS_100 };
    let (took, dropped) = gather(wide(full), 20, 10_000);
    assert!(dropped > 50, "{dropped}");
    assert!(took > 16.0, "{took}");
    let enough = Capacity { queue: Some(Queue::Bytes(300_000)), ..MEGABITS_100 };
    assert_eq!(gather(wide(enough), 20, 10_000).1, 0);
}

/// The mean latency of each load's requests in milliseconds, by the endpoint that it asks.
fn means(text: &str) -> Vec<(String, f64)> {
    let record = run(text);
    let seen = &record.architectures["direct"];
    let mean = |(name, seen): (&String, &hoplab_sim::record::Traffic)| {
        (name.clone(), seen.latency.mean_us().unwrap() / 1e3)
    };
    seen.endpoints.iter().map(mean).collect()
}

/// Clients stand where their load says, and pairs of zones are as far apart as they say: each way.
#[test]
fn zones_and_clients_are_where_they_are_said_to_be() {
    let means = means(
        r#"
        [scenario]
        duration = "5s"
        warmup   = "1s"
        [compare]
        architectures = ["direct"]
        [network]
        latency    = "1ms"
        zones.near = { latency = "2ms" }
        zones.far  = { latency = "20ms" }
        between    = [{ zones = ["near", "far"], latency = "30ms" }]
        [services.home]
        endpoints.get = {}
        [services.far]
        zone = "far"
        endpoints.get = {}
        [services.near]
        zone = "near"
        endpoints.get = {}
        [load.here]
        users = 1
        think = "10ms"
        mix   = { "home.get" = 1 }
        [load.beside]
        users = 1
        think = "10ms"
        zone  = "near"
        mix   = { "near.get" = 1 }
        [load.away]
        users = 1
        think = "10ms"
        zone  = "near"
        mix   = { "far.get" = 1 }
        "#,
    );
    let expected = [("home.get", 2.0), ("far.get", 60.0), ("near.get", 2.0)];
    for (name, mean) in expected {
        let seen = means.iter().find(|(seen, _)| seen == name).unwrap().1;
        assert!((seen - mean).abs() < 1e-9, "{name}: {seen} ms, not {mean} ms: {means:?}");
    }
}

/// An answer of 100 KB takes 8 ms at 100 Mbit/s and 80 ms at 10: a service's own NIC, the access of the zone where it
/// stands, and what lies between its zone and that of its clients.
#[test]
fn the_narrowest_of_what_is_passed_counts() {
    let narrow = [
        ("bandwidth = \"10 Gbps\"", "bandwidth = \"10 Mbps\"", "", ""),
        ("", "zone = \"far\"", "zones.far = { latency = \"100us\", bandwidth = \"10 Mbps\" }", ""),
        (
            "zones.near = { latency = \"100us\" }",
            "zone = \"far\"",
            "zones.far = { latency = \"100us\" }\nbetween = [{ zones = [\"far\", \"near\"], bandwidth = \"10 Mbps\" }]",
            "zone = \"near\"",
        ),
    ];
    for (one, service, other, load) in narrow {
        let means = means(&format!(
            r#"
            [scenario]
            duration = "5s"
            warmup   = "1s"
            [compare]
            architectures = ["direct"]
            [network]
            latency = "100us"
            {one}
            {other}
            [services.files]
            {service}
            endpoints.get = {{ response = "100 KB" }}
            [load.people]
            users = 1
            think = "10ms"
            mix   = {{ "files.get" = 1 }}
            {load}
            "#
        ));
        assert!((80.0..86.0).contains(&means[0].1), "{service} {other}: {means:?}");
    }
}
