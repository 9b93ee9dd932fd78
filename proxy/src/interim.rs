//! Interim answers (1xx): what an upstream says before its answer, on the way to the caller (RFC 9110, 15.2: a
//! proxy must forward those that it did not ask for itself). A server puts an [`Interim`] into the extensions of a
//! request, or has one for its connection (HTTP/1.1, where it costs no allocation); the forwarder notes it in the
//! exchange, and whoever reads the upstream's answer finds it there. Owns no connection and waits for nothing.

use std::fmt;
use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use crate::headers;

/// Where the interim answers to one request go. Cloning gives another handle.
#[derive(Clone)]
pub struct Interim {
    to: Arc<dyn Taker>,
    request: u64,
}

/// Takes interim answers to requests, of which one may have several, by their numbers.
pub(crate) trait Taker: Send + Sync {
    /// Takes an interim answer to the request with this number.
    fn take(&self, request: u64, status: StatusCode, headers: HeaderMap);
}

impl<F: Fn(StatusCode, HeaderMap) + Send + Sync> Taker for F {
    fn take(&self, _: u64, status: StatusCode, headers: HeaderMap) {
        self(status, headers);
    }
}

impl Interim {
    /// Interim answers are given to `pass`, in their order, and never after the answer itself.
    pub fn new(pass: impl Fn(StatusCode, HeaderMap) + Send + Sync + 'static) -> Self {
        Self { to: Arc::new(pass), request: 0 }
    }

    /// Interim answers to the request with this number are given to `to`.
    pub(crate) fn to(to: Arc<dyn Taker>, request: u64) -> Self {
        Self { to, request }
    }

    /// Passes on an interim answer. What may not be passed on is dropped: 100, which every hop says for itself, and
    /// 101, which is no interim answer but another protocol; so are fields of one hop, and a length, for there is no
    /// content (RFC 9110, 8.6).
    pub fn pass(&self, status: StatusCode, mut headers: HeaderMap) {
        let own = status == StatusCode::CONTINUE || status == StatusCode::SWITCHING_PROTOCOLS;
        if status.is_informational() && !own {
            headers::strip_hop_by_hop(&mut headers);
            headers.remove(CONTENT_LENGTH);
            self.to.take(self.request, status, headers);
        }
    }
}

impl fmt::Debug for Interim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interim")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::HeaderValue;
    use http::header::{CONNECTION, LINK, TRANSFER_ENCODING};

    use super::*;

    #[test]
    fn what_every_hop_says_for_itself_is_not_passed_on() {
        let passed = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&passed);
        let interim = Interim::new(move |status, _| note.lock().unwrap().push(status.as_u16()));
        for status in [100, 101, 102, 103, 199, 200] {
            interim.pass(StatusCode::from_u16(status).unwrap(), HeaderMap::new());
        }
        assert_eq!(*passed.lock().unwrap(), [102, 103, 199]);
    }

    #[test]
    fn fields_of_one_hop_and_lengths_are_not_passed_on() {
        let passed = Arc::new(Mutex::new(HeaderMap::new()));
        let note = Arc::clone(&passed);
        let interim = Interim::new(move |_, headers| *note.lock().unwrap() = headers);
        let value = HeaderValue::from_static;
        let link = HeaderMap::from_iter([(LINK, value("</s.css>; rel=preload"))]);
        let mut headers = link.clone();
        headers.insert(CONNECTION, value("x-mine"));
        headers.insert("x-mine", value("1"));
        headers.insert(CONTENT_LENGTH, value("5"));
        headers.insert(TRANSFER_ENCODING, value("chunked"));
        interim.pass(StatusCode::EARLY_HINTS, headers);
        assert_eq!(*passed.lock().unwrap(), link);
    }
}
