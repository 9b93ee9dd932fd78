//! Malformed HTTP/1.1 answers, drawn at random: each is refused with 502 or broken off, or is whole and what came
//! behind it is nobody's. The next request of the same client gets its own answer; nothing panics.

use hoplab_proxy::telemetry::Report;
use http::Method;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::peers::{Backend, Client, Reply, Seen};
use crate::cases::{self, Memory, any, head, word};
use crate::lab::Lab;

/// What a confused receiver would take for the answer to the next request.
const SMUGGLED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled";

/// What there may be of content before an answer is broken off.
pub(crate) const CONTENT: &str = "hello, world";

/// What may come of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// 502 alone.
    Refusal,
    /// 502, or a part of [`CONTENT`] that is told as such.
    Part,
    /// As [`Self::Part`], or all of [`CONTENT`] as whole.
    Any,
    /// This much of [`CONTENT`], as whole.
    Whole(usize),
}

impl Allowed {
    pub(crate) fn is_kept_by(self, seen: &Seen) -> bool {
        let refused = seen.is_whole && seen.status == Some(502) && !seen.content.contains(CONTENT);
        let broken = !seen.is_whole && CONTENT.starts_with(&seen.content);
        let whole = |content: &str| seen.is_whole && seen.status != Some(502) && seen.content == content;
        match self {
            Self::Refusal => refused,
            Self::Part => refused || broken,
            Self::Any => refused || broken || whole(CONTENT),
            Self::Whole(length) => whole(&CONTENT[..length]),
        }
    }
}

type Family = fn(&mut ChaCha8Rng) -> (String, Allowed);

const FAMILIES: [(&str, Family); 12] = [
    ("status", bad_status),
    ("fields that frame", bad_framing),
    ("field", bad_field),
    ("bare line feed", bare_line_feed),
    ("bare carriage return", bare_carriage_return),
    ("nul", nul),
    ("oversized", oversized),
    ("chunk size", bad_chunk_size),
    ("chunk end", bad_chunk_end),
    ("truncated", truncated),
    ("surplus", surplus),
    ("garbage", garbage),
];

#[tokio::test]
async fn malformed_answers_are_never_told_as_whole_and_never_taken_for_another() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{}\"]", backend.endpoint)).await;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut clients = [Client::http1(&gateway), Client::http2(&lab, &gateway).await];
    let mut memory = Memory::default();
    for case in 0..cases::count() {
        memory.note(case);
        let (family, generate) = FAMILIES[case % FAMILIES.len()];
        let (bytes, allowed) = generate(&mut random);
        // What is cut off must be seen to end; all else is refused while the backend still waits.
        let reply = Reply { bytes: bytes.into_bytes(), closes: family == "truncated" };
        backend.say(reply.clone());
        // Every fifth over HTTP/2: prime to the number of families.
        let client = &mut clients[usize::from(case % 5 == 0)];
        let seen = client.ask(&lab, &Method::GET, "/bad").await;
        let text = || format!("{family} {case}: {:?}\n{seen:?}", String::from_utf8_lossy(&reply.bytes));
        assert!(allowed.is_kept_by(&seen), "{}", text());
        let path = format!("/good-{case}");
        let next = client.ask(&lab, &Method::GET, &path).await;
        assert!(next.is_whole && next.content.starts_with(&format!("{path} on ")), "{}\n{next:?}", text());
        assert!(!lab.take_reports().iter().any(|report| matches!(report, Report::Panicked)), "{}", text());
    }
    memory.check();
}

fn proper(random: &mut ChaCha8Rng) -> String {
    let status = random.random_range(200..600);
    // Those that have no content are another matter, and 502 is the gateway's own word.
    let status = if matches!(status, 204 | 304 | 502) { 200 } else { status };
    head(random, &format!("HTTP/1.1 {status} x"))
}

fn bad_status(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let line = match random.random_range(0..6) {
        0 => format!("HTTP/1.1 {} x", random.random_range(0..100)),
        1 => format!("HTTP/1.1 {} x", random.random_range(600..20_000)),
        2 => format!("HTTP/1.1 {} x", word(random)),
        3 => format!("HTTP/{}.{} 200 OK", random.random_range(2..9), random.random_range(0..9)),
        4 => format!("HTTP/1.1 101 {}", word(random)),
        _ => format!("{} 200 OK", word(random)),
    };
    (head(random, &line) + "Content-Length: 12\r\n\r\n" + CONTENT, Allowed::Refusal)
}

fn bad_framing(random: &mut ChaCha8Rng) -> (String, Allowed) {
    const LENGTHS: [&str; 3] = ["Content-Length: 12", "content-length:0", "CONTENT-LENGTH: 3"];
    const CODINGS: [&str; 3] =
        ["Transfer-Encoding: chunked", "transfer-encoding:Chunked", "TRANSFER-ENCODING:\tchunked"];
    const WRONG: [&str; 22] = [
        "Content-Length: -12",
        "Content-Length: +12",
        "Content-Length: 0xc",
        "Content-Length: 1 2",
        "Content-Length: 12,12",
        "Content-Length: 12, 3",
        "Content-Length: twelve",
        "Content-Length: 12.0",
        "Content-Length:",
        "Content-Length: 18446744073709551628",
        "Content-Length : 12",
        "Content-Length\t: 12",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: \u{b}chunked",
    ];
    let (first, second) = match random.random_range(0..5) {
        0 => (any(random, &LENGTHS), any(random, &CODINGS)),
        1 => (any(random, &CODINGS), any(random, &LENGTHS)),
        2 => (any(random, &LENGTHS), any(random, &LENGTHS)),
        3 => (any(random, &CODINGS), any(random, &CODINGS)),
        _ => (any(random, &WRONG), "x: y"),
    };
    let between = if random.random() { format!("X-{}: 1\r\n", word(random)) } else { String::new() };
    let head = proper(random);
    (format!("{head}{first}\r\n{between}{second}\r\n\r\n0\r\n\r\n{SMUGGLED}"), Allowed::Refusal)
}

