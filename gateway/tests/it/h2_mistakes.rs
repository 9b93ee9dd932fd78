//! What either peer of an HTTP/2 connection can do wrong, drawn at random (RFC 9113, RFC 7541): fields, their
//! compression, and frames; and the many ways in which a head and content may be written that are all right. Not here:
//! what only a request or an answer has.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::cases::{any, insert, word};
use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITIZED, PRIORITY,
    PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, reset, settings, window_update,
};

pub(crate) type Fields = Vec<(String, String)>;

/// The largest frame that hoplab takes.
const FRAME_BYTES_MAX: usize = 16_384;

pub(crate) fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Some fields that do not matter.
pub(crate) fn some_fields(random: &mut ChaCha8Rng) -> Fields {
    (0..random.random_range(0..4)).map(|_| (format!("x-{}", word(random)), word(random))).collect()
}

/// Fields as HPACK writes them: into the dynamic table, beside it, or never into any; and where each ends.
pub(crate) fn compressed(random: &mut ChaCha8Rng, fields: &Fields) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut ends) = (Vec::new(), vec![0]);
    for (name, value) in fields {
        let start = bytes.len();
        bytes.extend(block(&[(name, value)]));
        bytes[start] = any(random, &[0, 0x10, 0x40]);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// A head of these fields, whose frames end where a field does: h2 (0.4.20) forgets that a head is malformed where one
/// ends within a field.
pub(crate) fn head(random: &mut ChaCha8Rng, flags: u8, stream: u32, fields: &Fields) -> Vec<u8> {
    let (block, ends) = compressed(random, fields);
    written(random, flags, stream, &block, &ends)
}

/// A head of these fields, which are all right, whose frames end anywhere.
pub(crate) fn cut_head(random: &mut ChaCha8Rng, flags: u8, stream: u32, fields: &Fields) -> Vec<u8> {
    let (block, _) = compressed(random, fields);
    let anywhere: Vec<_> = (0..=block.len()).collect();
    written(random, flags, stream, &block, &anywhere)
}

/// A head with this block, in one of the ways to write it; its frames end in one of the `places`.
pub(crate) fn written(
    random: &mut ChaCha8Rng,
    flags: u8,
    stream: u32,
    block: &[u8],
    places: &[usize],
) -> Vec<u8> {
    let whole = flags | END_HEADERS;
    let depends = [0, 0, 0, 0, random.random()];
    match random.random_range(0..8) {
        0 => frame(HEADERS, whole | PADDED, stream, &padded(random, block)),
        1 => frame(HEADERS, whole | PRIORITIZED, stream, &[&depends, block].concat()),
        2 => frame(HEADERS, whole | any(random, &[0x02, 0x10, 0x40, 0x80, 0xd2]), stream, block),
        3 | 4 => {
            let (one, other) = (any(random, places), any(random, places));
            let (first, second) = (one.min(other), one.max(other));
            [
                frame(HEADERS, flags, stream, &block[..first]),
                frame(CONTINUATION, 0, stream, &block[first..second]),
                frame(CONTINUATION, END_HEADERS, stream, &block[second..]),
            ]
            .concat()
        }
        _ => frame(HEADERS, whole, stream, block),
    }
}

/// A head that is too long for one frame.
pub(crate) fn long_head(flags: u8, stream: u32, fields: &Fields) -> Vec<u8> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let block = block(&fields);
    let count = block.len().div_ceil(FRAME_BYTES_MAX);
    let parts = block.chunks(FRAME_BYTES_MAX).enumerate().flat_map(|(number, part)| {
        let (kind, flags) = if number == 0 { (HEADERS, flags) } else { (CONTINUATION, 0) };
        frame(kind, if number + 1 == count { flags | END_HEADERS } else { flags }, stream, part)
    });
    parts.collect()
}

/// Content, in one of the ways to write it.
pub(crate) fn data(random: &mut ChaCha8Rng, flags: u8, stream: u32, content: &str) -> Vec<u8> {
    let content = content.as_bytes();
    match random.random_range(0..6) {
        0 => frame(DATA, flags | PADDED, stream, &padded(random, content)),
        1 => {
            let (first, rest) = content.split_at(random.random_range(0..=content.len()));
            [frame(DATA, 0, stream, first), frame(DATA, flags, stream, rest)].concat()
        }
        2 => [frame(DATA, 0, stream, content), frame(DATA, flags, stream, b"")].concat(),
        3 => frame(DATA, flags | any(random, &[0x02, 0x04, 0x20, 0x80]), stream, content),
        _ => frame(DATA, flags, stream, content),
    }
}

fn padded(random: &mut ChaCha8Rng, content: &[u8]) -> Vec<u8> {
    let length: u8 = random.random();
    [&[length], content, &vec![0; length.into()]].concat()
}

