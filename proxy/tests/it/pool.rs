//! Connections: how many, for how long, and what becomes of a request when one is closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::future::join_all;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Host;
use hoplab_proxy::server::Drained;
use hoplab_proxy::telemetry::Fault;
use hoplab_proxy::upstream::{Config, Protocol, Upstream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::{Barrier, Semaphore};

use crate::lab::{Lab, request, settings};

async fn hello(_: Request<Body>) -> Response<Body> {
    Response::new(Body::from(Bytes::from("hello")))
}

fn http2(
    lab: &Lab,
    endpoint: &hoplab_proxy::host::Endpoint,
) -> Arc<Upstream<hoplab_proxy::host::live::Live>> {
    http2_under(lab, endpoint, "")
}

fn http2_under(
    lab: &Lab,
    endpoint: &hoplab_proxy::host::Endpoint,
    policies: &str,
) -> Arc<Upstream<hoplab_proxy::host::live::Live>> {
    let mut config = Config { protocol: Protocol::Http2, ..Config::new("it", vec![endpoint.clone()]) };
    config.settings = settings(policies);
    Upstream::new(lab.host.clone(), &lab.spawner(), config, 1)
}

/// A server whose every answer waits until `gate` lets it pass.
async fn gated(lab: &Lab, gate: &Arc<Semaphore>) -> crate::lab::Backend {
    let gate = Arc::clone(gate);
    lab.backend(move |request| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            hello(request).await
        }
    })
    .await
}

#[tokio::test]
async fn http2_opens_more_connections_when_all_are_full() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let backend = gated(&lab, &gate).await;
    for ramp in ["", ", ramp = 1"] {
        let policies = format!("pool = {{ connections = 3, streams = 2, pending = 7{ramp} }}");
        let upstream = http2_under(&lab, &backend.endpoint, &policies);
        let before = backend.connections();
        let requests = join_all((0..8).map(|_| lab.get(&upstream)));
        let release = async {
            lab.wait_ms(50).await;
            gate.add_permits(7);
        };
        let (answers, ()) = tokio::join!(biased; requests, release);
        let overflow = answers.iter().filter(|answer| **answer == Err(Fault::Overflow)).count();
        assert_eq!((overflow, answers[7]), (1, Err(Fault::Overflow)), "{answers:?}");
        assert_eq!(backend.connections() - before, 3);
    }
}

#[tokio::test]
async fn http2_connections_end_by_age_by_idleness_and_by_requests() {
    let lab = Lab::new();
    let backend = lab.backend(hello).await;
    for pool in ["max_age = \"50ms\"", "idle_timeout = \"50ms\"", "requests_per_connection = 2"] {
        let upstream = http2_under(&lab, &backend.endpoint, &format!("pool = {{ {pool} }}"));
        let before = backend.connections();
        assert_eq!(lab.get(&upstream).await, Ok(200));
        assert_eq!(lab.get(&upstream).await, Ok(200));
        assert_eq!(backend.connections() - before, 1, "{pool}");
        lab.wait_ms(100).await;
        assert_eq!(lab.get(&upstream).await, Ok(200));
        assert_eq!(backend.connections() - before, 2, "{pool}");
    }
}

#[tokio::test]
async fn http2_that_is_old_answers_what_it_was_asked() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let backend = gated(&lab, &gate).await;
    let upstream = http2_under(&lab, &backend.endpoint, "pool = { max_age = \"20ms\" }");
    let later = async {
        lab.wait_ms(60).await;
        let release = async {
            lab.wait_ms(20).await;
            gate.add_permits(2);
        };
        tokio::join!(biased; lab.get(&upstream), release).0
    };
    assert_eq!(tokio::join!(biased; lab.get(&upstream), later), (Ok(200), Ok(200)));
    assert_eq!(backend.connections(), 2);
}

