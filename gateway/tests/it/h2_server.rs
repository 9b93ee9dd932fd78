//! Clients that speak HTTP/2 badly, or not at all, or with fields that other versions write otherwise. The table has
//! h2spec's cases, written anew; where the `h2` crate answers with another code than h2spec asks for, the row says so.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Accepted, Endpoint, Listener};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, block, frame, go_away, headers, reset, settings,
    window_update,
};
use crate::lab::{Lab, Running, mirror};

const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;

type Fields<'a> = &'a [(&'a str, &'a str)];

const GET: Fields<'static> = &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
const POST: Fields<'static> =
    &[(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

/// What is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The stream is reset with this code, and the connection goes on.
    Stream(u32),
    /// The connection ends with this code.
    Connection(u32),
    /// Nothing.
    Ignored,
}

use Expected::{Connection, Ignored, Stream};

fn with<'a>(fields: Fields<'a>, more: Fields<'a>) -> Vec<(&'a str, &'a str)> {
    [fields, more].concat()
}

/// A request that never comes to an answer, since its content is not complete.
fn open(stream: u32) -> Vec<u8> {
    headers(0, stream, POST)
}

fn priority(stream: u32, depends_on: u32) -> Vec<u8> {
    frame(PRIORITY, 0, stream, &[&depends_on.to_be_bytes()[..], &[1]].concat())
}

/// Frames where their stream, or its state, does not take them.
fn misplaced() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let get = |stream| headers(END_STREAM, stream, GET);
    let closed = [open(1), reset(1, 8)].concat();
    vec![
        ("DATA on an idle stream", frame(DATA, END_STREAM, 1, b"x"), Connection(PROTOCOL)),
        ("RST_STREAM on an idle stream", reset(1, 8), Connection(PROTOCOL)),
        ("WINDOW_UPDATE on an idle stream", window_update(1, 1), Connection(PROTOCOL)),
        ("CONTINUATION on an idle stream", frame(CONTINUATION, 4, 1, &block(GET)), Connection(PROTOCOL)),
        ("DATA on a closed stream", [&closed[..], &frame(DATA, 1, 1, b"x")].concat(), Stream(STREAM_CLOSED)),
        // h2spec: STREAM_CLOSED.
        ("HEADERS on a closed stream", [closed.clone(), get(1)].concat(), Connection(PROTOCOL)),
        ("HEADERS on stream 0", get(0), Connection(PROTOCOL)),
        ("DATA on stream 0", frame(DATA, 0, 0, b"x"), Connection(PROTOCOL)),
        ("RST_STREAM on stream 0", reset(0, 8), Connection(PROTOCOL)),
        ("PRIORITY on stream 0", priority(0, 1), Connection(PROTOCOL)),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[]), Connection(PROTOCOL)),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8]), Connection(PROTOCOL)),
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), Connection(PROTOCOL)),
        ("an even stream", get(2), Connection(PROTOCOL)),
        ("a stream below another", [open(5), open(3)].concat(), Connection(PROTOCOL)),
        ("a pushed request", frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2]), Connection(PROTOCOL)),
        (
            "CONTINUATION behind the end",
            [open(1), frame(CONTINUATION, 4, 1, &[])].concat(),
            Connection(PROTOCOL),
        ),
        (
            "a frame between HEADERS and CONTINUATION",
            [frame(HEADERS, 0, 1, &block(GET)), frame(PING, 0, 0, &[0; 8])].concat(),
            Connection(PROTOCOL),
        ),
        (
            "CONTINUATION of another stream",
            [frame(HEADERS, 0, 1, &block(GET)), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
            Connection(PROTOCOL),
        ),
        ("a stream that depends on itself", [open(1), priority(1, 1)].concat(), Stream(PROTOCOL)),
        ("an unknown frame", frame(0xbb, 0xff, 1, b"x"), Ignored),
        ("an acknowledged ping that nobody sent", frame(PING, ACK, 0, &[0; 8]), Ignored),
        ("a priority for an idle stream", priority(1, 3), Ignored),
    ]
}

