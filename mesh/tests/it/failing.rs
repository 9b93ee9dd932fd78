//! What the mesh does about pods that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::server::{Connection, Handler};
use hoplab_proxy::telemetry::{Fault, Outcome, Role};
use hoplab_proxy::upstream::settings::Retries;
use hoplab_proxy::upstream::{Policies, Settings};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::bench::{ANY_PORT, Bench, Echo, post, settings};

/// An address where nobody listens.
async fn nobody(bench: &Bench) -> std::net::SocketAddr {
    bench.host.bind(ANY_PORT).await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_pod_that_refuses_is_replaced_by_another() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    let retry = settings("retry = { attempts = 1, on = [\"connect-failure\"], backoff = \"1ms..1ms\" }");
    let frontend = bench.calling(&[nobody(&bench).await, payment.inbound], retry).await;
    let mut client = bench.client(frontend.outbound).await;
    for _ in 0..4 {
        let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let (good, refused) = (Outcome::Answered(200), Outcome::Failed(Fault::Refused));
    let mut retried = 0;
    for span in bench.spans(Role::Outbound) {
        let outcomes: Vec<_> = span.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert!(outcomes == [good] || outcomes == [refused, good], "{outcomes:?}");
        retried += usize::from(outcomes.len() == 2);
    }
    assert!(retried > 0);
}

#[tokio::test]
async fn without_retries_a_refusal_is_told() {
    let bench = Bench::new();
    let frontend = bench.calling(&[nobody(&bench).await], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(bench.spans(Role::Outbound)[0].outcome, Outcome::Failed(Fault::Refused));
}

#[tokio::test]
async fn an_app_that_is_gone_is_told_by_its_own_sidecar_and_not_retried_there() {
    let bench = Bench::new();
    let payment = bench.before("payment", nobody(&bench).await).await;
    let retry =
        settings("retry = { attempts = 2, on = [\"503\"], backoff = \"1ms..1ms\", methods = [\"POST\"] }");
    let frontend = bench.calling(&[payment.inbound], retry).await;
    let mut client = bench.client(frontend.outbound).await;
    let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(bench.spans(Role::Outbound)[0].attempts.len(), 3);
    let inbound = bench.spans(Role::Inbound);
    assert_eq!(inbound.len(), 3);
    assert!(inbound.iter().all(|span| span.attempts.len() == 1));
}

/// Fails, counting how often it was asked.
struct Failing(Arc<AtomicU32>);

impl Handler for Failing {
    async fn handle(self: Arc<Self>, _: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Response::builder().status(500).body(Body::empty()).unwrap()
    }
}

#[tokio::test]
async fn a_breaker_spares_a_failing_pod() {
    let bench = Bench::new();
    let asked = Arc::new(AtomicU32::new(0));
    let payment = bench.before("payment", bench.app(Failing(Arc::clone(&asked))).await).await;
    let breaker = settings("breaker = { failures = 3, open_for = \"1h\" }");
    let frontend = bench.calling(&[payment.inbound], breaker).await;
    let mut client = bench.client(frontend.outbound).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(client.send(post("payment", &[], Body::empty())).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [500, 500, 500, 503, 503]);
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_pod_that_starts_anew_is_connected_to_anew() {
    let bench = Bench::new();
    let app = bench.app(Echo).await;
    let first = bench.before("payment", app).await;
    let address = first.inbound;
    let frontend = bench.calling(&[address], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    assert_eq!(client.send(post("payment", &[], Body::empty())).await.unwrap().status(), 200);
    drop(first);
    // What was dropped is gone once the runtime has come round to it.
    while bench.host.connect(&address.into()).await.is_ok() {}
    let mut plan = bench.plan("payment");
    plan.inbound.app = app.into();
    plan.inbound.listen = address;
    let _second = bench.pod(plan).await;
    let answer = client.send(Request::get("/").header("host", "payment").body(Body::empty()).unwrap());
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[tokio::test]
async fn content_is_limited_before_the_app() {
    let bench = Bench::new();
    let mut plan = bench.plan("payment");
    plan.inbound.app = bench.app(Echo).await.into();
    plan.inbound.limits.size.content = Some(10);
    let payment = bench.pod(plan).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    for (length, status) in [(10, 200), (11, 413)] {
        let told = Body::from(Bytes::from(vec![b'x'; length]));
        let frames = vec![b'x'; length].into_iter().map(|byte| Ok(Frame::data(Bytes::from(vec![byte]))));
        let untold = Body::boxed(StreamBody::new(futures_util::stream::iter(frames)));
        for (content, attempts) in [(told, 0), (untold, 1)] {
            let mut client = bench.client(frontend.outbound).await;
            let answer = client.send(post("payment", &[], content)).await.unwrap();
            assert_eq!(answer.status(), status, "{length}");
            if status == 413 {
                let inbound = bench.spans(Role::Inbound);
                let span = inbound.last().unwrap();
                assert_eq!(span.outcome, Outcome::Failed(Fault::ContentTooLarge));
                assert_eq!(span.attempts.len(), attempts);
            }
        }
    }
}

#[tokio::test]
async fn a_sidecar_may_ask_its_own_app_again() {
    let bench = Bench::new();
    let app = nobody(&bench).await;
    for (retry, attempts) in
        [("", 1), ("retry = { attempts = 2, on = [\"reset-before-request\"], backoff = \"0ms..1ms\" }", 3)]
    {
        let mut plan = bench.plan("payment");
        plan.inbound.app = app.into();
        plan.inbound.retry = retries(retry);
        let payment = bench.pod(plan).await;
        let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
        let mut client = bench.client(frontend.outbound).await;
        let answer = client.send(post("payment", &[], Body::from(Bytes::from("42")))).await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(bench.spans(Role::Inbound).last().unwrap().attempts.len(), attempts);
        assert_eq!(bench.spans(Role::Outbound).last().unwrap().attempts.len(), 1, "callers do as they did");
    }
}

fn retries(text: &str) -> Option<Retries> {
    let policies: Policies = hoplab_config::read("test.toml", text).unwrap();
    policies.retry.map(|retry| retry.resolve_alone().unwrap())
}
