//! One owner per attempt: timeouts, leases and verdicts run although the caller does not read or send, and blame who
//! is to blame.

use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::telemetry::{BreakerState, Decision, Fault, Outcome, Report};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::frames::{CANCEL, END_STREAM, PREFACE, RST_STREAM, Wire, headers, settings};
use crate::lab::{Lab, read_answer};

const GET: &str = "GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

/// An answer of `mebibytes`.
fn long(mebibytes: usize) -> Response<Body> {
    let frames = (0..mebibytes).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 1 << 20]))));
    Response::new(Body::boxed(StreamBody::new(futures_util::stream::iter(frames))))
}

/// The path decides: a long answer, one that refuses an upload unread, or a short one.
async fn by_path(request: Request<Body>) -> Response<Body> {
    match request.uri().path() {
        "/long" => long(64),
        "/echo" => Response::new(request.into_body()),
        "/early" => {
            // The content is kept unread, and with it the connection.
            let (head, body) = request.into_parts();
            drop(head);
            std::mem::forget(body);
            Response::new(Body::from(Bytes::from_static(b"no")))
        }
        "/upload" => {
            let content = request.into_body().collect().await;
            Response::new(Body::from(Bytes::from(format!("{}", content.is_ok()))))
        }
        _ => Response::new(Body::from(Bytes::from_static(b"short"))),
    }
}

#[tokio::test]
async fn a_stalled_download_gives_its_connection_back_when_its_time_is_up() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    for limit in ["timeout = \"300ms\"", "idle_timeout = \"300ms\""] {
        let pool = "pool = { connections = 1 }, breaker = { failures = 1 }";
        let gateway = lab
            .gateway(&format!(
                "defaults = {{ {limit}, {pool} }}\n[upstreams.it]\nendpoints = [\"{backend}\"]"
            ))
            .await;
        let before = lab.spans().len();
        let mut stalled = gateway.connect().await;
        stalled.write_all(b"GET /long HTTP/1.1\r\nHost: it\r\n\r\n").await.unwrap();
        stalled.read_exact(&mut [0; 1024]).await.unwrap();
        lab.wait_ms(500).await;
        assert_eq!(lab.spans().len() - before, 1, "{limit}: it is over although nobody reads");
        assert_eq!(lab.spans().last().unwrap().outcome, Outcome::Failed(Fault::Cancelled), "{limit}");
        let answer = gateway.exchange(GET).await;
        assert!(status(&answer) == "200" && answer.ends_with("short"), "{limit}: {answer}");
    }
    let opened =
        |report: &Report| matches!(report, Report::Breaker(moved) if moved.state == BreakerState::Open);
    assert!(!lab.reports().iter().any(opened), "who does not read blames nobody");
}

#[tokio::test]
async fn an_early_answer_to_a_stalled_upload_gives_its_connection_back() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let gateway = lab
        .gateway(&format!(
            "defaults = {{ pool = {{ connections = 1, requests = 1 }} }}\n[upstreams.it]\nendpoints = [\"{backend}\"]"
        ))
        .await;
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut client = gateway.connect().await;
        let head = b"POST /early HTTP/1.1\r\nHost: it\r\nContent-Length: 1000000\r\n\r\nhalf";
        client.write_all(head).await.unwrap();
        assert!(read_answer(&mut client).await.ends_with("no"));
        stalled.push(client);
        let answer = gateway.exchange(GET).await;
        assert!(answer.ends_with("short"), "{answer}");
    }
}

#[tokio::test]
async fn what_breaks_after_an_answers_head_counts_for_breaker_and_ejection() {
    let lab = Lab::new();
    let backend = broken_backend(&lab, Duration::from_millis(20)).await;
    let policies = [
        ("breaker = { failures = 3, open_for = \"60s\" }", "503"),
        ("outlier = { consecutive_5xx = 3, max_ejected = \"100%\" }", "503"),
    ];
    for (policy, refused) in policies {
        let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\n{policy}")).await;
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(status(&gateway.exchange(GET).await).to_owned());
        }
        assert_eq!(statuses, ["200", "200", "200", refused], "{policy}");
    }
    let ejected =
        |report: &Report| matches!(report, Report::Policy(event) if event.decision == Decision::Ejected);
    assert!(lab.reports().iter().any(ejected));
}

