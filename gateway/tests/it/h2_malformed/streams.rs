//! Requests that are well formed up to a frame where their stream or connection does not take it, up to a cut, or up to
//! a change at random.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::messages::proper;
use super::requests::CONTENT;
use crate::cases::{any, word};
use crate::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PREFACE, PRIORITY, RST_STREAM, block, frame, reset,
    settings, window_update,
};
use crate::h2_mistakes::{self as mistakes, Peer, compressed, data, head, some_fields};

/// A request up to some of its content.
fn begun(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let fields = proper(random, "POST", path);
    let content = if random.random() { data(random, 0, stream, "hello") } else { Vec::new() };
    [head(random, 0, stream, &fields), content].concat()
}

/// A whole request.
fn whole(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let fields = proper(random, "POST", path);
    if random.random() {
        return head(random, END_STREAM, stream, &fields);
    }
    let end = if random.random() {
        data(random, END_STREAM, stream, "")
    } else {
        let fields = some_fields(random);
        head(random, END_STREAM, stream, &fields)
    };
    [head(random, 0, stream, &fields), data(random, 0, stream, CONTENT), end].concat()
}

/// A frame in the middle of a request that ends the connection.
pub(super) fn fatal_frame(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let begun = begun(random, stream, path);
    let fatal = mistakes::fatal_frame(random, Peer::Client, stream);
    [begun, fatal, data(random, END_STREAM, stream, CONTENT)].concat()
}

/// A request on a stream that cannot be opened, or can no more.
pub(super) fn wrong_stream(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    match random.random_range(0..4) {
        0 => whole(random, stream + 1, path),
        1 => whole(random, 0, path),
        2 => {
            let above = begun(random, stream + 2, path);
            [above, whole(random, stream, path)].concat()
        }
        _ => {
            let reset = reset(stream, random.random_range(0..20));
            let begun = begun(random, stream, path);
            [begun, reset, whole(random, stream, path)].concat()
        }
    }
}

/// A window that overflows or grows by nothing, or a stream that depends on itself.
pub(super) fn overflow(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let begun = begun(random, stream, path);
    let wrong = match random.random_range(0..4) {
        0 => window_update(stream, 0),
        1 => window_update(stream, (1 << 31) - 1),
        2 => window_update(stream, 1 << 30).repeat(2),
        _ => frame(PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[1]].concat()),
    };
    [begun, wrong, data(random, END_STREAM, stream, CONTENT)].concat()
}

pub(super) fn reset_before_end(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let begun = begun(random, stream, path);
    let reset = reset(stream, any(random, &[0, 0, 8, 1, 2, 7, 13, 99, u32::MAX]));
    let behind = if random.random() { data(random, END_STREAM, stream, CONTENT) } else { Vec::new() };
    [begun, reset, behind].concat()
}

pub(super) fn bad_continuation(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let fields = proper(random, "GET", path);
    let (block, _) = compressed(random, &fields);
    let (first, rest) = block.split_at(random.random_range(0..=block.len()));
    let begun = frame(HEADERS, END_STREAM, stream, first);
    let last = |flags, stream| frame(CONTINUATION, flags, stream, rest);
    match random.random_range(0..6) {
        0 => frame(CONTINUATION, END_HEADERS, stream, &block),
        1 => [begun, last(END_HEADERS, stream + 2)].concat(),
        2 => [begun, last(END_HEADERS, 0)].concat(),
        3 => [begun, reset(stream, 8), last(END_HEADERS, stream)].concat(),
        4 => [begun, last(0, stream)].concat(),
        _ => {
            let empty = frame(CONTINUATION, 0, stream, &[]).repeat(random.random_range(100..1_000));
            [begun, empty, last(END_HEADERS, stream)].concat()
        }
    }
}

/// Frames on a stream whose request has ended.
pub(super) fn behind_end(random: &mut ChaCha8Rng, stream: u32, path: &str) -> Vec<u8> {
    let fields = some_fields(random);
    let behind = match random.random_range(0..6) {
        0 => data(random, END_STREAM, stream, CONTENT),
        1 => head(random, END_STREAM, stream, &fields),
        2 => whole(random, stream, path),
        3 => frame(CONTINUATION, END_HEADERS, stream, &block(&[("x", "y")])),
        4 => frame(RST_STREAM, 0, stream, &[0; 4]),
        _ => mistakes::fatal_frame(random, Peer::Client, stream),
    };
    [whole(random, stream, path), behind].concat()
}

pub(super) fn truncated(random: &mut ChaCha8Rng, _: u32, path: &str) -> Vec<u8> {
    let mut bytes = whole(random, 1, path);
    bytes.truncate(random.random_range(0..bytes.len()));
    bytes
}

pub(super) fn unfinished_head(random: &mut ChaCha8Rng, _: u32, path: &str) -> Vec<u8> {
    let fields = proper(random, "GET", path);
    let (block, _) = compressed(random, &fields);
    let more = frame(CONTINUATION, 0, 1, &[]).repeat(random.random_range(0..3));
    [frame(HEADERS, END_STREAM, 1, &block), more].concat()
}

pub(super) fn garbage(random: &mut ChaCha8Rng, _: u32, path: &str) -> Vec<u8> {
    let start = if random.random() { begun(random, 1, path) } else { Vec::new() };
    let garbage: Vec<u8> = if random.random() {
        (0..random.random_range(1..400)).map(|_| random.random()).collect()
    } else {
        // Frames of which only the size is right.
        let frames = (0..random.random_range(1..6)).flat_map(|_| {
            let payload: Vec<u8> = (0..random.random_range(0..40)).map(|_| random.random()).collect();
            let stream = any(random, &[0, 1, 1, 3, 2, 1 << 31, u32::MAX]);
            frame(random.random_range(0..11), random.random(), stream, &payload)
        });
        frames.collect()
    };
    [start, garbage].concat()
}

/// A connection that does not begin as it must.
pub(super) fn bad_preface(random: &mut ChaCha8Rng, _: u32, path: &str) -> Vec<u8> {
    let request = [settings(&[]), whole(random, 1, path)].concat();
    let at = random.random_range(0..PREFACE.len());
    let start = match random.random_range(0..5) {
        0 => PREFACE[..at].to_vec(),
        1 => [&PREFACE[..at], &[PREFACE[at] ^ random.random_range(1..=255)], &PREFACE[at + 1..]].concat(),
        2 => b"PRI * HTTP/2.0\r\nHost: a\r\n\r\n".to_vec(),
        3 => [&[0x16, 3, 1], word(random).as_bytes()].concat(),
        _ => Vec::new(),
    };
    [start, request].concat()
}

/// A request of which some bytes are others, are gone or are too many.
pub(super) fn changed(random: &mut ChaCha8Rng, _: u32, path: &str) -> Vec<u8> {
    let mut bytes = [settings(&[(3, 100)]), whole(random, 1, path), whole(random, 3, path)].concat();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes.insert(at, random.random()),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}
