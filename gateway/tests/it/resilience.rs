//! The policies at work: retries, breakers, time limits, and what a client is told when all fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::grpc;
use hoplab_proxy::host::Host;
use hoplab_proxy::telemetry::{BreakerState, Decision, Fault, Outcome, Report};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::lab::Lab;

const GET: &str = "GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";

fn answer(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::from(Bytes::from("text")));
    *answer.status_mut() = status;
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_at_another_endpoint() {
    let lab = Lab::new();
    let bad = lab.backend(async |_| answer(StatusCode::SERVICE_UNAVAILABLE)).await;
    let good = lab
        .backend(async |request: Request<Body>| {
            let count = request.headers().get("x-attempt-count").cloned();
            let content = request.into_body().collect().await.unwrap().to_bytes();
            let mut answer = Response::new(Body::from(content));
            if let Some(count) = count {
                answer.headers_mut().insert("x-seen", count);
            }
            answer
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{bad}\", \"{good}\"]\n\
             retry = {{ attempts = 1, on = [\"503\"], backoff = \"0ms..1ms\" }}"
        ))
        .await;
    let mut second = 0;
    for _ in 0..10 {
        let answer = gateway
            .exchange("PUT / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
            .await;
        assert!(status(&answer) == "200" && answer.ends_with("hello"), "{answer}");
        second += usize::from(answer.contains("x-seen: 2"));
    }
    assert_eq!(second, 9, "a retry takes the turn of the good endpoint, so the bad one is next");
    let attempts: usize = lab.spans().iter().map(|span| span.attempts.len()).sum();
    assert_eq!(attempts, 10 + second);
}

#[tokio::test]
async fn a_code_of_grpc_is_found_in_trailers_and_in_an_answer_of_trailers_only() {
    let lab = Lab::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let backend = lab
        .backend(move |request: Request<Body>| {
            let first = count.fetch_add(1, Ordering::Relaxed) == 0;
            let code = |code| HeaderMap::from_iter([(grpc::STATUS, HeaderValue::from_static(code))]);
            let message = Frame::data(Bytes::from_static(b"\0\0\0\0\x02hi"));
            let frames = match (first, request.uri().path()) {
                (true, "/trailers-only") => vec![],
                (true, "/no-message") => vec![Frame::trailers(code("14"))],
                (true, "/not-retriable") => vec![Frame::trailers(code("5"))],
                (true, "/message") => vec![message, Frame::trailers(code("14"))],
                _ => vec![message, Frame::trailers(code("0"))],
            };
            let content = StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok)));
            let mut answer = Response::new(Body::boxed(content));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
            if first && request.uri().path() == "/trailers-only" {
                answer.headers_mut().extend(code("14"));
            }
            async { answer }
        })
        .await;
    let policies = "retry = { on = [\"unavailable\"], methods = [\"POST\"], backoff = \"0ms..1ms\" }";
    let upstream = format!("[upstreams.it]\nendpoints = [\"{backend}\"]\nprotocol = \"http2\"\n{policies}");
    let gateway = lab.gateway(&upstream).await;
    for (path, attempts) in [("trailers-only", 2), ("no-message", 2), ("message", 2), ("not-retriable", 1)] {
        calls.store(0, Ordering::Relaxed);
        let head = format!("POST /{path} HTTP/1.1\r\nHost: it\r\nTE: trailers\r\nConnection: close, te\r\n");
        let answer = gateway.exchange(&format!("{head}Content-Length: 0\r\n\r\n")).await;
        assert_eq!(calls.load(Ordering::Relaxed), attempts, "{path}: {answer}");
        assert_eq!(answer.contains("\0\0\0\0\x02hi"), attempts == 2, "{answer}");
    }
}

