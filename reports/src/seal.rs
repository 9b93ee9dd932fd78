//! A checksum over bytes, and the one that a part of a study carries inside, over its name and all of its text.

use xxhash_rust::xxh3::xxh3_128;

/// A hash over `bytes`, as 32 hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// What a sealed part begins with.
const HEAD: &str = "{\"checksum\":\"";

/// The text of an object with a checksum over it and over the file's name in front.
pub(crate) fn sealed(file: &str, object: &str) -> String {
    let rest = format!("{}\n", object.strip_prefix('{').unwrap_or(object));
    format!("{HEAD}{}\",{rest}", checksum(file, &rest))
}

fn checksum(file: &str, rest: &str) -> String {
    hash(format!("{file}\n{rest}").as_bytes())
}

/// Whether the `bytes` of a file of this name are those of a part, none of them altered.
pub(crate) fn is_whole(file: &str, bytes: &[u8]) -> bool {
    let opened = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(HEAD));
    let parts = opened.and_then(|text| text.split_once("\","));
    parts.is_some_and(|(written, rest)| written == checksum(file, rest))
}
