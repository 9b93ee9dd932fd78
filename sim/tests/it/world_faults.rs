//! What goes wrong in a world goes wrong as on a real network: time is lost, bytes are not.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use hoplab_proxy::host::{Endpoint, Host, Instant, Listener};
use hoplab_sim::distribution::Distribution;
use hoplab_sim::scenario::plan::Ways;
use hoplab_sim::world::{self, Impairment, ImpairmentKind, PodId, SimHost, SimStream, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::worlds::{host, network, pods};

const LATENCY: Duration = Duration::from_millis(1);
const PORT: u16 = 80;

fn between(kind: ImpairmentKind) -> Impairment {
    Impairment { a: vec![PodId(0)], b: vec![PodId(1)], ways: Ways::Both, connections: 1.0, kind }
}

fn at_millis(millis: u64) -> Instant {
    Instant::START + Duration::from_millis(millis)
}

fn endpoint() -> Endpoint {
    Endpoint::new("pod-1", PORT)
}

fn in_a_world<T, F: Future<Output = T>>(main: impl FnOnce(World, SimHost, SimHost) -> F) -> T {
    world::run(pods(network(LATENCY), 1, 3), |world| {
        let (client, server) = (host(&world, 0), host(&world, 1));
        main(world, client, server)
    })
}

async fn listen(server: &SimHost) -> hoplab_sim::world::SimListener {
    server.bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.unwrap()
}

async fn pair(client: &SimHost, server: &SimHost) -> (SimStream, SimStream) {
    let mut listener = listen(server).await;
    let endpoint = endpoint();
    let (ours, theirs) = tokio::join!(client.connect(&endpoint), listener.accept());
    (ours.unwrap(), theirs.unwrap().stream)
}

#[test]
fn a_connect_into_a_partition_is_neither_refused_nor_accepted() {
    in_a_world(async |world, client, _server| {
        // Nobody listens, either; the refusal cannot come back.
        let id = world.impair(between(ImpairmentKind::Partition));
        let endpoint = endpoint();
        {
            let connect = pin!(client.connect(&endpoint));
            let patience = pin!(client.sleep_until(at_millis(60_000)));
            assert!(matches!(select(connect, patience).await, Either::Right(_)));
        }
        // At 0, 1, 3, 7, 15 and 31 s; who gave up does not try again.
        assert_eq!(world.impairment_hits(id), 6);
        client.sleep_until(at_millis(600_000)).await;
        assert_eq!(world.impairment_hits(id), 6);
    });
}

#[test]
fn a_connect_succeeds_with_the_first_syn_after_healing() {
    in_a_world(async |world, client, server| {
        let mut listener = listen(&server).await;
        let id = world.impair(between(ImpairmentKind::Partition));
        let heal = async {
            client.sleep_until(at_millis(2_500)).await;
            world.lift(id);
        };
        let endpoint = endpoint();
        let connect = async {
            client.connect(&endpoint).await.unwrap();
            client.now().micros()
        };
        let ((), connected, accepted) = tokio::join!(heal, connect, listener.accept());
        accepted.unwrap();
        assert_eq!(connected, 3_002_000, "SYNs leave at 0, 1 and 3 s");
    });
}

#[test]
fn a_stream_continues_at_the_first_retransmission_after_healing() {
    in_a_world(async |world, client, server| {
        let (mut ours, mut theirs) = pair(&client, &server).await;
        client.sleep_until(at_millis(1_000)).await;
        let id = world.impair(between(ImpairmentKind::Partition));
        let sent = vec![5; 30_000];
        let write = async {
            ours.write_all(&sent).await.unwrap();
            client.sleep_until(at_millis(2_000)).await;
            world.lift(id);
        };
        let mut received = vec![0; sent.len()];
        let read = async {
            theirs.read_exact(&mut received).await.unwrap();
            server.now().micros()
        };
        let ((), arrived) = tokio::join!(write, read);
        // The tail is probed after two round trips and 8 ms; then come timeouts of 202 ms, doubled each time: the one at
        // 2,426 ms passes, and what is left of ten, then eleven segments follows in slow start, 1, 2, 4, 8 a round trip.
        assert_eq!(arrived, 2_435_000);
        assert_eq!(received, sent);
    });
}

/// An acknowledgement that is lost delays nothing that goes the other way.
#[test]
fn a_lost_acknowledgement_is_made_good_by_what_follows() {
    in_a_world(async |world, client, server| {
        let (mut ours, mut theirs) = pair(&client, &server).await;
        client.sleep_until(at_millis(1_000)).await;
        ours.write_all(b"first").await.unwrap();
        // The acknowledgement of `first` departs at 1,001 ms and is lost.
        client.sleep_until(at_millis(1_000) + Duration::from_micros(500)).await;
        let id = world.impair(between(ImpairmentKind::Partition));
        theirs.read_exact(&mut [0; 5]).await.unwrap();
        client.sleep_until(at_millis(1_010)).await;
        assert_eq!(world.impairment_hits(id), 1);
        world.lift(id);
        theirs.write_all(b"answer").await.unwrap();
        ours.read_exact(&mut [0; 6]).await.unwrap();
        assert_eq!(client.now(), at_millis(1_011));
        ours.write_all(b"second").await.unwrap();
        theirs.read_exact(&mut [0; 6]).await.unwrap();
        assert_eq!(client.now(), at_millis(1_012));
    });
}

#[test]
fn added_latency_is_added_while_it_lasts() {
    in_a_world(async |world, client, server| {
        let (mut ours, mut theirs) = pair(&client, &server).await;
        let mut trip = async || {
            let began = client.now();
            ours.write_all(b"x").await.unwrap();
            theirs.read_exact(&mut [0]).await.unwrap();
            theirs.write_all(b"y").await.unwrap();
            ours.read_exact(&mut [0]).await.unwrap();
            (client.now() - began).as_millis()
        };
        let mut trips = vec![trip().await];
        let more = Distribution::Constant(Duration::from_millis(30));
        let id = world.impair(between(ImpairmentKind::Latency { add: more, steady_for: LATENCY }));
        trips.push(trip().await);
        world.lift(id);
        client.sleep_until(client.now() + Duration::from_secs(1)).await;
        trips.push(trip().await);
        assert_eq!(trips, [2, 62, 2]);
        assert!(world.impairment_hits(id) >= 2);
    });
}

#[test]
fn impairments_touch_only_the_pods_they_name() {
    in_a_world(async |world, client, server| {
        let id = world.impair(Impairment {
            a: vec![PodId(2)],
            b: vec![PodId(0), PodId(1)],
            ways: Ways::Both,
            connections: 1.0,
            kind: ImpairmentKind::Partition,
        });
        let (mut ours, mut theirs) = pair(&client, &server).await;
        ours.write_all(b"x").await.unwrap();
        theirs.read_exact(&mut [0]).await.unwrap();
        assert_eq!((client.now().micros(), world.impairment_hits(id)), (4_000, 0));
    });
}

#[test]
fn a_reset_reaches_both_ends_of_every_connection_between() {
    in_a_world(async |world, client, server| {
        let (mut ours, mut theirs) = pair(&client, &server).await;
        // Established at both ends once the last part of the handshake has arrived.
        client.sleep_until(at_millis(10)).await;
        assert_eq!(world.reset(&[PodId(2)], &[PodId(0), PodId(1)]), 0);
        assert_eq!(world.reset(&[PodId(1)], &[PodId(0)]), 1);
        let errors = [ours.read(&mut [0]).await.unwrap_err(), theirs.read(&mut [0]).await.unwrap_err()];
        assert!(errors.iter().all(|error| error.kind() == io::ErrorKind::ConnectionReset));
        assert_eq!(world.reset(&[PodId(1)], &[PodId(0)]), 0);
    });
}

async fn serve_letters(host: SimHost, letter: u8) {
    let mut listener = listen(&host).await;
    loop {
        let mut stream = listener.accept().await.unwrap().stream;
        stream.write_all(&[letter; 2]).await.unwrap();
        let _ = stream.read(&mut [0]).await;
    }
}

#[test]
fn a_crash_ends_everything_and_a_restart_begins_anew() {
    in_a_world(async |world, client, server| {
        world.spawn(PodId(1), &server, serve_letters(server.clone(), b'a'));
        client.sleep_until(at_millis(1)).await;
        let endpoint = endpoint();
        let mut before = client.connect(&endpoint).await.unwrap();
        before.read_exact(&mut [0; 2]).await.unwrap();
        world.crash(PodId(1));
        assert_eq!(before.read(&mut [0]).await.unwrap(), 0, "the kernel closes what its process held");
        let error = client.connect(&endpoint).await.err().expect("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        // `before` is not closed on this side, so the old connection lingers in the pod.
        world.spawn(PodId(1), &server, serve_letters(server.clone(), b'b'));
        client.sleep_until(client.now() + LATENCY).await;
        let mut after = client.connect(&endpoint).await.unwrap();
        let mut letters = [0; 2];
        after.read_exact(&mut letters).await.unwrap();
        assert_eq!(&letters, b"bb");
    });
}

/// A pod that restarts at the very instant of its crash listens again.
#[test]
fn a_restart_need_not_wait() {
    in_a_world(async |world, client, server| {
        for letter in b'a'..b'f' {
            world.crash(PodId(1));
            world.spawn(PodId(1), &server, serve_letters(server.clone(), letter));
            client.sleep_until(client.now() + LATENCY).await;
            let mut stream = client.connect(&endpoint()).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), letter);
        }
    });
}

