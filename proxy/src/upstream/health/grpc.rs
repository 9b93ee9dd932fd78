//! gRPC's health checking protocol, `grpc.health.v1.Health/Check`: the one message that asks, and what the answer
//! says. Two messages of one field each are written and read by hand. Owns no connection.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, StatusCode, response};

use crate::grpc::{self, PREFIX_BYTES};

/// The method that is called.
pub(super) const PATH: &str = "/grpc.health.v1.Health/Check";

/// The number of the field `service` in `HealthCheckRequest`, with the type of a string.
const SERVICE: u8 = 1 << 3 | 2;

/// The number of the field `status` in `HealthCheckResponse`.
const STATUS: u64 = 1;

/// `ServingStatus.SERVING`.
const SERVING: u64 = 1;

/// The content of a request about `service`.
pub(super) fn request(service: &str) -> Bytes {
    let mut message = BytesMut::with_capacity(PREFIX_BYTES + 6 + service.len());
    // The default is left out, as protobuf has it.
    if !service.is_empty() {
        message.put_u8(SERVICE);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut content = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    content.put_u8(0);
    content.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    content.put_slice(&message);
    content.freeze()
}

/// Whether an answer says that the service is serving. A status in the head is one without a message.
pub(super) fn is_serving(head: &response::Parts, trailers: Option<&HeaderMap>, content: &[u8]) -> bool {
    let ok = |fields: &HeaderMap| fields.get(grpc::STATUS).is_some_and(|status| status == "0");
    head.status == StatusCode::OK
        && (ok(&head.headers) || trailers.is_some_and(ok))
        && message(content).and_then(status) == Some(SERVING)
}

/// The one message in `content`, which must not be compressed: nobody said that it may be.
fn message(content: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = content.split_at_checked(PREFIX_BYTES)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    (prefix[0] == 0 && message.len() == length as usize).then_some(message)
}

/// The status that a `HealthCheckResponse` tells; `None` when it is no protobuf. Fields that are not known are
/// skipped, and the last one counts.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => {
                let value = varint(&mut message)?;
                if key >> 3 == STATUS {
                    status = value;
                }
            }
            1 => skip(&mut message, 8)?,
            2 => {
                let length = varint(&mut message)?;
                skip(&mut message, usize::try_from(length).ok()?)?;
            }
            5 => skip(&mut message, 4)?,
            _ => return None,
        }
    }
    Some(status)
}

fn skip(message: &mut &[u8], bytes: usize) -> Option<()> {
    *message = message.get(bytes..)?;
    Some(())
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_varint(message: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        message.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    message.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use http::Response;
    use proptest::prelude::*;

    use super::*;

    const SERVING_ANSWER: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

    fn says(status: u16, in_head: Option<&str>, in_trailers: Option<&str>, content: &[u8]) -> bool {
        let fields = |status: Option<&str>| {
            let fields = status.map(|status| ("grpc-status".parse().unwrap(), status.parse().unwrap()));
            fields.into_iter().collect::<HeaderMap>()
        };
        let (mut head, ()) = Response::builder().status(status).body(()).unwrap().into_parts();
        head.headers = fields(in_head);
        is_serving(&head, Some(&fields(in_trailers)), content)
    }

    #[test]
    fn a_request_is_a_prefix_and_a_string() {
        assert_eq!(request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(request("cart")[..], *b"\0\0\0\0\x06\x0a\x04cart");
        let long = "x".repeat(300);
        assert_eq!(request(&long)[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn only_serving_is_well() {
        assert!(says(200, None, Some("0"), SERVING_ANSWER));
        assert!(says(200, Some("0"), None, SERVING_ANSWER));
        // Unknown service: trailers only.
        assert!(!says(200, Some("5"), None, &[]));
        assert!(!says(200, None, Some("12"), SERVING_ANSWER));
        assert!(!says(200, None, None, SERVING_ANSWER));
        assert!(!says(503, None, Some("0"), SERVING_ANSWER));
        for not_serving in
            [&[0, 0, 0, 0, 2, 8, 2][..], &[0, 0, 0, 0, 0], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 9, 8, 1]]
        {
            assert!(!says(200, None, Some("0"), not_serving), "{not_serving:?}");
        }
    }

    #[test]
    fn unknown_fields_are_skipped() {
        assert_eq!(status(b"\x12\x03abc\x08\x01\x1d\0\0\0\0\x21\0\0\0\0\0\0\0\0"), Some(1));
        assert_eq!(status(b"\x08\x02\x08\x01"), Some(1));
        for malformed in
            [&b"\x08"[..], b"\x0b", b"\x12\x05abc", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
        {
            assert_eq!(status(malformed), None, "{malformed:?}");
        }
    }

    proptest! {
        #[test]
        fn no_content_panics(content in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = says(200, Some("0"), None, &content);
            let _ = status(&content);
        }

        #[test]
        fn what_is_written_is_read(value: u64) {
            let mut written = BytesMut::new();
            put_varint(&mut written, value);
            let mut rest = &written[..];
            prop_assert_eq!(varint(&mut rest), Some(value));
            prop_assert!(rest.is_empty());
        }
    }
}
