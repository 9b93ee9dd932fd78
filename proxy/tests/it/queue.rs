//! The queue with failfast: who waits when no endpoint is usable, for how long, and who hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use hoplab_proxy::body::Body;
use hoplab_proxy::telemetry::Fault;
use http::{Request, Response, StatusCode};

use crate::lab::{Backend, Lab};

/// A server that fails until it is told otherwise.
async fn moody(lab: &Lab) -> (Backend, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let script_well = Arc::clone(&well);
    let script = move |_: Request<Body>| {
        let mut answer = Response::new(Body::from(Bytes::from("hello")));
        if !script_well.load(Ordering::Relaxed) {
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        async move { answer }
    };
    (lab.backend(script).await, well)
}

#[tokio::test]
async fn requests_wait_for_a_breaker_that_closes() {
    let lab = Lab::new();
    let (backend, well) = moody(&lab).await;
    let upstream = lab.upstream(
        &backend.endpoint,
        "breaker = { failures = 1, open_for = \"50ms\" }\nqueue = { length = 3, failfast = \"10s\" }",
    );
    assert_eq!(lab.get(&upstream).await, Ok(500));
    well.store(true, Ordering::Relaxed);
    let answers = join_all((0..5).map(|_| lab.get(&upstream))).await;
    let overflow = Err(Fault::Overflow);
    assert_eq!(answers, [Ok(200), Ok(200), Ok(200), overflow, overflow]);
}

#[tokio::test]
async fn each_waits_no_longer_than_it_may() {
    let lab = Lab::new();
    let (backend, _) = moody(&lab).await;
    let upstream = lab.upstream(
        &backend.endpoint,
        "breaker = { failures = 1, open_for = \"10s\" }\nqueue = { failfast = \"10s\", timeout = \"50ms\" }",
    );
    assert_eq!(lab.get(&upstream).await, Ok(500));
    let before = lab.now_ms();
    let answers = join_all((0..3).map(|_| lab.get(&upstream))).await;
    assert_eq!(answers, [Err(Fault::PendingTimeout); 3]);
    assert!((40..1_000).contains(&(lab.now_ms() - before)));
}

#[tokio::test]
async fn without_patience_left_all_fail_until_an_endpoint_is_usable() {
    let lab = Lab::new();
    let (backend, well) = moody(&lab).await;
    let upstream = lab.upstream(
        &backend.endpoint,
        "breaker = { failures = 1, open_for = \"150ms\" }\nqueue = { failfast = \"50ms\" }",
    );
    assert_eq!(lab.get(&upstream).await, Ok(500));
    let answers = join_all((0..5).map(|_| lab.get(&upstream))).await;
    assert_eq!(answers, [Err(Fault::Failfast); 5]);
    let before = lab.now_ms();
    assert_eq!(lab.get(&upstream).await, Err(Fault::Failfast), "at once");
    assert!(lab.now_ms() < before + 40);
    well.store(true, Ordering::Relaxed);
    lab.wait_ms(150).await;
    assert_eq!(lab.get(&upstream).await, Ok(200));
}

#[tokio::test]
async fn a_deadline_ends_the_wait() {
    let lab = Lab::new();
    let (backend, _) = moody(&lab).await;
    let upstream = lab.upstream(
        &backend.endpoint,
        "timeout = \"50ms\"\nbreaker = { failures = 1 }\nqueue = { failfast = \"10s\" }",
    );
    assert_eq!(lab.get(&upstream).await, Ok(500));
    assert_eq!(lab.get(&upstream).await, Err(Fault::Timeout));
}