/// The SYN-ACK finds nobody, and the reset that answers it finds another listener than the one that accepted.
#[test]
fn a_handshake_that_is_given_up_is_none_of_the_next_listener() {
    in_a_world(async |_, client, server| {
        let listener = listen(&server).await;
        let endpoint = endpoint();
        {
            let connect = pin!(client.connect(&endpoint));
            let patience = pin!(client.sleep_until(at_millis(1)));
            assert!(matches!(select(connect, patience).await, Either::Right(_)));
        }
        server.sleep_until(Instant::START + Duration::from_micros(1_500)).await;
        drop(listener);
        let mut listener = listen(&server).await;
        server.sleep_until(at_millis(10)).await;
        let (connected, accepted) = tokio::join!(client.connect(&endpoint), listener.accept());
        connected.unwrap();
        accepted.unwrap();
    });
}

/// The acknowledgements that make room in the congestion window are on their way before anybody waits for them.
#[test]
fn what_a_window_has_no_room_for_leaves_with_the_next_acknowledgement() {
    in_a_world(async |_, client, server| {
        let (mut ours, mut theirs) = pair(&client, &server).await;
        let start = client.now();
        let window = 10 * 1_448;
        let write = async {
            ours.write_all(&vec![1; window]).await.unwrap();
            client.sleep_until(start + Duration::from_micros(1_500)).await;
            ours.write_all(&[1]).await.unwrap();
        };
        let mut received = vec![0; window + 1];
        let read = async {
            theirs.read_exact(&mut received).await.unwrap();
            (server.now() - start).as_micros()
        };
        assert_eq!(tokio::join!(write, read).1, 3_000);
    });
}

