//! Deadlines that travel through a gateway: what the upstream is told, what is refused, and what is cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Host;
use hoplab_proxy::telemetry::{Decision, Fault, Outcome, Report};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::AsyncWriteExt;

use crate::lab::{Lab, mirror};

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{fields}\r\n")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

/// What the mirror says of a field.
fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// A `grpc-timeout` of microseconds, in milliseconds.
fn left_ms(answer: &str) -> f64 {
    let text = field(answer, "grpc-timeout").unwrap_or_else(|| panic!("{answer}"));
    text.strip_suffix('u').unwrap_or_else(|| panic!("{text}")).parse::<f64>().unwrap() / 1e3
}

fn refused(lab: &Lab) -> usize {
    let late = |report: &Report| matches!(report, Report::Policy(event) if event.decision == Decision::DeadlinePassed);
    lab.reports().iter().filter(|report| late(report)).count()
}

#[tokio::test]
async fn the_upstream_is_told_what_is_left() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\ntimeout = \"5s\"\n\
             deadline = {{ read = [\"grpc-timeout\", \"x-request-deadline: unix-ms\"], reserve = \"100ms\" }}"
        ))
        .await;
    let answer = gateway.exchange(get("grpc-timeout: 2S\r\n")).await;
    assert!((1_000.0..=1_900.0).contains(&left_ms(&answer)), "{answer}");
    let now_ms = lab.host.wall().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let told: u128 = field(&answer, "x-request-deadline").unwrap().parse().unwrap();
    assert!((1_000..=1_900).contains(&(told - now_ms)), "{told} at {now_ms}");

    let answer = gateway.exchange(get(&format!("x-request-deadline: {}\r\n", now_ms + 3_000))).await;
    assert!((1_500.0..=2_900.0).contains(&left_ms(&answer)), "{answer}");
    assert!(field(&answer, "x-request-deadline").unwrap().parse::<u128>().unwrap() <= now_ms + 2_900);

    let answer = gateway.exchange(get("")).await;
    assert!((4_000.0..=4_900.0).contains(&left_ms(&answer)), "its own limit: {answer}");
    let answer = gateway.exchange(get("grpc-timeout: 1H\r\n")).await;
    assert!((4_000.0..=4_900.0).contains(&left_ms(&answer)), "no more than its own limit: {answer}");
}

#[tokio::test]
async fn a_deadline_can_be_kept_to_oneself_or_left_alone() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = lab
        .gateway(&format!(
            "defaults = {{ deadline = {{ own = false }} }}\n\
             [upstreams.it]\nendpoints = [\"{backend}\"]\n\
             [upstreams.lost]\nendpoints = [\"{backend}\"]\ndeadline = {{ write = [] }}\n\
             [upstreams.unaware]\nendpoints = [\"{backend}\"]\ndeadline = {{ propagate = false }}"
        ))
        .await;
    let answer = gateway.exchange(get("")).await;
    assert_eq!(field(&answer, "grpc-timeout"), None, "there is nothing to tell");
    let answer = gateway.exchange(get("grpc-timeout: 2S\r\n")).await;
    assert!(left_ms(&answer) < 2_000.0, "{answer}");
    let answer = gateway.exchange(get("grpc-timeout: 2S\r\n").replace("Host: it", "Host: lost")).await;
    assert_eq!((status(&answer), field(&answer, "grpc-timeout")), ("200", None));
    let answer = gateway.exchange(get("grpc-timeout: soon\r\n").replace("Host: it", "Host: unaware")).await;
    assert_eq!(field(&answer, "grpc-timeout"), Some("soon"));
}

