//! Every way in which an HTTP/1.1 answer can be malformed, and what a client gets for it: over HTTP/1.1 and over
//! HTTP/2 a 502, or a content that is broken off, never one that is told as whole; and the next request gets its own
//! answer. The right values are those of RFC 9110 and RFC 9112 where they say MUST, and nginx's and Envoy's where
//! they leave a choice.

mod h2_malformed;
pub(crate) mod malformed;
pub(crate) mod peers;

use hoplab_proxy::telemetry::{Fault, Outcome};
use http::Method;

use crate::lab::{Lab, mirror};
use peers::{Backend, Client, Reply, Seen};

/// What becomes of a backend's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// 502: nothing of it is handed on.
    Refused(Fault),
    /// The head and some content, which is broken off; or 502, where no content could be handed on.
    BrokenOff(Fault),
    /// This status and this content, as whole.
    Whole(u16, &'static str),
}

/// Whether the connection to the backend is used for the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Kept,
    Closed,
}

use Told::{BrokenOff, Refused, Whole};

const MALFORMED: Told = Refused(Fault::ProtocolError);
const MALFORMED_CONTENT: Told = BrokenOff(Fault::ProtocolError);

/// Heads that are refused, behind a version and in front of fields.
const STATUSES: [&str; 14] = [
    "0 x", "000 x", "99 x", "099 x", "600 x", "999 x", "1000 x", "20 x", "2000 x", "abc x", "2x0 x", "-20 x",
    "", " 200 OK",
];

/// Fields that are refused.
const FIELDS: [&str; 38] = [
    // Two ways to frame it.
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Content-Length: 5\r\nX: y\r\ntransfer-encoding: CHUNKED",
    // Lengths.
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5\r\nContent-Length: 5",
    "Content-Length: 5, 5",
    "Content-Length: 5, 6",
    "Content-Length: -5",
    "Content-Length: +5",
    "Content-Length: 0x5",
    "Content-Length: 5 5",
    "Content-Length: 5.0",
    "Content-Length: five",
    "Content-Length:",
    "Content-Length: 18446744073709551616",
    "Content-Length: 99999999999999999999999999999999",
    // Codings.
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: \u{b}chunked",
    "Transfer-Encoding:",
    // Lines.
    "Content-Length : 5",
    "Transfer-Encoding : chunked",
    "X-A : b\r\nContent-Length: 5",
    "X-A: b\r\n c\r\nContent-Length: 5",
    "X-A: b\r\n\tc\r\nContent-Length: 5",
    " X-A: b\r\nContent-Length: 5",
    "X-A: b\nContent-Length: 5",
    "X-A: \0\r\nContent-Length: 5",
    "X\0: b\r\nContent-Length: 5",
    "no colon\r\nContent-Length: 5",
    "X-A: b\rContent-Length: 5\r\nContent-Length: 5",
];

/// Chunks that are broken off.
const CHUNKS: [&str; 20] = [
    "g\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    ";x=y\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhelloXX\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\r\nhello\r\n0\r\nx: y\n\r\n",
    "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
    "5\r\nhello\r\n0\r\nx y: z\r\n\r\n",
    "5\r\nhello\r\n0\r\n x: y\r\n\r\n",
];

/// Whole messages, asked for with a method, what becomes of them, and of their connection.
const MESSAGES: [(&str, &str, Told, Then); 29] = [
    ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Whole(200, "hello"), Then::Kept),
    ("GET", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", Whole(200, "hello"), Then::Kept),
    (
        "GET",
        "HTTP/1.1 599 x\r\nTransfer-Encoding:Chunked \r\n\r\n5 ;a=b\r\nhello\r\n0\r\n\r\n",
        Whole(599, "hello"),
        Then::Kept,
    ),
    ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", Whole(200, "hello"), Then::Closed),
    ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Whole(200, ""), Then::Kept),
    ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Whole(200, ""), Then::Kept),
    ("GET", "HTTP/1.1 204 No Content\r\n\r\n", Whole(204, ""), Then::Kept),
    ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Whole(204, ""), Then::Kept),
    ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Whole(304, ""), Then::Kept),
    (
        "GET",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Whole(200, "hello"),
        Then::Kept,
    ),
    // Bytes behind an answer are nobody's.
    (
        "GET",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
        Whole(200, "hello"),
        Then::Closed,
    ),
    ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nbad", Whole(200, ""), Then::Closed),
    (
        "GET",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad",
        Whole(200, "hello"),
        Then::Closed,
    ),
    ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\r\n", Whole(200, "hello"), Then::Closed),
    ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", Whole(204, ""), Then::Closed),
    (
        "GET",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Whole(204, ""),
        Then::Closed,
    ),
    ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", Whole(304, ""), Then::Closed),
    ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Whole(200, ""), Then::Closed),
    (
        "HEAD",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Whole(200, ""),
        Then::Closed,
    ),
    // Where there is no content, two ways to frame it are still two.
    (
        "HEAD",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        MALFORMED,
        Then::Closed,
    ),
    (
        "GET",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        MALFORMED,
        Then::Closed,
    ),
    // Nobody asked for another protocol.
    (
        "GET",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        MALFORMED,
        Then::Closed,
    ),
    (
        "GET",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        MALFORMED,
        Then::Closed,
    ),
    // What comes before and instead of a head.
    ("GET", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", MALFORMED, Then::Closed),
    ("GET", "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello", MALFORMED, Then::Closed),
    ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello", MALFORMED, Then::Closed),
    ("GET", "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello", MALFORMED, Then::Closed),
    ("GET", "SSH-2.0-OpenSSH_9.2\r\n", MALFORMED, Then::Closed),
    (
        "GET",
        "HTTP/1.1 103 Early Hints\r\nLink : x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        MALFORMED,
        Then::Closed,
    ),
];

