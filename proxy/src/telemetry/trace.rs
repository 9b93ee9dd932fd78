//! W3C trace context (<https://www.w3.org/TR/trace-context/>, version 00): reading and writing the
//! `traceparent` header, and span ids that repeat with their seed.
//!
//! `tracestate` belongs to others: whoever forwards passes it on as it came when `traceparent` was valid, and
//! drops it when it was not ([`TRACESTATE`]).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use crate::headers;

/// The header that carries a [`TraceContext`].
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header in which tracing systems keep what else they need; it means nothing without a valid [`TRACEPARENT`].
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// How long version 00 is; later versions are no shorter.
const LENGTH: usize = 55;

/// Names a request across all hops. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub u128);

/// Names one attempt within a trace. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub u64);

/// What the caller says of its own tracing. Whoever only passes a request on changes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// Nothing is said.
    pub const NONE: Self = Self(0);
    /// The caller may have recorded its part of the trace.
    pub const SAMPLED: Self = Self(1);
    /// The flags that version 00 knows: sampled, and that the trace id is random (Level 2 of the standard).
    /// All others must be passed on as zero.
    const OF_VERSION_00: u8 = 3;

    /// Whether the caller may have recorded its part of the trace.
    pub fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }
}

/// The request that a message belongs to, and the attempt that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The request.
    pub trace: TraceId,
    /// The attempt of the caller.
    pub parent: SpanId,
    /// What the caller says of its tracing.
    pub flags: TraceFlags,
}

impl TraceContext {
    /// Reads `traceparent`; `None` when it is missing, malformed or there more than once, as the standard
    /// demands. Of a version that is not known yet, what version 00 has is read, of its flags the sampled one.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(TRACEPARENT).iter();
        let (field, second) = (fields.next()?, fields.next());
        if second.is_some() {
            return None;
        }
        let text = field.as_bytes().trim_ascii();
        let (text, rest) = text.split_at_checked(LENGTH)?;
        let version = lower_hex(&text[..2])?;
        let ends = if version == 0 { rest.is_empty() } else { rest.first().is_none_or(|next| *next == b'-') };
        let dashed = [2, 35, 52].iter().all(|place| text[*place] == b'-');
        if version == 0xff || !ends || !dashed {
            return None;
        }
        let (high, low) = (lower_hex(&text[3..19])?, lower_hex(&text[19..35])?);
        let trace = Some(u128::from(high) << 64 | u128::from(low)).filter(|id| *id != 0)?;
        let parent = lower_hex(&text[36..52]).filter(|id| *id != 0)?;
        let known = if version == 0 { TraceFlags::OF_VERSION_00 } else { TraceFlags::SAMPLED.0 };
        let flags = TraceFlags(lower_hex(&text[53..])? as u8 & known);
        Some(Self { trace: TraceId(trace), parent: SpanId(parent), flags })
    }

    /// Writes `traceparent`, in version 00, in place of any that is there.
    pub fn write(self, headers: &mut HeaderMap) {
        let mut text = [b'-'; LENGTH];
        text[..2].copy_from_slice(b"00");
        hex((self.trace.0 >> 64) as u64, &mut text[3..19]);
        hex(self.trace.0 as u64, &mut text[19..35]);
        hex(self.parent.0, &mut text[36..52]);
        hex(u64::from(self.flags.0), &mut text[53..]);
        let value = HeaderValue::from_bytes(&text).expect("hexadecimal digits are a header value");
        headers::put(headers, TRACEPARENT, value);
    }
}

/// The number that `digits` are in lower case hexadecimal; at most 16 of them.
fn lower_hex(digits: &[u8]) -> Option<u64> {
    let (mut number, mut seen) = (0, 0);
    for digit in digits {
        let value = DIGITS[usize::from(*digit)];
        number = number << 4 | u64::from(value);
        seen |= value;
    }
    (seen < 16).then_some(number)
}

/// What each byte is worth as a digit; more than any digit where it is none.
static DIGITS: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Writes `value` as hexadecimal digits, two a byte.
fn hex(value: u64, digits: &mut [u8]) {
    let bytes = value.to_be_bytes();
    let bytes = &bytes[bytes.len() - digits.len() / 2..];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
    }
}

/// The two digits of each byte.
static PAIRS: [[u8; 2]; 256] = {
    let (mut pairs, mut value) = ([[0; 2]; 256], 0);
    while value < 256 {
        let digits = b"0123456789abcdef";
        pairs[value] = [digits[value >> 4], digits[value & 15]];
        value += 1;
    }
    pairs
};

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A source of ids: counters run through `SplitMix64` (Steele, Lea, Flood 2014), so that ids of different seeds do not
/// meet in practice and the same seed gives the same ids. Those of traces have a counter of their own: what knows a
/// trace's id knows nothing of spans'.
#[derive(Debug)]
pub struct SpanIds {
    spans: AtomicU64,
    traces: AtomicU64,
}