#[tokio::test]
async fn http1_connections_end_by_age_and_by_requests() {
    let lab = Lab::new();
    let backend = lab.backend(hello).await;
    for pool in ["max_age = \"50ms\"", "requests_per_connection = 2"] {
        let upstream = lab.upstream(&backend.endpoint, &format!("pool = {{ {pool} }}"));
        let before = backend.connections();
        assert_eq!(lab.get(&upstream).await, Ok(200));
        assert_eq!(lab.get(&upstream).await, Ok(200));
        assert_eq!(backend.connections() - before, 1, "{pool}");
        lab.wait_ms(100).await;
        assert_eq!(lab.get(&upstream).await, Ok(200));
        assert_eq!(backend.connections() - before, 2, "{pool}");
    }
}

#[tokio::test]
async fn http1_keeps_no_more_idle_than_it_is_told() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let backend = gated(&lab, &gate).await;
    let upstream = lab.upstream(&backend.endpoint, "pool = { idle = 1 }");
    for expected in [3, 5] {
        let release = async {
            lab.wait_ms(30).await;
            gate.add_permits(3);
        };
        let (answers, ()) = tokio::join!(biased; join_all((0..3).map(|_| lab.get(&upstream))), release);
        assert_eq!(answers, [Ok(200); 3]);
        lab.wait_ms(10).await;
        assert_eq!(backend.connections(), expected);
    }
}

#[tokio::test]
async fn requests_beyond_their_limit_are_refused_at_once() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let backend = gated(&lab, &gate).await;
    for policies in ["pool = { connections = 1, requests = 2 }", "pool = { requests = 2, ramp = 1 }"] {
        let upstream = lab.upstream(&backend.endpoint, policies);
        let release = async {
            lab.wait_ms(30).await;
            gate.add_permits(2);
        };
        let (answers, ()) = tokio::join!(biased; join_all((0..3).map(|_| lab.get(&upstream))), release);
        assert_eq!(answers, [Ok(200), Ok(200), Err(Fault::Overflow)], "{policies}");
    }
}

#[tokio::test]
async fn one_after_the_other_share_a_connection() {
    let lab = Lab::new();
    let backend = lab.backend(hello).await;
    let upstream = lab.upstream(&backend.endpoint, "");
    for _ in 0..20 {
        assert_eq!(lab.get(&upstream).await, Ok(200));
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn at_once_each_has_its_own_and_all_are_kept() {
    let lab = Lab::new();
    let together = Arc::new(Barrier::new(10));
    let barrier = Arc::clone(&together);
    let script = move |request| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            hello(request).await
        }
    };
    let backend = lab.backend(script).await;
    let upstream = lab.upstream(&backend.endpoint, "");
    for _ in 0..3 {
        let answers = join_all((0..10).map(|_| lab.get(&upstream))).await;
        assert!(answers.iter().all(|answer| *answer == Ok(200)));
    }
    assert_eq!(backend.connections(), 10);
}

