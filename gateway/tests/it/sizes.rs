//! Limits of size at work: what is refused before it goes anywhere, what is stopped under way, and what is told of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::telemetry::{Decision, Fault, Outcome, Report};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, Running};

/// How many requests a backend has got whole, and how many broke off.
#[derive(Default)]
struct Seen {
    whole: AtomicUsize,
    broken: AtomicUsize,
}

/// A backend that reads everything, and a gateway before it.
async fn reading(lab: &Lab, limits: &str) -> (Running, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let count = Arc::clone(&seen);
    let backend = lab
        .backend(move |request: Request<Body>| {
            let count = Arc::clone(&count);
            async move {
                let is_whole = request.into_body().collect().await.is_ok();
                let which = if is_whole { &count.whole } else { &count.broken };
                which.fetch_add(1, Ordering::Relaxed);
                Response::new(Body::from(Bytes::from("text")))
            }
        })
        .await;
    (gateway(lab, &backend, limits).await, seen)
}

async fn gateway(lab: &Lab, backend: &Endpoint, limits: &str) -> Running {
    lab.gateway(&format!("{limits}\n[upstreams.it]\nendpoints = [\"{backend}\"]\n")).await
}

fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{fields}\r\n")
}

fn chunked(chunks: &[usize]) -> String {
    let chunk = |size: &usize| format!("{size:x}\r\n{}\r\n", "x".repeat(*size));
    let chunks: Vec<_> = chunks.iter().map(chunk).collect();
    post("Transfer-Encoding: chunked\r\n") + &chunks.concat() + "0\r\n\r\n"
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

fn decisions(lab: &Lab) -> Vec<Decision> {
    let decision = |report| if let Report::Policy(event) = report { Some(event.decision) } else { None };
    lab.reports().into_iter().filter_map(decision).collect()
}

#[tokio::test]
async fn content_that_says_how_long_it_is_is_refused_before_anything_is_sent_on() {
    let lab = Lab::new();
    let (gateway, seen) = reading(&lab, "limits.content = \"100 B\"").await;
    let sent = |length: usize| post(&format!("Content-Length: {length}\r\n")) + &"x".repeat(length);
    assert_eq!(status(&gateway.exchange(sent(100)).await), "200");
    let refused = gateway.exchange(sent(101)).await;
    assert_eq!(status(&refused), "413", "{refused}");
    assert!(refused.ends_with("the request has more content than is allowed\n"), "{refused}");
    let waiting = gateway.exchange(post("Content-Length: 101\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(status(&waiting), "413", "who asks first need not send: {waiting}");
    lab.has_spans(3).await;
    assert_eq!(seen.whole.load(Ordering::Relaxed), 1);
    assert_eq!(decisions(&lab), [Decision::ContentTooLarge; 2]);
    let refused = &lab.spans()[1];
    assert_eq!(refused.outcome, Outcome::Failed(Fault::ContentTooLarge));
    assert!(refused.attempts.is_empty());
}

#[tokio::test]
async fn content_that_turns_out_too_long_ends_towards_the_upstream_too() {
    let lab = Lab::new();
    let limits = "limits.content = \"1 KiB\"";
    let (gateway, seen) = reading(&lab, limits).await;
    assert_eq!(status(&gateway.exchange(chunked(&[1000, 24])).await), "200");
    let refused = gateway.exchange(chunked(&[1000, 25])).await;
    assert_eq!(status(&refused), "413", "{refused}");
    lab.has_spans(2).await;
    let attempts = &lab.spans()[1].attempts;
    assert_eq!(attempts.len(), 1, "nothing is tried again");
    assert_eq!(attempts[0].outcome, Outcome::Failed(Fault::ContentTooLarge));
    assert_eq!(decisions(&lab), [Decision::ContentTooLarge]);
    while seen.broken.load(Ordering::Relaxed) == 0 {
        lab.wait_ms(5).await;
    }
    assert_eq!(seen.whole.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_answer_that_has_begun_breaks_off() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |request: Request<Body>| {
            // Told at once, and then with each part of the content.
            let begun = stream::iter([Ok(Frame::data(Bytes::from("begun")))]);
            let told = stream::unfold(request.into_body(), async |mut content| {
                let frame = content.frame().await?;
                Some((frame.map(|_| Frame::data(Bytes::from("more"))), content))
            });
            Response::new(Body::boxed(StreamBody::new(begun.chain(Box::pin(told)))))
        })
        .await;
    let gateway = gateway(&lab, &backend, "limits.content = \"1 KiB\"").await;
    let mut stream = gateway.connect().await;
    let head = post("Transfer-Encoding: chunked\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("begun") {
        stream.read_buf(&mut answer).await.unwrap();
    }
    stream.write_all(format!("401\r\n{}\r\n", "x".repeat(1025)).as_bytes()).await.unwrap();
    let rest = gateway.read_all(stream, head.as_bytes()).await;
    assert!(!rest.ends_with("0\r\n\r\n"), "it must not look whole: {rest}");
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::ContentTooLarge));
}

#[tokio::test]
async fn a_route_may_allow_less_and_not_more() {
    let lab = Lab::new();
    let backend = lab.backend(async |_| Response::new(Body::empty())).await;
    let gateway = lab
        .gateway(&format!(
            "limits.content = \"100 B\"\n[upstreams.it]\nendpoints = [\"{backend}\"]\n\
             [[routes]]\npath = \"/less\"\nupstream = \"it\"\nlimits.content = \"10 B\"\n\
             [[routes]]\npath = \"/more\"\nupstream = \"it\"\nlimits.content = \"1 KiB\"\n"
        ))
        .await;
    for (path, length, expected) in
        [("/less", 10, "200"), ("/less", 11, "413"), ("/more", 100, "200"), ("/more", 101, "413")]
    {
        let head = post(&format!("Content-Length: {length}\r\n")).replace("POST /", &format!("POST {path}"));
        let answer = gateway.exchange(head + &"x".repeat(length)).await;
        assert_eq!(status(&answer), expected, "{path} {length}");
    }
}

#[tokio::test]
async fn a_head_with_too_much_in_its_fields_is_refused() {
    let lab = Lab::new();
    let (gateway, _) = reading(&lab, "limits.fields = \"100 B\"").await;
    // `connection: close` takes 19 bytes of them, a name of five 9 beside the value.
    let get = |length: usize| post(&format!("X-One: {}\r\n", "x".repeat(length)));
    assert_eq!(status(&gateway.exchange(get(72)).await), "200");
    let refused = gateway.exchange(get(73)).await;
    assert_eq!(status(&refused), "431", "{refused}");
    let grpc = get(73).replace("X-One", "Content-Type: application/grpc\r\nX-One");
    let refused = gateway.exchange(&grpc).await;
    assert!(status(&refused) == "200" && refused.contains("grpc-status: 8\r\n"), "{refused}");
    lab.has_spans(3).await;
    assert_eq!(decisions(&lab), [Decision::FieldsTooLarge; 2]);
    assert_eq!(lab.spans()[1].outcome, Outcome::Failed(Fault::FieldsTooLarge));
}