/// Sizes and values that there are not.
fn measures() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let then = |bytes: Vec<u8>| [open(1), bytes].concat();
    let over = vec![0; 16_385];
    vec![
        // h2spec: FRAME_SIZE_ERROR, down to PRIORITY.
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), Connection(PROTOCOL)),
        ("acknowledged SETTINGS with content", frame(SETTINGS, ACK, 0, &[0; 6]), Connection(PROTOCOL)),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7]), Connection(PROTOCOL)),
        ("RST_STREAM of three bytes", then(frame(RST_STREAM, 0, 1, &[0; 3])), Connection(PROTOCOL)),
        ("WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), Connection(PROTOCOL)),
        ("PRIORITY of four bytes", then(frame(PRIORITY, 0, 1, &[0; 4])), Connection(PROTOCOL)),
        ("DATA that is too long", then(frame(DATA, 0, 1, &over)), Connection(FRAME_SIZE)),
        ("padding longer than its frame", then(frame(DATA, 8, 1, &[9, 0])), Connection(PROTOCOL)),
        ("push that is neither on nor off", settings(&[(2, 2)]), Connection(PROTOCOL)),
        // h2spec: FLOW_CONTROL_ERROR.
        ("a window that is too large", settings(&[(4, 1 << 31)]), Connection(PROTOCOL)),
        ("frames that are too small", settings(&[(5, 16_383)]), Connection(PROTOCOL)),
        ("frames that are too large", settings(&[(5, 1 << 24)]), Connection(PROTOCOL)),
        ("an unknown setting", settings(&[(0xbb, 1)]), Ignored),
        ("a connection's window that grows by nothing", window_update(0, 0), Connection(PROTOCOL)),
        ("a connection's window that overflows", window_update(0, (1 << 31) - 1), Connection(FLOW_CONTROL)),
        // h2spec: the stream alone.
        ("a stream's window that grows by nothing", then(window_update(1, 0)), Connection(PROTOCOL)),
        ("a stream's window that overflows", then(window_update(1, (1 << 31) - 1)), Stream(FLOW_CONTROL)),
        // h2spec: COMPRESSION_ERROR.
        ("bytes that are no fields", frame(HEADERS, 5, 1, &[0x80]), Connection(PROTOCOL)),
    ]
}

