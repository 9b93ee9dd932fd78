//! The session that a request belongs to, for what balances by it: a number in the field `x-session`, and in the cookie
//! `session`. Clients say it, and services pass it on with their calls.

use http::HeaderValue;
use http::header::{COOKIE, HeaderMap, HeaderName};

const SESSION: HeaderName = HeaderName::from_static("x-session");

/// The session that a request with `headers` belongs to.
pub(crate) fn read(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(SESSION).cloned()
}

/// Writes the session for whoever wants to know; nothing when there is none.
pub(crate) fn write(session: Option<&HeaderValue>, headers: &mut HeaderMap) {
    let Some(session) = session else { return };
    let cookie = [b"session=", session.as_bytes()].concat();
    if let Ok(cookie) = HeaderValue::from_bytes(&cookie) {
        headers.insert(COOKIE, cookie);
    }
    headers.insert(SESSION, session.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_passed_on_in_both_ways() {
        let mut headers = HeaderMap::new();
        write(None, &mut headers);
        assert_eq!((read(&headers), headers.len()), (None, 0));
        write(Some(&HeaderValue::from(7)), &mut headers);
        assert_eq!(read(&headers), Some(HeaderValue::from(7)));
        assert_eq!(headers[COOKIE], "session=7");
    }
}
