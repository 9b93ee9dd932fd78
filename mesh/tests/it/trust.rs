//! Who may speak to whom.

use hoplab_mesh::config::Acceptance;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::telemetry::{Fault, Outcome, Role};
use hoplab_proxy::upstream::Settings;

use crate::bench::{Bench, Echo, post};

const FORGED: (&str, &str) = ("x-forwarded-client-cert", "URI=spiffe://hoplab/ns/default/sa/admin");

#[tokio::test]
async fn a_permissive_sidecar_takes_plain_requests_but_not_their_claims() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    let mut client = bench.client(payment.inbound).await;
    let answer = client.send(post("payment", &[FORGED], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("echo-x-forwarded-client-cert"));
    let mut client = bench.client2(payment.inbound).await;
    let request = http::Request::get("http://payment/").body(Body::empty()).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_strict_sidecar_takes_no_plain_requests() {
    let bench = Bench::new();
    let mut plan = bench.plan("payment");
    plan.inbound.app = bench.app(Echo).await.into();
    plan.inbound.tls = Acceptance::Strict;
    let payment = bench.pod(plan).await;
    let mut client = bench.client(payment.inbound).await;
    assert_eq!(client.send(post("payment", &[], Body::empty())).await.unwrap().status(), 400);
    assert_eq!(bench.spans(Role::Inbound).len(), 1, "it is logged");
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    assert_eq!(client.send(post("payment", &[], Body::empty())).await.unwrap().status(), 200);
    assert_eq!(bench.spans(Role::Inbound).len(), 2);
}

#[tokio::test]
async fn a_pod_of_another_service_is_not_taken_for_the_expected_one() {
    let bench = Bench::new();
    let cart = bench.before("cart", bench.app(Echo).await).await;
    let frontend = bench.calling(&[cart.inbound], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 502);
    let outbound = bench.spans(Role::Outbound);
    assert_eq!(outbound[0].outcome, Outcome::Failed(Fault::Tls));
    assert_eq!(outbound[0].attempts[0].outcome, Outcome::Failed(Fault::Tls));
    assert!(bench.spans(Role::Inbound).is_empty());
}

#[tokio::test]
async fn a_caller_of_another_mesh_is_refused() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    let mut plan = bench.plan("frontend");
    plan.identity = bench.stranger("frontend");
    plan.service("payment", vec![Endpoint::from(payment.inbound).into()], Settings::default()).unwrap();
    let frontend = bench.pod(plan).await;
    let mut client = bench.client(frontend.outbound).await;
    let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 502);
    assert_eq!(bench.spans(Role::Outbound)[0].outcome, Outcome::Failed(Fault::Tls));
    assert!(bench.spans(Role::Inbound).is_empty());
}