#[tokio::test]
async fn an_unread_answer_costs_its_connection() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let frames = [Ok(Frame::data(Bytes::from("a"))), Ok(Frame::data(Bytes::from("b")))];
            Response::new(Body::boxed(StreamBody::new(futures_util::stream::iter(frames))))
        })
        .await;
    let upstream = lab.upstream(&backend.endpoint, "");
    let unread = upstream.send(&mut lab.exchange(), request(Method::GET, Body::empty())).await.unwrap();
    drop(unread);
    assert_eq!(lab.get(&upstream).await, Ok(200));
    assert_eq!(backend.connections(), 2);
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let lab = Lab::new();
    let backend = lab.backend(hello).await;
    let upstream = lab.upstream(&backend.endpoint, "pool = { idle_timeout = \"50ms\" }");
    assert_eq!(lab.get(&upstream).await, Ok(200));
    assert_eq!(lab.get(&upstream).await, Ok(200));
    assert_eq!(backend.connections(), 1);
    lab.wait_ms(100).await;
    assert_eq!(lab.get(&upstream).await, Ok(200));
    assert_eq!(backend.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_made_up_for() {
    let lab = Lab::new();
    // Says that it keeps the connection, and closes it: every reuse finds it closed or closing.
    let (endpoint, requests) = lab.curt_backend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let upstream = lab.upstream(&endpoint, "");
    for turn in 1..=50 {
        assert_eq!(lab.get(&upstream).await, Ok(200), "{turn}");
        assert_eq!(requests.load(Ordering::Relaxed), turn);
    }
}

#[tokio::test]
async fn limits_make_requests_wait_and_then_refuse_them() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let script_gate = Arc::clone(&gate);
    let script = move |request| {
        let gate = Arc::clone(&script_gate);
        async move {
            gate.acquire().await.unwrap().forget();
            hello(request).await
        }
    };
    let backend = lab.backend(script).await;
    let upstream = lab.upstream(&backend.endpoint, "pool = { connections = 2, pending = 3 }");
    let requests = join_all((0..10).map(|_| lab.get(&upstream)));
    let release = async {
        lab.wait_ms(20).await;
        gate.add_permits(10);
    };
    let (answers, ()) = tokio::join!(biased; requests, release);
    let overflow = answers.iter().filter(|answer| **answer == Err(Fault::Overflow)).count();
    let ok = answers.iter().filter(|answer| **answer == Ok(200)).count();
    assert_eq!((ok, overflow), (3, 7), "{answers:?}");
    assert_eq!(answers[..3], [Ok(200); 3], "first come, first served");
    assert_eq!(backend.connections(), 2);
}

/// As a real Envoy decides (`envoy-decisions.md`, *Limits*).
#[tokio::test]
async fn who_opens_a_connection_is_pending_too() {
    let lab = Lab::new();
    let backend = lab.backend(hello).await;
    for (pending, passed) in [(5, 5), (0, 0)] {
        for pool in [format!("pending = {pending}"), format!("upstream = {{ pending = {pending} }}")] {
            let policies = format!("pool = {{ {pool} }}");
            let upstreams =
                [lab.upstream(&backend.endpoint, &policies), http2_under(&lab, &backend.endpoint, &policies)];
            for upstream in upstreams {
                let answers = join_all((0..50).map(|_| lab.get(&upstream))).await;
                assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), passed, "{pool}");
                let refused = answers.iter().filter(|answer| **answer == Err(Fault::Overflow)).count();
                assert_eq!(refused, 50 - passed, "{pool}");
            }
        }
    }
}

#[tokio::test]
async fn who_is_pending_for_too_long_is_told_so() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let backend = gated(&lab, &gate).await;
    let policies = "pool = { connections = 1, streams = 1, pending_timeout = \"30ms\" }";
    let upstreams =
        [lab.upstream(&backend.endpoint, policies), http2_under(&lab, &backend.endpoint, policies)];
    for upstream in upstreams {
        let release = async {
            lab.wait_ms(80).await;
            gate.add_permits(1);
        };
        let requests = join_all((0..3).map(|_| lab.get(&upstream)));
        let (answers, ()) = tokio::join!(biased; requests, release);
        let late = Err(Fault::PendingTimeout);
        assert_eq!(answers, [Ok(200), late, late]);
    }
}

/// An upstream of `backends` under `policies`.
fn over(
    lab: &Lab,
    protocol: Protocol,
    backends: &[&crate::lab::Backend],
    policies: &str,
) -> Arc<Upstream<hoplab_proxy::host::live::Live>> {
    let endpoints = backends.iter().map(|backend| backend.endpoint.clone()).collect();
    let config = Config { protocol, settings: settings(policies), ..Config::new("it", endpoints) };
    Upstream::new(lab.host.clone(), &lab.spawner(), config, 0)
}

