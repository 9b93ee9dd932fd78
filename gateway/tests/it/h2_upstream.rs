//! Upstreams that speak HTTP/2, well and badly: what is whole, what was left untouched, how many streams there are, and
//! what must not be handed on (RFC 9113).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::join_all;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::telemetry::{Fault, Outcome, Owner};
use http::{Request, Response};
use http_body::Frame as BodyFrame;
use http_body_util::StreamBody;
use tokio::io::AsyncWriteExt;

use crate::frames::{
    ACK, CANCEL, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, PING, PREFACE, PROTOCOL_ERROR,
    PUSH_PROMISE, RST_STREAM, SETTINGS, Server, Wire, block, frame, go_away, headers, reset, settings,
    window_update,
};
use crate::lab::{Lab, Running, read_answer};

const OK: &[(&str, &str)] = &[(":status", "200")];
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
const MAX_CONCURRENT_STREAMS: u16 = 3;

async fn gateway(lab: &Lab, endpoint: &Endpoint, policies: &str) -> Running {
    lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{endpoint}\"]\nprotocol = \"http2\"\n{policies}"))
        .await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn data(flags: u8, text: &str) -> Vec<u8> {
    frame(DATA, flags, 1, text.as_bytes())
}

#[tokio::test]
async fn only_the_end_of_the_stream_completes_an_answer() {
    for ending in [Some(reset(1, NO_ERROR)), Some(reset(1, CANCEL)), Some(reset(1, 2)), None] {
        let lab = Lab::new();
        let upstream = Server::start(&lab, &[], move |_, frame| match frame.kind {
            HEADERS => Some([headers(0, 1, OK), data(0, "partial")].concat()),
            // The gateway's acknowledgement comes after its request.
            SETTINGS if frame.flags == ACK => ending.clone(),
            _ => Some(Vec::new()),
        })
        .await;
        let gateway = gateway(&lab, &upstream.endpoint, "").await;
        let answer = gateway.exchange(GET).await;
        assert!(!answer.contains("0\r\n\r\n"), "{answer}");
        let outcomes: Vec<_> = lab.spans().iter().map(|span| span.outcome).collect();
        assert_eq!(outcomes, [Outcome::Failed(Fault::Reset)], "{answer}");
    }
}

#[tokio::test]
async fn a_reset_after_the_end_of_the_stream_is_none_of_the_answers() {
    let lab = Lab::new();
    let upstream = Server::start(&lab, &[], |_, frame| {
        let stream = frame.stream;
        let content = || self::frame(DATA, END_STREAM, stream, b"whole");
        let whole = || [headers(0, stream, OK), content(), reset(stream, NO_ERROR)].concat();
        Some(if frame.kind == HEADERS { whole() } else { Vec::new() })
    })
    .await;
    let gateway = gateway(&lab, &upstream.endpoint, "").await;
    for request in [GET, POST] {
        let answer = gateway.exchange(request).await;
        assert!(answer.contains("whole") && status(&answer) == "200", "{answer}");
    }
}

/// Those of the malformed answers that h2 does not refuse.
const LET_PASS: [&str; 6] = [
    "a value that begins with a space",
    "a value that ends with a tab",
    "a name with a quotation mark",
    "an empty length",
    "a status beyond all",
    "another protocol",
];

