//! What every [`Host`] must do, once: the same cases run on the live machine and in a simulated pod.
//!
//! A case gets a [`Place`]: a server's and a client's machine, and what the client calls the server.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hoplab_proxy::host::{Accepted, Endpoint, Host, Instant, Listener};
use hoplab_proxy::tasks::Tasks;
use hoplab_sim::world::{self, SimHost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::worlds::{Deaf, host, network, pods};

/// Where a case runs.
struct Place<H> {
    server: H,
    client: H,
    /// What the client calls the server's machine.
    name: &'static str,
    /// An endpoint that neither accepts nor refuses.
    silent: Endpoint,
}

impl<H: Host> Place<H> {
    async fn listen(&self) -> (H::Listener, Endpoint) {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let listener = self.server.bind(any).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, Endpoint::new(self.name, port))
    }

    /// A connection: the client's end and the server's.
    async fn pair(&self) -> (H::Stream, Accepted<H::Stream>) {
        let (mut listener, endpoint) = self.listen().await;
        let (client, accepted) = tokio::join!(self.client.connect(&endpoint), listener.accept());
        (client.unwrap(), accepted.unwrap())
    }
}

/// The case's future, or `None` when `limit` passed first.
async fn within<H: Host, F: Future>(host: &H, limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = pin!(host.sleep_until(host.now() + limit));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 + index / 251) as u8).collect()
}

async fn bytes_arrive_in_order<H: Host>(place: Place<H>) {
    let (mut client, accepted) = place.pair().await;
    let mut server = accepted.stream;
    let sent = pattern(1_000_003);
    let write = async {
        for chunk in sent.chunks(10_007) {
            client.write_all(chunk).await.unwrap();
        }
        client.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let ((), read) = tokio::join!(write, server.read_to_end(&mut received));
    assert_eq!(read.unwrap(), sent.len());
    assert!(received == sent, "the bytes differ");
}

/// The sender fills every buffer before the receiver begins to read, a little at a time.
async fn slow_readers_get_everything<H: Host>(place: Place<H>) {
    let (mut client, accepted) = place.pair().await;
    let mut server = accepted.stream;
    let sent = pattern(9_000_000);
    let write = async {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let read = async {
        place.server.sleep_until(place.server.now() + Duration::from_millis(20)).await;
        let mut received = Vec::new();
        let mut chunk = [0; 4_000];
        loop {
            match server.read(&mut chunk).await.unwrap() {
                0 => return received,
                count => received.extend_from_slice(&chunk[..count]),
            }
        }
    };
    let ((), received) = tokio::join!(write, read);
    assert!(received == sent, "the bytes differ");
}

async fn half_close<H: Host>(place: Place<H>) {
    let (mut client, accepted) = place.pair().await;
    let mut server = accepted.stream;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).await.unwrap();
    server.write_all(b"answer").await.unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "the end stays the end");
}

/// Whoever drops a connection with bytes unread resets it.
async fn reset<H: Host>(place: Place<H>) {
    let (mut client, accepted) = place.pair().await;
    let mut server = accepted.stream;
    client.write_all(b"two").await.unwrap();
    server.read_exact(&mut [0]).await.unwrap();
    drop(server);
    let error = client.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

async fn refused_port<H: Host>(place: Place<H>) {
    let (listener, endpoint) = place.listen().await;
    drop(listener);
    let error = place.client.connect(&endpoint).await.err().expect("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

async fn connect_that_times_out<H: Host>(place: Place<H>) {
    let limit = Duration::from_millis(30);
    let began = place.client.now();
    let outcome = within(&place.client, limit, place.client.connect(&place.silent)).await;
    assert!(outcome.is_none(), "neither accepted nor refused");
    assert!(place.client.now() - began >= limit);
}

async fn many_streams<H: Host>(place: Place<H>) {
    const COUNT: usize = 200;
    let (mut listener, endpoint) = place.listen().await;
    let tasks = Tasks::default();
    let spawner = tasks.spawner(place.server.clone());
    let serve = async {
        for _ in 0..COUNT {
            let mut stream = listener.accept().await.unwrap().stream;
            spawner.spawn(async move {
                let mut request = Vec::new();
                stream.read_to_end(&mut request).await.unwrap();
                request.reverse();
                stream.write_all(&request).await.unwrap();
            });
        }
    };
    let calls = (0..COUNT).map(async |index| {
        let mut stream = place.client.connect(&endpoint).await.unwrap();
        let request = pattern(index * 31);
        stream.write_all(&request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer.reverse();
        assert!(answer == request, "stream {index}");
    });
    tokio::join!(serve, futures_util::future::join_all(calls));
}

async fn drop_ends_everything<H: Host>(place: Place<H>) {
    let (mut listener, endpoint) = place.listen().await;
    let tasks = Tasks::default();
    let spawner = tasks.spawner(place.server.clone());
    let accept = spawner.clone();
    spawner.spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            let mut stream = accepted.stream;
            accept.spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    stream.write_u8(byte).await.unwrap();
                }
            });
        }
    });
    let mut client = place.client.connect(&endpoint).await.unwrap();
    client.write_u8(7).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), 7);
    drop(tasks);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "the connection was closed");
    let error = place.client.connect(&endpoint).await.err().expect("the listener is gone");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

