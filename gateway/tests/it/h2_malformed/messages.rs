//! Requests with something wrong in a head, a content or trailers, and some that only look so.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

use super::requests::CONTENT;
use crate::cases::{any, insert, word};
use crate::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, block, frame};
use crate::h2_mistakes::{
    self as mistakes, Fields, cut_head, data, fields, head, idle_talk, long_head, some_fields,
};

/// The pseudo-fields of a request.
pub(super) fn pseudo(method: &str, path: &str) -> Fields {
    fields(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")])
}

/// A proper head but for its end.
pub(super) fn proper(random: &mut ChaCha8Rng, method: &str, path: &str) -> Fields {
    [pseudo(method, path), some_fields(random)].concat()
}

/// `fields` and content, whole.
fn request(random: &mut ChaCha8Rng, stream: u32, fields: &Fields) -> Vec<u8> {
    if random.random() {
        return head(random, END_STREAM, stream, fields);
    }
    [head(random, 0, stream, fields), data(random, END_STREAM, stream, CONTENT)].concat()
}

fn method(random: &mut ChaCha8Rng) -> &'static str {
    any(random, &["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X"])
}

pub(super) fn missing_pseudo_field(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = method(random);
    let mut fields = proper(random, method, path);
    fields.remove(random.random_range(0..4));
    request(random, stream, &fields)
}

pub(super) fn repeated_pseudo_field(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = method(random);
    let mut fields = proper(random, method, path);
    let mut again = fields[random.random_range(0..4)].clone();
    if random.random() {
        any(random, &["GET", "http", "/smuggled", "b", ""]).clone_into(&mut again.1);
    }
    fields.insert(random.random_range(0..=4), again);
    request(random, stream, &fields)
}

pub(super) fn late_pseudo_field(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = method(random);
    let mut fields = pseudo(method, path);
    fields.insert(random.random_range(0..4), (format!("x-{}", word(random)), word(random)));
    request(random, stream, &fields)
}

/// Pseudo-fields of answers, of the extension that only CONNECT knows (RFC 8441), where it may stand once, and unknown
/// ones.
pub(super) fn foreign_pseudo_field(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = any(random, &["GET", "POST", "CONNECT"]);
    let mut fields = proper(random, method, path);
    let (name, value) = any(
        random,
        &[
            (":status", "200"),
            (":status", "x"),
            (":protocol", "websocket"),
            (":x", "y"),
            (":", "y"),
            (":Path", "/smuggled"),
            (":method ", "GET"),
            (":host", "a"),
        ],
    );
    if (name, method) == (":protocol", "CONNECT") {
        fields.insert(0, (name.to_owned(), value.to_owned()));
    }
    fields.insert(random.random_range(0..=4), (name.to_owned(), value.to_owned()));
    request(random, stream, &fields)
}

pub(super) fn bad_field(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = method(random);
    let mut fields = proper(random, method, path);
    let at = random.random_range(4..=fields.len());
    fields.insert(at, mistakes::bad_field(random));
    request(random, stream, &fields)
}