/// What answers a request on stream 1, and must not be handed on.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let head = |fields: &[(&str, &str)]| headers(0, 1, fields);
    let ok = (":status", "200");
    let long = "x".repeat(70_000);
    let mut oversized = Vec::new();
    for (number, part) in block(&[ok, ("x", &long)]).chunks(16_384).enumerate() {
        let kind = if number == 0 { HEADERS } else { 9 };
        oversized.extend(frame(kind, if part.len() < 16_384 { END_HEADERS } else { 0 }, 1, part));
    }
    vec![
        ("no status", head(&[("x", "1")])),
        ("no number", head(&[(":status", "abc")])),
        ("two digits", head(&[(":status", "20")])),
        ("two statuses", head(&[ok, ok])),
        ("a status behind a field", head(&[("x", "1"), ok])),
        ("an unknown pseudo-field", head(&[ok, (":x", "1")])),
        ("an uppercase name", head(&[ok, ("X-Upper", "1")])),
        ("a name that is no token", head(&[ok, ("a b", "1")])),
        ("a value with a line feed", head(&[ok, ("x", "a\nb")])),
        ("a value that begins with a space", head(&[ok, ("x", " a")])),
        ("a value that ends with a tab", head(&[ok, ("x", "a\t")])),
        ("a name with a quotation mark", head(&[ok, ("\"x", "a")])),
        ("an empty length", head(&[ok, ("content-length", "")])),
        ("a status beyond all", head(&[(":status", "600")])),
        ("another protocol", head(&[(":status", "101")])),
        ("connection", head(&[ok, ("connection", "close")])),
        ("keep-alive", head(&[ok, ("keep-alive", "1")])),
        ("proxy-connection", head(&[ok, ("proxy-connection", "close")])),
        ("transfer-encoding", head(&[ok, ("transfer-encoding", "chunked")])),
        ("upgrade", head(&[ok, ("upgrade", "h2c")])),
        ("te", head(&[ok, ("te", "gzip")])),
        ("a length that is none", head(&[ok, ("content-length", "x")])),
        ("two lengths", head(&[ok, ("content-length", "1"), ("content-length", "2")])),
        ("a length and no content", headers(END_STREAM, 1, &[ok, ("content-length", "5")])),
        ("an interim answer that ends", headers(END_STREAM, 1, &[(":status", "103")])),
        ("data before a head", data(END_STREAM, "x")),
        ("a head that is too long", oversized),
        ("a pushed request", frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2], &block(OK)[..]].concat())),
        ("bytes that are no fields", frame(HEADERS, END_HEADERS, 1, &[0x80])),
    ]
}

#[tokio::test]
async fn a_malformed_head_is_the_upstreams_fault_and_it_is_told_so() {
    for (what, bytes) in malformed() {
        let lab = Lab::new();
        let upstream = Server::start(&lab, &[], move |_, frame| {
            Some(if frame.kind == HEADERS { bytes.clone() } else { Vec::new() })
        })
        .await;
        let gateway = gateway(&lab, &upstream.endpoint, "").await;
        let answer = gateway.exchange(GET).await;
        // An interim answer had been handed on before it was seen that nothing follows.
        let hints = "HTTP/1.1 103 Early Hints\r\n\r\n";
        let answer = answer.strip_prefix(hints).unwrap_or(&answer);
        assert_eq!(status(answer), "502", "{what}: {answer}");
        assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::ProtocolError), "{what}");
        if ["a length and no content", "an interim answer that ends"].contains(&what) {
            // Both sides have ended the stream: there is nothing to reset.
            continue;
        }
        let mut told = Vec::new();
        for _ in 0..100 {
            let frames = [upstream.frames(RST_STREAM), upstream.frames(GOAWAY)].concat();
            told = frames.iter().filter_map(|(_, frame)| frame.code()).collect();
            if !told.is_empty() {
                break;
            }
            lab.wait_ms(10).await;
        }
        // What h2 lets pass is refused later, when the answer is wanted no more.
        let code = if LET_PASS.contains(&what) { CANCEL } else { PROTOCOL_ERROR };
        assert_eq!(told.first(), Some(&code), "{what}");
    }
}

#[tokio::test]
async fn content_that_is_not_what_its_head_says_is_broken_off() {
    let length = headers(0, 1, &[(":status", "200"), ("content-length", "5")]);
    for (what, bytes) in [
        ("too little", data(END_STREAM, "1234")),
        ("too much", [data(0, "1234"), data(END_STREAM, "56")].concat()),
        ("trailers too early", [data(0, "1234"), headers(END_STREAM, 1, &[("x", "1")])].concat()),
        ("a second head", [data(0, "1234"), headers(0, 1, OK), data(END_STREAM, "5")].concat()),
        ("trailers of one hop", [data(0, "1234"), headers(END_STREAM, 1, &[("connection", "x")])].concat()),
    ] {
        let lab = Lab::new();
        let answer = [length.clone(), bytes].concat();
        let upstream = Server::start(&lab, &[], move |_, frame| {
            Some(if frame.kind == HEADERS { answer.clone() } else { Vec::new() })
        })
        .await;
        let gateway = gateway(&lab, &upstream.endpoint, "").await;
        let answer = gateway.exchange(GET).await;
        assert!(!answer.ends_with("12345") && !answer.ends_with("123456"), "{what}: {answer}");
        assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::ProtocolError), "{what}: {answer}");
    }
}

