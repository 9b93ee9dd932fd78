//! The handshake of a WebSocket over HTTP/1.1 (RFC 6455, 4): a key, and what proves that it was seen. Over HTTP/2 there
//! is neither (RFC 8441, 5). The key guards against caches that answer by themselves; it is no secret.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

/// What a server adds to the key (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The key of that nonce.
pub(super) fn key(nonce: [u8; 16]) -> HeaderValue {
    encoded(&nonce)
}

/// What proves that `key` was seen.
pub(super) fn accept(key: &HeaderValue) -> HeaderValue {
    encoded(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), GUID].concat()).as_ref())
}

fn encoded(bytes: &[u8]) -> HeaderValue {
    HeaderValue::try_from(STANDARD.encode(bytes)).expect("base64 is made of letters, digits and three marks")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455, 1.3.
    #[test]
    fn the_example_of_the_rfc_holds() {
        let key = key(*b"the sample nonce");
        assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