#[test]
fn who_writes_to_a_socket_that_is_gone_is_reset() {
    in_a_world(async |_, client, server| {
        let (mut ours, theirs) = pair(&client, &server).await;
        drop(theirs);
        client.sleep_until(at_millis(100)).await;
        ours.write_all(b"is anybody there?").await.unwrap();
        client.sleep_until(at_millis(200)).await;
        let error = ours.write_all(b"no").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_listener_within_the_pod_goes_without_the_one_for_others() {
    in_a_world(async |_, client, server| {
        let mut listener = server.bind(SocketAddr::from(([10, 0, 0, 2], PORT))).await.unwrap();
        let within = server.bind(SocketAddr::from(([127, 0, 0, 1], PORT))).await.unwrap();
        let endpoint = endpoint();
        let leave = async {
            server.sleep_until(Instant::START + Duration::from_micros(1_500)).await;
            drop(within);
        };
        let (connected, accepted, ()) = tokio::join!(client.connect(&endpoint), listener.accept(), leave);
        connected.unwrap();
        accepted.unwrap();
    });
}

#[test]
fn a_name_that_no_pod_has_is_not_found() {
    in_a_world(async |_world, client, _server| {
        let error = client.connect(&Endpoint::new("pod-9", PORT)).await.err().expect("there is no such pod");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    });
}