#[tokio::test]
async fn a_caller_that_leaves_in_the_middle_of_an_answer_blames_nobody() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let gateway = lab
        .gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\nbreaker = {{ failures = 1 }}"))
        .await;
    for _ in 0..3 {
        let mut client = gateway.connect().await;
        client.write_all(b"GET /long HTTP/1.1\r\nHost: it\r\n\r\n").await.unwrap();
        client.read_exact(&mut [0; 1024]).await.unwrap();
        drop(client);
        assert_eq!(status(&gateway.exchange(GET).await), "200");
    }
}

#[tokio::test]
async fn slow_uploads_are_told_so_and_everyone_else_is_served() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let policies = [
        "breaker = { failures = 5 }",
        "outlier = { consecutive_5xx = 5, max_ejected = \"100%\" }",
        "idle_timeout = \"200ms\"\nbreaker = { failures = 5 }",
    ];
    for policy in policies {
        let gateway = lab
            .gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\ntimeout = \"300ms\"\n{policy}"))
            .await;
        let slow =
            "POST /upload HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 100\r\n\r\nhalf";
        let uploads = (0..12).map(|_| gateway.exchange(slow));
        let answers = futures_util::future::join_all(uploads).await;
        let statuses: Vec<_> = answers.iter().map(|answer| status(answer)).collect();
        assert_eq!(statuses, ["408"; 12], "{policy}");
        assert_eq!(status(&gateway.exchange(GET).await), "200", "{policy}");
        assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::RequestTimeout));
    }
}

#[tokio::test]
async fn an_upload_that_goes_on_slowly_has_the_upstreams_time_behind_it() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let policies = "timeout = \"300ms\"\nretry = { per_try_timeout = \"200ms\" }";
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\n{policies}")).await;
    let mut client = gateway.connect().await;
    client.write_all(b"POST /upload HTTP/1.1\r\nHost: it\r\nContent-Length: 6\r\n\r\n").await.unwrap();
    for _ in 0..6 {
        client.write_all(b"x").await.unwrap();
        lab.wait_ms(100).await;
    }
    let answer = read_answer(&mut client).await;
    assert!(answer.ends_with("true"), "{answer}");
}

#[tokio::test]
async fn an_upload_may_go_on_beside_its_answer_for_longer_than_the_upstream_has() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let gateway =
        lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\ntimeout = \"300ms\"")).await;
    let mut client = gateway.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nHost: it\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head).await.unwrap();
    for _ in 0..8 {
        client.write_all(b"1\r\nx\r\n").await.unwrap();
        lab.wait_ms(100).await;
    }
    client.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = gateway.read_all(client, head).await;
    assert!(answer.ends_with("0\r\n\r\n") && answer.matches("x\r\n").count() == 8, "{answer}");
}

#[tokio::test]
async fn an_upload_that_stalls_beside_its_answer_is_over_and_blames_nobody() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let policies = "timeout = \"300ms\"\nbreaker = { failures = 1 }\npool = { connections = 1 }";
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\n{policies}")).await;
    let head = "POST /echo HTTP/1.1\r\nHost: it\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    // What breaks it off: silence, nonsense, and an end in the middle.
    for broken in [None, Some("nonsense\r\n"), Some("")] {
        let mut client = gateway.connect().await;
        client.write_all(head.as_bytes()).await.unwrap();
        client.read_exact(&mut [0; 16]).await.unwrap();
        match broken {
            None => lab.wait_ms(500).await,
            Some("") => drop(client),
            Some(nonsense) => {
                client.write_all(nonsense.as_bytes()).await.unwrap();
                let _ = client.read_to_end(&mut Vec::new()).await;
            }
        }
        assert_eq!(status(&gateway.exchange(GET).await), "200", "{broken:?}");
    }
}

/// A server that sends a head and a part of the content it announces, and breaks off after `pause`.
async fn broken_backend(lab: &Lab, pause: Duration) -> hoplab_proxy::host::Endpoint {
    let (mut listener, endpoint) = lab.bind().await;
    let host = lab.host.clone();
    lab.spawner().spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            let mut stream = accepted.stream;
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
            host.sleep_until(host.now() + pause).await;
        }
    });
    endpoint
}

