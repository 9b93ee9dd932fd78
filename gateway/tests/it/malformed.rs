//! Malformed requests, drawn at random: each is answered with a 4xx (or 501, 505) or its connection is
//! closed; none reaches the backend whole, none smuggles a second request in, nothing panics.

use std::sync::{Arc, Mutex};

use hoplab_proxy::body::Body;
use hoplab_proxy::telemetry::Report;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::cases::{self, Memory, any, word};
use crate::lab::Lab;

/// What a confused receiver would take for a second request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: echo\r\n\r\n";

type Family = fn(&mut ChaCha8Rng) -> Vec<u8>;

const FAMILIES: [(&str, Family); 16] = [
    ("method", bad_method),
    ("target", bad_target),
    ("version", bad_version),
    ("host", bad_host),
    ("length and chunks", length_and_chunks),
    ("length", bad_length),
    ("coding", bad_coding),
    ("field", bad_field),
    ("nul", nul_in_head),
    ("bare line feed", bare_line_feed),
    ("bare carriage return", bare_carriage_return),
    ("oversized", oversized),
    ("truncated", truncated),
    ("chunk size", bad_chunk_size),
    ("chunk end", bad_chunk_end),
    ("garbage", garbage),
];

#[tokio::test]
async fn malformed_requests_are_refused_and_never_passed_on() {
    let lab = Lab::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let backend = lab.backend(move |request| note_whole(Arc::clone(&note), request)).await;
    let gateway = lab.gateway(&format!("[upstreams.echo]\nendpoints = [\"{backend}\"]")).await;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut memory = Memory::default();
    for case in 0..cases::count() {
        memory.note(case);
        let (family, generate) = FAMILIES[case % FAMILIES.len()];
        let request = generate(&mut random);
        // What is cut off must be seen to end; all else is refused while the client still waits.
        let answer = match family {
            "truncated" => gateway.exchange_half(&request).await,
            _ => gateway.exchange(&request).await,
        };
        let text = || format!("{family} {case}: {:?}\n{answer}", String::from_utf8_lossy(&request));
        for status in statuses(&answer) {
            assert!((400..500).contains(&status) || status == 501 || status == 505, "{}", text());
        }
        assert!(seen.lock().unwrap().is_empty(), "{:?} {}", seen.lock().unwrap(), text());
        if case % 100 == 0 {
            let answer =
                gateway.exchange("GET /good HTTP/1.1\r\nHost: echo\r\nConnection: close\r\n\r\n").await;
            assert_eq!(statuses(&answer), [200], "{}", text());
            assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), ["/good"], "{}", text());
        }
        assert!(!lab.take_reports().iter().any(|report| matches!(report, Report::Panicked)), "{}", text());
    }
    memory.check();
}

/// Takes note of requests whose content was complete.
async fn note_whole(seen: Arc<Mutex<Vec<String>>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if request.into_body().collect().await.is_ok() {
        seen.lock().unwrap().push(path);
        return Response::new(Body::empty());
    }
    let mut broken = Response::new(Body::empty());
    *broken.status_mut() = StatusCode::BAD_REQUEST;
    broken
}

/// The statuses of all answers in a stream of them.
fn statuses(answer: &str) -> Vec<u16> {
    answer.split("HTTP/1.1 ").skip(1).map(|rest| rest[..3].parse().unwrap()).collect()
}

/// A proper head up to its last field, with some fields that do not matter.
fn head(random: &mut ChaCha8Rng, line: &str) -> String {
    cases::head(random, &format!("{line}\r\nHost: echo"))
}

fn bad_method(random: &mut ChaCha8Rng) -> Vec<u8> {
    let method =
        any(random, &["GE T", "G\u{7f}T", "(GET)", "GET,", "", "G\u{e9}T", "GET/", "\"GET\"", "G\tT", "G:"]);
    let line = format!("{method} /{} HTTP/1.1", word(random));
    (head(random, &line) + "\r\n").into_bytes()
}

