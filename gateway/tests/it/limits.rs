//! Load control at work: what is refused and what a client is told, what waits, and who holds a place how long.

use std::sync::Arc;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Accepted, Listener};
use hoplab_proxy::telemetry::{Decision, Fault, Outcome, Owner, Report};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::lab::Lab;

const GET: &str = "GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";

async fn well(_: Request<Body>) -> Response<Body> {
    Response::new(Body::from(Bytes::from("text")))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

fn decisions(lab: &Lab) -> Vec<(String, Decision)> {
    let decision = |report| match report {
        Report::Policy(event) => Some((event.upstream.to_string(), event.decision)),
        _ => None,
    };
    lab.reports().into_iter().filter_map(decision).collect()
}

#[tokio::test]
async fn who_comes_too_often_is_told_when_to_come_again() {
    let lab = Lab::new();
    let backend = lab.backend(well).await;
    let gateway = lab
        .gateway(&format!(
            "limits.rate = {{ rate = \"1/h\", burst = 2, by = {{ header = \"x-user\" }} }}\n\
             [upstreams.it]\nendpoints = [\"{backend}\"]"
        ))
        .await;
    let ann = GET.replace("Host", "X-User: ann\r\nHost");
    assert_eq!(status(&gateway.exchange(&ann).await), "200");
    assert_eq!(status(&gateway.exchange(&ann).await), "200");
    let refused = gateway.exchange(&ann).await;
    assert_eq!(status(&refused), "429", "{refused}");
    assert!(refused.contains("retry-after: 3600\r\n"), "{refused}");
    assert!(refused.ends_with("the rate limit is reached\n"), "{refused}");
    let named_twice = ann.replace("X-User: ann", "X-User: bob\r\nX-User: ann");
    assert_eq!(status(&gateway.exchange(&named_twice).await), "200", "bob, ann is another caller");
    let and_again = ann.replace("X-User: ann", "X-User: bob\r\nX-User: cid");
    assert_eq!(status(&gateway.exchange(&and_again).await), "200", "and so is bob, cid");
    assert_eq!(status(&gateway.exchange(&named_twice).await), "200");
    assert_eq!(status(&gateway.exchange(&named_twice).await), "429");
    assert_eq!(status(&gateway.exchange(GET).await), "200", "who says nothing is another caller");
    assert_eq!(decisions(&lab), vec![("gateway".to_owned(), Decision::RateLimited); 2]);
    assert_eq!(lab.spans()[2].outcome, Outcome::Failed(Fault::RateLimited));
    assert!(lab.spans()[2].attempts.is_empty());
}

#[tokio::test]
async fn a_route_has_limits_of_its_own() {
    let lab = Lab::new();
    let backend = lab.backend(well).await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{backend}\"]\n\
             [[routes]]\npath = \"/narrow\"\nupstream = \"it\"\nlimits.rate = {{ rate = \"1/h\", burst = 1 }}\n\
             [[routes]]\nupstream = \"it\""
        ))
        .await;
    let narrow = GET.replace("GET /", "GET /narrow");
    assert_eq!(status(&gateway.exchange(&narrow).await), "200");
    assert_eq!(status(&gateway.exchange(&narrow).await), "429");
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    assert_eq!(decisions(&lab), [("it".to_owned(), Decision::RateLimited)]);
}

#[tokio::test]
async fn time_in_a_leaky_bucket_is_a_delay() {
    let lab = Lab::new();
    let backend = lab.backend(well).await;
    let gateway = lab
        .gateway(&format!(
            "limits.rate = {{ algorithm = \"leaky-bucket\", rate = \"4 rps\", burst = 1 }}\n\
             [upstreams.it]\nendpoints = [\"{backend}\"]"
        ))
        .await;
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    let spans = lab.spans();
    let delayed = |span: &hoplab_proxy::telemetry::Span| {
        span.segments.iter().any(|segment| segment.owner == Owner::Delay)
    };
    assert!(!delayed(&spans[0]) && delayed(&spans[1]));
    assert!((spans[1].end - spans[0].start).as_millis() >= 250);
}

#[tokio::test]
async fn a_place_is_held_until_the_last_byte_or_until_the_caller_goes_away() {
    let lab = Lab::new();
    let (mut listener, backend) = lab.bind().await;
    let rest = Arc::new(Notify::new());
    let told = Arc::clone(&rest);
    lab.spawner().spawn(async move {
        while let Ok(Accepted { mut stream, .. }) = listener.accept().await {
            while stream.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await;
                told.notified().await;
                let _ = stream.write_all(b"world").await;
            }
        }
    });
    let text = format!("limits.concurrency = 1\n[upstreams.it]\nendpoints = [\"{backend}\"]");
    let gateway = lab.gateway(&text).await;

    let mut first = gateway.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"hello") {
        seen.push(first.read_u8().await.unwrap());
    }
    let refused = gateway.exchange(GET).await;
    assert_eq!(status(&refused), "503", "{refused}");
    assert!(refused.ends_with("as many requests are in progress as are allowed\n"), "{refused}");
    assert_eq!(decisions(&lab), [("gateway".to_owned(), Decision::ConcurrencyLimited)]);
    rest.notify_one();
    let mut seen = [0; 5];
    first.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"world");

    // The next one takes the place, and goes away half-way.
    let mut second = gateway.connect().await;
    second.write_all(GET.as_bytes()).await.unwrap();
    while second.read_u8().await.unwrap() != b'o' {}
    drop(second);
    while lab.spans().len() < 3 {
        lab.wait_ms(1).await;
    }
    rest.notify_one();
    rest.notify_one();
    let mut third = gateway.connect().await;
    third.write_all(GET.as_bytes()).await.unwrap();
    let mut seen = [0; 15];
    third.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn what_fails_is_asked_less() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        })
        .await;
    let text = format!(
        "limits.admission = {{ max_rejection = \"100%\", aggression = 1000.0 }}\n\
         [upstreams.it]\nendpoints = [\"{backend}\"]"
    );
    let gateway = lab.gateway(&text).await;
    assert_eq!(status(&gateway.exchange(GET).await), "500");
    // (1 / 2)^(1 / 1000) is as good as 1.
    let refused = gateway.exchange(GET).await;
    assert_eq!(status(&refused), "503", "{refused}");
    assert!(refused.ends_with("too few requests succeed to admit more\n"), "{refused}");
    assert_eq!(decisions(&lab), [("gateway".to_owned(), Decision::AdmissionRefused)]);
}