#[tokio::test]
async fn what_is_too_late_or_unreadable_is_refused_before_the_upstream() {
    let lab = Lab::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let backend = lab
        .backend(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Response::new(Body::empty()) }
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\n\
             deadline = {{ read = [\"grpc-timeout\", \"x-request-deadline: unix-ms\"], reserve = \"1s\" }}"
        ))
        .await;
    for (number, late) in
        ["grpc-timeout: 0S", "x-request-deadline: 1000", "grpc-timeout: 900m"].into_iter().enumerate()
    {
        let answer = gateway.exchange(get(&format!("{late}\r\n"))).await;
        assert_eq!(status(&answer), "504", "{late}");
        assert!(answer.ends_with("the deadline of the request has passed\n"), "{answer}");
        assert_eq!(refused(&lab), number + 1, "{late}");
        assert_eq!(lab.spans().last().unwrap().outcome, Outcome::Failed(Fault::DeadlinePassed));
        assert!(lab.spans().last().unwrap().attempts.is_empty());
    }
    let grpc = gateway.exchange(get("grpc-timeout: 0n\r\nContent-Type: application/grpc+proto\r\n")).await;
    assert_eq!((status(&grpc), field(&grpc, "grpc-status")), ("200", Some("4")), "{grpc}");
    for malformed in ["grpc-timeout: 1s", "grpc-timeout: 123456789S", "x-request-deadline: tomorrow"] {
        assert_eq!(status(&gateway.exchange(get(&format!("{malformed}\r\n"))).await), "400", "{malformed}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    assert_eq!(status(&gateway.exchange(get("grpc-timeout: 5S\r\n")).await), "200");
}

#[tokio::test]
async fn each_try_is_told_less_and_none_is_made_too_late() {
    let lab = Lab::new();
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let backend = lab
        .backend(move |request: Request<Body>| {
            let timeout = request.headers()["grpc-timeout"].to_str().unwrap().to_owned();
            // The finest unit that fits: nanoseconds at the end.
            let micros = match timeout.strip_suffix('n') {
                Some(nanos) => nanos.parse::<u64>().unwrap() / 1_000,
                None => timeout.trim_end_matches('u').parse().unwrap(),
            };
            seen.lock().unwrap().push(micros);
            async {
                let mut answer = Response::new(Body::empty());
                *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                answer
            }
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\ndeadline = {{ own = false }}\n\
             retry = {{ attempts = 100, on = [\"503\"], backoff = \"40ms..40ms\", jitter = \"none\" }}"
        ))
        .await;
    let began = lab.host.now();
    let answer = gateway.exchange(get("grpc-timeout: 300m\r\n")).await;
    assert_eq!(status(&answer), "503", "the last answer is better than none");
    assert!(lab.host.now() - began < Duration::from_millis(300), "the pause would reach beyond the deadline");
    let told = told.lock().unwrap();
    assert!((2..=8).contains(&told.len()), "{told:?}");
    assert!(told[0] <= 300_000 && told.windows(2).all(|pair| pair[1] + 40_000 <= pair[0]), "{told:?}");
}

#[tokio::test]
async fn what_waited_too_long_for_a_connection_is_not_sent() {
    let lab = Lab::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let (count, host) = (Arc::clone(&calls), lab.host.clone());
    let backend = lab
        .backend(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let host = host.clone();
            async move {
                host.sleep_until(host.now() + Duration::from_millis(400)).await;
                Response::new(Body::empty())
            }
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\npool = {{ connections = 1 }}\n\
             deadline = {{ reserve = \"300ms\" }}"
        ))
        .await;
    let first = gateway.exchange(get(""));
    let late = async {
        lab.wait_ms(100).await;
        gateway.exchange(get("grpc-timeout: 500m\r\n")).await
    };
    let (first, late) = tokio::join!(first, late);
    assert_eq!((status(&first), status(&late)), ("200", "504"));
    assert_eq!((calls.load(Ordering::Relaxed), refused(&lab)), (1, 1), "{late}");
    assert_eq!(status(&gateway.exchange(get("")).await), "200", "the connection was given back");
}

#[tokio::test]
async fn a_stream_on_which_nothing_passes_is_over() {
    let lab = Lab::new();
    let host = lab.host.clone();
    // Three frames 100 ms apart, and then silence.
    let backend = lab
        .backend(move |request: Request<Body>| {
            let host = host.clone();
            async move {
                if request.uri().path() == "/silent" {
                    std::future::pending::<()>().await;
                }
                let frames = futures_util::stream::unfold(0, move |number| {
                    let host = host.clone();
                    async move {
                        let pause = if number < 3 { 100 } else { 60_000 };
                        host.sleep_until(host.now() + Duration::from_millis(pause)).await;
                        let frame = Frame::data(Bytes::from_static(b"x"));
                        Some((Ok::<_, Fault>(frame), number + 1))
                    }
                });
                Response::new(Body::boxed(StreamBody::new(Box::pin(frames))))
            }
        })
        .await;
    let gateway =
        lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\nidle_timeout = \"250ms\"")).await;
    let began = lab.host.now();
    assert_eq!(status(&gateway.exchange(get("").replace("GET /", "GET /silent")).await), "504");
    let took = lab.host.now() - began;
    assert!((250..1_000).contains(&took.as_millis()), "{took:?}");

    let began = lab.host.now();
    let answer = gateway.exchange(get("")).await;
    let took = lab.host.now() - began;
    assert_eq!((status(&answer), answer.matches("\r\nx\r\n").count()), ("200", 3), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "it must not look complete: {answer}");
    assert!((550..1_500).contains(&took.as_millis()), "each frame begins the wait anew: {took:?}");
    assert_eq!(lab.spans().last().unwrap().outcome, Outcome::Failed(Fault::Timeout));
}

#[tokio::test]
async fn content_that_is_being_sent_keeps_a_stream_alive() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway =
        lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\nidle_timeout = \"250ms\"")).await;
    for (pause, expected) in [(100, "200"), (600, "408")] {
        let mut stream = gateway.connect().await;
        let head = b"POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 4\r\n\r\n";
        stream.write_all(head).await.unwrap();
        for _ in 0..4 {
            lab.wait_ms(pause).await;
            // Whoever is told that it is over may find that it cannot go on.
            let _ = stream.write_all(b"x").await;
        }
        let answer = gateway.read_all(stream, head).await;
        assert_eq!(status(&answer), expected, "{answer}");
    }
}