#[tokio::test]
async fn what_a_goaway_leaves_untouched_is_sent_again() {
    let lab = Lab::new();
    let upstream = Server::start(&lab, &[], |connection, frame| match (connection, frame.kind) {
        (0, HEADERS) => Some(go_away(0, NO_ERROR)),
        (0, GOAWAY) => None,
        (_, HEADERS) => Some(headers(END_STREAM, frame.stream, OK)),
        _ => Some(Vec::new()),
    })
    .await;
    let gateway = gateway(&lab, &upstream.endpoint, "retry = { attempts = 2 }").await;
    let answer = gateway.exchange(POST).await;
    assert_eq!(status(&answer), "200", "{answer}");
    let spans = lab.spans();
    assert_eq!(spans[0].attempts.len(), 2, "{:?}", spans[0].attempts);
}

#[tokio::test]
async fn streams_below_a_goaway_go_on_and_new_ones_go_elsewhere() {
    let lab = Lab::new();
    // The first request is answered when the second has come, over another connection.
    let others = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&others);
    let upstream = Server::start(&lab, &[], move |connection, frame| match (connection, frame.kind) {
        (0, HEADERS) => Some([go_away(1, NO_ERROR), headers(0, 1, OK), data(0, "one")].concat()),
        (_, HEADERS) => {
            count.fetch_add(1, Ordering::Relaxed);
            Some(headers(END_STREAM, frame.stream, OK))
        }
        (0, SETTINGS) if frame.flags == ACK => Some(Vec::new()),
        _ => Some(Vec::new()),
    })
    .await;
    let gateway = gateway(&lab, &upstream.endpoint, "timeout = \"1s\"").await;
    let second = async {
        while upstream.frames(HEADERS).is_empty() {
            lab.wait_ms(1).await;
        }
        lab.wait_ms(20).await;
        gateway.exchange(GET).await
    };
    let (first, second) = tokio::join!(biased; gateway.exchange(GET), second);
    assert!(first.contains("one"), "{first}");
    assert_eq!((status(&second), others.load(Ordering::Relaxed)), ("200", 1));
}

#[tokio::test]
async fn what_the_peer_allows_is_part_of_how_full_a_connection_is() {
    let lab = Lab::new();
    // None is answered, and none is sent where there are two already.
    let upstream = Server::start(&lab, &[(MAX_CONCURRENT_STREAMS, 2)], |_, _| Some(Vec::new())).await;
    let policies = "timeout = \"300ms\"\npool = { connections = 4 }";
    let gateway = gateway(&lab, &upstream.endpoint, policies).await;
    let request = async |number: u64| {
        lab.wait_ms(number * 20).await;
        gateway.exchange(GET).await
    };
    let answers = join_all((0..9).map(request)).await;
    assert!(answers.iter().all(|answer| status(answer) == "504"), "{answers:?}");
    let asked: Vec<_> = upstream.frames(HEADERS).iter().map(|(connection, _)| *connection).collect();
    assert_eq!(asked, [0, 0, 1, 1, 2, 2, 3, 3, 0]);
    // The ninth had no place until the first was given up, and until then its time is the pool's.
    let last = lab.spans().into_iter().max_by_key(|span| span.start).unwrap();
    let waited = last.segments.iter().find(|segment| segment.owner == Owner::Pool).unwrap();
    assert!(waited.end.saturating_since(last.start).as_millis() > 50, "{:?}", last.segments);
}

#[tokio::test]
async fn nothing_is_sent_that_the_peer_does_not_allow() {
    let lab = Lab::new();
    let upstream = Server::start(&lab, &[], |_, frame| match (frame.kind, frame.stream) {
        (HEADERS, 1) => Some([settings(&[(MAX_CONCURRENT_STREAMS, 0)]), headers(END_STREAM, 1, OK)].concat()),
        (HEADERS, stream) => Some(headers(END_STREAM, stream, OK)),
        _ => Some(Vec::new()),
    })
    .await;
    let policies = "timeout = \"200ms\"\npool = { connections = 1 }";
    let gateway = gateway(&lab, &upstream.endpoint, policies).await;
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    assert_eq!(status(&gateway.exchange(GET).await), "504");
    assert_eq!(upstream.frames(HEADERS).len(), 1);
    let span = lab.spans().into_iter().next_back().unwrap();
    assert!(span.segments.iter().any(|segment| segment.owner == Owner::Pool), "{:?}", span.segments);
}