/// Also when the machine stalls and several have passed before anyone looks.
async fn deadlines_complete_in_their_order<H: Host>(place: Place<H>) {
    let host = &place.client;
    host.sleep_until(Instant::START).await;
    let start = host.now() + Duration::from_millis(20);
    let sleeps = [5, 1, 3, 0, 4, 2].map(|step: u32| async move {
        let deadline = start + Duration::from_millis(2) * step;
        host.sleep_until(deadline).await;
        assert!(host.now() >= deadline);
        step
    });
    let order: Vec<u32> = FuturesUnordered::from_iter(sleeps).collect().await;
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
}

async fn names_resolve<H: Host>(place: Place<H>) {
    let (mut listener, endpoint) = place.listen().await;
    let by_name = tokio::join!(place.client.connect(&endpoint), listener.accept()).1.unwrap();
    let address = by_name.original_destination;
    assert_eq!(address.port(), endpoint.port);
    let by_address = Endpoint::from(address);
    let by_address = tokio::join!(place.client.connect(&by_address), listener.accept()).1.unwrap();
    assert_eq!(by_address.original_destination, address);
    assert_eq!(by_address.peer.ip(), by_name.peer.ip());
    let resolved = place.client.resolve(place.name).await.unwrap();
    assert_eq!(resolved.addresses, [address.ip()]);
    assert!(!resolved.ttl.is_zero());
    let at_home = Endpoint::new("localhost", endpoint.port);
    let at_home = tokio::join!(place.server.connect(&at_home), listener.accept()).1.unwrap();
    assert!(at_home.original_destination.ip().is_loopback());
}

async fn ports_are_taken_once<H: Host>(place: Place<H>) {
    let (listener, _) = place.listen().await;
    let address = listener.local_addr().unwrap();
    let error = place.server.bind(address).await.err().expect("the port is taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    drop(listener);
    place.server.bind(address).await.unwrap();
}

macro_rules! conformance {
    ($($case:ident),* $(,)?) => {
        mod live {
            $(#[test] fn $case() { super::on_live(super::$case) })*
        }

        mod simulated {
            $(#[test] fn $case() { super::in_a_world(super::$case) })*
        }

        mod within_a_pod {
            $(#[test] fn $case() { super::within_a_pod(super::$case) })*
        }
    };
}

conformance!(
    bytes_arrive_in_order,
    slow_readers_get_everything,
    half_close,
    reset,
    refused_port,
    connect_that_times_out,
    many_streams,
    drop_ends_everything,
    deadlines_complete_in_their_order,
    names_resolve,
    ports_are_taken_once,
);

fn on_live<F: Future<Output = ()>>(case: impl FnOnce(Place<hoplab_proxy::host::live::Live>) -> F) {
    // Once the queue of a listener that never accepts is full, Linux drops further SYNs.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let fill = || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    };
    let _filled = [fill(), fill(), fill(), fill()];
    let silent = Endpoint::from(address.as_socket().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let host = hoplab_proxy::host::live::Live::new(Deaf);
        case(Place { server: host.clone(), client: host, name: "127.0.0.1", silent }).await;
    });
}

fn in_a_world<F: Future<Output = ()>>(case: impl FnOnce(Place<SimHost>) -> F) {
    world::run(pods(network(Duration::from_micros(250)), 1, 2), |world| {
        let (client, server) = (host(&world, 0), host(&world, 1));
        case(Place { server, client, name: "pod-1", silent: Endpoint::new("10.9.9.9", 80) })
    });
}

fn within_a_pod<F: Future<Output = ()>>(case: impl FnOnce(Place<SimHost>) -> F) {
    world::run(pods(network(Duration::from_micros(250)), 1, 1), |world| {
        let (client, server) = (host(&world, 0), host(&world, 0));
        case(Place { server, client, name: "localhost", silent: Endpoint::new("10.9.9.9", 80) })
    });
}
