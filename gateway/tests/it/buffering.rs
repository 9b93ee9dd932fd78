//! Buffers at work: a caller that is slow to send or to read holds no connection of the upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::telemetry::{Decision, Fault, Outcome, Report};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, Running, mirror};

/// The upstream has one connection, for which nobody waits for long.
const NARROW: &str = "pool = { connections = 1, pending_timeout = \"50ms\" }";
const GET: &str = "GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";
/// More than the buffers of any connection hold.
const LARGE: usize = 48 << 20;

async fn gateway(lab: &Lab, backend: &Endpoint, policies: &str) -> Running {
    lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\n{policies}\n")).await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{fields}\r\n")
}

/// A caller that has sent a part of its request.
async fn half(gateway: &Running, request: &str) -> <Live as Host>::Stream {
    let mut stream = gateway.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn who_is_slow_to_send_holds_no_connection() {
    for (policies, other) in [("", "503"), ("buffer = { requests = true }", "200")] {
        let lab = Lab::new();
        let backend = lab.backend(mirror).await;
        let gateway = gateway(&lab, &backend, &format!("{NARROW}\n{policies}")).await;
        let mut slow = half(&gateway, &(post("Content-Length: 10\r\n") + "first")).await;
        // Until it has taken the connection, another may have it.
        let mut answered = gateway.exchange(GET).await;
        for _ in 0..200 {
            if status(&answered) == other {
                break;
            }
            lab.wait_ms(5).await;
            answered = gateway.exchange(GET).await;
        }
        assert_eq!(status(&answered), other, "{policies}");
        slow.write_all(b"later").await.unwrap();
        let answer = gateway.read_all(slow, b"").await;
        assert!(status(&answer) == "200" && answer.contains("firstlater"), "{answer}");
    }
}

#[tokio::test]
async fn what_was_read_whole_is_sent_with_its_length_or_its_trailers() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = gateway(&lab, &backend, "buffer = { requests = true }").await;
    let chunks = "5\r\nfirst\r\n5\r\nlater\r\n0\r\n";
    for method in ["POST", "GET"] {
        let head = post("Transfer-Encoding: chunked\r\n").replace("POST", method);
        let answer = gateway.exchange(format!("{head}{chunks}\r\n")).await;
        assert!(answer.contains("content-length: 10\n") && answer.contains("firstlater"), "{answer}");
        assert!(!answer.contains("transfer-encoding: chunked\n"), "{answer}");
    }
    let head = post("Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n");
    let answer = gateway.exchange(format!("{head}{chunks}X-Sum: 7\r\n\r\n")).await;
    assert!(answer.contains("transfer-encoding: chunked\n"), "{answer}");
    assert!(answer.contains("firstlater\ntrailer x-sum: 7"), "{answer}");
    let answer = gateway.exchange(GET).await;
    assert!(status(&answer) == "200" && !answer.contains("content-length: 0\n"), "{answer}");
}

#[tokio::test]
async fn more_than_is_taken_in_is_refused_before_anybody_is_asked() {
    // The narrower one refuses, once.
    for (buffered, limited) in [("1 KiB", "none"), ("1 KiB", "1 MiB"), ("1 MiB", "1 KiB")] {
        refused_once(buffered, limited).await;
    }
}

async fn refused_once(buffered: &str, limited: &str) {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = lab
        .gateway(&format!(
            "limits.content = \"{limited}\"\n[upstreams.it]\nendpoints = [\"{backend}\"]\n\
             buffer = {{ requests = true, max = \"{buffered}\" }}\n"
        ))
        .await;
    let told = post("Content-Length: 1025\r\n") + &"x".repeat(1025);
    let chunk = "x".repeat(1025);
    let untold = post("Transfer-Encoding: chunked\r\n") + &format!("401\r\n{chunk}\r\n0\r\n\r\n");
    for request in [told, untold] {
        let answer = gateway.exchange(&request).await;
        assert_eq!(status(&answer), "413", "{answer}");
    }
    lab.has_spans(2).await;
    for span in lab.spans() {
        assert_eq!(span.outcome, Outcome::Failed(Fault::ContentTooLarge));
        assert!(span.attempts.is_empty());
    }
    let decided = |report: &Report| matches!(report, Report::Policy(event) if event.decision == Decision::ContentTooLarge);
    assert_eq!(lab.reports().iter().filter(|report| decided(report)).count(), 2);
}

