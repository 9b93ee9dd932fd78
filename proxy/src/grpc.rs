//! What a proxy needs of gRPC over HTTP/2: which messages are gRPC, and what the status of a call says. Owns no
//! messages and no services; health checks have theirs in [`crate::upstream`].

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::body::Body;

/// The field that says how a call ended: in trailers, or in the head of an answer that has nothing else.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The field that says so in words.
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The content type, which may go on with `+` or `;`.
pub const CONTENT: HeaderValue = HeaderValue::from_static("application/grpc");

/// The code of a call that is larger than what is taken.
pub const RESOURCE_EXHAUSTED: u8 = 8;

/// The code of a call that asks for what is not there.
pub const UNIMPLEMENTED: u8 = 12;

/// Flags and length before a message.
pub const PREFIX_BYTES: usize = 5;

/// Whether a message with `headers` is gRPC.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    let rest = kind.and_then(|kind| kind.as_bytes().strip_prefix(CONTENT.as_bytes()));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// An answer that has its status in the head and nothing else ("Trailers-Only").
pub fn answer(status: u8, line: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, CONTENT);
    headers.insert(STATUS, HeaderValue::from(u16::from(status)));
    if let Ok(line) = HeaderValue::from_str(line) {
        headers.insert(MESSAGE, line);
    }
    response
}

/// The HTTP status that an answer with `status` amounts to when its head or its trailers have `said` how the call ended.
pub fn amounts_to(status: StatusCode, said: Option<&HeaderValue>) -> StatusCode {
    match said {
        Some(said) if status == StatusCode::OK => http_status(said),
        _ => status,
    }
}

/// The status of a call that amounts to an HTTP status: the inverse of [`amounts_to`], where there is one.
pub fn code(status: StatusCode) -> u8 {
    match status.as_u16() {
        200..=299 => 0,
        499 => 1,
        400 => 3,
        504 => 4,
        404 => 5,
        409 => 10,
        403 => 7,
        429 => 8,
        // A failed precondition: the caller's fault, whatever it is.
        402 | 405..=498 => 9,
        501 => 12,
        500 => 13,
        // As gRPC's clients take it.
        502 | 503 => 14,
        401 => 16,
        // Unknown.
        _ => 2,
    }
}

/// The HTTP status that a call's status amounts to (`google/rpc/code.proto`), for policies that know no other. What
/// no code is, is an unknown error, as for gRPC's clients.
pub(crate) fn http_status(status: &HeaderValue) -> StatusCode {
    match status.as_bytes() {
        b"0" => StatusCode::OK,
        // 499: the client closed the request.
        b"1" => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        b"3" | b"9" | b"11" => StatusCode::BAD_REQUEST,
        b"4" => StatusCode::GATEWAY_TIMEOUT,
        b"5" => StatusCode::NOT_FOUND,
        b"6" | b"10" => StatusCode::CONFLICT,
        b"7" => StatusCode::FORBIDDEN,
        b"8" => StatusCode::TOO_MANY_REQUESTS,
        b"12" => StatusCode::NOT_IMPLEMENTED,
        b"14" => StatusCode::SERVICE_UNAVAILABLE,
        b"16" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_amount_to_statuses() {
        let http = |code| http_status(&HeaderValue::from_static(code)).as_u16();
        assert_eq!([http("0"), http("14"), http("4"), http("8"), http("5")], [200, 503, 504, 429, 404]);
        assert_eq!([http("2"), http("13"), http("15"), http("99"), http("x")], [500; 5]);
    }

    #[test]
    fn statuses_amount_to_codes_and_back() {
        for status in (400..600).map(|status| StatusCode::from_u16(status).unwrap()) {
            let said = HeaderValue::from(u16::from(code(status)));
            let back = amounts_to(StatusCode::OK, Some(&said));
            assert_eq!(back.is_server_error(), status.is_server_error(), "{status}: {back}");
            assert_eq!(amounts_to(status, Some(&said)), status, "HTTP says more");
        }
        for status in [400, 401, 403, 404, 409, 429, 499, 500, 501, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(amounts_to(StatusCode::OK, Some(&HeaderValue::from(u16::from(code(status))))), status);
        }
        assert_eq!((code(StatusCode::OK), amounts_to(StatusCode::OK, None)), (0, StatusCode::OK));
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        let of = |kind| is_grpc(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]));
        assert!(of("application/grpc") && of("application/grpc+proto") && of("application/grpc;x=y"));
        assert!(!of("application/grpc-web") && !of("application/json") && !is_grpc(&HeaderMap::new()));
    }
}
