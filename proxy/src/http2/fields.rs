//! Which fields HTTP/2 allows.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};

/// Whether fields are what HTTP/2 allows, where `h2` and `http` do not see to it: no name has a quotation mark, no value
/// begins or ends with a space or a tab, and no length is empty (RFC 9110, 5.1 and 8.6; RFC 9113, 8.2.1).
pub(crate) fn are_proper(headers: &HeaderMap) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let mut values = headers.values().map(HeaderValue::as_bytes);
    values.all(|value| !is_blank(value.first()) && !is_blank(value.last()))
        && !headers.keys().any(|name| name.as_str().contains('"'))
        && !headers.get_all(CONTENT_LENGTH).iter().any(HeaderValue::is_empty)
}