#[tokio::test]
async fn who_does_not_send_is_waited_for_as_long_as_a_request_may_take() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = gateway(&lab, &backend, "timeout = \"100ms\"\nbuffer = { requests = true }").await;
    let slow = half(&gateway, &(post("Content-Length: 10\r\n") + "first")).await;
    let answer = gateway.read_all(slow, b"").await;
    assert_eq!(status(&answer), "408", "{answer}");
    lab.has_spans(1).await;
    let span = &lab.spans()[0];
    assert!(span.attempts.is_empty() && span.outcome == Outcome::Failed(Fault::RequestTimeout));
}

#[tokio::test]
async fn what_was_read_whole_can_be_sent_again_however_long_it_is() {
    let lab = Lab::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let backend = lab
        .backend(move |request: Request<Body>| {
            let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                let content = request.into_body().collect().await.unwrap().to_bytes();
                let mut answer = Response::new(Body::from(content));
                if is_first {
                    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                answer
            }
        })
        .await;
    let retry =
        "retry = { on = [\"503\"], methods = \"any\", body_limit = \"10 B\", backoff = \"0ms..1ms\" }";
    let gateway = gateway(&lab, &backend, &format!("{retry}\nbuffer = {{ requests = true }}")).await;
    let answer = gateway.exchange(post("Content-Length: 1000\r\n") + &"x".repeat(1000)).await;
    assert!(status(&answer) == "200" && answer.ends_with(&"x".repeat(1000)), "{answer}");
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn calls_of_grpc_pass_as_they_come() {
    let lab = Lab::new();
    // It answers before it has read anything.
    let backend = lab.backend(async |_| Response::new(Body::from(Bytes::from("text")))).await;
    let gateway = gateway(&lab, &backend, "buffer = { requests = true }").await;
    let head = post("Content-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n");
    let mut call = half(&gateway, &(head + "5\r\nfirst\r\n")).await;
    let mut answer = [0; 12];
    lab.patiently(call.read_exact(&mut answer)).await.expect("nobody waits for its end").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// The status of a request beside an answer that its caller does not read; and how long that one is in the end.
async fn beside_a_slow_reader(policies: &str) -> (String, usize) {
    let lab = Lab::new();
    let backend = lab
        .backend(async |request: Request<Body>| {
            let length = if request.uri().path() == "/large" { LARGE } else { 1 };
            Response::new(Body::from(Bytes::from(vec![b'x'; length])))
        })
        .await;
    let gateway = gateway(&lab, &backend, &format!("{NARROW}\n{policies}")).await;
    let mut slow = half(&gateway, &GET.replace("GET /", "GET /large")).await;
    let mut begun = [0; 12];
    lab.patiently(slow.read_exact(&mut begun)).await.unwrap().unwrap();
    let mut answered = gateway.exchange(GET).await;
    // The rest may still be on its way into the buffer.
    for _ in 0..if policies.is_empty() || policies.contains("max") { 3 } else { 200 } {
        if status(&answered) == "200" {
            break;
        }
        answered = gateway.exchange(GET).await;
    }
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    let head = rest.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    (status(&answered).to_owned(), rest.len() - head)
}

#[tokio::test]
async fn who_is_slow_to_read_holds_no_connection() {
    assert_eq!(beside_a_slow_reader("").await, ("503".to_owned(), LARGE));
    let whole = beside_a_slow_reader("buffer = { answers = true }").await;
    assert_eq!(whole, ("200".to_owned(), LARGE));
    let beyond = beside_a_slow_reader("buffer = { answers = true, max = \"1 MiB\" }").await;
    assert_eq!(beyond, ("503".to_owned(), LARGE), "what is beyond the limit waits for its reader");
}