fn bad_target(random: &mut ChaCha8Rng) -> Vec<u8> {
    let word = word(random);
    let target = match random.random_range(0..9) {
        0 => format!("/{word} {word}"),
        1 => format!("/{word}\u{1}"),
        2 => word,
        3 => "*".to_owned(),
        4 => String::new(),
        5 => format!("/{word}\t"),
        6 => format!("http:///{word}"),
        7 => format!("http://a b/{word}"),
        _ => format!("/{word}\u{7f}"),
    };
    (head(random, &format!("GET {target} HTTP/1.1")) + "\r\n").into_bytes()
}

fn bad_version(random: &mut ChaCha8Rng) -> Vec<u8> {
    let version = any(
        random,
        &[
            "HTTP/2.0",
            "HTTP/1.2",
            "HTTP/0.9",
            "http/1.1",
            "HTTP/1",
            "HTTP/11",
            "HTTP/1.1.1",
            "HTTP/1.1 x",
            "ICAP/1.0",
            "",
            "HTTP/ 1.1",
        ],
    );
    (head(random, &format!("GET / {version}")) + "\r\n").into_bytes()
}

fn bad_host(random: &mut ChaCha8Rng) -> Vec<u8> {
    let word = word(random);
    let host = match random.random_range(0..7) {
        0 => String::new(),
        1 => "Host: echo\r\nHost: echo\r\n".to_owned(),
        2 => format!("Host: echo\r\nHost: {word}\r\n"),
        3 => format!("Host: echo/{word}\r\n"),
        4 => format!("Host: {word}@echo\r\n"),
        5 => format!("Host: echo {word}\r\n"),
        _ => format!("Host: echo:{word}\r\n"),
    };
    format!("GET / HTTP/1.1\r\n{host}X-{word}: 1\r\n\r\n").into_bytes()
}

fn length_and_chunks(random: &mut ChaCha8Rng) -> Vec<u8> {
    let length =
        any(random, &["Content-Length: 6", "content-length:6", "Content-length: 0", "CONTENT-LENGTH: 44"]);
    let coding = any(
        random,
        &[
            "Transfer-Encoding: chunked",
            "transfer-encoding:chunked",
            "Transfer-Encoding: CHUNKED",
            "Transfer-Encoding: \tchunked",
        ],
    );
    let (first, second) = if random.random() { (length, coding) } else { (coding, length) };
    let between = if random.random() { format!("X-{}: 1\r\n", word(random)) } else { String::new() };
    let head = head(random, "POST /clte HTTP/1.1");
    format!("{head}{first}\r\n{between}{second}\r\n\r\n0\r\n\r\n{SMUGGLED}").into_bytes()
}

fn bad_length(random: &mut ChaCha8Rng) -> Vec<u8> {
    let fields = any(
        random,
        &[
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 0\r\nContent-Length: 38",
            "Content-Length: 5, 5",
            "Content-Length: 5,6",
            "Content-Length: +5",
            "Content-Length: -5",
            "Content-Length: 0x5",
            "Content-Length: 5 5",
            "Content-Length: 5.0",
            "Content-Length: five",
            "Content-Length:",
            "Content-Length: 18446744073709551616",
            "Content-Length: 99999999999999999999999999",
            "Content-Length : 5",
            "Content-Length\t: 5",
            " Content-Length: 5",
        ],
    );
    let head = head(random, "POST /length HTTP/1.1");
    format!("{head}{fields}\r\n\r\nabcde{SMUGGLED}").into_bytes()
}

fn bad_coding(random: &mut ChaCha8Rng) -> Vec<u8> {
    let coding = any(
        random,
        &[
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunkedx",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
            "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: \u{b}chunked",
            "Transfer-Encoding: \"chunked\"",
            "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding:",
            "Transfer-Encoding:\r\n chunked",
        ],
    );
    let head = head(random, "POST /coding HTTP/1.1");
    let old = random.random_range(0..8) == 0;
    let head = if old { head.replace("HTTP/1.1", "HTTP/1.0") } else { head };
    format!("{head}{coding}\r\n\r\n0\r\n\r\n{SMUGGLED}").into_bytes()
}

fn bad_field(random: &mut ChaCha8Rng) -> Vec<u8> {
    let field = cases::bad_field(random);
    format!("{}{field}\r\n\r\n", head(random, "GET /field HTTP/1.1")).into_bytes()
}

