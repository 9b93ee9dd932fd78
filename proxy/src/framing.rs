//! A second pair of eyes on how HTTP/1.1 messages are framed, beside hyper: requests as a server reads them
//! ([`request`]), answers as a client reads them ([`response`]).
//!
//! hyper forgives what smuggling lives on: a length and chunks at once, lines that end in a bare line feed, bytes
//! behind an answer. A [`watch`] follows the bytes of one direction of a connection from message to message and says
//! where two readers could disagree. It changes no byte and owns no stream: the server and the pool wrap theirs. Read
//! `line.rs` (what a line says), then `watch.rs` (from line to line), then what differs on either side.

mod line;
pub(crate) mod request;
pub(crate) mod response;
mod watch;

use std::error::Error;
use std::io;

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    EXPECT, HOST, HeaderName, MAX_FORWARDS, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, StatusCode};

pub(crate) use line::Malformed;

use crate::telemetry::Fault;

/// Fields that frame, route, authorise or interpret a message: they must not come behind it (RFC 9110, 6.5.1), and
/// those of one hop must not come over HTTP/2 at all (RFC 9113, 8.2.2).
static NO_TRAILERS: [HeaderName; 17] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    EXPECT,
    HOST,
    HeaderName::from_static("keep-alive"),
    MAX_FORWARDS,
    HeaderName::from_static("proxy-connection"),
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What it means that an answer, or its content, could not be read: it is malformed, its connection broke, or the
/// request's own content did.
pub(crate) fn fault_of(error: &hyper::Error) -> Fault {
    if error.is_parse() {
        return Fault::ProtocolError;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<Fault>() {
            return *fault;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return if is_nonsense(error) { Fault::ProtocolError } else { Fault::Reset };
        }
        cause = error.source();
    }
    Fault::Reset
}

/// Whether bytes came that make no sense: the watch says so, or hyper. What TLS says in the same way is another matter.
fn is_nonsense(error: &io::Error) -> bool {
    match error.get_ref() {
        Some(inner) if inner.is::<Malformed>() => true,
        Some(inner) if inner.is::<rustls::Error>() => false,
        _ => matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData),
    }
}

/// Takes off the fields by which the framing of an answer that has no content could be misread (RFC 9110, 8.6).
pub(crate) fn settle_head(status: StatusCode, headers: &mut HeaderMap) {
    if status == StatusCode::NO_CONTENT {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Takes off the fields that must not be trailers: whoever merged them into the head would read another message.
pub(crate) fn settle_trailers(trailers: &mut HeaderMap) {
    if trailers.keys().any(|name| NO_TRAILERS.contains(name)) {
        for name in &NO_TRAILERS {
            trailers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_must_not_be_a_trailer_is_taken_off() {
        let value = HeaderValue::from_static("1");
        let mut trailers = HeaderMap::from_iter([
            (HOST, value.clone()),
            (CONTENT_LENGTH, value.clone()),
            (HeaderName::from_static("x-sum"), value.clone()),
        ]);
        settle_trailers(&mut trailers);
        assert_eq!(trailers, HeaderMap::from_iter([(HeaderName::from_static("x-sum"), value)]));
    }

    #[test]
    fn an_answer_of_204_has_no_length() {
        for (status, left) in
            [(StatusCode::NO_CONTENT, 0), (StatusCode::NOT_MODIFIED, 1), (StatusCode::OK, 1)]
        {
            let mut headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("5"))]);
            settle_head(status, &mut headers);
            assert_eq!(headers.len(), left, "{status}");
        }
    }
}