/// Sets the counter of traces apart from that of spans.
const TRACES: u64 = 0x6a09_e667_f3bc_c908;

impl SpanIds {
    /// Ids that repeat with `seed`.
    pub fn new(seed: u64) -> Self {
        Self { spans: AtomicU64::new(seed), traces: AtomicU64::new(mixed(seed ^ TRACES)) }
    }

    /// The next span id.
    pub fn span(&self) -> SpanId {
        SpanId(next(&self.spans).max(1))
    }

    /// The next trace id, for a request that came without one.
    pub fn trace(&self) -> TraceId {
        TraceId((u128::from(next(&self.traces)) << 64 | u128::from(next(&self.traces))).max(1))
    }
}

fn next(state: &AtomicU64) -> u64 {
    mixed(state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(fields: &[&str]) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(TRACEPARENT, HeaderValue::from_str(field).unwrap());
        }
        TraceContext::read(&headers)
    }

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";

    proptest! {
        #[test]
        fn what_is_written_is_read(trace in 1..=u128::MAX, parent in 1..=u64::MAX, flags in 0..=3_u8) {
            let flags = TraceFlags(flags);
            let context = TraceContext { trace: TraceId(trace), parent: SpanId(parent), flags };
            let mut headers = HeaderMap::new();
            headers.append(TRACEPARENT, HeaderValue::from_static("another"));
            context.write(&mut headers);
            prop_assert_eq!(TraceContext::read(&headers), Some(context));
        }

        #[test]
        fn no_header_makes_it_panic(text in "[0-9a-f-]{0,70}|[ -~]{0,70}") {
            read(&[&text]);
        }
    }

    #[test]
    fn malformed_context_is_no_context() {
        let good = format!("00-{TRACE}-{PARENT}-01");
        assert!(read(&[&good]).is_some());
        assert!(read(&[&format!(" {good}\t")]).is_some(), "white space around a field is none of it");
        for bad in [
            format!("00-00000000000000000000000000000000-{PARENT}-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{PARENT}-0A"),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("0-{TRACE}-{PARENT}-001"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("00-{TRACE}-{PARENT}-01-"),
            format!("00-{TRACE}-{PARENT}-01."),
            format!("00-{TRACE}-{PARENT}"),
            format!("00_{TRACE}_{PARENT}_01"),
            format!("00-{TRACE}{PARENT}--01"),
            format!("cc-{TRACE}-{PARENT}-0"),
            format!("cc-{TRACE}-{PARENT}-01.more"),
            "x".repeat(8_000),
            String::new(),
        ] {
            assert_eq!(read(&[&bad]), None, "{bad}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[&good, &good]), None, "nobody knows which of two is meant");
    }

    #[test]
    fn a_traces_id_is_none_of_spans() {
        for seed in [0, 1, 2, 2026] {
            let (traces, spans) = (SpanIds::new(seed), SpanIds::new(seed));
            let spans: Vec<_> = (0..1_000).map(|_| spans.span().0).collect();
            for TraceId(trace) in (0..100).map(|_| traces.trace()) {
                assert!(![(trace >> 64) as u64, trace as u64].iter().any(|half| spans.contains(half)));
            }
        }
    }

    #[test]
    fn flags_are_kept_as_far_as_the_version_knows_them() {
        for (field, sampled, written) in [
            ("00-TRACE-PARENT-00", false, "00"),
            ("00-TRACE-PARENT-01", true, "01"),
            ("00-TRACE-PARENT-02", false, "02"),
            ("00-TRACE-PARENT-03", true, "03"),
            ("00-TRACE-PARENT-ff", true, "03"),
            ("00-TRACE-PARENT-fc", false, "00"),
            ("cc-TRACE-PARENT-03", true, "01"),
            ("cc-TRACE-PARENT-02-what-the-future-will-be-like", false, "00"),
            ("01-TRACE-PARENT-09-", true, "01"),
        ] {
            let field = field.replace("TRACE", TRACE).replace("PARENT", PARENT);
            let context = read(&[&field]).unwrap_or_else(|| panic!("{field}"));
            assert_eq!(context.flags.is_sampled(), sampled, "{field}");
            let mut headers = HeaderMap::new();
            context.write(&mut headers);
            assert_eq!(headers[TRACEPARENT], format!("00-{TRACE}-{PARENT}-{written}"), "{field}");
        }
    }
}