/// Frames that say nothing, or nothing that is known, and must not disturb anything.
pub(crate) fn idle_talk(random: &mut ChaCha8Rng, stream: u32) -> Vec<u8> {
    let on = any(random, &[0, stream, stream + 2, stream + 1]);
    let weight = random.random();
    match random.random_range(0..7) {
        0 => frame(random.random_range(10..=255), random.random(), on, word(random).as_bytes()),
        1 => settings(&[(any(random, &[7, 9, 0xbb, 0xffff]), random.random())]),
        2 => settings(&[]),
        3 => frame(PING, any(random, &[0, ACK, 0xfe]), 0, &random.random::<[u8; 8]>()),
        4 => frame(PRIORITY, random.random(), stream + any(random, &[0, 2, 4]), &[0, 0, 0, 0, weight]),
        5 => window_update(0, random.random_range(1..100_000)),
        _ => Vec::new(),
    }
}

/// A field that no message may have.
pub(crate) fn bad_field(random: &mut ChaCha8Rng) -> (String, String) {
    const NAME_PARTS: [&str; 15] =
        [" ", "\t", "\0", "\r", "\n", "\r\n", ":", "(", ",", "/", "\"", "\u{7f}", "\u{e9}", "@", "A"];
    const VALUE_PARTS: [&str; 9] = [
        "\0",
        "\r",
        "\n",
        "\r\n",
        "\u{1}",
        "\u{7f}",
        "\r\nx: y",
        "\n\n",
        "\r\n\r\nGET /smuggled HTTP/1.1\r\n",
    ];
    let (name, value) = (format!("x-{}", word(random)), word(random));
    match random.random_range(0..7) {
        0 => {
            let part = any(random, &NAME_PARTS);
            (insert(random, &name, part), value)
        }
        1 => (any(random, &["X", "Content-Length", "Host", "A-B"]).to_owned(), value),
        2 => {
            let part = any(random, &VALUE_PARTS);
            (name, insert(random, &value, part))
        }
        3 => {
            let (before, after) = any(random, &[(" ", ""), ("", " "), ("\t", ""), ("", "\t"), (" ", "\t")]);
            (name, format!("{before}{value}{after}"))
        }
        4 => of_one_hop(random),
        5 => {
            let value = any(random, &["gzip", "trailers, gzip", "", "chunked", "deflate;q=0.5", " trailers"]);
            ("te".to_owned(), value.to_owned())
        }
        _ => (any(random, &[":x", ":", "::path", ":Path", ":method ", ":host"]).to_owned(), value),
    }
}

/// A field of one hop, which HTTP/2 does not have.
fn of_one_hop(random: &mut ChaCha8Rng) -> (String, String) {
    let (name, value) = any(
        random,
        &[
            ("connection", "close"),
            ("connection", "x-a"),
            ("connection", ""),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "identity"),
            ("transfer-encoding", ""),
            ("upgrade", "h2c"),
            ("upgrade", "websocket"),
        ],
    );
    (name.to_owned(), value.to_owned())
}

/// A length that is none.
pub(crate) fn bad_length(random: &mut ChaCha8Rng) -> &'static str {
    any(
        random,
        &[
            "",
            "-5",
            "+5",
            "5 ",
            " 5",
            "0x5",
            "5,5",
            "5, 5",
            "5.0",
            "five",
            "5 5",
            "\u{665}",
            "18446744073709551616",
            "18446744073709551621",
            "99999999999999999999999999",
        ],
    )
}

/// A head of these fields, behind which it is no HPACK.
pub(crate) fn bad_compression(random: &mut ChaCha8Rng, flags: u8, stream: u32, fields: &Fields) -> Vec<u8> {
    let cut = cut_field(random);
    let end: &[u8] = match random.random_range(0..12) {
        // Indices: none, and beyond both tables.
        0 => &[0x80],
        1 => &[0xff, 0x80, 0x01],
        2 => &[0x7f, 0xc0, 0x7f, 1, b'x'],
        3 => &[0x0f, 0xf0, 0x7f, 1, b'x'],
        // Integers that do not end, or are too large.
        4 => &[0xff],
        5 => &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        6 => &[0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        // A table that may not be as large, or not change here.
        7 => &[0x3f, 0xff, 0x7f],
        8 => &[0x20],
        // Huffman codes: the end of the string within it, and padding that is too long.
        9 => &[0, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xff],
        10 => &[0, 1, b'x', 0x82, 0xff, 0xff],
        _ => &cut,
    };
    let (block, _) = compressed(random, fields);
    // No frame begins with the end, where h2 lets a table change.
    let places: Vec<_> = (0..block.len()).collect();
    written(random, flags, stream, &[&block, end].concat(), &places)
}

/// A field that is cut off.
fn cut_field(random: &mut ChaCha8Rng) -> Vec<u8> {
    let (name, value) = (word(random), word(random));
    let mut field = block(&[(&name, &value)]);
    field.truncate(random.random_range(1..field.len()));
    field
}

/// Which peer makes a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Client,
    Server,
}

