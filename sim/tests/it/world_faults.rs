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
        assert_eq!(world.hits(id), 6);
        client.sleep_until(at_millis(600_000)).await;
        assert_eq!(world.hits(id), 6);
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

/// Nothing comes after a last segment that could tell of its loss, and 300 ms away it waits for a timeout that is longer
/// than a round trip: SRTT + max(200 ms, 4 RTTVAR), 500 ms once round trips have been alike for long.
#[test]
fn a_lost_last_segment_costs_a_timeout_that_is_longer_than_a_round_trip() {
    const FAR: Duration = Duration::from_millis(150);
    let took = world::run(pods(network(FAR), 1, 2), async |world| {
        let (client, server) = (host(&world, 0), host(&world, 1));
        let (mut ours, mut theirs) = pair(&client, &server).await;
        for _ in 0..60 {
            ours.write_all(b"x").await.unwrap();
            theirs.read_exact(&mut [0]).await.unwrap();
            theirs.write_all(b"y").await.unwrap();
            ours.read_exact(&mut [0]).await.unwrap();
        }
        let began = client.now();
        let cut = world.impair(between(ImpairmentKind::Partition));
        ours.write_all(b"x").await.unwrap();
        client.sleep_until(began + Duration::from_millis(1)).await;
        world.lift(cut);
        theirs.read_exact(&mut [0]).await.unwrap();
        server.now() - began
    });
    assert_eq!(took.as_millis(), 500 + FAR.as_millis());
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
        assert_eq!(world.hits(id), 1);
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
        assert!(world.hits(id) >= 2);
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
        assert_eq!((client.now().micros(), world.hits(id)), (4_000, 0));
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

/// Greets everybody with a letter, and holds their connections.
async fn greet_all(host: SimHost, letter: u8) {
    let mut listener = listen(&host).await;
    let mut held = Vec::new();
    loop {
        let mut stream = listener.accept().await.unwrap().stream;
        stream.write_all(&[letter; 2]).await.unwrap();
        held.push(stream);
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

/// `SIGSTOP`: the kernel goes on, accepts and takes what is sent; nobody answers before the process goes on.
#[test]
fn a_process_that_stands_still_answers_late_and_its_kernel_at_once() {
    in_a_world(async |world, client, server| {
        world.spawn(PodId(1), &server, serve_letters(server.clone(), b'a'));
        client.sleep_until(at_millis(1)).await;
        let pause = world.pause(PodId(1));
        let endpoint = endpoint();
        let mut stream = client.connect(&endpoint).await.unwrap();
        assert_eq!(client.now(), at_millis(3));
        let goes_on = async {
            client.sleep_until(at_millis(500)).await;
            world.lift(pause);
        };
        let (letter, ()) = tokio::join!(stream.read_u8(), goes_on);
        assert_eq!((letter.unwrap(), client.now()), (b'a', at_millis(501)));
        assert_eq!(world.hits(pause), 1, "one process");
    });
}

/// Work under way is done as much later as its process stood still, and what it waits for is over late.
#[test]
fn work_stands_still_with_its_process() {
    in_a_world(async |world, client, server| {
        let (told, heard) = tokio::sync::oneshot::channel();
        let works = server.clone();
        world.spawn(PodId(1), &server, async move {
            works.occupy(Duration::from_millis(10), None, |_| ()).await.unwrap();
            let worked = works.now();
            works.sleep_until(at_millis(60)).await;
            let _ = told.send((worked, works.now()));
        });
        for (from, until) in [(4, 44), (55, 80)] {
            client.sleep_until(at_millis(from)).await;
            let pauses = [world.pause(PodId(1)), world.pause(PodId(1))];
            client.sleep_until(at_millis(until - 1)).await;
            world.lift(pauses[0]);
            client.sleep_until(at_millis(until)).await;
            world.lift(pauses[1]);
        }
        assert_eq!(heard.await.unwrap(), (at_millis(50), at_millis(80)));
    });
}

/// Nobody is told that a machine has vanished: a peer waits for ever, until it says something and the machine, back
/// again, knows nothing of it.
#[test]
fn a_machine_that_vanishes_leaves_half_a_connection() {
    in_a_world(async |world, client, server| {
        world.spawn(PodId(1), &server, greet_all(server.clone(), b'a'));
        client.sleep_until(at_millis(1)).await;
        let mut waits = client.connect(&endpoint()).await.unwrap();
        let mut asks = client.connect(&endpoint()).await.unwrap();
        for stream in [&mut waits, &mut asks] {
            stream.read_exact(&mut [0; 2]).await.unwrap();
        }
        let cut = world.impair(between(ImpairmentKind::Partition));
        world.forget(PodId(1));
        world.crash(PodId(1));
        asks.write_all(b"?").await.unwrap();
        client.sleep_until(at_millis(10_000)).await;
        world.lift(cut);
        world.spawn(PodId(1), &server, greet_all(server.clone(), b'b'));
        let error = asks.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "what is sent again is answered");
        let later = client.now() + Duration::from_secs(3_600);
        {
            let hears = pin!(waits.read_u8());
            let patience = pin!(client.sleep_until(later));
            assert!(
                matches!(select(hears, patience).await, Either::Right(_)),
                "and who is silent hears nothing"
            );
        }
        waits.write_all(b"?").await.unwrap();
        let error = waits.read(&mut [0]).await.unwrap_err();
        assert_eq!((error.kind(), client.now()), (io::ErrorKind::ConnectionReset, later + 2 * LATENCY));
        assert_eq!(client.connect(&endpoint()).await.unwrap().read_u8().await.unwrap(), b'b');
    });
}

/// 1 MB at 1 Mbps takes 8 s to read, and more than half of that to write: the rest fits into buffers on the way.
#[test]
fn who_reads_slowly_holds_up_who_writes() {
    const SIZE: usize = 1_000_000;
    in_a_world(async |world, client, server| {
        let (mut reads, mut writes) = pair(&client, &server).await;
        let start = client.now();
        let slow = world.read_slowly(PodId(0), 1_000_000);
        let write = async {
            writes.write_all(&vec![7; SIZE]).await.unwrap();
            server.now() - start
        };
        let read = async {
            reads.read_exact(&mut vec![0; SIZE]).await.unwrap();
            client.now() - start
        };
        let (wrote, read) = tokio::join!(write, read);
        assert!((7.9..8.02).contains(&read.as_secs_f64()), "{read:?}");
        assert!((4.0..8.0).contains(&wrote.as_secs_f64()), "{wrote:?}");
        assert!(world.hits(slow) > 0);
        world.lift(slow);
        let start = client.now();
        let write = async { writes.write_all(&vec![7; SIZE]).await.unwrap() };
        let read = async { reads.read_exact(&mut vec![0; SIZE]).await.unwrap() };
        tokio::join!(write, read);
        assert!((client.now() - start).as_secs_f64() < 0.1, "{:?}", client.now() - start);
    });
}

/// Nobody writes more than a program reads that takes 1 Mbps: it reads nothing later.
#[test]
fn who_reads_as_fast_as_others_write_reads_nothing_late() {
    in_a_world(async |world, client, server| {
        let (mut reads, mut writes) = pair(&client, &server).await;
        let slow = world.read_slowly(PodId(0), 1_000_000);
        for _ in 0..20 {
            writes.write_all(&[7; 1_000]).await.unwrap();
            let start = client.now();
            reads.read_exact(&mut [0; 1_000]).await.unwrap();
            assert_eq!(client.now() - start, LATENCY);
            client.sleep_until(client.now() + 10 * LATENCY).await;
        }
        assert_eq!(world.hits(slow), 0);
        writes.write_all(&[7; 2_000]).await.unwrap();
        reads.read_exact(&mut [0; 2_000]).await.unwrap();
        assert!(world.hits(slow) > 0);
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