#[tokio::test]
async fn an_upload_that_is_refused_early_is_told_so() {
    let lab = Lab::new();
    let (mut listener, endpoint) = lab.bind().await;
    lab.spawner().spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            let mut stream = accepted.stream;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|read| read > 0)
            {
                head.truncate(
                    head.windows(4).position(|end| end == b"\r\n\r\n").map_or(head.len(), |at| at + 4),
                );
            }
            let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig";
            let _ = stream.write_all(answer).await;
        }
    });
    let gateway = lab
        .gateway(&format!("[upstreams.it]\nendpoints = [\"{endpoint}\"]\nbreaker = {{ failures = 3 }}"))
        .await;
    let upload =
        [b"POST / HTTP/1.1\r\nHost: it\r\nContent-Length: 8000000\r\n\r\n".as_slice(), &vec![0; 8_000_000]];
    let upload = upload.concat();
    for _ in 0..20 {
        let mut client = gateway.connect().await;
        let (mut read, mut write) = tokio::io::split(&mut client);
        let mut answer = Vec::new();
        let (_, read) = tokio::join!(write.write_all(&upload), read.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 413") && answer.ends_with("big"), "{read:?} {answer}");
    }
    let blamed = |report: &Report| matches!(report, Report::Breaker(_));
    assert!(!lab.reports().iter().any(blamed), "who refuses is well");
}

#[tokio::test]
async fn a_caller_that_does_not_read_is_let_go_of_when_its_answer_breaks_off() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let gateway =
        lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{backend}\"]\ntimeout = \"200ms\"")).await;
    let mut stalled = gateway.connect().await;
    stalled.write_all(b"GET /long HTTP/1.1\r\nHost: it\r\n\r\n").await.unwrap();
    lab.wait_ms(600).await;
    let mut answer = Vec::new();
    let began = lab.host.now();
    let _ = stalled.read_to_end(&mut answer).await;
    assert!((lab.host.now() - began).as_millis() < 2_000, "the connection was ended");
    assert!(answer.len() < 64 << 20);
}

#[tokio::test]
async fn a_caller_that_takes_nothing_of_its_answer_gets_no_more_of_it() {
    let lab = Lab::new();
    let backend = lab.backend(by_path).await;
    let gateway = lab
        .gateway(&format!(
            "send_timeout = \"300ms\"\nlimits = {{ concurrency = 1 }}\n[upstreams.it]\nendpoints = [\"{backend}\"]"
        ))
        .await;
    let mut stalls = gateway.connect().await;
    stalls.write_all(GET.replace("/ ", "/long ").as_bytes()).await.unwrap();
    lab.patiently(lab.has_spans(1)).await.expect("its request ends long before its timeout");
    assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::Cancelled));
    assert_eq!(status(&gateway.exchange(GET).await), "200", "its place is free");

    // The peer's initial window is 0.
    let greeting = [PREFACE, &settings(&[(4, 0)])].concat();
    let mut stalls = Wire::silent(&lab, &gateway.address.into(), &greeting).await;
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/long"), (":authority", "it")];
    stalls.write(&headers(END_STREAM, 1, &fields)).await;
    let ended = stalls.find(|frame| frame.kind == RST_STREAM).await.unwrap();
    assert_eq!((ended.stream, ended.code()), (1, Some(CANCEL)));
    assert_eq!(status(&gateway.exchange(GET).await), "200", "its place is free");
}

#[tokio::test]
async fn who_has_no_time_left_after_waiting_for_a_connection_blames_nobody() {
    let lab = Lab::new();
    let silent = lab.backend(|_| std::future::pending()).await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{silent}\"]\ntimeout = \"2s\"\npool = {{ connections = 1 }}\n\
             breaker = {{ failures = 1 }}"
        ))
        .await;
    // Its caller is to blame, and has the connection for as long as may be.
    let mut uploads = gateway.connect().await;
    let upload = GET.replace("GET", "POST").replace("Host", "Content-Length: 100\r\nHost");
    uploads.write_all(upload.as_bytes()).await.unwrap();
    lab.wait_ms(2).await;
    assert_eq!(status(&gateway.exchange(GET).await), "504");
    assert_eq!(status(&read_answer(&mut uploads).await), "408");
    let attempt = &lab.spans()[1].attempts[0];
    assert!(attempt.is_sent, "the connection came just before its time was up");
    assert!(!lab.reports().iter().any(|report| matches!(report, Report::Breaker(_))));
}