/// A frame that ends a connection on which `stream` is open, and of whose streams none is above it.
pub(crate) fn fatal_frame(random: &mut ChaCha8Rng, peer: Peer, stream: u32) -> Vec<u8> {
    match random.random_range(0..5) {
        0 => wrong_size(random, stream),
        1 => wrong_stream(random, stream),
        2 => wrong_value(random, peer),
        3 => wrong_padding(random, stream),
        _ => wrong_order(random, stream),
    }
}

fn wrong_size(random: &mut ChaCha8Rng, stream: u32) -> Vec<u8> {
    let size = any(random, &[0_usize, 1, 2, 3, 5, 7, 9, 11, 13, 100]);
    let bytes = [0; 100];
    match random.random_range(0..8) {
        0 => frame(PING, any(random, &[0, ACK]), 0, &bytes[..size]),
        1 => frame(RST_STREAM, 0, stream, &bytes[..size]),
        2 => frame(WINDOW_UPDATE, 0, any(random, &[0, stream]), &bytes[..size]),
        3 => frame(PRIORITY, 0, stream, &bytes[..size.min(4)]),
        4 => frame(SETTINGS, 0, 0, &bytes[..size.max(1)]),
        5 => frame(SETTINGS, ACK, 0, &[0; 6]),
        6 => frame(GOAWAY, 0, 0, &bytes[..size.min(7)]),
        _ => frame(DATA, 0, stream, &vec![0; FRAME_BYTES_MAX + size + 1]),
    }
}

fn wrong_stream(random: &mut ChaCha8Rng, stream: u32) -> Vec<u8> {
    let idle = stream + 2 * random.random_range(1..10);
    match random.random_range(0..13) {
        0 => frame(DATA, any(random, &[0, END_STREAM]), 0, b"x"),
        1 => frame(DATA, any(random, &[0, END_STREAM]), idle, b"x"),
        2 => frame(HEADERS, END_HEADERS, 0, &block(&[("x", "y")])),
        3 => reset(0, 8),
        4 => reset(idle, 8),
        5 => window_update(idle, 1),
        6 => frame(PRIORITY, 0, 0, &[0; 5]),
        7 => frame(SETTINGS, 0, stream, &[]),
        8 => frame(PING, 0, stream, &[0; 8]),
        9 => frame(GOAWAY, 0, stream, &[0; 8]),
        10 => frame(CONTINUATION, END_HEADERS, any(random, &[0, stream, idle]), &block(&[("x", "y")])),
        11 => frame(DATA, END_STREAM, stream + 1, b"x"),
        _ => frame(
            PUSH_PROMISE,
            END_HEADERS,
            any(random, &[0, stream, idle]),
            &[&[0, 0, 0, 2], &block(&[(":method", "GET")])[..]].concat(),
        ),
    }
}

fn wrong_value(random: &mut ChaCha8Rng, peer: Peer) -> Vec<u8> {
    let push = if peer == Peer::Client { 2 } else { 1 };
    match random.random_range(0..6) {
        0 => settings(&[(2, random.random_range(push..=u32::MAX))]),
        1 => settings(&[(4, random.random_range(1 << 31..=u32::MAX))]),
        2 => settings(&[(5, random.random_range(0..16_384))]),
        3 => settings(&[(5, random.random_range(1 << 24..=u32::MAX))]),
        4 => window_update(0, 0),
        _ => window_update(0, (1 << 31) - 1),
    }
}

fn wrong_padding(random: &mut ChaCha8Rng, stream: u32) -> Vec<u8> {
    let content = [&[random.random_range(20..=255)], word(random).as_bytes()].concat();
    match random.random_range(0..3) {
        0 => frame(DATA, PADDED | any(random, &[0, END_STREAM]), stream, &content),
        1 => frame(DATA, PADDED | any(random, &[0, END_STREAM]), stream, b""),
        _ => frame(HEADERS, PADDED | END_HEADERS | END_STREAM, stream, &content),
    }
}

/// A head that does not go on as it must.
fn wrong_order(random: &mut ChaCha8Rng, stream: u32) -> Vec<u8> {
    let (first, rest) = (block(&[("x", "y")]), block(&[("a", "b")]));
    let between = match random.random_range(0..6) {
        0 => frame(PING, 0, 0, &[0; 8]),
        1 => settings(&[]),
        2 => frame(DATA, END_STREAM, stream, b"x"),
        3 => frame(0xbb, 0, stream, b"x"),
        4 => frame(HEADERS, END_HEADERS, stream, &first),
        _ => frame(CONTINUATION, END_HEADERS, stream + 2, &rest),
    };
    let begun = frame(HEADERS, END_STREAM, stream, &first);
    [begun, between, frame(CONTINUATION, END_HEADERS, stream, &rest)].concat()
}
