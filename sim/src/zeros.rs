//! What simulated requests and answers contain: zeros, of which any number takes no memory, since all share
//! the same chunk.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::telemetry::Fault;
use http_body::{Frame, SizeHint};

/// The chunk that all share.
pub(crate) static CHUNK: [u8; 64 * 1024] = [0; 64 * 1024];

/// `bytes` zeros.
pub(crate) fn body(bytes: u64) -> Body {
    match CHUNK.get(..bytes as usize) {
        Some(zeros) => Body::from(Bytes::from_static(zeros)),
        None => Body::boxed(Zeros { left: bytes }),
    }
}

/// Zeros, a chunk at a time.
struct Zeros {
    left: u64,
}

impl http_body::Body for Zeros {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let count = self.left.min(CHUNK.len() as u64);
        self.left -= count;
        let chunk = (count > 0).then(|| Ok(Frame::data(Bytes::from_static(&CHUNK[..count as usize]))));
        Poll::Ready(chunk)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn there_are_as_many_as_were_asked_for() {
        for bytes in [0, 1, 65_536, 65_537, 200_000] {
            let all = body(bytes);
            assert_eq!(all.exact_length(), Some(bytes));
            let collected = futures_util::FutureExt::now_or_never(all.collect()).unwrap();
            assert_eq!(collected.unwrap().to_bytes().len() as u64, bytes);
        }
    }
}