#[tokio::test]
async fn a_call_of_grpc_that_fails_under_200_opens_a_breaker() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let mut answer = answer(StatusCode::OK);
            answer.headers_mut().insert(grpc::STATUS, HeaderValue::from_static("14"));
            answer
        })
        .await;
    let breaker = "breaker = { failures = 2, open_for = \"60s\" }";
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\n{breaker}")).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(status(&gateway.exchange(GET).await).to_owned());
    }
    assert_eq!(statuses, ["200", "200", "503"]);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_twice() {
    let lab = Lab::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let backend = lab
        .backend(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            async { answer(StatusCode::SERVICE_UNAVAILABLE) }
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "defaults = {{ retry = {{ attempts = 3, on = [\"503\"], backoff = \"0ms..1ms\" }} }}\n\
             [upstreams.it]\nendpoints = [\"{backend}\"]\n\
             [upstreams.any]\nendpoints = [\"{backend}\"]\nretry = {{ methods = [\"POST\"] }}"
        ))
        .await;
    for (line, host, expected) in [("POST", "it", 1), ("GET", "it", 4), ("POST", "any", 4), ("GET", "any", 1)]
    {
        calls.store(0, Ordering::Relaxed);
        let request = format!("{line} / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&gateway.exchange(request).await), "503");
        assert_eq!(calls.load(Ordering::Relaxed), expected, "{line} to {host}");
    }
}

#[tokio::test]
async fn content_beyond_the_limit_is_sent_once() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |request: Request<Body>| {
            request.into_body().collect().await.unwrap();
            answer(StatusCode::SERVICE_UNAVAILABLE)
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\n\
             retry = {{ attempts = 1, on = [\"503\"], backoff = \"0ms..1ms\" }}"
        ))
        .await;
    for (bytes, attempts) in [(64 * 1024, 2), (64 * 1024 + 1, 1)] {
        let content = "x".repeat(bytes);
        let head =
            format!("PUT / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
        assert_eq!(status(&gateway.exchange(head + &content).await), "503");
        assert_eq!(lab.spans().last().unwrap().attempts.len(), attempts, "{bytes}");
    }
}

#[tokio::test]
async fn a_breaker_opens_probes_and_closes() {
    let lab = Lab::new();
    let healthy = Arc::new(AtomicUsize::new(0));
    let health = Arc::clone(&healthy);
    let backend = lab
        .backend(move |_| {
            let healthy = health.load(Ordering::Relaxed) == 1;
            async move { answer(if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }) }
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\nbreaker = {{ failures = 3, open_for = \"300ms\" }}"
        ))
        .await;
    for expected in ["500", "500", "500", "503", "503"] {
        assert_eq!(status(&gateway.exchange(GET).await), expected);
    }
    assert_eq!(lab.spans().last().unwrap().outcome, Outcome::Failed(Fault::BreakerOpen));
    lab.wait_ms(300).await;
    assert_eq!(status(&gateway.exchange(GET).await), "500", "the probe fails");
    assert_eq!(status(&gateway.exchange(GET).await), "503");
    healthy.store(1, Ordering::Relaxed);
    lab.wait_ms(300).await;
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    let moves = lab.reports().into_iter().filter_map(|report| match report {
        Report::Breaker(moved) => Some((moved.state, moved.endpoint.unwrap().to_string())),
        _ => None,
    });
    let endpoint = backend.to_string();
    let expected = [
        BreakerState::Open,
        BreakerState::HalfOpen,
        BreakerState::Open,
        BreakerState::HalfOpen,
        BreakerState::Closed,
    ];
    assert_eq!(moves.collect::<Vec<_>>(), expected.map(|state| (state, endpoint.clone())));
}

#[tokio::test]
async fn each_way_to_fail_has_its_status() {
    let lab = Lab::new();
    // Port 1 is reserved and nobody listens there.
    let nobody = "127.0.0.1:1";
    let never = lab.backend(|_| std::future::pending()).await;
    let nonsense = lab.raw_backend(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    let hangs_up = lab.raw_backend(b"").await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.nobody]\nendpoints = [\"{nobody}\"]\n\
             [upstreams.never]\nendpoints = [\"{never}\"]\ntimeout = \"20ms\"\n\
             [upstreams.never-each]\nendpoints = [\"{never}\"]\n\
             retry = {{ attempts = 2, on = [\"reset\"], per_try_timeout = \"10ms\", backoff = \"0ms..1ms\" }}\n\
             [upstreams.nonsense]\nendpoints = [\"{nonsense}\"]\n\
             [upstreams.hangs-up]\nendpoints = [\"{hangs_up}\"]"
        ))
        .await;
    for (host, code, fault, attempts) in [
        ("nobody", "503", Fault::Refused, 1),
        ("never", "504", Fault::Timeout, 1),
        ("never-each", "504", Fault::Timeout, 3),
        ("nonsense", "502", Fault::ProtocolError, 1),
        ("hangs-up", "502", Fault::Reset, 1),
        ("unknown", "404", Fault::NoRoute, 0),
    ] {
        let answer = gateway.exchange(GET.replace("it", host)).await;
        assert_eq!(status(&answer), code, "{host}: {answer}");
        let span = lab.spans().pop().unwrap();
        assert_eq!((span.outcome, span.attempts.len()), (Outcome::Failed(fault), attempts), "{host}");
        assert_eq!(span.segments.last().map_or(span.start, |segment| segment.end), span.end);
    }
}

#[tokio::test]
async fn work_for_a_client_that_left_is_given_up() {
    let lab = Lab::new();
    let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
    let (left, mut leavings) = tokio::sync::mpsc::unbounded_channel();
    let backend = lab
        .backend(move |_| {
            arrived.send(()).unwrap();
            let guard = Left(left.clone());
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                answer(StatusCode::OK)
            }
        })
        .await;
    for protocol in ["http1", "http2"] {
        let gateway = lab
            .gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\nprotocol = \"{protocol}\""))
            .await;
        let mut client = gateway.connect().await;
        tokio::io::AsyncWriteExt::write_all(&mut client, GET.as_bytes()).await.unwrap();
        arrivals.recv().await.unwrap();
        drop(client);
        leavings.recv().await.unwrap();
        let span = lab.spans().pop().unwrap();
        assert_eq!(span.outcome, Outcome::Failed(Fault::Cancelled), "{protocol}");
        assert_eq!(span.segments.last().unwrap().end, span.end);
        assert_eq!(span.attempts[0].outcome, Outcome::Failed(Fault::Cancelled));
    }
}

