//! Limits of a request's time: none at all, and one until the head of the answer alone.

use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Host;
use hoplab_proxy::telemetry::{Fault, Outcome};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, mirror, read_answer};

/// What lower layers say, none of which fits a stream.
const DEFAULTS: &str = "defaults = { timeout = \"800ms\", retry.per_try_timeout = \"600ms\" }";

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

/// The path decides: a head at once and content over 1.8 s, or a head after as long; or what came, when all has.
async fn slow(lab: &Lab, request: Request<Body>) -> Response<Body> {
    let host = lab.host.clone();
    match request.uri().path() {
        "/stream" => {
            let pieces = futures_util::stream::unfold(0, move |sent| {
                let host = host.clone();
                async move {
                    host.sleep_until(host.now() + Duration::from_millis(300)).await;
                    (sent < 6).then(|| (Ok(Frame::data(Bytes::from_static(b"x"))), sent + 1))
                }
            });
            Response::new(Body::boxed(StreamBody::new(Box::pin(pieces))))
        }
        "/late" => {
            host.sleep_until(host.now() + Duration::from_millis(1_800)).await;
            Response::new(Body::from(Bytes::from_static(b"late")))
        }
        _ => {
            let content = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(Body::from(content))
        }
    }
}

/// The statuses of a late head and of a long stream, where it came whole, under `policies` of the upstream.
async fn of_late_and_stream(lab: &'static Lab, policies: &str) -> [String; 2] {
    let backend = lab.backend(|request| slow(lab, request)).await;
    let text = format!("{DEFAULTS}\n[upstreams.it]\nendpoints = [\"{backend}\"]\n{policies}");
    let gateway = lab.gateway(&text).await;
    let (late, stream) = tokio::join!(gateway.exchange(get("/late")), gateway.exchange(get("/stream")));
    let is_whole = stream.ends_with("0\r\n\r\n") && stream.matches("x\r\n").count() == 6;
    let of_stream = if is_whole { status(&stream) } else { "cut" };
    [status(&late).to_owned(), of_stream.to_owned()]
}

#[tokio::test]
async fn each_limit_cuts_what_it_is_for_and_nothing_else() {
    let lab: &'static Lab = Box::leak(Box::new(Lab::new()));
    let rows = [
        ("", "504", "cut"),
        ("retry.per_try_timeout = \"none\"", "504", "cut"),
        ("timeout = \"none\"", "504", "200"),
        ("timeout = \"none\"\nretry.per_try_timeout = \"none\"", "200", "200"),
        ("timeout = \"none\"\nretry.per_try_timeout = \"none\"\nhead_timeout = \"900ms\"", "504", "200"),
        ("timeout = \"20s\"\nretry.per_try_timeout = \"none\"\nhead_timeout = \"900ms\"", "504", "200"),
        ("timeout = \"1200ms\"\nretry.per_try_timeout = \"none\"\nhead_timeout = \"900ms\"", "504", "cut"),
        ("timeout = \"none\"\nretry.per_try_timeout = \"none\"\nidle_timeout = \"900ms\"", "504", "200"),
        ("timeout = \"none\"\nretry.per_try_timeout = \"none\"\nidle_timeout = \"100ms\"", "504", "cut"),
    ];
    let all = rows.map(async |(policies, late, stream)| {
        assert_eq!(of_late_and_stream(lab, policies).await, [late, stream], "{policies}");
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn all_attempts_share_the_time_until_the_head() {
    let lab = Lab::new();
    let never = lab.backend(|_| std::future::pending()).await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{never}\"]\ntimeout = \"none\"\nhead_timeout = \"1250ms\"\n\
             retry = {{ attempts = 9, on = [\"reset\"], per_try_timeout = \"500ms\", backoff = \"0ms..1ms\" }}"
        ))
        .await;
    assert_eq!(status(&gateway.exchange(get("/")).await), "504");
    let span = lab.spans().pop().unwrap();
    assert_eq!(span.outcome, Outcome::Failed(Fault::Timeout));
    assert!((2..=3).contains(&span.attempts.len()), "{span:?}");
    assert!(span.end - span.start < Duration::from_secs(3), "{:?}", span.end - span.start);
}

#[tokio::test]
async fn a_caller_may_be_silent_where_nothing_has_a_limit() {
    let lab: &'static Lab = Box::leak(Box::new(Lab::new()));
    let backend = lab.backend(|request| slow(lab, request)).await;
    for (policies, expected) in [
        ("", "408"),
        ("timeout = \"none\"", "200"),
        ("timeout = \"none\"\nhead_timeout = \"100ms\"\nretry.per_try_timeout = \"none\"", "200"),
        ("timeout = \"none\"\nidle_timeout = \"100ms\"", "408"),
    ] {
        let text = format!("{DEFAULTS}\n[upstreams.it]\nendpoints = [\"{backend}\"]\n{policies}");
        let gateway = lab.gateway(&text).await;
        let mut client = gateway.connect().await;
        client.write_all(b"POST /echo HTTP/1.1\r\nHost: it\r\nContent-Length: 4\r\n\r\nha").await.unwrap();
        lab.wait_ms(1_500).await;
        // Who was told so already may find its connection closed.
        let _ = client.write_all(b"lf").await;
        let mut answer = String::new();
        if expected == "200" {
            answer = read_answer(&mut client).await;
            assert!(answer.ends_with("half"), "{policies}: {answer}");
        } else {
            let mut head = [0; 12];
            client.read_exact(&mut head).await.unwrap();
            answer.push_str(&String::from_utf8_lossy(&head));
        }
        assert_eq!(status(&answer), expected, "{policies}");
    }
}

#[tokio::test]
async fn the_upstream_is_told_of_the_whole_time_and_not_of_the_heads() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let told = async |policies: &str, field: &str| {
        let text = format!("[upstreams.it]\nendpoints = [\"{backend}\"]\ndeadline = {{}}\n{policies}");
        let request = format!("GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{field}\r\n");
        let answer = lab.gateway(&text).await.exchange(request).await;
        let left = answer.lines().find_map(|line| line.strip_prefix("grpc-timeout: ")).map(str::to_owned);
        left.map(|text| {
            text.strip_suffix('u').unwrap_or_else(|| panic!("{text}")).parse::<f64>().unwrap() / 1e6
        })
    };
    let within = |left: Option<f64>, most: f64| left.is_some_and(|left| left > most - 1.0 && left <= most);
    assert_eq!(told("timeout = \"none\"", "").await, None);
    assert_eq!(told("timeout = \"none\"\nhead_timeout = \"2s\"", "").await, None);
    assert!(within(told("timeout = \"5s\"\nhead_timeout = \"2s\"", "").await, 5.0));
    assert!(within(told("timeout = \"none\"\nhead_timeout = \"2s\"", "grpc-timeout: 9S\r\n").await, 9.0));
    assert!(within(told("retry.per_try_timeout = \"3s\"", "").await, 3.0), "as Envoy");
    assert_eq!(
        told("timeout = \"none\"\nretry.per_try_timeout = \"3s\"", "").await,
        None,
        "a stream goes on"
    );
    // What the upstream is not told needs no reserve.
    let policies = "timeout = \"none\"\nhead_timeout = \"2s\"\ndeadline = { reserve = \"3s\" }";
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\n{policies}")).await;
    assert_eq!(status(&gateway.exchange(get("/")).await), "200");
}
