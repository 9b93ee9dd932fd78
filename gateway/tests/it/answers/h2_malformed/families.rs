//! The families of malformed answers: what is drawn, and what may come of it. Not here: pseudo-fields of requests, and
//! pseudo-fields in trailers, which h2 (0.4.20) takes off without a word.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::answers::malformed::{Allowed, CONTENT};
use crate::cases::{any, word};
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PRIORITY, PUSH_PROMISE, block, frame, go_away,
    reset, window_update,
};
use crate::h2_mistakes::{
    self as mistakes, Fields, Peer, cut_head, data, fields, head, idle_talk, long_head, some_fields,
};

/// Draws what is said on a stream that asks for an answer.
type Generate = fn(&mut ChaCha8Rng, u32) -> (Vec<u8>, Allowed);

pub(super) struct Family {
    pub(super) name: &'static str,
    /// Whether the connection ends behind it.
    pub(super) ends: bool,
    pub(super) generate: Generate,
}

const fn family(name: &'static str, generate: Generate) -> Family {
    Family { name, ends: false, generate }
}

pub(super) static FAMILIES: [Family; 23] = [
    family("status", bad_status),
    family("pseudo-field", bad_pseudo_field),
    family("field", bad_field),
    family("length", bad_length),
    family("content", wrong_content),
    family("no content", unwanted_content),
    family("interim", bad_interim),
    family("order", wrong_order),
    family("trailers", bad_trailers),
    family("reset", reset_before_end),
    family("oversized", oversized),
    family("compression", bad_compression),
    family("frame", fatal_frame),
    family("window", overflow),
    family("pushed", pushed),
    family("continuation", bad_continuation),
    family("behind the end", behind_end),
    family("odd", odd),
    family("odd", odd),
    family("goodbye", goodbye),
    Family { ends: true, ..family("truncated", truncated) },
    Family { ends: true, ..family("garbage", garbage) },
    Family { ends: true, ..family("goodbye and end", goodbye) },
];

/// A proper head.
fn proper(random: &mut ChaCha8Rng) -> Fields {
    let status = random.random_range(200..600);
    // Those that have no content are another matter, and 502 is the gateway's own word.
    let status: u16 = if matches!(status, 204 | 304 | 502) { 200 } else { status };
    [fields(&[(":status", &status.to_string())]), some_fields(random)].concat()
}

/// A head of these fields, and content.
fn answer(random: &mut ChaCha8Rng, stream: u32, fields: &Fields) -> Vec<u8> {
    [head(random, 0, stream, fields), data(random, END_STREAM, stream, CONTENT)].concat()
}

/// An answer up to some of its content, and what is still to come of that.
fn begun(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, &'static str) {
    let mut fields = proper(random);
    if random.random() {
        fields.push(("content-length".to_owned(), CONTENT.len().to_string()));
    }
    let (content, rest) = CONTENT.split_at(any(random, &[0, 5]));
    let content = if content.is_empty() { Vec::new() } else { data(random, 0, stream, content) };
    ([head(random, 0, stream, &fields), content].concat(), rest)
}

fn bad_status(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let mut fields = proper(random);
    match random.random_range(0..6) {
        0 => drop(fields.remove(0)),
        1 => fields.insert(1, (":status".to_owned(), any(random, &["200", "404", "x"]).to_owned())),
        2 => fields[0].1 = random.random_range(600..20_000).to_string(),
        3 => fields[0].1 = random.random_range(0..100).to_string(),
        _ => {
            let wrong =
                ["", "abc", "2x0", "-20", "+20", "20 ", " 20", "0x1", "200 OK", "099", "2.0", "\u{662}0"];
            any(random, &wrong).clone_into(&mut fields[0].1);
        }
    }
    (answer(random, stream, &fields), Allowed::Refusal)
}

