//! Endpoints that stand out, and endpoints that are asked whether they are well: who is used, and what is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::telemetry::{Decision, Fault, Report};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::lab::Lab;

const GET: &str = "GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";

fn answer(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

/// A backend that is well while the switch is on, its health checks included, and a count of the latter.
async fn moody(lab: &Lab) -> (Endpoint, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (well, checks) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (switch, count) = (Arc::clone(&well), Arc::clone(&checks));
    let endpoint = lab
        .backend(move |request: Request<Body>| {
            let path = request.uri().path() == "/healthz";
            assert!(!path || !request.headers().contains_key("traceparent"), "a check is no request");
            count.fetch_add(usize::from(path), Ordering::Relaxed);
            let well = switch.load(Ordering::Relaxed);
            async move { answer(if well { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }) }
        })
        .await;
    (endpoint, well, checks)
}

/// What was decided about endpoints so far.
fn moves(lab: &Lab) -> Vec<(Decision, String)> {
    let policy = |report| if let Report::Policy(event) = report { Some(event) } else { None };
    let events = lab.reports().into_iter().filter_map(policy);
    events.filter_map(|event| Some((event.decision, event.endpoint?.to_string()))).collect()
}

/// Waits until `decision` was made about `endpoint`.
async fn decided(lab: &Lab, decision: Decision, endpoint: &Endpoint) {
    let wanted = (decision, endpoint.to_string());
    let give_up = lab.host.now() + Duration::from_secs(5);
    while !moves(lab).contains(&wanted) {
        assert!(lab.host.now() < give_up, "{wanted:?} is not among {:?}", moves(lab));
        lab.wait_ms(5).await;
    }
}

#[tokio::test]
async fn one_that_fails_is_ejected_for_a_while_but_not_both() {
    let lab = Lab::new();
    let (bad, well, _) = moody(&lab).await;
    let (worse, never_well, _) = moody(&lab).await;
    well.store(false, Ordering::Relaxed);
    never_well.store(false, Ordering::Relaxed);
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{bad}\", \"{worse}\"]\n\
             outlier = {{ consecutive_5xx = 2, base_ejection = \"300ms\", max_ejected = \"50%\" }}"
        ))
        .await;
    for _ in 0..12 {
        assert_eq!(status(&gateway.exchange(GET).await), "500", "one is always there to ask");
    }
    let moved = moves(&lab);
    let [(Decision::Ejected, ejected), refused @ ..] = &moved[..] else { panic!("{moved:?}") };
    let is_refused = |(decision, endpoint): &(Decision, String)| {
        *decision == Decision::EjectionRefused && endpoint != ejected
    };
    assert!(!refused.is_empty() && refused.iter().all(is_refused), "{moved:?}");
    let endpoint = if *ejected == bad.to_string() { &bad } else { &worse };
    well.store(true, Ordering::Relaxed);
    never_well.store(true, Ordering::Relaxed);
    decided(&lab, Decision::Readmitted, endpoint).await;
    assert_eq!(moves(&lab).len(), moved.len() + 1);
}

#[tokio::test]
async fn who_waits_for_an_ejected_endpoint_is_woken_when_it_is_readmitted() {
    let lab = Lab::new();
    let (backend, well, _) = moody(&lab).await;
    well.store(false, Ordering::Relaxed);
    let outlier = "outlier = { consecutive_5xx = 1, base_ejection = \"200ms\", max_ejected = \"100%\" }";
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\n{outlier}\nqueue = {{ failfast = \"5s\" }}"
        ))
        .await;
    assert_eq!(status(&gateway.exchange(GET).await), "500");
    well.store(true, Ordering::Relaxed);
    let ejected = lab.host.now();
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    let waited = lab.host.now() - ejected;
    assert!((150..2_000).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test]
async fn checks_over_http_bar_one_that_is_down_and_admit_it_again() {
    let lab = Lab::new();
    let (good, _, _) = moody(&lab).await;
    let (moody, well, checks) = moody(&lab).await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{good}\", \"{moody}\"]\n\
             health = {{ http = \"/healthz\", interval = \"20ms\", expect = [\"200\"] }}"
        ))
        .await;
    well.store(false, Ordering::Relaxed);
    decided(&lab, Decision::Unhealthy, &moody).await;
    for _ in 0..4 {
        assert_eq!(status(&gateway.exchange(GET).await), "200");
    }
    well.store(true, Ordering::Relaxed);
    decided(&lab, Decision::Healthy, &moody).await;
    assert!(checks.load(Ordering::Relaxed) >= 5, "three failed and two passed");
    let about_checks = |span: &hoplab_proxy::telemetry::Span| span.attempts.is_empty();
    assert!(!lab.spans().iter().any(about_checks), "checks have no spans");
}

