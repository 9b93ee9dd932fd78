//! Keys that choose another system's way: what they change, and what is so without them. (`envoy` holds the same keys
//! against a real Envoy.)

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::telemetry::gauges::{EndpointGauge, Gauge};
use hoplab_proxy::telemetry::{BreakerState, Decision, Report};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::lab::{Lab, Running};

const GET: &str = "GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";

fn answer(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::from(Bytes::from("text")));
    *answer.status_mut() = status;
    answer
}

/// A server that answers everything with `status`, and how often it was asked for `/`.
async fn always(lab: &Lab, status: StatusCode) -> (Endpoint, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let backend = lab
        .backend(move |request: Request<Body>| {
            count.fetch_add(usize::from(request.uri().path() == "/"), Ordering::Relaxed);
            async move { answer(status) }
        })
        .await;
    (backend, asked)
}

async fn gateway(lab: &Lab, endpoints: &[&Endpoint], policies: &str) -> Running {
    let endpoints: Vec<_> = endpoints.iter().map(|endpoint| format!("\"{endpoint}\"")).collect();
    lab.gateway(&format!("[upstreams.it]\nendpoints = [{}]\n{policies}", endpoints.join(", "))).await
}

/// The statuses of `count` requests, one after the other.
async fn statuses(gateway: &Running, count: usize) -> Vec<String> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        let answer = gateway.exchange(GET).await;
        statuses.push(answer.split(' ').nth(1).unwrap_or("closed").to_owned());
    }
    statuses
}

fn decisions(lab: &Lab, decision: Decision) -> usize {
    let decided = |report: &Report| matches!(report, Report::Policy(event) if event.decision == decision);
    lab.reports().iter().filter(|report| decided(report)).count()
}

/// How endpoints stand now.
fn endpoints(lab: &Lab) -> Vec<EndpointGauge> {
    let gauges = lab.reports().into_iter().filter_map(|report| match report {
        Report::Gauges(gauges) => gauges.upgrade(),
        _ => None,
    });
    let endpoint = |gauge| if let Gauge::Endpoint(endpoint) = gauge { Some(endpoint) } else { None };
    gauges.flat_map(|gauges| gauges.read()).filter_map(endpoint).collect()
}

#[tokio::test]
async fn a_fault_has_the_status_that_it_is_given() {
    let lab = Lab::new();
    let broken = lab.raw_backend(b"").await;
    assert_eq!(statuses(&gateway(&lab, &[&broken], "").await, 1).await, ["502"]);
    assert_eq!(statuses(&gateway(&lab, &[&broken], "statuses = { reset = 503 }").await, 1).await, ["503"]);
}

#[tokio::test]
async fn any_method_is_sent_again_where_any_may_be() {
    let lab = Lab::new();
    for (methods, sends, held_back) in [("", 1, 1), (", methods = \"any\"", 3, 0)] {
        let (backend, asked) = always(&lab, StatusCode::SERVICE_UNAVAILABLE).await;
        let retry = format!("retry = {{ attempts = 2, on = [\"5xx\"], backoff = \"0ms..1ms\"{methods} }}");
        let gateway = gateway(&lab, &[&backend], &retry).await;
        let before = decisions(&lab, Decision::RetryMethod);
        let post = "POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert!(gateway.exchange(post).await.starts_with("HTTP/1.1 503"));
        assert_eq!(asked.load(Ordering::Relaxed), sends, "{methods}");
        assert_eq!(decisions(&lab, Decision::RetryMethod) - before, held_back, "{methods}");
    }
}

#[tokio::test]
async fn after_a_while_no_further_endpoint_is_tried() {
    let lab = Lab::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let host = lab.host.clone();
    let backend = lab
        .backend(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let host = host.clone();
            async move {
                let later = hoplab_proxy::host::Host::now(&host) + std::time::Duration::from_millis(40);
                hoplab_proxy::host::Host::sleep_until(&host, later).await;
                answer(StatusCode::SERVICE_UNAVAILABLE)
            }
        })
        .await;
    let retry =
        |within| format!("retry = {{ attempts = 9, on = [\"503\"], backoff = \"0ms..1ms\"{within} }}");
    statuses(&gateway(&lab, &[&backend], &retry("")).await, 1).await;
    assert_eq!(asked.swap(0, Ordering::Relaxed), 10);
    statuses(&gateway(&lab, &[&backend], &retry(", within = \"100ms\"")).await, 1).await;
    let asked = asked.load(Ordering::Relaxed);
    assert!((1..=3).contains(&asked), "none is begun after 100 ms, at 40 ms each: {asked}");
}

#[tokio::test]
async fn health_takes_effect_at_once_or_is_gathered() {
    let lab = Lab::new();
    for (window, expected) in [("", [2, 2, 2]), (", merge_window = \"1h\"", [2, 14, 14])] {
        let servers = [
            always(&lab, StatusCode::BAD_GATEWAY).await,
            always(&lab, StatusCode::BAD_GATEWAY).await,
            always(&lab, StatusCode::BAD_GATEWAY).await,
        ];
        let policies = format!(
            "outlier = {{ consecutive_5xx = 2, max_ejected = \"100%\" }}\nbalance = {{ kind = \"round-robin\"{window} }}"
        );
        let gateway = gateway(&lab, &servers.each_ref().map(|(endpoint, _)| endpoint), &policies).await;
        statuses(&gateway, 30).await;
        let mut asked = servers.each_ref().map(|(_, asked)| asked.load(Ordering::Relaxed));
        asked.sort_unstable();
        assert_eq!(asked, expected, "{window}");
    }
}

