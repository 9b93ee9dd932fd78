//! How sidecars end: in order, when told to; at once, when dropped.

use std::sync::Arc;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::server::{Connection, Handler};
use hoplab_proxy::telemetry::Role;
use hoplab_proxy::upstream::Settings;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::Notify;

use crate::bench::{Bench, Echo, post, settings};

/// Says that it was asked, and answers when it is told to.
#[derive(Default)]
struct Patient {
    asked: Notify,
    told: Notify,
}

struct Waiting(Arc<Patient>);

impl Handler for Waiting {
    async fn handle(self: Arc<Self>, request: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        self.0.asked.notify_one();
        self.0.told.notified().await;
        Response::new(request.into_body())
    }
}

#[tokio::test]
async fn what_is_in_flight_is_finished() {
    let bench = Bench::new();
    let patient = Arc::new(Patient::default());
    let mut payment = bench.before("payment", bench.app(Waiting(Arc::clone(&patient))).await).await;
    let mut frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    let request = client.send(post("payment", &[], Body::from(Bytes::from("42"))));
    let stopping = async {
        patient.asked.notified().await;
        payment.stop();
        frontend.stop();
        // The ports are closed first: whoever sees that knows that the sidecars are stopping.
        while bench.host.connect(&payment.inbound.into()).await.is_ok() {}
        patient.told.notify_one();
    };
    let (answer, ()) = tokio::join!(request, stopping);
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "42");
    payment.ended().await;
    frontend.ended().await;
}

/// Answers with what another service answers, once it is told to ask.
struct Asking {
    patient: Arc<Patient>,
    bench: Arc<Bench>,
    outbound: Arc<std::sync::OnceLock<std::net::SocketAddr>>,
}

impl Handler for Asking {
    async fn handle(self: Arc<Self>, _: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        self.patient.asked.notify_one();
        self.patient.told.notified().await;
        let mut client = self.bench.client(*self.outbound.get().unwrap()).await;
        let answer = client.send(post("stock", &[], Body::empty())).await.unwrap();
        answer.map(Body::answer)
    }
}

#[tokio::test]
async fn an_app_can_still_call_others_while_its_sidecar_drains() {
    let bench = Arc::new(Bench::new());
    let stock = bench.before("stock", bench.app(Echo).await).await;
    let patient = Arc::new(Patient::default());
    let outbound = Arc::default();
    let asking =
        Asking { patient: Arc::clone(&patient), bench: Arc::clone(&bench), outbound: Arc::clone(&outbound) };
    let mut plan = bench.plan("payment");
    plan.inbound.app = bench.app(asking).await.into();
    plan.service("stock", vec![Endpoint::from(stock.inbound).into()], Settings::default()).unwrap();
    let mut payment = bench.pod(plan).await;
    outbound.set(payment.outbound).unwrap();

    let mut client = bench.client(payment.inbound).await;
    let request = client.send(post("payment", &[], Body::empty()));
    let stopping = async {
        patient.asked.notified().await;
        payment.stop();
        while bench.host.connect(&payment.inbound.into()).await.is_ok() {}
        patient.told.notify_one();
    };
    let (answer, ()) = tokio::join!(request, stopping);
    assert_eq!(answer.unwrap().status(), 200);
    payment.ended().await;
    assert!(bench.host.connect(&payment.outbound.into()).await.is_err());
}

#[tokio::test]
async fn a_crash_ends_everything_at_once() {
    let bench = Bench::new();
    let patient = Arc::new(Patient::default());
    let payment = bench.before("payment", bench.app(Waiting(Arc::clone(&patient))).await).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let (inbound, outbound) = (payment.inbound, frontend.outbound);
    let mut client = bench.client(outbound).await;
    let request = client.send(post("payment", &[], Body::empty()));
    let crash = async {
        patient.asked.notified().await;
        drop(payment);
    };
    let (answer, ()) = tokio::join!(request, crash);
    assert_eq!(answer.unwrap().status(), 502);
    assert!(bench.host.connect(&inbound.into()).await.is_err());
    drop(frontend);
    assert!(bench.host.connect(&outbound.into()).await.is_err());
    assert!(client.send(post("payment", &[], Body::empty())).await.is_err());
    assert_eq!(bench.spans(Role::Inbound).len(), 1, "what was cut is reported too");
}

#[tokio::test]
async fn while_a_pod_drains_new_requests_go_to_another() {
    let bench = Bench::new();
    let patient = Arc::new(Patient::default());
    let mut leaving = bench.before("payment", bench.app(Waiting(Arc::clone(&patient))).await).await;
    let staying = bench.before("payment", bench.app(Echo).await).await;
    let retry = "retry = { attempts = 1, on = [\"connect-failure\"], backoff = \"1ms..1ms\" }";
    let policies = settings(retry);
    let frontend = bench.calling(&[leaving.inbound, staying.inbound], policies).await;
    // Both pods are asked once, so that both have a connection; one of them does not answer yet.
    let mut clients = [bench.client(frontend.outbound).await, bench.client(frontend.outbound).await];
    let [first, second] = &mut clients;
    let body = || Body::from(Bytes::from("42"));
    let asked = futures_util::future::join(
        first.send(post("payment", &[], body())),
        second.send(post("payment", &[], body())),
    );
    let draining = async {
        patient.asked.notified().await;
        leaving.stop();
        while bench.host.connect(&leaving.inbound.into()).await.is_ok() {}
        let mut client = bench.client(frontend.outbound).await;
        for _ in 0..6 {
            let answer = client.send(post("payment", &[], body())).await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "42");
        }
        patient.told.notify_one();
    };
    let ((first, second), ()) = tokio::join!(asked, draining);
    assert_eq!(
        (first.unwrap().status(), second.unwrap().status()),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
    leaving.ended().await;
}
