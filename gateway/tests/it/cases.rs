//! What the generators of malformed messages share: how many cases they try, what they draw words and fields from, and
//! a bound on the memory that all of it may take. Not here: what is malformed about a whole message.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

/// How many cases each generator tries unless `HOPLAB_CASES` says otherwise.
const CASES: usize = 10_000;

/// After how many cases connections, pools and buffers have the size that they keep.
const WARM_UP: usize = 1_000;

/// How much larger the process may be at the end than after [`WARM_UP`]. Other tests run in it at the same time.
const GROWTH_KIB_MAX: u64 = 256 * 1024;

/// How many cases to try.
pub(crate) fn count() -> usize {
    std::env::var_os("HOPLAB_CASES").map_or(CASES, |count| {
        count.to_str().and_then(|count| count.parse().ok()).expect("HOPLAB_CASES is a number")
    })
}

/// How much memory the process takes.
#[derive(Default)]
pub(crate) struct Memory {
    warm_kib: Option<u64>,
}

impl Memory {
    /// Takes note of it once it should not grow any more.
    pub(crate) fn note(&mut self, case: usize) {
        if case == WARM_UP {
            self.warm_kib = resident_kib();
        }
    }

    /// Checks that it has not grown.
    pub(crate) fn check(&self) {
        if let (Some(before), Some(after)) = (self.warm_kib, resident_kib()) {
            assert!(after < before + GROWTH_KIB_MAX, "the process grew from {before} to {after} KiB");
        }
    }
}

#[cfg(target_os = "linux")]
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn resident_kib() -> Option<u64> {
    None
}

pub(crate) fn any<T: Copy>(random: &mut ChaCha8Rng, choices: &[T]) -> T {
    *choices.choose(random).unwrap()
}

pub(crate) fn word(random: &mut ChaCha8Rng) -> String {
    let length = random.random_range(1..12);
    (0..length).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

/// `text` with `part` somewhere in it.
pub(crate) fn insert(random: &mut ChaCha8Rng, text: &str, part: &str) -> String {
    let at = random.random_range(0..=text.len());
    [&text[..at], part, &text[at..]].concat()
}

/// A proper HTTP/1.1 head up to its last field: `start`, and some fields that do not matter.
pub(crate) fn head(random: &mut ChaCha8Rng, start: &str) -> String {
    let mut head = format!("{start}\r\n");
    for _ in 0..random.random_range(0..4) {
        let (name, value) = (word(random), word(random));
        head.extend([format!("x-{name}: {value}\r\n")]);
    }
    head
}

/// A line that is no field of HTTP/1.1.
pub(crate) fn bad_field(random: &mut ChaCha8Rng) -> String {
    let word = word(random);
    match random.random_range(0..9) {
        0 => format!("x-{word}: a\r\n {word}"),
        1 => format!("x-{word}: a\r\n\t{word}"),
        2 => format!(" x-{word}: a"),
        3 => word,
        4 => format!(": {word}"),
        5 => format!("x {word}: a"),
        6 => format!("x-{word} : a"),
        7 => format!("x-{word}(: a"),
        _ => format!("x-{word}: a\u{1}"),
    }
}
