//! Several workers, each of which has connections of its own, and limits that count for all of them.

use std::sync::Arc;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Host;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::telemetry::Report;
use hoplab_proxy::telemetry::gauges::{EndpointGauge, Gauge};
use http::{Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use crate::lab::{Lab, Running, read_answer};

/// A gateway whose backend holds requests for `/held` until the gate gives one more.
async fn gated(lab: &Lab, policies: &str) -> (Running, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let backend = lab
        .backend(move |request: Request<Body>| {
            let held = Arc::clone(&held);
            async move {
                if request.uri().path() == "/held" {
                    held.acquire().await.unwrap().forget();
                }
                Response::new(Body::from(Bytes::from("text")))
            }
        })
        .await;
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\n{policies}\n")).await;
    (gateway, gate)
}

/// A caller, by its connection.
struct Caller(<Live as Host>::Stream);

impl Caller {
    async fn send(&mut self, path: &str) {
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nHost: it\r\n\r\n").as_bytes()).await.unwrap();
    }

    async fn answered(&mut self) -> String {
        read_answer(&mut self.0).await.split(' ').nth(1).unwrap().to_owned()
    }

    async fn get(&mut self, path: &str) -> String {
        self.send(path).await;
        self.answered().await
    }
}

/// Callers, each of which has asked once, so that their connections are accepted in this order.
async fn callers(gateway: &Running, count: usize) -> Vec<Caller> {
    let mut callers = Vec::new();
    for _ in 0..count {
        let mut caller = Caller(gateway.connect().await);
        assert_eq!(caller.get("/").await, "200");
        callers.push(caller);
    }
    callers
}

fn gauge(lab: &Lab) -> EndpointGauge {
    let read =
        |report| if let Report::Gauges(gauges) = report { Some(gauges.upgrade()?.read()) } else { None };
    let mut gauges = lab.reports().into_iter().filter_map(read).flatten();
    gauges.find_map(|gauge| if let Gauge::Endpoint(gauge) = gauge { Some(gauge) } else { None }).unwrap()
}

/// Waits until the endpoint has so many requests on it, and so many that wait.
async fn has(lab: &Lab, in_flight: u32, pending: u32) {
    let reached = async {
        while (gauge(lab).in_flight, gauge(lab).pending) != (in_flight, pending) {
            lab.wait_ms(2).await;
        }
    };
    assert!(lab.patiently(reached).await.is_some(), "{:?}", gauge(lab));
}

#[tokio::test]
async fn each_worker_has_connections_of_its_own() {
    for protocol in ["http1", "http2"] {
        for (workers, count, connections) in [(1, 4, 1), (2, 1, 1), (2, 4, 2), (3, 4, 3)] {
            let lab = Lab::new();
            let policies = format!("protocol = \"{protocol}\"\npool = {{ workers = {workers} }}");
            let (gateway, _) = gated(&lab, &policies).await;
            for caller in &mut callers(&gateway, count).await {
                assert_eq!(caller.get("/").await, "200");
            }
            assert_eq!(
                gauge(&lab).connections,
                connections,
                "{protocol}, {workers} workers, {count} callers"
            );
        }
    }
}

#[tokio::test]
async fn who_waits_waits_for_its_own_worker() {
    let lab = Lab::new();
    let (gateway, gate) = gated(&lab, "pool = { workers = 2, connections = 2 }").await;
    let mut callers = callers(&gateway, 4).await;
    // Both workers have a connection, and no other may be opened.
    for (number, (in_flight, pending)) in [(1, 0), (2, 0), (2, 1), (2, 2)].into_iter().enumerate() {
        callers[number].send("/held").await;
        has(&lab, in_flight, pending).await;
    }
    assert_eq!(gauge(&lab).connections, 2);
    gate.add_permits(2);
    for number in [0, 1] {
        assert_eq!(callers[number].answered().await, "200");
    }
    has(&lab, 2, 0).await;
    // The third has the connection of the first, the fourth that of the second.
    gate.add_permits(2);
    for number in [2, 3] {
        assert_eq!(callers[number].answered().await, "200");
    }
    assert_eq!(gauge(&lab).connections, 2);
}

#[tokio::test]
async fn a_worker_that_has_none_opens_one_in_any_case_and_no_other() {
    let lab = Lab::new();
    let (gateway, gate) = gated(&lab, "pool = { workers = 2, connections = 1 }").await;
    let mut callers = callers(&gateway, 4).await;
    assert_eq!(gauge(&lab).connections, 2, "one each");
    callers[0].send("/held").await;
    has(&lab, 1, 0).await;
    callers[2].send("/held").await;
    has(&lab, 1, 1).await;
    // It waits although the other worker's connection is idle, over which others go.
    assert_eq!(callers[1].get("/").await, "200");
    has(&lab, 1, 1).await;
    callers[3].send("/held").await;
    has(&lab, 2, 1).await;
    assert_eq!(gauge(&lab).connections, 2);
    gate.add_permits(3);
    for number in [0, 2, 3] {
        assert_eq!(callers[number].answered().await, "200");
    }
    assert_eq!(gauge(&lab).connections, 2);
}

#[tokio::test]
async fn requests_are_limited_for_all_workers_together() {
    for (limit, held) in [("requests = 2", 2), ("connections = 1, pending = 1", 3)] {
        let lab = Lab::new();
        let (gateway, gate) = gated(&lab, &format!("pool = {{ workers = 2, {limit} }}")).await;
        let mut callers = callers(&gateway, 4).await;
        for (number, caller) in callers.iter_mut().enumerate().take(held) {
            caller.send("/held").await;
            let in_flight = u32::try_from(number + 1).unwrap();
            has(&lab, in_flight.min(2), in_flight.saturating_sub(2)).await;
        }
        assert_eq!(callers[3].get("/").await, "503", "{limit}");
        gate.add_permits(held);
        for caller in &mut callers[..held] {
            assert_eq!(caller.answered().await, "200");
        }
    }
}

#[tokio::test]
async fn each_worker_keeps_its_own_idle_connections() {
    for (workers, connections) in [(1, 1), (2, 2)] {
        let lab = Lab::new();
        let (gateway, gate) = gated(&lab, &format!("pool = {{ workers = {workers}, idle = 1 }}")).await;
        let mut callers = callers(&gateway, 4).await;
        for (caller, in_flight) in callers.iter_mut().zip(1..) {
            caller.send("/held").await;
            has(&lab, in_flight, 0).await;
        }
        gate.add_permits(4);
        for caller in &mut callers {
            assert_eq!(caller.answered().await, "200");
        }
        let kept = async {
            while gauge(&lab).connections != connections {
                lab.wait_ms(2).await;
            }
        };
        assert!(lab.patiently(kept).await.is_some(), "{:?}", gauge(&lab));
    }
}