fn bad_field(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let field = cases::bad_field(random);
    (format!("{}{field}\r\nContent-Length: 12\r\n\r\n{CONTENT}", proper(random)), Allowed::Refusal)
}

fn bare_line_feed(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let mut answer = proper(random) + "Content-Length: 12\r\n\r\n";
    let ends: Vec<_> = answer.match_indices("\r\n").map(|(at, _)| at).collect();
    answer.remove(*ends.choose(random).unwrap());
    (answer + CONTENT + SMUGGLED, Allowed::Refusal)
}

fn bare_carriage_return(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let mut answer = proper(random) + "Content-Length: 12\r\n\r\n";
    let at = random.random_range(0..answer.len() - 1);
    answer.insert(at, '\r');
    (answer + CONTENT, Allowed::Refusal)
}

fn nul(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let mut answer = proper(random) + "Content-Length: 12\r\n\r\n";
    let at = random.random_range(0..answer.len() - 1);
    answer.insert(at, '\0');
    (answer + CONTENT, Allowed::Refusal)
}

fn oversized(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let large = "a".repeat(random.random_range(66_000..90_000));
    let field = match random.random_range(0..3) {
        0 => format!("X-Large: {large}\r\n"),
        1 => format!("X-{large}: 1\r\n"),
        _ => "x: 1\r\n".repeat(random.random_range(101..300)),
    };
    (format!("{}{field}Content-Length: 12\r\n\r\n{CONTENT}", proper(random)), Allowed::Refusal)
}

/// The head of an answer in chunks, and maybe a first proper one.
fn chunks(random: &mut ChaCha8Rng) -> (String, &'static str) {
    let head = proper(random) + "Transfer-Encoding: chunked\r\n\r\n";
    if random.random() { (head + "5\r\nhello\r\n", &CONTENT[5..]) } else { (head, CONTENT) }
}

fn bad_chunk_size(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let (start, rest) = chunks(random);
    let size = match random.random_range(0..4) {
        0 => format!("{}{:x}", any(random, &["+", "-", "0x", " ", "g", "\t", "\u{e9}"]), rest.len()),
        1 => format!("{:x}{}", rest.len(), any(random, &[" ", "\t", "g", ",", "h", "\0", ".0", "\r"])),
        2 => format!("{}{:016x}", random.random_range(1..9), rest.len()),
        _ => format!("{:x};{}", rest.len(), "a".repeat(random.random_range(1_100..9_000))),
    };
    (format!("{start}{size}\r\n{rest}\r\n0\r\n\r\n{SMUGGLED}"), Allowed::Part)
}

fn bad_chunk_end(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let (start, rest) = chunks(random);
    let size = rest.len();
    let end = any(
        random,
        &[
            "0\r\n\r\n",
            "\n0\r\n\r\n",
            "\r0\r\n\r\n",
            "\r\r\n0\r\n\r\n",
            "!\r\n0\r\n\r\n",
            "\r\n0\n\r\n",
            "\r\n0\r\n\n",
            "\r\n0\r\nx: y\n\r\n",
            "\r\n0\r\nx y\r\n\r\n",
            "\r\n0\r\n: y\r\n\r\n",
            "\r\n0\r\n x: y\r\n\r\n",
            "\r\n0\r\nx : y\r\n\r\n",
            "\r\n\r\n",
        ],
    );
    (format!("{start}{size:x}\r\n{rest}{end}{SMUGGLED}"), Allowed::Part)
}

fn truncated(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let mut whole = if random.random() {
        proper(random) + "Content-Length: 12\r\n\r\n" + CONTENT
    } else {
        let (start, rest) = chunks(random);
        format!("{start}{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len())
    };
    whole.truncate(random.random_range(0..whole.len()));
    (whole, Allowed::Part)
}

fn surplus(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let behind =
        any(random, &[SMUGGLED, "\r\n", "x", "\0", "HTTP/1.1 200", "0\r\n\r\n", "HTTP/1.1 103 x\r\n\r\n"]);
    let (whole, length) = match random.random_range(0..4) {
        0 => (proper(random) + "Content-Length: 12\r\n\r\n" + CONTENT, CONTENT.len()),
        1 => {
            let (start, rest) = chunks(random);
            (format!("{start}{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()), CONTENT.len())
        }
        2 => (head(random, "HTTP/1.1 204 x") + "Content-Length: 12\r\n\r\n", 0),
        _ => (head(random, "HTTP/1.1 304 x") + "Transfer-Encoding: chunked\r\n\r\n", 0),
    };
    (whole + behind, Allowed::Whole(length))
}

fn garbage(random: &mut ChaCha8Rng) -> (String, Allowed) {
    let start = any(
        random,
        &["", "\u{16}\u{3}\u{1}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 ", "<html>", "\r\n"],
    );
    let middle: String =
        (0..random.random_range(1..200)).map(|_| random.random_range('\u{80}'..'\u{fff}')).collect();
    (format!("{start}{middle}\r\n\r\n"), Allowed::Refusal)
}
