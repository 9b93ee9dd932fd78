//! Names a logical call so that the same call meets the same random draws under every
//! architecture: common random numbers.
//!
//! A key is derived from the request's place in its load, then from each step's place in its
//! endpoint. It travels in the W3C `baggage` header, which proxies pass untouched; an attempt that a
//! proxy made anew (`x-attempt-count`) is another draw.

use hoplab_proxy::telemetry::TraceId;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::random;

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const ATTEMPT_COUNT: HeaderName = HeaderName::from_static("x-attempt-count");
const MEMBER: &str = "hoplab=";

/// The name of a logical call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallKey(pub(crate) u64);

impl CallKey {
    /// The `number`th request of the `load`th load.
    pub(crate) fn root(load: usize, number: u64) -> Self {
        Self(load as u64).child(number)
    }

    /// All that is done for a client's request, whatever is called and however often.
    pub(crate) fn of_request(trace: TraceId) -> Self {
        Self(random::join((trace.0 >> 64) as u64, trace.0 as u64))
    }

    /// The `place`th thing done on behalf of this call.
    pub(crate) fn child(self, place: u64) -> Self {
        Self(random::join(self.0, place))
    }

    /// Reads the key of the call that `headers` belong to, the same for all its attempts; a request from elsewhere
    /// has none.
    pub(crate) fn of_call(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(BAGGAGE)?.to_str().ok()?;
        let member = text.split(',').find_map(|member| member.trim().strip_prefix(MEMBER))?;
        u64::from_str_radix(member, 16).ok().map(Self)
    }

    /// Reads the key that decides on draws: that of the call, or of the attempt that was made anew.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let key = Self::of_call(headers)?;
        let attempt = headers.get(ATTEMPT_COUNT).and_then(|count| count.to_str().ok()?.parse::<u64>().ok());
        Some(match attempt {
            Some(attempt) if attempt > 1 => key.child(u64::MAX).child(attempt),
            _ => key,
        })
    }

    /// Writes the key for the callee to read.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let text = format!("{MEMBER}{:016x}", self.0);
        headers.insert(BAGGAGE, HeaderValue::from_str(&text).expect("hexadecimal digits are a header value"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_travels_and_an_attempt_made_anew_is_another() {
        let key = CallKey::root(0, 7).child(3);
        let mut headers = HeaderMap::new();
        assert_eq!(CallKey::read(&headers), None);
        key.write(&mut headers);
        assert_eq!(CallKey::read(&headers), Some(key));
        headers.insert(ATTEMPT_COUNT, HeaderValue::from_static("1"));
        assert_eq!(CallKey::read(&headers), Some(key));
        headers.insert(ATTEMPT_COUNT, HeaderValue::from_static("2"));
        assert_ne!(CallKey::read(&headers), Some(key));
        assert_eq!(CallKey::of_call(&headers), Some(key));
    }
}