/// Heads and contents that are no request.
fn malformed() -> Vec<(&'static str, Vec<u8>, Expected)> {
    let head = |fields: Fields<'_>| headers(END_STREAM, 1, fields);
    let long = |flags, bytes: &[u8]| {
        let length = headers(0, 1, &with(POST, &[("content-length", "4")]));
        [length, frame(DATA, flags, 1, bytes)].concat()
    };
    let without = |name: &str| {
        let fields: Vec<_> = GET.iter().filter(|(there, _)| *there != name).copied().collect();
        head(&fields)
    };
    vec![
        // h2 cannot hold these names, and so ends the connection; h2spec allows that, the stream would be enough.
        ("an uppercase name", head(&with(GET, &[("X-Upper", "1")])), Connection(PROTOCOL)),
        ("an unknown pseudo-field", head(&with(GET, &[(":x", "1")])), Connection(PROTOCOL)),
        ("an empty name", head(&with(GET, &[("", "1")])), Connection(PROTOCOL)),
        ("a name that is no token", head(&with(GET, &[("a b", "1")])), Connection(PROTOCOL)),
        ("an answer's pseudo-field", head(&with(GET, &[(":status", "200")])), Stream(PROTOCOL)),
        ("a pseudo-field behind a field", head(&with(&[("x", "1")], GET)), Stream(PROTOCOL)),
        ("connection", head(&with(GET, &[("connection", "close")])), Stream(PROTOCOL)),
        ("keep-alive", head(&with(GET, &[("keep-alive", "1")])), Stream(PROTOCOL)),
        ("proxy-connection", head(&with(GET, &[("proxy-connection", "close")])), Stream(PROTOCOL)),
        ("transfer-encoding", head(&with(GET, &[("transfer-encoding", "chunked")])), Stream(PROTOCOL)),
        ("upgrade", head(&with(GET, &[("upgrade", "h2c")])), Stream(PROTOCOL)),
        ("te", head(&with(GET, &[("te", "trailers, deflate")])), Stream(PROTOCOL)),
        ("no method", without(":method"), Stream(PROTOCOL)),
        ("no scheme", without(":scheme"), Stream(PROTOCOL)),
        ("no path", without(":path"), Stream(PROTOCOL)),
        ("two methods", head(&with(&[(":method", "GET")], GET)), Stream(PROTOCOL)),
        ("two schemes", head(&with(&[(":scheme", "http")], GET)), Stream(PROTOCOL)),
        ("two paths", head(&with(&[(":path", "/")], GET)), Stream(PROTOCOL)),
        (
            "an empty path",
            head(&[(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")]),
            Stream(PROTOCOL),
        ),
        ("a length that is none", head(&with(GET, &[("content-length", "x")])), Stream(PROTOCOL)),
        (
            "two lengths",
            head(&with(POST, &[("content-length", "1"), ("content-length", "2")])),
            Stream(PROTOCOL),
        ),
        ("too little content", long(END_STREAM, b"123"), Stream(PROTOCOL)),
        ("too much content", long(0, b"12345"), Stream(PROTOCOL)),
        // RFC 9113, 8.2.1 and 8.3.1; nothing tells of it but a 400.
        ("a value that begins with a space", head(&with(GET, &[("x", " y")])), Ignored),
        // RFC 9113, 8.1: malformed. h2 takes the pseudo-field off.
        (
            "trailers with a pseudo-field",
            [open(1), headers(END_STREAM, 1, &[(":path", "/x")])].concat(),
            Ignored,
        ),
        // RFC 9113, 8.1.1: malformed. h2 forgets that where a frame ends within a field, and takes off what is wrong.
        (
            "a second method, and a frame that ends within a field",
            {
                let block = block(&with(&[(":method", "PUT")], GET));
                let (first, rest) = block.split_at(block.len() - 1);
                [frame(HEADERS, END_STREAM, 1, first), frame(CONTINUATION, END_HEADERS, 1, rest)].concat()
            },
            Ignored,
        ),
        (
            "trailers that do not end",
            [open(1), frame(DATA, 0, 1, b"x"), headers(0, 1, &[("x", "1")])].concat(),
            Stream(PROTOCOL),
        ),
    ]
}

async fn gateway(lab: &Lab) -> Running {
    let backend = lab.backend(mirror).await;
    lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{backend}\"]")).await
}

/// What becomes of `bytes`, and whether a request after them is answered.
async fn outcome(lab: &Lab, gateway: &Running, bytes: &[u8]) -> (Expected, bool) {
    let mut wire = Wire::client(lab, &Endpoint::from(gateway.address)).await;
    wire.write(&[bytes, &headers(END_STREAM, 101, GET)].concat()).await;
    let mut outcome = Ignored;
    loop {
        let told = wire.find(|frame| [RST_STREAM, GOAWAY].contains(&frame.kind) || frame.stream == 101).await;
        match told {
            Some(told) if told.kind == RST_STREAM => outcome = Stream(told.code().unwrap()),
            Some(told) if told.kind == GOAWAY => {
                let code = told.code().unwrap();
                let ends = wire.find(|_| false).await.is_none();
                return (Connection(code), !ends);
            }
            Some(_) => return (outcome, true),
            None => return (outcome, false),
        }
    }
}

#[tokio::test]
async fn what_is_no_http2_is_refused_where_it_is_wrong() {
    let lab = Lab::new();
    let gateway = gateway(&lab).await;
    let mut wrong = Vec::new();
    for (what, bytes, expected) in [misplaced(), measures(), malformed()].concat() {
        let found = outcome(&lab, &gateway, &bytes).await;
        let goes_on = !matches!(expected, Connection(_));
        if found != (expected, goes_on) {
            wrong.push(format!("{what}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_h2_lets_pass_is_answered_with_400() {
    let lab = Lab::new();
    let gateway = gateway(&lab).await;
    let path = |path| [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")];
    let [method, scheme, _, authority] = path("/");
    for fields in [
        with(GET, &[("x", " y")]),
        with(GET, &[("x", "y\t")]),
        with(GET, &[("\"x", "y")]),
        with(GET, &[("content-length", "")]),
        with(GET, &[("content-length", "0"), ("content-length", "")]),
        path("?a").to_vec(),
        vec![method, (":scheme", ""), (":path", "/"), authority],
        vec![method, scheme, (":path", "/")],
        vec![method, scheme, (":path", "/"), ("host", "")],
    ] {
        let mut wire = Wire::client(&lab, &Endpoint::from(gateway.address)).await;
        wire.write(&headers(END_STREAM, 1, &fields)).await;
        let answer = wire.find(|frame| frame.stream == 1).await.unwrap();
        // `:status: 400` is an entry of the static table.
        assert_eq!((answer.kind, answer.payload[0]), (HEADERS, 0x8c), "{fields:?}");
    }
    // In trailers it is too late for an answer.
    let mut wire = Wire::client(&lab, &Endpoint::from(gateway.address)).await;
    wire.write(&[open(1), headers(END_STREAM, 1, &[("x", "y ")])].concat()).await;
    let end = wire.find(|frame| frame.stream == 1).await.unwrap();
    assert!(end.kind == RST_STREAM || end.payload[0] != 0x88, "{end:?}");
}

#[tokio::test]
async fn content_of_a_get_reaches_an_upstream_that_speaks_http1() {
    let lab = Lab::new();
    let gateway = gateway(&lab).await;
    let mut wire = Wire::client(&lab, &Endpoint::from(gateway.address)).await;
    wire.write(&[headers(0, 1, GET), frame(DATA, END_STREAM, 1, b"hello")].concat()).await;
    let answer = wire.find(|frame| frame.kind == DATA).await.unwrap();
    assert!(answer.payload.ends_with(b"\nhello"), "{answer:?}");
    let chunked = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = gateway.exchange(chunked).await;
    assert!(answer.contains("\nhello"), "{answer}");
}

#[tokio::test]
async fn fields_that_may_come_several_times_leave_as_one() {
    let lab = Lab::new();
    let gateway = gateway(&lab).await;
    let mut wire = Wire::client(&lab, &Endpoint::from(gateway.address)).await;
    let several = [("cookie", "a=1"), ("content-length", "2"), ("cookie", "b=2"), ("content-length", "2")];
    let request = [headers(0, 1, &with(POST, &several)), frame(DATA, END_STREAM, 1, b"hi")].concat();
    wire.write(&request).await;
    let answer = wire.find(|frame| frame.kind == DATA).await.unwrap();
    let text = String::from_utf8(answer.payload).unwrap();
    assert!(text.contains("\ncookie: a=1; b=2\n"), "{text}");
    assert_eq!(text.matches("content-length: 2\n").count(), 1, "{text}");
}

#[tokio::test]
async fn a_request_that_is_reset_without_an_error_is_not_complete() {
    let lab = Lab::new();
    let complete = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&complete);
    let backend = lab.backend(move |request: Request<Body>| {
        let (note, method) = (Arc::clone(&note), request.method().clone());
        async move {
            if request.into_body().collect().await.is_ok() {
                note.lock().unwrap().push(method);
            }
            Response::new(Body::from(Bytes::from("hello")))
        }
    });
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{}\"]", backend.await)).await;
    let mut wire = Wire::client(&lab, &Endpoint::from(gateway.address)).await;
    for (stream, code) in [(1, 0), (3, 8)] {
        wire.write(&[open(stream), frame(DATA, 0, stream, b"half")].concat()).await;
        lab.wait_ms(20).await;
        wire.write(&reset(stream, code)).await;
    }
    wire.write(&headers(END_STREAM, 5, GET)).await;
    assert_eq!(wire.find(|frame| frame.kind == DATA).await.unwrap().stream, 5);
    assert_eq!(*complete.lock().unwrap(), [Method::GET]);
}

#[tokio::test]
async fn a_client_that_says_goodbye_gets_what_it_asked_for() {
    let lab = Lab::new();
    let gateway = gateway(&lab).await;
    let mut wire = Wire::client(&lab, &Endpoint::from(gateway.address)).await;
    wire.write(&[headers(END_STREAM, 1, GET), go_away(0, 0)].concat()).await;
    assert!(wire.find(|frame| frame.kind == DATA && frame.stream == 1).await.is_some());
    assert!(wire.find(|_| false).await.is_none(), "then the connection ends");
}

#[tokio::test]
async fn what_resets_faster_than_it_asks_is_cut_off() {
    let lab = Lab::new();
    let gateway = gateway(&lab).await;
    let floods = [
        (
            "resets",
            (0..5_000).flat_map(|n| [open(2 * n + 1), reset(2 * n + 1, 8)].concat()).collect::<Vec<u8>>(),
        ),
        ("errors", (0..5_000).flat_map(|n| headers(END_STREAM, 2 * n + 1, &[("x", "1")])).collect()),
        (
            "fields",
            [frame(HEADERS, 0, 1, &block(GET)), frame(CONTINUATION, 0, 1, &[]).repeat(10_000)].concat(),
        ),
        ("empty data", [open(1), frame(DATA, 0, 1, b"").repeat(20_000)].concat()),
    ];
    for (what, bytes) in floods {
        let mut wire = Wire::client(&lab, &Endpoint::from(gateway.address)).await;
        wire.write(&bytes).await;
        let end = wire.find(|frame| frame.kind == GOAWAY).await;
        assert!(end.is_none_or(|end| end.code() != Some(0)), "{what}");
    }
}

#[tokio::test]
async fn silent_connections_give_up_their_places() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let text = format!("keep_alive = \"150ms\"\n[upstreams.a]\nendpoints = [\"{backend}\"]");
    let gateway = lab.gateway(&text).await;
    let address = Endpoint::from(gateway.address);
    for greeting in [&PREFACE[..10], PREFACE, &[PREFACE, &settings(&[])].concat(), b""] {
        let mut wire = Wire::silent(&lab, &address, greeting).await;
        assert!(wire.find(|_| false).await.is_none(), "{greeting:?}");
    }
    // One that had a request is told so before, and need not even answer.
    let mut wire = Wire::client(&lab, &address).await;
    wire.write(&headers(END_STREAM, 1, GET)).await;
    assert!(wire.find(|frame| frame.kind == GOAWAY && frame.code() == Some(0)).await.is_some());
}

/// A server that answers requests of two bytes over HTTP/1.1 with the number of the connection that they came over.
async fn numbering(lab: &Lab) -> Endpoint {
    let (mut listener, endpoint) = lab.bind().await;
    let spawner = lab.spawner();
    lab.spawner().spawn(async move {
        for number in 0.. {
            let Ok(Accepted { mut stream, .. }) = listener.accept().await else { return };
            spawner.spawn(async move {
                let mut request = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    request.push(byte);
                    if request.ends_with(b"\r\n\r\nhi") {
                        request.clear();
                        let answer = format!("HTTP/1.1 20{number} Numbered\r\ncontent-length: 0\r\n\r\n");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                }
            });
        }
    });
    endpoint
}

#[tokio::test]
async fn content_that_is_all_there_is_sent_whenever_its_stream_ends() {
    let lab = Lab::new();
    let upstream = numbering(&lab).await;
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{upstream}\"]")).await;
    let mut client = Wire::client(&lab, &gateway.address.into()).await;
    for stream in [1, 3, 5] {
        let head = headers(0, stream, &with(POST, &[("content-length", "2")]));
        let end = frame(DATA, END_STREAM, stream, b"");
        client.write(&[head, frame(DATA, 0, stream, b"hi"), end].concat()).await;
        let answer = client.find(|frame| frame.stream == stream && frame.kind == HEADERS).await.unwrap();
        // What hpack's static table has for 200, and so the first connection.
        assert_eq!(answer.payload[0], 0x88, "stream {stream} went over another connection");
        lab.wait_ms(20).await;
    }
}