fn nul_in_head(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut request = (head(random, "GET /nul HTTP/1.1") + "\r\n").into_bytes();
    let at = random.random_range(0..request.len() - 1);
    request.insert(at, 0);
    request
}

fn bare_line_feed(random: &mut ChaCha8Rng) -> Vec<u8> {
    let request = head(random, "GET /feed HTTP/1.1") + "\r\n";
    let ends: Vec<_> = request.match_indices("\r\n").map(|(at, _)| at).collect();
    let mut request = request.into_bytes();
    request.remove(*ends.choose(random).unwrap());
    request.extend_from_slice(SMUGGLED.as_bytes());
    request
}

fn bare_carriage_return(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut request = (head(random, "GET /return HTTP/1.1") + "\r\n").into_bytes();
    let at = random.random_range(0..request.len() - 1);
    request.insert(at, b'\r');
    request
}

fn oversized(random: &mut ChaCha8Rng) -> Vec<u8> {
    let large = "a".repeat(random.random_range(66_000..90_000));
    match random.random_range(0..4) {
        0 => format!("{}X-Large: {large}\r\n\r\n", head(random, "GET / HTTP/1.1")),
        1 => format!("GET /{large} HTTP/1.1\r\nHost: echo\r\n\r\n"),
        2 => format!("{}X-{large}: 1\r\n\r\n", head(random, "GET / HTTP/1.1")),
        _ => {
            let many = "x: 1\r\n".repeat(random.random_range(101..300));
            format!("{}{many}\r\n", head(random, "GET / HTTP/1.1"))
        }
    }
    .into_bytes()
}

fn truncated(random: &mut ChaCha8Rng) -> Vec<u8> {
    let head = head(random, "POST /truncated HTTP/1.1");
    let whole = match random.random_range(0..2) {
        0 => format!("{head}Content-Length: 20\r\n\r\n01234567890123456789"),
        _ => format!("{head}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n3\r\nabc\r\n0\r\n\r\n"),
    };
    let length = random.random_range(1..whole.len());
    whole.into_bytes()[..length].to_vec()
}

fn bad_chunk_size(random: &mut ChaCha8Rng) -> Vec<u8> {
    let size = any(
        random,
        &[
            "g",
            "-5",
            "+5",
            "",
            "0x5",
            "5 ",
            " 5",
            ";x=y",
            "fffffffffffffffff",
            "5\t",
            "5,",
            "\u{ff}",
            "5\u{0}",
        ],
    );
    let head = head(random, "POST /size HTTP/1.1");
    let before = if random.random() { "3\r\nabc\r\n" } else { "" };
    format!("{head}Transfer-Encoding: chunked\r\n\r\n{before}{size}\r\nabcde\r\n0\r\n\r\n{SMUGGLED}")
        .into_bytes()
}

fn bad_chunk_end(random: &mut ChaCha8Rng) -> Vec<u8> {
    let content = any(
        random,
        &[
            "5\r\nabcdefg\r\n0\r\n\r\n",
            "5\r\nabcde\n0\r\n\r\n",
            "5\r\nabcde0\r\n\r\n",
            "5\nabcde\r\n0\r\n\r\n",
            "5\r\nabcde\r\n0\n\r\n",
            "5\r\nabcde\r\n0\r\n\n",
            "5\r\nabcde\r\r\n0\r\n\r\n",
            "5;a\nb\r\nabcde\r\n0\r\n\r\n",
            "5\r\nabcde\r\n0\r\nx: y\n\r\n",
            "5\r\nabcde\r\n0\r\nx y\r\n\r\n",
        ],
    );
    let head = head(random, "POST /end HTTP/1.1");
    format!("{head}Transfer-Encoding: chunked\r\n\r\n{content}{SMUGGLED}").into_bytes()
}

fn garbage(random: &mut ChaCha8Rng) -> Vec<u8> {
    let start = any(
        random,
        &["", "\u{16}\u{3}\u{1}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "GET "],
    );
    let mut bytes = start.as_bytes().to_vec();
    bytes.extend((0..random.random_range(1..200)).map(|_| random.random::<u8>() | 0x80));
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes
}