#[tokio::test]
async fn who_waits_for_a_place_gets_it_when_the_peer_allows_more() {
    let lab = Lab::new();
    // The first request is not answered; a ping, which comes because of it, is the word to allow a second one.
    let upstream = Server::start(&lab, &[], |_, frame| match (frame.kind, frame.stream) {
        (HEADERS, 1) => Some(settings(&[(MAX_CONCURRENT_STREAMS, 1)])),
        (HEADERS, stream) => Some(headers(END_STREAM, stream, OK)),
        (PING, _) if frame.flags & ACK == 0 => {
            let pong = self::frame(PING, ACK, 0, &frame.payload);
            Some([pong, settings(&[(MAX_CONCURRENT_STREAMS, 2)])].concat())
        }
        _ => Some(Vec::new()),
    })
    .await;
    let policies = "timeout = \"500ms\"\npool = { connections = 1, keep_alive = \"100ms\" }";
    let gateway = gateway(&lab, &upstream.endpoint, policies).await;
    let second = async {
        while upstream.frames(HEADERS).is_empty() {
            lab.wait_ms(1).await;
        }
        lab.wait_ms(20).await;
        let answer = gateway.exchange(GET).await;
        (answer, lab.spans().into_iter().next_back().unwrap())
    };
    let (first, (second, span)) = tokio::join!(biased; gateway.exchange(GET), second);
    assert_eq!((status(&first), status(&second)), ("504", "200"));
    assert!(span.segments.iter().any(|segment| segment.owner == Owner::Pool), "{:?}", span.segments);
}

/// Content of ten megabytes.
fn large() -> Body {
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let chunks = (0..160).map(move |_| Ok(BodyFrame::data(chunk.clone())));
    Body::boxed(StreamBody::new(futures_util::stream::iter(chunks)))
}

#[tokio::test]
async fn readers_that_stall_do_not_stop_others() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |request: Request<Body>| {
            let small = request.uri().path() == "/small";
            Response::new(if small { Body::from(Bytes::from("small")) } else { large() })
        })
        .await;
    let gateway = gateway(&lab, &backend, "").await;
    let stream = gateway.connect().await;
    let mut builder = h2::client::Builder::new();
    builder.initial_connection_window_size((1 << 31) - 1);
    let (mut client, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
    lab.spawner().spawn(async move { drop(connection.await) });
    let request = |path: &str| Request::get(format!("http://a{path}")).body(()).unwrap();
    let mut stalled = Vec::new();
    for _ in 0..20 {
        let (answer, _) = client.send_request(request("/large"), true).unwrap();
        stalled.push(answer.await.unwrap());
    }
    // Long enough for what buffers hold to come.
    lab.wait_ms(200).await;
    let (answer, _) = client.send_request(request("/small"), true).unwrap();
    let small = async { answer.await.unwrap().into_body().data().await.unwrap().unwrap() };
    tokio::select! {
        biased;
        small = small => assert_eq!(small, "small"),
        () = lab.wait_ms(3_000) => panic!("stalled readers stop another"),
    }
    // Nor are they lost themselves.
    let mut body = stalled.swap_remove(7).into_body();
    let mut read = 0;
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        read += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(read, 160 * 64 * 1024);
}

#[tokio::test]
async fn interim_answers_pass_between_sides_that_speak_http2() {
    let lab = Lab::new();
    let upstream = Server::start(&lab, &[], |_, frame| {
        let answers = || {
            let own = headers(0, 1, &[(":status", "100")]);
            let hints = headers(0, 1, &[(":status", "103"), ("link", "</s.css>; rel=preload")]);
            let more = headers(0, 1, &[(":status", "102")]);
            [own, hints, more, headers(0, 1, OK), data(END_STREAM, "ok")].concat()
        };
        Some(if frame.kind == HEADERS { answers() } else { Vec::new() })
    })
    .await;
    let gateway = gateway(&lab, &upstream.endpoint, "").await;
    let (mut client, connection) = h2::client::handshake(gateway.connect().await).await.unwrap();
    lab.spawner().spawn(async move { drop(connection.await) });
    let request = Request::get("http://a/").body(()).unwrap();
    let (mut answer, _) = client.send_request(request, true).unwrap();
    let mut interim = Vec::new();
    while let Some(passed) = std::future::poll_fn(|cx| answer.poll_informational(cx)).await {
        let passed = passed.unwrap();
        interim.push((passed.status().as_u16(), passed.headers().contains_key("link")));
    }
    assert_eq!(interim, [(103, true), (102, false)]);
    assert_eq!(answer.await.unwrap().status(), 200);
}

