//! Members that join, change and leave while requests are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use hoplab_proxy::telemetry::Fault;
use hoplab_proxy::upstream::{Fleet, Placed, Placement, Upstream};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use crate::lab::{Backend, Lab, request};

const PROTOCOLS: [&str; 2] = ["protocol = \"http1\"\n", "protocol = \"http2\"\n"];

fn fleet<'a>(endpoints: impl IntoIterator<Item = &'a Endpoint>) -> Fleet {
    Fleet::of(endpoints.into_iter().cloned().map(Placed::from))
}

async fn answered(lab: &Lab, name: &'static str) -> Backend {
    lab.backend(move |_| async move { Response::new(Body::from(Bytes::from(name))) }).await
}

async fn asked(lab: &Lab, upstream: &Arc<Upstream<Live>>) -> Result<Bytes, Fault> {
    let answer = upstream.send(&mut lab.exchange(), request(Method::GET, Body::empty())).await?;
    Ok(answer.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn who_stays_keeps_its_connection_and_nobody_who_left_is_asked() {
    for protocol in PROTOCOLS {
        let lab = Lab::new();
        let (a, b) = (answered(&lab, "a").await, answered(&lab, "b").await);
        let upstream = lab.upstream(&a.endpoint, protocol);
        assert_eq!(asked(&lab, &upstream).await.unwrap(), "a");
        let heavy = Placed {
            endpoint: a.endpoint.clone(),
            placement: Placement { weight: 3, ..Placement::default() },
        };
        upstream.set_members(&Fleet::of([Placed::from(b.endpoint.clone()), heavy]));
        let mut seen = String::new();
        for _ in 0..8 {
            seen.push_str(std::str::from_utf8(&asked(&lab, &upstream).await.unwrap()).unwrap());
        }
        assert_eq!(seen.matches('a').count(), 6, "{seen}");
        upstream.set_members(&fleet([&b.endpoint]));
        for _ in 0..4 {
            assert_eq!(asked(&lab, &upstream).await.unwrap(), "b");
        }
        assert_eq!((a.connections(), b.connections()), (1, 1), "{protocol}");
    }
}

#[tokio::test]
async fn a_request_that_is_under_way_where_somebody_leaves_is_answered() {
    for protocol in PROTOCOLS {
        let lab = Lab::new();
        let (gate, reached) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let a = {
            let (gate, reached) = (Arc::clone(&gate), Arc::clone(&reached));
            lab.backend(move |_: Request<Body>| {
                let (gate, reached) = (Arc::clone(&gate), Arc::clone(&reached));
                async move {
                    reached.add_permits(1);
                    gate.acquire().await.unwrap().forget();
                    Response::new(Body::from(Bytes::from("late")))
                }
            })
            .await
        };
        let b = answered(&lab, "b").await;
        let upstream = lab.upstream(&a.endpoint, &format!("{protocol}breaker = {{ failures = 1 }}"));
        let leave = async {
            reached.acquire().await.unwrap().forget();
            upstream.set_members(&fleet([&b.endpoint]));
            assert_eq!(asked(&lab, &upstream).await.unwrap(), "b");
            gate.add_permits(1);
        };
        let (late, ()) = tokio::join!(asked(&lab, &upstream), leave);
        assert_eq!(late.unwrap(), "late", "{protocol}");
    }
}

#[tokio::test]
async fn requests_wait_in_the_queue_until_somebody_joins() {
    let lab = Lab::new();
    let a = answered(&lab, "a").await;
    let nobody = fleet([]);
    let upstream = lab.upstream(&a.endpoint, "");
    upstream.set_members(&nobody);
    assert_eq!(asked(&lab, &upstream).await, Err(Fault::NoEndpoint));
    let upstream = lab.upstream(&a.endpoint, "queue = { length = 3 }");
    upstream.set_members(&nobody);
    let join = async {
        tokio::task::yield_now().await;
        upstream.set_members(&fleet([&a.endpoint]));
    };
    let ask = || asked(&lab, &upstream);
    let (first, second, ()) = tokio::join!(ask(), ask(), join);
    assert_eq!((first.unwrap(), second.unwrap()), (Bytes::from("a"), Bytes::from("a")));
}

#[tokio::test]
async fn idle_connections_of_one_who_leaves_are_closed_at_once() {
    let lab = Lab::new();
    let mut listener = lab.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = Endpoint::from(listener.local_addr().unwrap());
    let upstream = lab.upstream(&endpoint, "");
    let serve = async {
        let mut stream = listener.accept().await.unwrap().stream;
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na").await.unwrap();
        stream
    };
    let (answer, mut stream) = tokio::join!(asked(&lab, &upstream), serve);
    assert_eq!(answer.unwrap(), "a");
    upstream.set_members(&fleet([]));
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

/// Who waits for a connection of one who leaves may be given one that nobody else may have; and may have gone by then.
#[tokio::test]
async fn nor_are_they_kept_for_one_who_has_given_up_waiting() {
    let lab = Lab::new();
    let mut listener = lab.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = Endpoint::from(listener.local_addr().unwrap());
    let upstream = lab.upstream(&endpoint, "pool = { connections = 2 }");
    let [mut held, mut waiting] = [(); 2].map(|()| Box::pin(asked(&lab, &upstream)));
    let serve = async {
        let mut stream = listener.accept().await.unwrap().stream;
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        // One is under way longer, and one waits.
        let under_way = async {
            let mut stream = listener.accept().await.unwrap().stream;
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream
        };
        let other = tokio::select! {
            biased;
            _ = held.as_mut() => panic!("nobody has answered"),
            stream = under_way => stream,
        };
        assert!(waiting.as_mut().now_or_never().is_none());
        upstream.set_members(&fleet([]));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na").await.unwrap();
        (stream, other)
    };
    let (answer, (mut stream, _other)) = tokio::join!(asked(&lab, &upstream), serve);
    assert_eq!(answer.unwrap(), "a");
    // Until it was given back, and is kept for the one who waits.
    lab.wait_ms(50).await;
    drop(waiting);
    let mut byte = [0; 1];
    tokio::select! {
        biased;
        closed = stream.read(&mut byte) => assert_eq!(closed.unwrap(), 0),
        () = lab.wait_ms(5_000) => panic!("it is kept"),
    }
}

/// A retry goes to somebody who was not tried, also when the one that was tried has left, and somebody else has joined.
#[tokio::test]
async fn whoever_joined_where_one_was_tried_that_left_was_not_tried() {
    let lab = Lab::new();
    let (first, second) = (Arc::new(AtomicUsize::new(0)), answered(&lab, "new").await);
    let bad = {
        let first = Arc::clone(&first);
        lab.backend(move |_| {
            first.fetch_add(1, Ordering::Relaxed);
            async { Response::builder().status(503).body(Body::empty()).unwrap() }
        })
        .await
    };
    let policies = "retry = { attempts = 2, on = [\"503\"], backoff = \"20ms..20ms\" }";
    let upstream = lab.upstream(&bad.endpoint, policies);
    let change = async {
        while first.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        upstream.set_members(&fleet([&second.endpoint]));
    };
    let (answer, ()) = tokio::join!(asked(&lab, &upstream), change);
    assert_eq!((answer.unwrap(), first.load(Ordering::Relaxed)), (Bytes::from("new"), 1));
}