struct Left(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn decisions(lab: &Lab) -> Vec<Decision> {
    let decision = |report| if let Report::Policy(event) = report { Some(event.decision) } else { None };
    lab.reports().into_iter().filter_map(decision).collect()
}

#[tokio::test]
async fn a_late_answer_is_overtaken_and_its_attempt_cancelled() {
    let lab = Lab::new();
    let late = lab.backend(|_| std::future::pending()).await;
    let quick = lab.backend(async |_| answer(StatusCode::OK)).await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{late}\", \"{quick}\"]\n\
             hedge = {{ after = \"20ms\", budget = \"100%\" }}"
        ))
        .await;
    for _ in 0..4 {
        assert_eq!(status(&gateway.exchange(GET).await), "200");
    }
    let spans = lab.spans();
    let hedged: Vec<_> = spans.iter().filter(|span| span.attempts.len() == 2).collect();
    assert!(!hedged.is_empty(), "one of two endpoints never answers");
    assert_eq!(decisions(&lab), [Decision::Hedged, Decision::HedgeWon].repeat(hedged.len()));
    for span in hedged {
        let outcomes: Vec<_> = span.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [Outcome::Failed(Fault::Cancelled), Outcome::Answered(200)]);
        assert!(span.attempts[0].end >= span.attempts[1].start);
        assert_eq!(span.segments.last().unwrap().end, span.end, "the segments tile the span");
        assert!(span.end.saturating_since(span.start).as_millis() >= 20);
    }
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_not_hedged_and_the_budget_holds() {
    let lab = Lab::new();
    let host = lab.host.clone();
    let slow = lab
        .backend(move |_| {
            let host = host.clone();
            async move {
                use hoplab_proxy::host::Host;
                host.sleep_until(host.now() + std::time::Duration::from_millis(60)).await;
                answer(StatusCode::OK)
            }
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "defaults = {{ hedge = {{ after = \"10ms\", budget = \"50%\" }} }}\n\
             [upstreams.it]\nendpoints = [\"{slow}\"]"
        ))
        .await;
    let post = "POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(status(&gateway.exchange(post).await), "200");
    assert_eq!(decisions(&lab), []);
    for _ in 0..2 {
        assert_eq!(status(&gateway.exchange(GET).await), "200");
    }
    assert_eq!(decisions(&lab), [Decision::HedgeBudgetSpent, Decision::Hedged]);
}