fn bad_pseudo_field(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let mut fields = proper(random);
    if random.random() {
        fields.insert(0, (format!("x-{}", word(random)), word(random)));
        return (answer(random, stream, &fields), Allowed::Refusal);
    }
    let (name, value) = any(random, &[(":x", "y"), (":", "y"), (":Status", "200"), (":status ", "200")]);
    fields.insert(random.random_range(0..2), (name.to_owned(), value.to_owned()));
    (answer(random, stream, &fields), Allowed::Refusal)
}

fn bad_field(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let mut fields = proper(random);
    let at = random.random_range(1..=fields.len());
    fields.insert(at, mistakes::bad_field(random));
    (answer(random, stream, &fields), Allowed::Refusal)
}

fn bad_length(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let mut fields = proper(random);
    let length = |value: &str| ("content-length".to_owned(), value.to_owned());
    let wrong = mistakes::bad_length(random);
    match random.random_range(0..4) {
        0 => fields.extend([length("12"), length(wrong)]),
        1 => fields.extend([length(wrong), length("12")]),
        2 => fields.extend([length("12"), length(any(random, &["0", "11", "13", "120"]))]),
        _ => fields.push(length(wrong)),
    }
    (answer(random, stream, &fields), Allowed::Refusal)
}

/// Content whose length its head contradicts.
fn wrong_content(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let mut fields = proper(random);
    let length: usize = match random.random_range(0..3) {
        0 => random.random_range(0..CONTENT.len()),
        1 => random.random_range(CONTENT.len() + 1..100),
        _ => CONTENT.len() + 10_usize.pow(random.random_range(2..15)),
    };
    fields.push(("content-length".to_owned(), length.to_string()));
    if length > 0 && random.random_range(0..4) == 0 {
        return (head(random, END_STREAM, stream, &fields), Allowed::Refusal);
    }
    // In one frame, of which nothing was passed on when it is seen to be too much.
    let flags = any(random, &[0, END_STREAM]);
    let content = frame(DATA, flags, stream, CONTENT.as_bytes());
    let trailers = some_fields(random);
    let end = if flags == 0 { head(random, END_STREAM, stream, &trailers) } else { Vec::new() };
    ([head(random, 0, stream, &fields), content, end].concat(), Allowed::Part)
}

/// Content where there is none to be.
fn unwanted_content(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let mut fields = [fields(&[(":status", any(random, &["204", "304"]))]), some_fields(random)].concat();
    if random.random() {
        fields.push(("content-length".to_owned(), "12".to_owned()));
    }
    (answer(random, stream, &fields), Allowed::Whole(0))
}

/// Interim answers that end the stream, have content, or are none; or nothing behind them.
fn bad_interim(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let status = any(random, &["100", "101", "102", "103", "199"]);
    let mut interim = [fields(&[(":status", status)]), some_fields(random)].concat();
    let fields = proper(random);
    match random.random_range(0..4) {
        0 => {
            let ended = head(random, END_STREAM, stream, &interim);
            ([ended, answer(random, stream, &fields)].concat(), Allowed::Refusal)
        }
        1 => {
            let begun = [head(random, 0, stream, &interim), data(random, 0, stream, "hello")].concat();
            ([begun, answer(random, stream, &fields)].concat(), Allowed::Refusal)
        }
        2 => {
            interim.push(mistakes::bad_field(random));
            ([head(random, 0, stream, &interim), answer(random, stream, &fields)].concat(), Allowed::Refusal)
        }
        _ => {
            let reset = reset(stream, any(random, &[0, 1, 2, 8]));
            ([head(random, 0, stream, &interim), reset].concat(), Allowed::Refusal)
        }
    }
}

/// Content before its head, or two heads.
fn wrong_order(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let fields = proper(random);
    if random.random() {
        let flags = any(random, &[0, END_STREAM]);
        let early = data(random, flags, stream, "hello");
        return ([early, answer(random, stream, &fields)].concat(), Allowed::Refusal);
    }
    let (begun, _) = begun(random, stream);
    ([begun, answer(random, stream, &fields)].concat(), Allowed::Part)
}