#[tokio::test]
async fn an_upstream_has_limits_as_a_whole() {
    let lab = Lab::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let gate = Arc::new(Semaphore::new(0));
        let (one, other) = (gated(&lab, &gate).await, gated(&lab, &gate).await);
        let upstream = over(&lab, protocol, &[&one, &other], "pool = { upstream = { requests = 3 } }");
        let release = async {
            lab.wait_ms(50).await;
            gate.add_permits(3);
        };
        let requests = join_all((0..5).map(|_| lab.get(&upstream)));
        let (answers, ()) = tokio::join!(biased; requests, release);
        let overflow = answers.iter().filter(|answer| **answer == Err(Fault::Overflow)).count();
        let ok = answers.iter().filter(|answer| **answer == Ok(200)).count();
        assert_eq!((ok, overflow), (3, 2), "{protocol:?}");
    }
}

#[tokio::test]
async fn connections_of_an_upstream_are_limited_but_every_endpoint_has_one() {
    let lab = Lab::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (most, expected) in [(1, [1, 1, 1]), (3, [1, 1, 1]), (5, [2, 2, 1])] {
            let gate = Arc::new(Semaphore::new(0));
            let backends = [gated(&lab, &gate).await, gated(&lab, &gate).await, gated(&lab, &gate).await];
            let policies = format!(
                "pool = {{ connections = {most}, streams = 1, upstream = {{ connections = {most} }} }}"
            );
            let upstream = over(&lab, protocol, &backends.each_ref(), &policies);
            let release = async {
                lab.wait_ms(100).await;
                gate.add_permits(9);
            };
            let requests = join_all((0..9).map(|_| lab.get(&upstream)));
            let (answers, ()) = tokio::join!(biased; requests, release);
            assert_eq!(answers, [Ok(200); 9], "those who wait are served by what there is");
            let connections = backends.each_ref().map(crate::lab::Backend::connections);
            assert_eq!(connections, expected, "{protocol:?}, {most} at most");
        }
    }
}

#[tokio::test]
async fn requests_that_wait_are_none_of_the_upstreams_requests() {
    let lab = Lab::new();
    let backend = lab.backend(hello).await;
    let policies = "pool = { upstream = { connections = 2, requests = 5 } }";
    let upstream = over(&lab, Protocol::Http1, &[&backend], policies);
    let answers = join_all((0..20).map(|_| lab.get(&upstream))).await;
    assert_eq!((answers, backend.connections()), (vec![Ok(200); 20], 2), "as in Envoy");
}

#[tokio::test]
async fn what_takes_too_long_to_connect_to_is_to_blame_though_a_request_waits_for_less() {
    let lab = Lab::new();
    let policies =
        "pool = { pending_timeout = \"30ms\" }\nconnect_timeout = \"10s\"\nbreaker = { failures = 1 }";
    for protocol in [Protocol::Http1, Protocol::Http2] {
        // A TEST-NET address: nobody is there to refuse it.
        let nobody = hoplab_proxy::host::Endpoint::new("192.0.2.1", 80);
        let mut config = Config { protocol, ..Config::new("it", vec![nobody]) };
        config.settings = settings(policies);
        let upstream = Upstream::new(lab.host.clone(), &lab.spawner(), config, 0);
        let first = lab.get(&upstream).await;
        // Where there is no way there, that is said at once.
        assert!(matches!(first, Err(Fault::ConnectTimeout | Fault::Refused)), "{first:?}");
        assert_eq!(lab.get(&upstream).await, Err(Fault::BreakerOpen));
    }
}

#[tokio::test]
async fn who_waits_for_a_connection_that_others_have_blames_nobody() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let backend = gated(&lab, &gate).await;
    let policies = "pool = { connections = 1, streams = 1 }\nbreaker = { failures = 2 }";
    let upstreams =
        [lab.upstream(&backend.endpoint, policies), http2_under(&lab, &backend.endpoint, policies)];
    for upstream in upstreams {
        let waiting = async {
            lab.wait_ms(30).await;
            join_all((0..4).map(|_| async {
                let mut exchange = lab.exchange();
                exchange.deadline = Some(lab.host.now() + std::time::Duration::from_millis(30));
                upstream.send(&mut exchange, request(Method::GET, Body::empty())).await.err()
            }))
            .await
        };
        let release = async {
            lab.wait_ms(150).await;
            gate.add_permits(2);
        };
        let (served, late, ()) = tokio::join!(biased; lab.get(&upstream), waiting, release);
        assert_eq!((served, late), (Ok(200), vec![Some(Fault::Timeout); 4]));
        assert_eq!(lab.get(&upstream).await, Ok(200));
    }
}

