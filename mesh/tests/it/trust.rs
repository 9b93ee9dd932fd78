//! Who may speak to whom.

use hoplab_mesh::config::{Acceptance, Protection};
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::telemetry::{Fault, Outcome, Role};
use hoplab_proxy::upstream::{Protocol, Settings};
use http::HeaderValue;

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

#[tokio::test]
async fn a_sidecar_may_speak_to_others_in_the_clear() {
    let bench = Bench::new();
    let mut plan = bench.plan("payment");
    plan.inbound.app = bench.app(Echo).await.into();
    plan.inbound.tls = Acceptance::Strict;
    let strict = bench.pod(plan).await;
    let open = bench.before("payment", bench.app(Echo).await).await;
    // Who is strict says 400 in HTTP/1.1, whatever is spoken.
    for (protocol, via, refused) in
        [(Some(Protocol::Http1), "1.1", 400), (Some(Protocol::Http2), "2", 502), (None, "2", 502)]
    {
        for (payment, status) in [(&open, 200), (&strict, refused)] {
            let mut plan = bench.plan("frontend");
            plan.outbound_tls = Protection::None;
            let endpoints = vec![Endpoint::from(payment.inbound).into()];
            plan.service("payment", endpoints, Settings { protocol, ..Settings::default() }).unwrap();
            let frontend = bench.pod(plan).await;
            let mut client = bench.client(frontend.outbound).await;
            let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
            assert_eq!(answer.status(), status, "{protocol:?}");
            if status == 200 {
                assert!(!answer.headers().contains_key("echo-x-forwarded-client-cert"));
                let vias: Vec<_> =
                    answer.headers().get_all("echo-via").iter().map(HeaderValue::as_bytes).collect();
                let told = format!("1.1 hoplab-sidecar, {via} hoplab-sidecar");
                assert_eq!(vias.join(&b", "[..]), told.as_bytes(), "{protocol:?}");
            }
        }
    }
}
