//! W3C trace context (<https://www.w3.org/TR/trace-context/>, version 00): reading and writing the
//! `traceparent` header, and span ids that repeat with their seed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

/// The header that carries a [`TraceContext`].
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Names a request across all hops. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub u128);

/// Names one attempt within a trace. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub u64);

/// The request that a message belongs to, and the attempt that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The request.
    pub trace: TraceId,
    /// The attempt of the caller.
    pub parent: SpanId,
}

impl TraceContext {
    /// Reads `traceparent`; `None` when it is missing or malformed, as the standard demands.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(TRACEPARENT)?.to_str().ok()?;
        let mut parts = text.split('-');
        let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
        let flags = parts.next()?;
        let lower_hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let well_formed =
            lower_hex(version, 2) && lower_hex(trace, 32) && lower_hex(parent, 16) && lower_hex(flags, 2);
        if !well_formed || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let parent = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
        Some(Self { trace: TraceId(trace), parent: SpanId(parent) })
    }

    /// Writes `traceparent`, sampled.
    pub fn write(self, headers: &mut HeaderMap) {
        let mut text = [0; 55];
        text[..3].copy_from_slice(b"00-");
        hex(self.trace.0, &mut text[3..35]);
        text[35] = b'-';
        hex(u128::from(self.parent.0), &mut text[36..52]);
        text[52..].copy_from_slice(b"-01");
        let value = HeaderValue::from_bytes(&text).expect("hexadecimal digits are a header value");
        headers.insert(TRACEPARENT, value);
    }
}

fn hex(mut value: u128, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

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

/// A source of ids: a counter run through `SplitMix64` (Steele, Lea, Flood 2014), so that ids of
/// different seeds do not meet in practice and the same seed gives the same ids.
#[derive(Debug)]
pub struct SpanIds {
    state: AtomicU64,
}

impl SpanIds {
    /// Ids that repeat with `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// The next span id.
    pub fn span(&self) -> SpanId {
        SpanId(self.next().max(1))
    }

    /// The next trace id, for a request that came without one.
    pub fn trace(&self) -> TraceId {
        TraceId((u128::from(self.next()) << 64 | u128::from(self.next())).max(1))
    }

    fn next(&self) -> u64 {
        let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<TraceContext> {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_str(text).unwrap());
        TraceContext::read(&headers)
    }

    #[test]
    fn what_is_written_is_read() {
        let context = TraceContext { trace: TraceId(0xabc << 100 | 7), parent: SpanId(0xfeed) };
        let mut headers = HeaderMap::new();
        context.write(&mut headers);
        assert_eq!(TraceContext::read(&headers), Some(context));
    }

    #[test]
    fn malformed_context_is_no_context() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(read(good).is_some());
        assert!(read("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
        for bad in [
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "",
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