/// An upstream that answers with `head` and `content` on stream 1, and ends the stream when that has been handed on.
async fn ending_later(lab: &Lab, head: &'static [(&'static str, &'static str)], content: Vec<u8>) -> Server {
    Server::start(lab, &[], move |_, frame| match frame.kind {
        HEADERS => Some([headers(0, 1, head), content.clone()].concat()),
        // The gateway's acknowledgement comes after its request.
        SETTINGS if frame.flags == ACK => Some(data(END_STREAM, "")),
        _ => Some(Vec::new()),
    })
    .await
}

#[tokio::test]
async fn an_answer_whose_bytes_are_all_there_is_one_whenever_its_stream_ends() {
    const LONG: usize = 64 * 1024;
    let long = "x".repeat(16 * 1024);
    let whole: &'static [_] = &[(":status", "200"), ("content-length", "5")];
    let long_head: &'static [_] = &[(":status", "200"), ("content-length", "65536")];
    for (request, head, content) in [
        (GET.to_owned(), whole, data(0, "whole")),
        (GET.to_owned(), long_head, (0..LONG / long.len()).flat_map(|_| data(0, &long)).collect()),
        (GET.replace("GET", "HEAD"), whole, Vec::new()),
        (GET.to_owned(), &[(":status", "304")], Vec::new()),
        (GET.to_owned(), &[(":status", "204")], Vec::new()),
    ] {
        let lab = Lab::new();
        let upstream = ending_later(&lab, head, content).await;
        let gateway = gateway(&lab, &upstream.endpoint, "").await;
        let answer = gateway.exchange(&request).await;
        let length = head.get(1).map(|(_, length)| format!("content-length: {length}\r\n"));
        assert!(length.is_none_or(|length| answer.contains(&length)), "{answer}");
        assert!(!answer.contains("content-length: 0"), "{answer}");
        lab.wait_ms(20).await;
        let outcomes: Vec<_> = lab.spans().iter().map(|span| span.outcome).collect();
        let status = head[0].1.parse().unwrap();
        assert_eq!(outcomes, [Outcome::Answered(status)], "{request}{answer:.200}");
        assert!(upstream.frames(RST_STREAM).is_empty(), "the upstream is not told of a mistake");
    }
}

#[tokio::test]
async fn a_call_of_grpc_ended_as_its_trailers_say() {
    let lab = Lab::new();
    let upstream = Server::start(&lab, &[], |_, frame| {
        let stream = frame.stream;
        let head = headers(0, stream, &[(":status", "200"), ("content-type", "application/grpc")]);
        let message = self::frame(DATA, 0, stream, b"\0\0\0\0\x02hi");
        let ended = headers(END_STREAM, stream, &[("grpc-status", "14")]);
        Some(if frame.kind == HEADERS { [head, message, ended].concat() } else { Vec::new() })
    })
    .await;
    let gateway = gateway(&lab, &upstream.endpoint, "retry.attempts = 0").await;
    gateway.exchange(GET.replace("Host", "Content-Type: application/grpc\r\nHost")).await;
    let outcomes: Vec<_> = lab.spans().iter().map(|span| span.outcome).collect();
    assert_eq!(outcomes, [Outcome::Answered(503)]);
}

const CALL: &[(&str, &str)] = &[
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "a"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
];

/// A message of gRPC.
const MESSAGE: &[u8] = b"\0\0\0\0\x02hi";

/// An upstream that answers a call with a message, and says nothing more.
async fn says_one_message(lab: &Lab) -> Server {
    Server::start(lab, &[], |_, frame| {
        let head = headers(0, frame.stream, &[(":status", "200"), ("content-type", "application/grpc")]);
        let message = self::frame(DATA, 0, frame.stream, MESSAGE);
        Some(if frame.kind == HEADERS { [head, message].concat() } else { Vec::new() })
    })
    .await
}