#[tokio::test]
async fn a_throttled_request_never_leaves_and_a_told_pause_is_kept() {
    let lab = Lab::new();
    let down = lab.backend(async |_| answer(StatusCode::SERVICE_UNAVAILABLE)).await;
    let busy = lab
        .backend(async |request: Request<Body>| {
            let first = !request.headers().contains_key("x-attempt-count");
            let mut told = answer(if first { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK });
            told.headers_mut().insert("retry-after", "1".parse().unwrap());
            told
        })
        .await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{down}\"]\nretry = {{ budget = {{ throttle = 2.0 }} }}\n\
             [upstreams.busy]\nendpoints = [\"{busy}\"]\n\
             retry = {{ on = [\"429\"], retry_after = \"honour\", jitter = \"none\" }}"
        ))
        .await;
    for _ in 0..50 {
        assert_eq!(status(&gateway.exchange(GET).await), "503");
    }
    let throttled = decisions(&lab).iter().filter(|decision| **decision == Decision::Throttled).count();
    let spans = lab.spans();
    let (sent, unsent): (Vec<_>, Vec<_>) =
        spans.iter().flat_map(|span| &span.attempts).partition(|attempt| attempt.is_sent);
    assert_eq!((sent.len() + unsent.len(), unsent.len()), (50, throttled));
    assert!(throttled > 30, "{throttled}");
    let answer = gateway.exchange("GET / HTTP/1.1\r\nHost: busy\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), "200");
    let span = lab.spans().pop().unwrap();
    assert!((1_000..1_400).contains(&span.end.saturating_since(span.start).as_millis()));
}

#[tokio::test]
async fn an_answer_that_came_is_told_when_its_hedge_comes_to_nothing() {
    let lab = Lab::new();
    for chunked in [false, true] {
        let asked = Arc::new(AtomicUsize::new(0));
        let host = lab.host.clone();
        let backend = lab
            .backend(move |_| {
                let (number, host) = (asked.fetch_add(1, Ordering::Relaxed), host.clone());
                async move {
                    if number > 0 {
                        std::future::pending::<()>().await;
                    }
                    host.sleep_until(host.now() + Duration::from_millis(60)).await;
                    let mut busy = answer(StatusCode::SERVICE_UNAVAILABLE);
                    let frames = ["bu", "sy"].map(|text| Ok(Frame::data(Bytes::from(text))));
                    *busy.body_mut() = if chunked {
                        Body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
                    } else {
                        Body::from(Bytes::from("busy"))
                    };
                    busy
                }
            })
            .await;
        let gateway = lab
            .gateway(&format!(
                "[upstreams.it]\nendpoints = [\"{backend}\"]\ntimeout = \"500ms\"\n\
                 hedge = {{ after = \"10ms\", budget = \"100%\" }}"
            ))
            .await;
        let told = gateway.exchange(GET).await;
        assert!(status(&told) == "503" && told.contains("bu") && told.contains("sy"), "{told}");
    }
}