#[tokio::test]
async fn a_check_that_passes_ends_an_ejection_only_where_it_shall() {
    for (unejects, expected) in [(true, "200"), (false, "503")] {
        let lab = Lab::new();
        let backend = lab
            .backend(async |request: Request<Body>| {
                let path = request.uri().path();
                answer(if path == "/bad" { StatusCode::BAD_GATEWAY } else { StatusCode::OK })
            })
            .await;
        let gateway = lab
            .gateway(&format!(
                "[upstreams.it]\nendpoints = [\"{backend}\"]\n\
                 outlier = {{ consecutive_5xx = 1, max_ejected = \"100%\" }}\n\
                 health = {{ http = \"/healthz\", interval = \"20ms\", unejects = {unejects} }}"
            ))
            .await;
        let bad = "GET /bad HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";
        assert_eq!(status(&gateway.exchange(bad).await), "502");
        if unejects {
            decided(&lab, Decision::Readmitted, &backend).await;
        } else {
            lab.wait_ms(100).await;
        }
        assert_eq!(status(&gateway.exchange(GET).await), expected);
    }
}

#[tokio::test]
async fn checks_over_tcp_ask_whether_anyone_listens() {
    let lab = Lab::new();
    let (up, _, _) = moody(&lab).await;
    // Port 1 is reserved and nobody listens there.
    let down = Endpoint::from("127.0.0.1:1".parse::<std::net::SocketAddr>().unwrap());
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{up}\", \"{down}\"]\n\
             health = {{ tcp = true, interval = \"20ms\", initial = \"unhealthy\" }}"
        ))
        .await;
    decided(&lab, Decision::Healthy, &up).await;
    for _ in 0..4 {
        assert_eq!(status(&gateway.exchange(GET).await), "200");
    }
    assert!(!moves(&lab).iter().any(|(_, endpoint)| *endpoint == down.to_string()), "it was never up");
}

#[tokio::test]
async fn checks_over_grpc_ask_about_a_service() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let content = request.into_body().collect().await.unwrap().to_bytes();
            let is_cart = content.ends_with(b"\x0a\x04cart");
            if path != "/grpc.health.v1.Health/Check" || !is_cart {
                let mut unknown = answer(StatusCode::OK);
                unknown.headers_mut().insert("grpc-status", HeaderValue::from_static("5"));
                return unknown;
            }
            let trailers =
                HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
            let serving = Full::new(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]));
            let content = serving.with_trailers(async { Some(Ok(trailers)) });
            Response::new(Body::boxed(content.map_err(|_| Fault::Reset)))
        })
        .await;
    let _gateway = lab
        .gateway(&format!(
            "defaults = {{ health = {{ interval = \"20ms\", initial = \"unhealthy\" }} }}\n\
             [upstreams.cart]\nendpoints = [\"{backend}\"]\nhealth = {{ grpc = \"cart\" }}\n\
             [upstreams.other]\nendpoints = [\"{backend}\"]\nhealth = {{ grpc = \"\" }}"
        ))
        .await;
    decided(&lab, Decision::Healthy, &backend).await;
    lab.wait_ms(100).await;
    assert_eq!(moves(&lab).len(), 1, "the other service is not known there");
}
