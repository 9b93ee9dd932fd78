//! What RFC 9110 asks of a gateway, message by message: content, trailers, fields, methods, versions.

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::telemetry::{Fault, Outcome, Owner, Span};
use hoplab_proxy::upstream::{self, Protocol, Upstream};
use http::header::{CONTENT_LENGTH, ETAG, TE, TRAILER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, Running, mirror, read_answer};

async fn echo(lab: &Lab, protocol: &str) -> Running {
    let backend = lab.backend(mirror).await;
    lab.gateway(&format!("[upstreams.echo]\nendpoints = [\"{backend}\"]\nprotocol = \"{protocol}\"")).await
}

#[tokio::test]
async fn content_of_known_and_unknown_length_passes() {
    let lab = Lab::new();
    for protocol in ["http1", "http2"] {
        let gateway = echo(&lab, protocol).await;
        let known = gateway
            .exchange("POST / HTTP/1.1\r\nHost: echo\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
            .await;
        assert!(known.contains("content-length: 5\n") && known.ends_with("\nhello"), "{known}");
        let chunked = gateway
            .exchange(
                "POST / HTTP/1.1\r\nHost: echo\r\nConnection: close\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nhel\r\n2\r\nlo\r\n0\r\nx-sum: 7\r\n\r\n",
            )
            .await;
        assert!(chunked.ends_with("\nhello\ntrailer x-sum: 7"), "{chunked}");
    }
}

#[tokio::test]
async fn content_streams_both_ways_at_once() {
    // The backend answers with the request's own content, frame by frame.
    let lab = Lab::new();
    let backend = lab.backend(async |request: Request<Body>| Response::new(request.into_body())).await;
    let gateway = lab.gateway(&format!("[upstreams.echo]\nendpoints = [\"{backend}\"]")).await;
    let mut client = gateway.connect().await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: echo\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        .await
        .unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    for (part, more) in [("one", &b"3\r\ntwo\r\n"[..]), ("two", b"0\r\n\r\n"), ("0\r\n\r\n", b"")] {
        while !seen.ends_with(&format!("{part}\r\n")) && !seen.ends_with("0\r\n\r\n") {
            let read = client.read(&mut buffer).await.unwrap();
            seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        assert!(seen.contains(part), "{seen}");
        client.write_all(more).await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back() {
    // The backend would send 1 GiB; while the client reads nothing, only what buffers hold is made.
    let lab = Lab::new();
    let made = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = made.clone();
    let backend = lab
        .backend(move |_| {
            let count = count.clone();
            let chunks = (0..16_384).map(move |_| {
                count.fetch_add(65_536, std::sync::atomic::Ordering::Relaxed);
                Ok(Frame::data(Bytes::from(vec![b'x'; 65_536])))
            });
            let body = Body::boxed(StreamBody::new(futures_util::stream::iter(chunks)));
            async move { Response::new(body) }
        })
        .await;
    let gateway = lab.gateway(&format!("[upstreams.large]\nendpoints = [\"{backend}\"]")).await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: large\r\n\r\n").await.unwrap();
    let mut first = [0; 1024];
    assert!(client.read(&mut first).await.unwrap() > 0);
    // Other requests are served meanwhile, which also gives the stream every chance to run ahead.
    for _ in 0..200 {
        gateway.exchange("GET / HTTP/1.1\r\nHost: none\r\nConnection: close\r\n\r\n").await;
    }
    let made = made.load(std::sync::atomic::Ordering::Relaxed);
    assert!(made < 64 << 20, "{made} bytes were made for a reader who took 1,024");
    drop(client);
}

#[tokio::test]
async fn trailers_of_an_answer_pass_when_the_client_takes_them() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-sum", HeaderValue::from_static("7"));
            let frames = [Ok(Frame::data(Bytes::from("hello"))), Ok(Frame::trailers(trailers))];
            let mut answer = Response::new(Body::boxed(StreamBody::new(futures_util::stream::iter(frames))));
            answer.headers_mut().insert(TRAILER, HeaderValue::from_static("x-sum"));
            answer
        })
        .await;
    let gateway = lab.gateway(&format!("[upstreams.sum]\nendpoints = [\"{backend}\"]")).await;
    let request = "GET / HTTP/1.1\r\nHost: sum\r\nTE: trailers\r\nConnection: close, te\r\n\r\n";
    let answer = gateway.exchange(request).await;
    assert!(answer.ends_with("5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn http2_clients_are_served_too() {
    let lab = Lab::new();
    let gateway = echo(&lab, "http2").await;
    let config = upstream::Config {
        protocol: Protocol::Http2,
        ..upstream::Config::new("gateway", vec![Endpoint::from(gateway.address)])
    };
    let client = Upstream::new(lab.host.clone(), &lab.spawner(), config, 1);
    let mut request = Request::new(Body::from(Bytes::from("hello")));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = "/a?b".parse().unwrap();
    request.headers_mut().insert("host", HeaderValue::from_static("echo"));
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    let mut exchange = lab.exchange();
    let answer = client.send(&mut exchange, request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&text).unwrap();
    // The backend sees HTTP/2 with its own view of the target, brought into origin form.
    assert!(text.starts_with("POST /a?b HTTP/2.0\n") && text.ends_with("\nhello"), "{text}");
    assert!(text.contains("\nhost: echo\n") && text.contains("\nte: trailers\n"), "{text}");
}

#[tokio::test]
async fn answers_without_content_keep_their_fields() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |request: Request<Body>| {
            let mut answer = Response::new(Body::empty());
            let status = request.uri().path().trim_start_matches('/').parse().unwrap();
            *answer.status_mut() = status;
            answer.headers_mut().insert(ETAG, HeaderValue::from_static("\"1\""));
            if request.method() == Method::HEAD {
                answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("1234"));
            }
            answer
        })
        .await;
    let gateway = lab.gateway(&format!("[upstreams.bare]\nendpoints = [\"{backend}\"]")).await;
    for (line, expected) in [("HEAD /200", "content-length: 1234"), ("GET /204", ""), ("GET /304", "")] {
        let answer =
            gateway.exchange(format!("{line} HTTP/1.1\r\nHost: bare\r\nConnection: close\r\n\r\n")).await;
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(content, "", "{answer}");
        assert!(head.contains("etag: \"1\"") && head.contains(expected), "{answer}");
        assert!(!head.contains("transfer-encoding"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_go_on() {
    let lab = Lab::new();
    let gateway = echo(&lab, "http1").await;
    let mut client = gateway.connect().await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: echo\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await
        .unwrap();
    let mut interim = [0; 25];
    client.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    let answer = read_answer(&mut client).await;
    assert!(answer.ends_with("\nhello") && !answer.contains("expect"), "{answer}");
}

#[tokio::test]
async fn demands_on_the_gateway_itself_are_met_or_refused() {
    let lab = Lab::new();
    let gateway = echo(&lab, "http1").await;
    let status = async |request: &str| {
        let answer = gateway.exchange(format!("{request}\r\nHost: echo\r\nConnection: close\r\n\r\n")).await;
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("CONNECT echo:80 HTTP/1.1").await, "501");
    assert_eq!(status("GET / HTTP/1.1\r\nUpgrade: h2c").await, "200");
    assert_eq!(status("GET / HTTP/1.1\r\nExpect: a-miracle").await, "417");
    assert_eq!(status("OPTIONS * HTTP/1.1").await, "200");
    let last = "TRACE /a HTTP/1.1\r\nHost: echo\r\nMax-Forwards: 0\r\nCookie: c\r\nProxy-Authorization: c\r\nX-A: b\r\nConnection: close\r\n\r\n";
    let echoed = gateway.exchange(last).await;
    assert!(echoed.contains("content-type: message/http"), "{echoed}");
    assert!(echoed.contains("TRACE /a HTTP/1.1\r\n") && echoed.contains("x-a: b\r\n"), "{echoed}");
    assert!(!echoed.contains("cookie") && !echoed.contains("authorization"), "{echoed}");
    let passed = gateway.exchange(last.replace("Max-Forwards: 0", "Max-Forwards: 1")).await;
    assert!(passed.contains("max-forwards: 0\n"), "{passed}");
}

#[tokio::test]
async fn old_clients_are_served() {
    let lab = Lab::new();
    let gateway = echo(&lab, "http1").await;
    let answer = gateway.exchange("GET /old HTTP/1.0\r\nHost: echo\r\n\r\n").await;
    assert!(
        answer.contains("GET /old HTTP/1.1\n") && answer.contains("via: 1.0 hoplab-gateway\n"),
        "{answer}"
    );
    let absolute =
        gateway.exchange("GET http://echo/abs HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n").await;
    assert!(absolute.contains("GET /abs HTTP/1.1\nhost: echo\n"), "{absolute}");
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let lab = Lab::new();
    let gateway = echo(&lab, "http1").await;
    let mut client = gateway.connect().await;
    for turn in 0..10 {
        client.write_all(format!("GET /{turn} HTTP/1.1\r\nHost: echo\r\n\r\n").as_bytes()).await.unwrap();
        assert!(read_answer(&mut client).await.contains(&format!("GET /{turn} ")));
    }
    let segments = lab.spans().into_iter().flat_map(|span| span.segments);
    let connects = segments.filter(|segment| segment.owner == Owner::Connect);
    assert_eq!(connects.count(), 1, "ten requests took one connection");
}

#[tokio::test]
async fn a_truncated_answer_is_not_passed_off_as_whole() {
    let lab = Lab::new();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";
    let (chunked, sized) = (lab.raw_backend(chunked).await, lab.raw_backend(sized).await);
    let gateway = lab
        .gateway(&format!(
            "[upstreams.chunked]\nendpoints = [\"{chunked}\"]\n[upstreams.sized]\nendpoints = [\"{sized}\"]"
        ))
        .await;
    for host in ["chunked", "sized"] {
        let answer = gateway.exchange(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert!(!answer.contains("0\r\n\r\n"), "{answer}");
    }
    let broken = |span: &Span| span.outcome == Outcome::Failed(Fault::Reset);
    assert!(lab.spans().iter().all(broken) && lab.spans().len() == 2);
}

#[tokio::test]
async fn every_span_tiles_its_time() {
    let lab = Lab::new();
    let gateway = echo(&lab, "http1").await;
    for turn in 0..20 {
        let content = "x".repeat(turn * 1000);
        gateway
            .exchange(format!(
                "POST / HTTP/1.1\r\nHost: echo\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{content}",
                content.len()
            ))
            .await;
    }
    let spans = lab.spans();
    assert_eq!(spans.len(), 20);
    for span in spans {
        assert!(span.start < span.end);
        assert_eq!(span.segments.last().unwrap().end, span.end);
        assert!(span.segments.is_sorted_by(|a, b| a.end < b.end), "{span:?}");
        assert_eq!(span.attempts.len(), 1);
        assert!(span.attempts[0].start >= span.start && span.attempts[0].end <= span.end);
    }
}
