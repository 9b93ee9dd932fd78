//! Requests that were looked at closely, from what a lens saw ([`hoplab_sim::lens`]): as a waterfall for the terminal,
//! and for other people's viewers. Simulates nothing and writes no file.
//!
//! | module | owns |
//! |---|---|
//! | `tree` | who asked whom, as rows |
//! | `text` | the waterfall on the terminal |
//! | `bar` | one row's time, a character a stretch |
//! | `perfetto` | Chrome's trace events, which Perfetto opens |
//! | `otlp` | OpenTelemetry's JSON |
//! | `pcapng` | packets, names and TLS secrets, which Wireshark opens |

mod bar;
mod otlp;
mod pcapng;
mod perfetto;
mod text;
mod tree;

pub use otlp::otlp;
pub use pcapng::{key_log, pcapng};
pub use perfetto::perfetto;
pub use text::waterfall;

/// Microseconds with their thousands apart, and as many decimals as nanoseconds need: `24,310`, `40.25`.
fn micros(nanos: u64) -> String {
    aligned_micros(nanos, decimals(nanos))
}

/// How many decimals the microseconds of so many nanoseconds need.
fn decimals(nanos: u64) -> usize {
    match nanos {
        _ if nanos.is_multiple_of(1_000) => 0,
        _ if nanos.is_multiple_of(100) => 1,
        _ if nanos.is_multiple_of(10) => 2,
        _ => 3,
    }
}

/// As [`micros`], with so many decimals, which must do.
fn aligned_micros(nanos: u64, decimals: usize) -> String {
    let whole = crate::format::count(nanos / 1_000);
    match decimals {
        0 => whole,
        _ => format!("{whole}.{}", &format!("{:03}", nanos % 1_000)[..decimals]),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn microseconds_are_exact() {
        let texts = [0, 1, 250, 1_000, 24_310_000, 1_040_250].map(super::micros);
        assert_eq!(texts, ["0", "0.001", "0.25", "1", "24,310", "1,040.25"]);
        assert_eq!(super::aligned_micros(24_310_000, 2), "24,310.00");
    }
}