/// Answers whose connection ends before they do.
const CUT: [(&str, Told); 10] = [
    ("", Refused(Fault::Reset)),
    ("HTTP/1.1 200", Refused(Fault::Reset)),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", Refused(Fault::Reset)),
    ("HTTP/1.1 103 Early Hints\r\n\r\n", Refused(Fault::Reset)),
    ("HTTP/1.1 500 Oops\r\nContent-Length: 123\r\n\r\n", BrokenOff(Fault::Reset)),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", BrokenOff(Fault::Reset)),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BrokenOff(Fault::Reset)),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", BrokenOff(Fault::Reset)),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", BrokenOff(Fault::Reset)),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", BrokenOff(Fault::Reset)),
];

/// A backend's bytes, and what is to become of them.
struct Case {
    method: Method,
    reply: Reply,
    told: Told,
    then: Then,
}

impl Case {
    fn new(method: &str, bytes: impl Into<Vec<u8>>, told: Told, then: Then) -> Self {
        let reply = Reply { bytes: bytes.into(), closes: false };
        Self { method: method.parse().unwrap(), reply, told, then }
    }

    fn cut(bytes: &str, told: Told) -> Self {
        let reply = Reply { bytes: bytes.into(), closes: true };
        Self { method: Method::GET, reply, told, then: Then::Closed }
    }
}

fn cases() -> Vec<Case> {
    let refused = |bytes: String| Case::new("GET", bytes, MALFORMED, Then::Closed);
    let chunked = |chunks: &str| {
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        Case::new("GET", bytes, MALFORMED_CONTENT, Then::Closed)
    };
    let mut cases = Vec::new();
    cases.extend(
        STATUSES.map(|status| refused(format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello"))),
    );
    cases.extend(FIELDS.map(|fields| refused(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello"))));
    cases.push(refused(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(70_000))));
    cases.push(refused(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200))));
    cases.push(refused(format!("HTTP/1.1 200 {}\r\n\r\n", "a".repeat(70_000))));
    cases.extend(CHUNKS.map(chunked));
    cases.push(chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(2_000))));
    cases.extend(MESSAGES.map(|(method, bytes, told, then)| Case::new(method, bytes, told, then)));
    cases.extend(CUT.map(|(bytes, told)| Case::cut(bytes, told)));
    let until_closed = "HTTP/1.1 200 OK\r\n\r\nhello";
    cases.push(Case::cut(until_closed, Whole(200, "hello")));
    cases
}

#[tokio::test]
async fn every_malformed_answer_is_refused_or_broken_off_and_none_is_taken_for_another() {
    for case in cases() {
        for is_http2 in [false, true] {
            try_out(&case, is_http2).await;
        }
    }
}

async fn try_out(case: &Case, is_http2: bool) {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{}\"]", backend.endpoint)).await;
    let mut client = if is_http2 { Client::http2(&lab, &gateway).await } else { Client::http1(&gateway) };
    let name =
        format!("{} {:?} (HTTP/2: {is_http2})", case.method, String::from_utf8_lossy(&case.reply.bytes));
    backend.say(case.reply.clone());
    let seen = client.ask(&lab, &case.method, "/bad").await;
    let refused = seen.status == Some(502) && seen.is_whole;
    let failed = match case.told {
        Refused(fault) => {
            assert!(refused, "{name}: {seen:?}");
            Some(fault)
        }
        BrokenOff(fault) => {
            let is_broken = !seen.is_whole && "hello".starts_with(&seen.content);
            // Over HTTP/2, a stream that is reset may take its head along.
            assert!(refused || (is_broken && (is_http2 || seen.status.is_some())), "{name}: {seen:?}");
            Some(fault)
        }
        Whole(status, content) => {
            assert!(
                seen.is_whole && seen.status == Some(status) && seen.content == content,
                "{name}: {seen:?}"
            );
            None
        }
    };
    let outcome = lab.spans().pop().unwrap().outcome;
    assert_eq!(outcome, failed.map_or(outcome, Outcome::Failed), "{name}");
    assert_eq!(matches!(outcome, Outcome::Answered(_)), failed.is_none(), "{name}: {outcome:?}");
    check_fields(&seen, &name);
    let next = client.ask(&lab, &Method::GET, "/next").await;
    let expected = match case.then {
        Then::Kept => "/next on 0",
        Then::Closed => "/next on 1",
    };
    assert_eq!((next.content.as_str(), next.is_whole), (expected, true), "{name}: {next:?}");
}

