//! HTTP/2 as a proxy has to know it, over the `h2` crate: what only `END_STREAM` completes, which requests a GOAWAY or a
//! reset has left untouched, how many streams the peer allows, interim answers, and peers that fall silent.
//!
//! Read it in this order: [`client`] and [`server`] (connections), [`content`] (what is received), [`pipe`] (what is
//! sent), [`fields`] (what heads may hold), [`alive`] (time). Here is what both sides share. Not here: which connection, and what a failure means for a
//! request.

pub(crate) mod alive;
pub(crate) mod client;
pub(crate) mod content;
pub(crate) mod fields;
pub(crate) mod pipe;
pub(crate) mod server;

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::headers;
use crate::telemetry::Fault;

/// What may be on its way on one stream, and so what a reader who stalls holds: large enough that it never is the
/// bottleneck on a link of 10 Gbit/s and 1 ms.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// No connection's window is smaller, however few streams there may be.
const CONNECTION_WINDOW_BYTES_MIN: u32 = 16 * 1024 * 1024;

/// The largest window that there can be (RFC 9113, 6.9.1).
const WINDOW_BYTES_MAX: u32 = (1 << 31) - 1;

/// How much overhead small DATA frames that nobody has read yet may add before the connection is ended. Said, since h2
/// would make it half of the connection's window. Answers whose readers stall count until [`content`] gathers them,
/// which may be after a burst; requests that an upstream does not take count as long as they wait. Not to be set: h2 ends a connection after a hundred empty DATA frames that
/// end no stream.
const DATA_FRAME_OVERHEAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// h2 reads the real clock for streams that were reset here; never reached, it plays no role.
const RESET_STREAM_MEMORY: std::time::Duration = std::time::Duration::from_secs(1 << 30);

/// The window of a connection that carries up to `streams` at a time: each may fill its own, so that streams whose
/// readers stall never stop the others. It is what a connection can make us hold: 1 GiB with 1024 streams.
fn connection_window_bytes(streams: u32) -> u32 {
    streams.saturating_mul(STREAM_WINDOW_BYTES).clamp(CONNECTION_WINDOW_BYTES_MIN, WINDOW_BYTES_MAX)
}

/// Fields that HTTP/2 does not have (RFC 9113, 8.2.2).
static CONNECTION_SPECIFIC: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes off what HTTP/2 does not have. Whoever forwards has done so; those who answer by themselves need not know.
fn take_off_connection_specific(headers: &mut HeaderMap) {
    let unfit = headers.keys().any(|name| CONNECTION_SPECIFIC.contains(name))
        || headers.get(TE).is_some_and(|value| value != "trailers");
    if unfit {
        headers::strip_hop_by_hop(headers);
    }
}

/// Says how long content is, where that is known and nobody has said it.
fn tell_length(headers: &mut HeaderMap, length: Option<u64>) {
    if let Some(length) = length {
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
}

/// How long received content is, as its head says. Fields that say the same twice become one; h2 has refused those
/// that contradict each other, but takes an empty one for a zero.
fn announced_length(headers: &mut HeaderMap) -> Option<u64> {
    let mut fields = headers.get_all(CONTENT_LENGTH).iter();
    let (first, mut more) = (fields.next()?, fields.peekable());
    let length = first.to_str().ok()?.parse().ok();
    if more.peek().is_some() && !more.any(HeaderValue::is_empty) {
        let only = first.clone();
        headers.insert(CONTENT_LENGTH, only);
    }
    length
}

/// Whether an answer has content at all, whatever its fields say (RFC 9110, 6.4.1).
fn has_content(asked_by_head: bool, status: StatusCode) -> bool {
    !asked_by_head && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

/// Whether a request says its length also when it is zero.
fn is_for_content(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::DELETE)
}

/// The reason to give a peer whose stream is broken off because of `fault`; `failed` where something has failed.
fn reason(fault: Fault, failed: h2::Reason) -> h2::Reason {
    match fault {
        Fault::Cancelled | Fault::TunnelIdle => h2::Reason::CANCEL,
        _ => failed,
    }
}