fn bad_trailers(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let fields = proper(random);
    let begun = [head(random, 0, stream, &fields), data(random, 0, stream, CONTENT)].concat();
    let mut wrong = some_fields(random);
    let at = random.random_range(0..=wrong.len());
    let end = if random.random() {
        let behind = any(random, &[&frame(DATA, END_STREAM, stream, b"")[..], b""]).to_vec();
        [head(random, 0, stream, &wrong), behind].concat()
    } else {
        wrong.insert(at, mistakes::bad_field(random));
        head(random, END_STREAM, stream, &wrong)
    };
    ([begun, end].concat(), Allowed::Part)
}

fn reset_before_end(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let reset = reset(stream, any(random, &[0, 0, 0, 1, 2, 3, 5, 7, 8, 11, 13, 99, u32::MAX]));
    if random.random() {
        return (reset, Allowed::Refusal);
    }
    let (begun, rest) = begun(random, stream);
    let behind = if random.random() { data(random, END_STREAM, stream, rest) } else { Vec::new() };
    ([begun, reset, behind].concat(), Allowed::Part)
}

fn oversized(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let large = "a".repeat(random.random_range(66_000..100_000));
    let mut fields = proper(random);
    if random.random() {
        fields.push(("x-large".to_owned(), large));
    } else {
        fields.push((format!("x-{large}"), "1".to_owned()));
    }
    let content = data(random, END_STREAM, stream, CONTENT);
    ([long_head(0, stream, &fields), content].concat(), Allowed::Refusal)
}

fn bad_compression(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let fields = proper(random);
    let head = mistakes::bad_compression(random, 0, stream, &fields);
    ([head, data(random, END_STREAM, stream, CONTENT)].concat(), Allowed::Refusal)
}

/// A frame that ends the connection before the answer is whole.
fn fatal_frame(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let fatal = mistakes::fatal_frame(random, Peer::Server, stream);
    if random.random_range(0..3) == 0 {
        let fields = proper(random);
        return ([fatal, answer(random, stream, &fields)].concat(), Allowed::Refusal);
    }
    let (begun, rest) = begun(random, stream);
    ([begun, fatal, data(random, END_STREAM, stream, rest)].concat(), Allowed::Part)
}

/// A window that grows by nothing or overflows, or a stream that depends on itself. Of a request that is whole, the
/// window matters no more.
fn overflow(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let (wrong, allowed) = match random.random_range(0..4) {
        0 => (window_update(stream, 0), Allowed::Part),
        1 => (window_update(stream, (1 << 31) - 1), Allowed::Any),
        2 => (window_update(stream, 1 << 30).repeat(2), Allowed::Any),
        _ => {
            let depends = [&stream.to_be_bytes()[..], &[1]].concat();
            (frame(PRIORITY, 0, stream, &depends), Allowed::Part)
        }
    };
    let (begun, rest) = begun(random, stream);
    ([begun, wrong, data(random, END_STREAM, stream, rest)].concat(), allowed)
}

/// Answers that nobody asked for.
fn pushed(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let request = block(&[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]);
    let promised = any(random, &[0_u32, 1, 2, 4, stream + 2]);
    let promise = frame(PUSH_PROMISE, END_HEADERS, stream, &[&promised.to_be_bytes(), &request[..]].concat());
    let fields = proper(random);
    let unasked = any(random, &[2, 4, stream + 2, stream + 100]);
    let pushed = answer(random, unasked, &fields);
    let wrong = match random.random_range(0..3) {
        0 => promise,
        1 => pushed,
        _ => [promise, pushed].concat(),
    };
    let (begun, rest) = begun(random, stream);
    ([begun, wrong, data(random, END_STREAM, stream, rest)].concat(), Allowed::Part)
}

