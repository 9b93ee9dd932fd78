//! Calls of gRPC as simulated services and their callers frame them: one message each way behind its flag and its
//! length, and the status in trailers. A call that fails has its status in the head and nothing else. Not here: what
//! the statuses amount to ([`hoplab_proxy::grpc`]).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use hoplab_proxy::body::Body;
use hoplab_proxy::grpc::{self, PREFIX_BYTES};
use hoplab_proxy::telemetry::Fault;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;

use crate::zeros::CHUNK;

/// The most that stands in one frame with the prefix: what HTTP/2 sends as one frame unless it is told otherwise.
const FIRST_FRAME_BYTES: usize = 16 * 1024;

/// A call with a message of so many bytes, of nobody yet.
pub(crate) fn call(bytes: u64) -> Request<Body> {
    let mut request = Request::new(Body::boxed(Message::new(bytes, None)));
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, grpc::CONTENT);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// An answer with a message of so many bytes.
pub(crate) fn answer(bytes: u64) -> Response<Body> {
    let trailers = HeaderMap::from_iter([(grpc::STATUS, HeaderValue::from_static("0"))]);
    let mut response = Response::new(Body::boxed(Message::new(bytes, Some(trailers))));
    response.headers_mut().insert(CONTENT_TYPE, grpc::CONTENT);
    response
}

/// An answer that says that the call failed with what amounts to `status`.
pub(crate) fn failure(status: StatusCode) -> Response<Body> {
    grpc::answer(grpc::code(status), status.canonical_reason().unwrap_or_default())
}

/// What an answer amounts to whose head or trailers `said` how the call ended. One that does not say was broken off,
/// or comes from something that speaks no gRPC.
pub(crate) fn outcome(status: StatusCode, said: Option<&HeaderValue>) -> StatusCode {
    match said {
        None if status == StatusCode::OK => StatusCode::INTERNAL_SERVER_ERROR,
        said => grpc::amounts_to(status, said),
    }
}

/// A message of zeros, and trailers. It does not tell its length beforehand, as gRPC does not.
struct Message {
    prefix: Option<[u8; PREFIX_BYTES]>,
    left: u64,
    trailers: Option<HeaderMap>,
}

impl Message {
    fn new(bytes: u64, trailers: Option<HeaderMap>) -> Self {
        // The scenario's bounds keep messages far below 4 GiB.
        let [a, b, c, d] = u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        Self { prefix: Some([0, a, b, c, d]), left: bytes, trailers }
    }

    fn next(&mut self) -> Option<Frame<Bytes>> {
        if let Some(prefix) = self.prefix.take() {
            let count = self.left.min((FIRST_FRAME_BYTES - PREFIX_BYTES) as u64);
            self.left -= count;
            let mut first = BytesMut::with_capacity(PREFIX_BYTES + count as usize);
            first.put_slice(&prefix);
            first.put_bytes(0, count as usize);
            return Some(Frame::data(first.freeze()));
        }
        let count = self.left.min(CHUNK.len() as u64);
        self.left -= count;
        if count > 0 {
            return Some(Frame::data(Bytes::from_static(&CHUNK[..count as usize])));
        }
        self.trailers.take().map(Frame::trailers)
    }
}

impl http_body::Body for Message {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        Poll::Ready(self.next().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_none() && self.left == 0 && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::BodyExt;

    #[test]
    fn a_message_stands_behind_its_flag_and_its_length() {
        for bytes in [0, 1, 16_379, 16_380, 200_000] {
            let answer = answer(bytes);
            assert!(grpc::is_grpc(answer.headers()));
            let content = answer.into_body().collect().now_or_never().unwrap().unwrap();
            assert_eq!(content.trailers().unwrap()[&grpc::STATUS], "0");
            let content = content.to_bytes();
            assert_eq!(content.len() as u64, 5 + bytes);
            assert_eq!(content[0], 0, "not compressed");
            assert_eq!(u64::from(u32::from_be_bytes(content[1..5].try_into().unwrap())), bytes);
        }
    }

    #[test]
    fn the_status_of_a_call_decides() {
        let of = |response: Response<Body>| {
            let said = response.headers().get(grpc::STATUS).cloned();
            (response.status().as_u16(), outcome(response.status(), said.as_ref()).as_u16())
        };
        assert_eq!(of(failure(StatusCode::SERVICE_UNAVAILABLE)), (200, 503));
        assert_eq!(of(failure(StatusCode::GATEWAY_TIMEOUT)), (200, 504));
        assert_eq!(of(failure(StatusCode::TOO_MANY_REQUESTS)), (200, 429));
        assert_eq!(of(answer(0)).1, 500, "as long as the trailers are missing");
        assert_eq!(outcome(StatusCode::BAD_GATEWAY, None), StatusCode::BAD_GATEWAY);
    }
}