#[tokio::test]
async fn what_one_endpoint_frees_another_may_have() {
    let lab = Lab::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (gate, other_gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (one, other) = (gated(&lab, &gate).await, gated(&lab, &other_gate).await);
        let policies = "pool = { connections = 2, streams = 1, requests_per_connection = 1, upstream = { connections = 2 } }";
        let upstream = over(&lab, protocol, &[&one, &other], policies);
        // One each; the third and the fourth wait. The first endpoint's connection closes with its request, and the
        // second's second request is waiting for it, as the first's is for its own.
        let release = async {
            lab.wait_ms(50).await;
            assert_eq!((one.connections(), other.connections()), (1, 1));
            gate.add_permits(2);
            lab.wait_ms(50).await;
            assert_eq!((one.connections(), other.connections()), (2, 2), "{protocol:?}");
            other_gate.add_permits(2);
        };
        let requests = join_all((0..4).map(|_| lab.get(&upstream)));
        let (answers, ()) = tokio::join!(biased; requests, release);
        assert_eq!(answers, [Ok(200); 4]);
    }
}

#[tokio::test]
async fn http2_shares_one_connection_from_the_first_request_on() {
    let lab = Lab::new();
    let backend = lab.backend(hello).await;
    let upstream = http2(&lab, &backend.endpoint);
    for _ in 0..3 {
        let answers = join_all((0..100).map(|_| lab.get(&upstream))).await;
        assert!(answers.iter().all(|answer| *answer == Ok(200)));
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn http2_says_goodbye_and_the_next_request_finds_another_way() {
    let lab = Lab::new();
    let gate = Arc::new(Semaphore::new(0));
    let script_gate = Arc::clone(&gate);
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let script = move |request: Request<Body>| {
        let (gate, arrived) = (Arc::clone(&script_gate), arrived.clone());
        async move {
            arrived.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            hello(request).await
        }
    };
    let mut leaving = lab.backend(script).await;
    let staying = lab.backend(hello).await;
    let endpoints = vec![leaving.endpoint.clone(), staying.endpoint.clone()];
    let mut config = Config { protocol: Protocol::Http2, ..Config::new("it", endpoints) };
    config.settings = settings("retry = { attempts = 2 }");
    let upstream = Upstream::new(lab.host.clone(), &lab.spawner(), config, 0);
    let in_flight = lab.get(&upstream);
    let meanwhile = async {
        arrivals.recv().await.unwrap();
        let draining = leaving.drain();
        let others = async {
            lab.wait_ms(20).await;
            for _ in 0..10 {
                assert_eq!(lab.get(&upstream).await, Ok(200));
            }
            gate.add_permits(1);
        };
        tokio::join!(biased; draining, others)
    };
    let (answer, (drained, ())) = tokio::join!(biased; in_flight, meanwhile);
    assert_eq!((answer, drained), (Ok(200), Drained::Clean));
    assert_eq!((leaving.connections(), staying.connections()), (1, 1));
}

#[tokio::test]
async fn http2_survives_thousands_of_answers_that_nobody_waits_for() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let frames = (0..16).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 16 * 1024]))));
            Response::new(Body::boxed(StreamBody::new(futures_util::stream::iter(frames))))
        })
        .await;
    let upstream = http2(&lab, &backend.endpoint);
    for _ in 0..3_000 {
        let answer = upstream.send(&mut lab.exchange(), request(Method::GET, Body::empty())).await.unwrap();
        drop(answer);
    }
    let answer = upstream.send(&mut lab.exchange(), request(Method::GET, Body::empty())).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 256 * 1024);
    assert_eq!(backend.connections(), 1);
}
