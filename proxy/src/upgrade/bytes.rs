//! Bytes as they are, after an upgrade over HTTP/1.1: [`Reading`] makes content of a stream, [`Writing`] makes a stream of
//! content. Each is one way by itself, so that either may end before the other, and neither takes more than the other
//! side of it: what is not read stays with its sender. Own no time.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::Body;
use crate::telemetry::Fault;

/// How much is read at once: what a TLS record holds.
const PIECE_BYTES: usize = 16 * 1024;

/// What is read from a stream, to its end.
pub(crate) struct Reading<R> {
    from: R,
    /// What was read already.
    first: Bytes,
    /// What it means when the stream breaks.
    broken: Fault,
    is_over: bool,
}

impl<R> Reading<R> {
    /// `first`, and then what comes `from` there; when that breaks, it is `broken`.
    pub(crate) fn new(first: Bytes, from: R, broken: Fault) -> Self {
        Self { from, first, broken, is_over: false }
    }
}

impl<R: AsyncRead + Unpin> HttpBody for Reading<R> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        // On the stack, so that a stream that is silent holds no buffer.
        let mut space = [MaybeUninit::uninit(); PIECE_BYTES];
        let mut piece = ReadBuf::uninit(&mut space);
        let read = ready!(Pin::new(&mut self.from).poll_read(cx, &mut piece));
        self.is_over = read.is_err() || piece.filled().is_empty();
        Poll::Ready(match read {
            Ok(()) if self.is_over => None,
            Ok(()) => Some(Ok(Frame::data(Bytes::copy_from_slice(piece.filled())))),
            Err(_) => Some(Err(self.broken)),
        })
    }
}

/// Writes content to a stream, and the end of the one as the end of the other.
pub(crate) struct Writing<W> {
    to: W,
    content: Body,
    waiting: Bytes,
    is_flushed: bool,
    is_over: bool,
}

/// Why not all could be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// The content has broken off.
    Content(Fault),
    /// The stream takes no more.
    Stream,
}

impl<W: AsyncWrite + Unpin> Writing<W> {
    pub(crate) fn new(content: Body, to: W) -> Self {
        Self { to, content, waiting: Bytes::new(), is_flushed: true, is_over: false }
    }

    /// Completes once all was written, the end included, or nothing more can be.
    pub(crate) fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unwritten>> {
        loop {
            match self.poll_waiting(cx) {
                Poll::Ready(written) => written.map_err(|_| Unwritten::Stream)?,
                // Content may break off while its reader stalls.
                Poll::Pending => {
                    return self.content.poll_broken(cx).map(|fault| Err(Unwritten::Content(fault)));
                }
            }
            if self.is_over {
                return Pin::new(&mut self.to).poll_shutdown(cx).map_err(|_| Unwritten::Stream);
            }
            match Pin::new(&mut self.content).poll_frame(cx) {
                // There are no trailers in bytes.
                Poll::Ready(Some(Ok(frame))) => self.waiting = frame.into_data().unwrap_or_default(),
                Poll::Ready(Some(Err(fault))) => return Poll::Ready(Err(Unwritten::Content(fault))),
                Poll::Ready(None) => self.is_over = true,
                Poll::Pending => {
                    let flushed = ready!(self.poll_flushed(cx));
                    return flushed.map_or(Poll::Ready(Err(Unwritten::Stream)), |()| Poll::Pending);
                }
            }
        }
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            match ready!(Pin::new(&mut self.to).poll_write(cx, &self.waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.waiting.advance(count),
            }
            self.is_flushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_flushed {
            ready!(Pin::new(&mut self.to).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_was_read_comes_before_what_is_read() {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(b" and the rest").await.unwrap();
        drop(far);
        let reading = Reading::new(Bytes::from("the first"), near, Fault::Reset);
        assert_eq!(reading.collect().await.unwrap().to_bytes(), "the first and the rest");
    }

    #[tokio::test]
    async fn content_is_written_no_faster_than_it_is_taken_and_its_end_is_the_stream_s() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut writing = Writing::new(Body::from(Bytes::from("more than the stream holds")), near);
        let mut written = poll_fn(|cx| writing.poll_written(cx)).boxed();
        assert!(written.as_mut().now_or_never().is_none(), "the stream is full");
        let mut read = String::new();
        let (written, _) = tokio::join!(written, far.read_to_string(&mut read));
        assert_eq!((written, read.as_str()), (Ok(()), "more than the stream holds"));
    }

    #[tokio::test]
    async fn it_is_told_whose_fault_it_is_that_not_all_is_written() {
        let (near, far) = tokio::io::duplex(8);
        drop(far);
        let mut writing = Writing::new(Body::from(Bytes::from("in vain")), near);
        assert_eq!(poll_fn(|cx| writing.poll_written(cx)).await, Err(Unwritten::Stream));
        let (near, _far) = tokio::io::duplex(8);
        let broken = Reading::new(Bytes::new(), Broken, Fault::Cancelled);
        let mut writing = Writing::new(Body::boxed(broken), near);
        assert_eq!(poll_fn(|cx| writing.poll_written(cx)).await, Err(Unwritten::Content(Fault::Cancelled)));
    }

    struct Broken;

    impl AsyncRead for Broken {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
    }
}