/// Where there is no content, nothing says otherwise.
fn check_fields(seen: &Seen, name: &str) {
    let length = seen.fields.get("content-length");
    if seen.status == Some(204) {
        assert!(length.is_none() && !seen.fields.contains_key("transfer-encoding"), "{name}: {seen:?}");
    }
    if seen.status == Some(304) {
        // It may be told (RFC 9110, 8.6), but no other.
        assert!(length.is_none_or(|length| length == "5"), "{name}: {seen:?}");
    }
    assert!(!seen.fields.contains_key("upgrade"), "{name}: {seen:?}");
}

#[tokio::test]
async fn a_head_answer_has_the_length_that_its_backend_gave_and_no_other() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{}\"]", backend.endpoint)).await;
    for (field, length) in
        [("Content-Length: 5", Some("5")), ("Transfer-Encoding: chunked", None), ("X: y", None)]
    {
        let bytes = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n").into_bytes();
        backend.say(Reply { bytes, closes: false });
        for mut client in [Client::http1(&gateway), Client::http2(&lab, &gateway).await] {
            let seen = client.ask(&lab, &Method::HEAD, "/bad").await;
            let told = seen.fields.get("content-length").map(|length| length.to_str().unwrap());
            assert_eq!(told, length, "{field}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn trailers_that_must_not_be_any_are_dropped() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{}\"]", backend.endpoint)).await;
    let names = "content-length, transfer-encoding, host, content-type, set-cookie, x-sum";
    let trailers = "Content-Length: 3\r\nTransfer-Encoding: gzip\r\nHost: b\r\nContent-Type: x\r\nSet-Cookie: y\r\nX-Sum: 7\r\nConnection: z\r\n";
    let bytes = format!(
        "HTTP/1.1 200 OK\r\nTrailer: {names}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n"
    );
    backend.say(Reply { bytes: bytes.into_bytes(), closes: false });
    for mut client in [Client::http1(&gateway), Client::http2(&lab, &gateway).await] {
        let seen = client.ask(&lab, &Method::GET, "/bad").await;
        assert!(seen.is_whole && seen.content == "hello", "{seen:?}");
        assert_eq!(
            (seen.trailers.len(), seen.trailers.get("x-sum").unwrap().as_bytes()),
            (1, &b"7"[..]),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn trailers_of_requests_that_must_not_be_any_are_dropped() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway =
        lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{backend}\"]\nprotocol = \"http2\"")).await;
    let answer = gateway
        .exchange(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\nContent-Length: 3\r\nHost: b\r\nTransfer-Encoding: gzip\r\nX-Sum: 7\r\n\r\n",
        )
        .await;
    assert!(answer.ends_with("\nhello\ntrailer x-sum: 7"), "{answer}");
}

#[tokio::test]
async fn what_comes_before_it_was_asked_for_is_no_answer() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{}\"]", backend.endpoint)).await;
    let mut client = Client::http1(&gateway);
    let unasked = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled".to_vec();
    backend.say(Reply { bytes: unasked, closes: false });
    let first = client.ask(&lab, &Method::GET, "/first").await;
    assert_eq!(first.content, "/first on 0");
    backend.speak();
    lab.wait_ms(20).await;
    let second = client.ask(&lab, &Method::GET, "/second").await;
    assert_eq!(second.content, "/second on 1");
}

/// As requests do, answers keep room for what hops add.
#[tokio::test]
async fn an_answer_that_one_hop_takes_passes_the_next() {
    let lab = Lab::new();
    for (fields, status) in [(98, "200"), (99, "200"), (100, "200"), (101, "502"), (140, "502")] {
        let mut head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n".to_owned();
        (1..fields).for_each(|number| head.extend([format!("x-{number}: y\r\n")]));
        let service = lab.raw_backend((head + "\r\nok").leak().as_bytes()).await;
        let inner = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{service}\"]")).await;
        let outer = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{}\"]", inner.address)).await;
        let answer = outer.exchange("GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields}: {answer}");
        assert_eq!(answer.matches("x-").count(), if status == "200" { fields - 1 } else { 0 }, "{fields}");
    }
}