#[tokio::test]
async fn a_stream_is_handed_on_although_its_trailers_matter() {
    let lab = Lab::new();
    let upstream = says_one_message(&lab).await;
    let retry = "retry = { on = [\"unavailable\"], methods = \"any\" }";
    let gateway = gateway(&lab, &upstream.endpoint, retry).await;
    // The one has more to say, of which the other's answer depends; the other's answer is one of several messages.
    for (flags, asked) in
        [(0, "a call that goes both ways"), (END_STREAM, "a call that is answered by a stream")]
    {
        let mut client = Wire::client(&lab, &gateway.address.into()).await;
        client.write(&[headers(0, 1, CALL), self::frame(DATA, flags, 1, MESSAGE)].concat()).await;
        let message = client.find(|frame| frame.kind == DATA && frame.stream == 1).await;
        assert_eq!(message.unwrap().payload, MESSAGE, "{asked}");
    }
}

#[tokio::test]
async fn small_frames_for_a_reader_who_stalls_end_nobody_elses_stream() {
    const EVENTS: usize = 50_000;
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let lab = Lab::new();
    let upstream = Server::start(&lab, &[], |_, frame| {
        let event = || self::frame(DATA, 0, frame.stream, b"data: twenty bytes\n\n");
        Some(match (frame.kind, frame.stream) {
            (HEADERS, 1) => [headers(0, 1, OK), event().repeat(EVENTS)].concat(),
            (HEADERS, stream) => {
                [headers(0, stream, OK), self::frame(DATA, END_STREAM, stream, b"x")].concat()
            }
            _ => Vec::new(),
        })
    })
    .await;
    let gateway = gateway(&lab, &upstream.endpoint, "pool = { connections = 1 }").await;
    // What comes on a stream is not taken, until there is a window for it.
    let greeting = [PREFACE, &settings(&[(INITIAL_WINDOW_SIZE, 0)])].concat();
    let mut stalls = Wire::silent(&lab, &gateway.address.into(), &greeting).await;
    stalls.write(&headers(END_STREAM, 1, &[&CALL[..4], &[("x", "events")]].concat())).await;
    assert!(stalls.find(|frame| frame.kind == HEADERS).await.is_some());
    for _ in 0..20 {
        let answer = gateway.exchange(GET).await;
        assert_eq!(status(&answer), "200", "{answer}");
        lab.wait_ms(20).await;
    }
    assert_eq!(upstream.frames(GOAWAY), []);
    // And nothing of it is lost.
    stalls.write(&[window_update(0, 1 << 24), window_update(1, 1 << 24)].concat()).await;
    let mut bytes = 0;
    while bytes < EVENTS * 20 {
        bytes += stalls.find(|frame| frame.kind == DATA).await.unwrap().payload.len();
    }
    assert_eq!(bytes, EVENTS * 20);
}

#[tokio::test]
async fn an_upload_whose_answer_came_early_is_sent_to_its_end() {
    const BYTES: usize = 66_000;
    let lab = Lab::new();
    let taken = AtomicUsize::new(0);
    let upstream = Server::start(&lab, &[], move |_, frame| {
        let whole = |stream| [headers(0, stream, OK), self::frame(DATA, END_STREAM, stream, b"ok")].concat();
        Some(match (frame.kind, frame.stream) {
            // As much as its windows let through, which is not all.
            (DATA, 1) => {
                let before = taken.fetch_add(frame.payload.len(), Ordering::Relaxed);
                if before + frame.payload.len() == 65_535 { whole(1) } else { Vec::new() }
            }
            (HEADERS, 3) => [window_update(0, 1 << 20), window_update(1, 1 << 20), whole(3)].concat(),
            _ => Vec::new(),
        })
    })
    .await;
    let gateway = gateway(&lab, &upstream.endpoint, "").await;
    let mut client = gateway.connect().await;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BYTES}\r\n\r\n");
    client.write_all(&[head.into_bytes(), vec![b'x'; BYTES]].concat()).await.unwrap();
    assert_eq!(status(&read_answer(&mut client).await), "200");
    lab.wait_ms(20).await;
    assert_eq!(status(&gateway.exchange(GET).await), "200");
    lab.wait_ms(20).await;
    let sent = upstream.frames(DATA).into_iter().filter(|(_, frame)| frame.stream == 1);
    let (bytes, flags): (Vec<_>, Vec<_>) = sent.map(|(_, frame)| (frame.payload.len(), frame.flags)).unzip();
    assert_eq!((bytes.iter().sum(), flags.last()), (BYTES, Some(&END_STREAM)));
    assert_eq!(upstream.frames(RST_STREAM), []);
}