pub(super) fn bad_method(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let parts = [
        " ",
        "\0",
        "\r\n",
        "(",
        "/",
        "\u{7f}",
        "\u{e9}",
        ":",
        "\t",
        " /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    let part = any(random, &parts);
    let method = match random.random_range(0..4) {
        0 => String::new(),
        1 => "CONNECT".to_owned(),
        _ => insert(random, "GET", part),
    };
    let fields = proper(random, &method, path);
    request(random, stream, &fields)
}

pub(super) fn bad_path(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let smuggled = " HTTP/1.1\r\nhost: a\r\n\r\nGET /smuggled";
    let part = any(random, &[" ", "\t", "\0", "\r", "\n", "\r\n", "\u{1}", "\u{7f}", smuggled]);
    let path = match random.random_range(0..6) {
        0 => any(random, &["", "*", "?", "?bad", "*/bad", "\\bad", ".", "..", "%2fbad"]).to_owned(),
        1 => path[1..].to_owned(),
        2 => format!("http://a{path}"),
        3 => format!("{path}/%{}", any(random, &["", "4", "zz", "00"])),
        _ => insert(random, path, part),
    };
    let method = any(random, &["GET", "POST"]);
    let fields = proper(random, method, &path);
    request(random, stream, &fields)
}

pub(super) fn bad_scheme(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let parts = [" ", "\0", "\r\n", ":", "/", "\u{e9}", "\t", "@", "_", "://b", "http://b/smuggled?"];
    let part = any(random, &parts);
    let mut fields = proper(random, "GET", path);
    fields[1].1 = if random.random_range(0..6) == 0 { String::new() } else { insert(random, "http", part) };
    request(random, stream, &fields)
}

pub(super) fn bad_authority(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let mut fields = proper(random, "GET", path);
    let wrong = any(
        random,
        &[
            "",
            "me@a",
            "me:x@a",
            "@a",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "a:b",
            "a:80:80",
            ":80",
            "[::1",
            "a\0",
            "a\r\nx: y",
            "a\\b",
            "a,b c",
            "\u{e9}",
            " a",
            "a ",
            "http://a",
            "a:-1",
            "a:+1",
        ],
    );
    match random.random_range(0..4) {
        0 => {
            fields.remove(3);
            fields.push(("host".to_owned(), wrong.to_owned()));
        }
        1 => {
            let host = any(random, &["a", "b"]);
            fields.extend([("host".to_owned(), "a".to_owned()), ("host".to_owned(), host.to_owned())]);
            if random.random() {
                fields.remove(3);
            }
        }
        _ => wrong.clone_into(&mut fields[3].1),
    }
    request(random, stream, &fields)
}

pub(super) fn bad_length(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = method(random);
    let mut fields = proper(random, method, path);
    let length = ("content-length".to_owned(), mistakes::bad_length(random).to_owned());
    let good = ("content-length".to_owned(), any(random, &["0", "12"]).to_owned());
    match random.random_range(0..4) {
        0 => fields.extend([length, good]),
        1 => fields.extend([good, length]),
        _ => fields.push(length),
    }
    request(random, stream, &fields)
}

/// Content whose length its head contradicts.
pub(super) fn wrong_content(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = method(random);
    let mut fields = proper(random, method, path);
    let told = |length: usize| ("content-length".to_owned(), length.to_string());
    let wrong = match random.random_range(0..3) {
        0 => random.random_range(0..CONTENT.len()),
        1 => random.random_range(CONTENT.len() + 1..100),
        _ => CONTENT.len() + 10_usize.pow(random.random_range(2..15)),
    };
    if random.random_range(0..3) == 0 {
        fields.extend([told(CONTENT.len()), told(wrong)]);
    } else {
        fields.push(told(wrong));
    }
    let end = match random.random_range(0..3) {
        0 if wrong > 0 => return head(random, END_STREAM, stream, &fields),
        1 => trailers(random, stream),
        _ => Vec::new(),
    };
    let flags = if end.is_empty() { END_STREAM } else { 0 };
    [head(random, 0, stream, &fields), data(random, flags, stream, CONTENT), end].concat()
}

fn trailers(random: &mut ChaCha8Rng, stream: u32) -> Vec<u8> {
    let fields = some_fields(random);
    head(random, END_STREAM, stream, &fields)
}

pub(super) fn bad_trailers(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let fields = proper(random, "POST", path);
    let begun = [head(random, 0, stream, &fields), data(random, 0, stream, CONTENT)].concat();
    let mut wrong = some_fields(random);
    let at = random.random_range(0..=wrong.len());
    let end = if random.random() {
        // They do not end the stream, whatever follows.
        let behind = match random.random_range(0..3) {
            0 => data(random, END_STREAM, stream, CONTENT),
            1 => trailers(random, stream),
            _ => Vec::new(),
        };
        [head(random, 0, stream, &wrong), behind].concat()
    } else {
        wrong.insert(at, mistakes::bad_field(random));
        head(random, END_STREAM, stream, &wrong)
    };
    [begun, end].concat()
}

pub(super) fn oversized(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let large = "a".repeat(random.random_range(70_000..100_000));
    let mut fields = pseudo("GET", path);
    match random.random_range(0..4) {
        0 => fields.push(("x-large".to_owned(), large)),
        1 => fields.push((format!("x-{large}"), "1".to_owned())),
        2 => fields[2].1 = format!("{path}{large}"),
        _ => fields.extend((0..random.random_range(150..400)).map(|_| ("x".to_owned(), "1".to_owned()))),
    }
    long_head(END_STREAM, stream, &fields)
}

pub(super) fn bad_compression(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let fields = proper(random, "GET", path);
    mistakes::bad_compression(random, END_STREAM, stream, &fields)
}

/// A head that is refused, but has a last field that goes into the dynamic table, where it counts nevertheless.
pub(super) fn compression_state(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let mut fields = proper(random, "GET", path);
    let wrong = [
        ("connection", "x"),
        ("te", "gzip"),
        (":path", "/smuggled"),
        ("content-length", "x"),
        (":status", "200"),
    ];
    let (name, value) = *wrong.choose(random).unwrap();
    fields.insert(4, (name.to_owned(), value.to_owned()));
    let mut last = block(&[("x-mark", path)]);
    last[0] = 0x40;
    let block = [mistakes::compressed(random, &fields).0, last].concat();
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

/// A request that is all right, with what must be ignored around it.
pub(super) fn odd(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let method = method(random);
    let mut fields = proper(random, method, path);
    let more = [
        ("te", "trailers"),
        ("host", "a"),
        ("content-length", "12"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("expect", "100-continue"),
        ("x-latin", "\u{e9}"),
        ("x-empty", ""),
        ("x-inner", "a \t b"),
    ];
    for _ in 0..random.random_range(0..3) {
        let (name, value) = any(random, &more);
        if !fields.iter().any(|(there, _)| there == name) {
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    if random.random_range(0..4) == 0 {
        any(random, &["https", "ftp", "HTTP"]).clone_into(&mut fields[1].1);
    }
    let mut bytes = idle_talk(random, stream);
    bytes.extend(cut_head(random, 0, stream, &fields));
    bytes.extend(idle_talk(random, stream));
    if random.random_range(0..3) == 0 {
        bytes.extend(frame(DATA, 0, stream, CONTENT.as_bytes()));
        bytes.extend(idle_talk(random, stream));
        bytes.extend(trailers(random, stream));
    } else {
        bytes.extend(data(random, END_STREAM, stream, CONTENT));
    }
    bytes
}