#[tokio::test]
async fn what_breaks_after_connecting_ejects_unless_a_connection_is_a_success() {
    let lab = Lab::new();
    let broken = lab.raw_backend(b"").await;
    for (key, ejected) in [("", 7), (", local_success = \"connection\"", 0)] {
        let policies = format!("outlier = {{ consecutive_local = 3, max_ejected = \"100%\"{key} }}");
        let statuses = statuses(&gateway(&lab, &[&broken], &policies).await, 10).await;
        assert_eq!(statuses.iter().filter(|status| *status == "503").count(), ejected, "{statuses:?}");
    }
}

#[tokio::test]
async fn an_unexpected_answer_to_a_check_counts_or_decides() {
    let lab = Lab::new();
    let (backend, _) = always(&lab, StatusCode::NOT_FOUND).await;
    for (key, is_in) in [("", true), (", unexpected = \"down\"", false)] {
        let policies = format!("health = {{ http = \"/healthz\", interval = \"10s\", fall = 3{key} }}");
        let _gateway = gateway(&lab, &[&backend], &policies).await;
        lab.wait_ms(200).await;
        assert_eq!(endpoints(&lab).last().unwrap().is_in, is_in, "{key}");
    }
}

#[tokio::test]
async fn a_probe_whose_answer_streams_keeps_nobody_out() {
    let lab = Lab::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let backend = lab
        .backend(move |_| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => answer(StatusCode::INTERNAL_SERVER_ERROR),
                    1 => {
                        let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from("first")))]);
                        let never = futures_util::stream::pending();
                        let stream = futures_util::StreamExt::chain(first, never);
                        Response::new(Body::boxed(StreamBody::new(stream)))
                    }
                    _ => answer(StatusCode::OK),
                }
            }
        })
        .await;
    let gateway = gateway(&lab, &[&backend], "breaker = { failures = 1, open_for = \"30ms\" }").await;
    assert_eq!(statuses(&gateway, 2).await, ["500", "503"]);
    lab.wait_ms(60).await;
    let mut probe = gateway.connect().await;
    tokio::io::AsyncWriteExt::write_all(&mut probe, GET.as_bytes()).await.unwrap();
    tokio::io::AsyncReadExt::read_exact(&mut probe, &mut [0; 16]).await.unwrap();
    assert_eq!(statuses(&gateway, 2).await, ["200", "200"]);
    let states = lab.reports().into_iter().filter_map(|report| match report {
        Report::Breaker(moved) => Some(moved.state),
        _ => None,
    });
    let states: Vec<_> = states.collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed]);
}

#[tokio::test]
async fn backups_and_lower_priorities_are_asked_when_the_first_cannot_be() {
    let lab = Lab::new();
    for behind in ["backup = true", "priority = 1"] {
        let (first, asked_first) = always(&lab, StatusCode::OK).await;
        let (second, asked_second) = always(&lab, StatusCode::OK).await;
        let dead = lab.nobody();
        let outlier = "outlier = { consecutive_local = 1, max_ejected = \"100%\" }";
        let two = |one: &Endpoint| {
            format!(
                "[upstreams.it]\nendpoints = [\"{one}\", {{ at = \"{second}\", {behind} }}]\n{outlier}\n\
                 retry = {{ on = [\"connect-failure\"], backoff = \"0ms..1ms\" }}"
            )
        };
        assert_eq!(statuses(&lab.gateway(&two(&first)).await, 5).await, ["200"; 5]);
        assert_eq!((asked_first.load(Ordering::Relaxed), asked_second.load(Ordering::Relaxed)), (5, 0));
        assert_eq!(statuses(&lab.gateway(&two(&dead)).await, 5).await, ["200"; 5], "{behind}");
        assert_eq!(asked_second.load(Ordering::Relaxed), 5, "{behind}");
    }
}

#[tokio::test]
async fn an_ejection_that_may_not_be_is_told() {
    let lab = Lab::new();
    let (one, _) = always(&lab, StatusCode::BAD_GATEWAY).await;
    let (other, _) = always(&lab, StatusCode::BAD_GATEWAY).await;
    let gateway =
        gateway(&lab, &[&one, &other], "outlier = { consecutive_5xx = 2, max_ejected = \"50%\" }").await;
    statuses(&gateway, 6).await;
    assert_eq!((decisions(&lab, Decision::Ejected), decisions(&lab, Decision::EjectionRefused)), (1, 2));
    let standing: Vec<_> = endpoints(&lab).iter().map(|gauge| (gauge.is_in, gauge.is_ejected)).collect();
    assert!(standing == [(true, false), (false, true)] || standing == [(false, true), (true, false)]);
}

#[tokio::test]
async fn connections_and_requests_of_an_endpoint_are_told() {
    let lab = Lab::new();
    let never = lab.backend(|_| std::future::pending()).await;
    let policies = "pool = { connections = 1 }\nprotocol = \"http1\"";
    let gateway = gateway(&lab, &[&never], policies).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = gateway.connect().await;
        tokio::io::AsyncWriteExt::write_all(&mut client, GET.as_bytes()).await.unwrap();
        clients.push(client);
    }
    lab.wait_ms(100).await;
    let now = endpoints(&lab).remove(0);
    assert_eq!((now.connections, now.in_flight, now.pending, now.is_in), (1, 1, 2, true));
    drop(clients);
    lab.wait_ms(100).await;
    let now = endpoints(&lab).remove(0);
    assert_eq!((now.connections, now.in_flight, now.pending), (0, 0, 0));
}