fn bad_continuation(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let fields = proper(random);
    let (block, _) = mistakes::compressed(random, &fields);
    let (first, last) = block.split_at(random.random_range(0..=block.len()));
    let begun = frame(HEADERS, 0, stream, first);
    let continued = |flags, stream| frame(CONTINUATION, flags, stream, last);
    let wrong = match random.random_range(0..6) {
        0 => frame(CONTINUATION, END_HEADERS, stream, &block),
        1 => [begun, continued(END_HEADERS, stream + 2)].concat(),
        2 => [begun, continued(END_HEADERS, 0)].concat(),
        3 => [begun, reset(stream, 8), continued(END_HEADERS, stream)].concat(),
        4 => [begun, continued(0, stream)].concat(),
        _ => {
            let empty = frame(CONTINUATION, 0, stream, &[]).repeat(random.random_range(100..1_000));
            [begun, empty, continued(END_HEADERS, stream)].concat()
        }
    };
    ([wrong, data(random, END_STREAM, stream, CONTENT)].concat(), Allowed::Refusal)
}

/// Frames behind an answer that is whole.
fn behind_end(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let fields = proper(random);
    let whole = answer(random, stream, &fields);
    let behind = match random.random_range(0..5) {
        0 => data(random, END_STREAM, stream, "smuggled"),
        1 => head(random, END_STREAM, stream, &fields),
        2 => answer(random, stream + 2, &fields),
        3 => reset(stream, any(random, &[0, 1, 8])),
        _ => mistakes::fatal_frame(random, Peer::Server, stream),
    };
    ([whole, behind].concat(), Allowed::Any)
}

fn odd(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    (odd_answer(random, stream).0, Allowed::Whole(CONTENT.len()))
}

/// An answer that is all right, with what must be ignored around it; and whether it says its length.
fn odd_answer(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, bool) {
    let mut bytes = idle_talk(random, stream);
    if random.random_range(0..3) == 0 {
        let status = any(random, &["100", "102", "103", "199"]);
        let interim = [fields(&[(":status", status)]), some_fields(random)].concat();
        bytes.extend(cut_head(random, 0, stream, &interim));
    }
    let mut fields = proper(random);
    let (name, value) = any(
        random,
        &[
            ("content-length", "12"),
            ("x-latin", "\u{e9}"),
            ("x-empty", ""),
            ("x-inner", "a \t b"),
            ("te", "trailers"),
        ],
    );
    fields.push((name.to_owned(), value.to_owned()));
    bytes.extend(cut_head(random, 0, stream, &fields));
    bytes.extend(idle_talk(random, stream));
    if random.random_range(0..3) == 0 {
        bytes.extend(data(random, 0, stream, CONTENT));
        bytes.extend(idle_talk(random, stream));
        let trailers = some_fields(random);
        bytes.extend(cut_head(random, END_STREAM, stream, &trailers));
    } else {
        bytes.extend(data(random, END_STREAM, stream, CONTENT));
    }
    (bytes, name == "content-length")
}

/// GOAWAY that leaves the stream out.
fn goodbye(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let code = any(random, &[0, 0, 0, 1, 2, 11, 99]);
    let again = if random.random() { go_away(stream, code) } else { Vec::new() };
    let goodbye = [go_away(stream - 1, code), again].concat();
    if random.random() {
        let fields = proper(random);
        return ([goodbye, answer(random, stream, &fields)].concat(), Allowed::Refusal);
    }
    let (begun, rest) = begun(random, stream);
    ([begun, goodbye, data(random, END_STREAM, stream, rest)].concat(), Allowed::Part)
}

fn truncated(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    // Over HTTP/1.1, content is whole with its length, wherever its stream ends.
    let (mut whole, has_length) = odd_answer(random, stream);
    whole.truncate(random.random_range(0..whole.len()));
    (whole, if has_length { Allowed::Any } else { Allowed::Part })
}

fn garbage(random: &mut ChaCha8Rng, stream: u32) -> (Vec<u8>, Allowed) {
    let begun = if random.random() { Vec::new() } else { begun(random, stream).0 };
    let start: &[u8] =
        any(random, &[b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"\x15\x03\x01"]);
    let garbage: Vec<u8> = (0..random.random_range(1..400)).map(|_| random.random::<u8>() | 0x80).collect();
    ([&begun, start, &garbage].concat(), Allowed::Part)
}
