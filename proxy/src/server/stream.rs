//! The bytes of an HTTP/1.1 connection between a peer and hyper's server. What is read is watched: where a sender and
//! a receiver could disagree about where a request ends, it ends in the middle of that line with bytes that hyper
//! refuses with a 400. What is written passes as it is, and between answers the interim ones, which hyper's server
//! cannot write. Not here: how requests are framed ([`crate::framing`]).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire::Wire;
use crate::framing::request::Requests;
use crate::host::Host;
use crate::stall::Stall;

/// No part of any line of a request, and what hyper takes for the end of a head: it looks for that
/// before it looks at the lines.
const SPOILT: &[u8] = b"\0\n\n";

/// A stream of requests that is watched, and of answers to which interim ones are added.
pub(super) struct Framed<S, H> {
    stream: S,
    stall: Stall<H>,
    /// How many bytes were written.
    written: u64,
    watch: Requests,
    /// What is still to be read once the stream was found ambiguous.
    spoilt: Option<&'static [u8]>,
    wire: Arc<Wire>,
    /// Whether another protocol has begun, of which nothing is known here.
    has_switched: bool,
    /// Interim answers that are being written, and how far.
    interim: (Vec<u8>, usize),
    /// Whether hyper has nothing left of what it had written so far, so that what it writes next begins a message,
    /// or goes on with one of which the head was written.
    is_clean: bool,
}

impl<S, H: Host> Framed<S, H> {
    /// What is written may wait for the peer as `stall` says.
    pub(super) fn new(stream: S, wire: Arc<Wire>, stall: Stall<H>) -> Self {
        Self {
            stream,
            stall,
            written: 0,
            watch: Requests::default(),
            spoilt: None,
            has_switched: false,
            wire,
            interim: (Vec::new(), 0),
            is_clean: true,
        }
    }

    /// Whether the peer has not sent all of a request yet.
    pub(super) fn is_within_request(&self) -> bool {
        self.spoilt.is_some() || !self.watch.is_between()
    }

    /// Whether nothing is left of what was to be written, so that what is written next begins a message.
    pub(super) fn is_clean(&self) -> bool {
        self.is_clean
    }

    /// The stream for another protocol: nothing that is read is watched any more. `None` where what came before was not
    /// clear.
    pub(super) fn switched(self) -> Option<Self> {
        self.spoilt.is_none().then(|| Self { has_switched: true, ..self })
    }

    /// The stream without anybody to watch it.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// What came of writing. Where the peer does not read, an answer that has broken off ends the connection, and so does
    /// its patience.
    fn unless_over<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall.end();
        } else if self.wire.is_cut(cx) || self.stall.poll_over(self.written, cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }

    /// What came of writing some bytes.
    fn wrote(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let written = ready!(self.unless_over(cx, written));
        self.written += written.as_ref().map_or(0, |count| *count as u64);
        Poll::Ready(written)
    }
}

impl<S: AsyncWrite + Unpin, H: Host> Framed<S, H> {
    /// Writes the interim answers that are there. In the middle of a message there is no place for them: those that
    /// the answer has overtaken there are dropped.
    fn write_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_clean {
            self.wire.drop_late_interim();
            return Poll::Ready(Ok(()));
        }
        loop {
            let (bytes, written) = &mut self.interim;
            if *written == bytes.len() {
                (*bytes, *written) = (self.wire.take_interim(cx), 0);
                if bytes.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            }
            let count = Pin::new(&mut self.stream).poll_write(cx, &bytes[*written..]);
            match ready!(self.wrote(cx, count))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.interim.1 += count,
            }
        }
    }
}

impl<S: AsyncRead + Unpin, H: Host> AsyncRead for Framed<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_switched {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let before = buffer.filled().len();
        if self.spoilt.is_none() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            let clear = self.watch.pass(&buffer.filled()[before..]);
            if before + clear == buffer.filled().len() {
                return Poll::Ready(Ok(()));
            }
            buffer.set_filled(before + clear);
            self.spoilt = Some(SPOILT);
        }
        let spoilt = self.spoilt.unwrap_or_default();
        let (now, later) = spoilt.split_at(spoilt.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.spoilt = Some(later);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, H: Host> AsyncWrite for Framed<S, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_interim(cx))?;
        self.is_clean = false;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_interim(cx))?;
        self.is_clean = false;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_clean = true;
        ready!(self.write_interim(cx))?;
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        ready!(self.unless_over(cx, flushed))?;
        self.wire.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, StatusCode, Version};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::host::live::Live;
    use crate::telemetry::{Observer, Report};

    struct Nobody;

    impl Observer for Nobody {
        fn observe(&self, _: Report) {}
    }

    #[tokio::test]
    async fn interim_answers_stand_between_messages_and_never_in_one() {
        const HINTS: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";
        let (near, mut far) = tokio::io::duplex(1024);
        let wire = Arc::new(Wire::default());
        let stall = Stall::new(Live::new(Nobody), Duration::from_mins(1));
        let mut framed = Framed::new(near, Arc::clone(&wire), stall);
        wire.begin(Version::HTTP_11);
        // A part of the answer before is still to be written when an interim answer comes.
        framed.write_all(b"[the answer ").await.unwrap();
        wire.interim().unwrap().pass(StatusCode::EARLY_HINTS, HeaderMap::new());
        framed.write_all(b"before]").await.unwrap();
        framed.flush().await.unwrap();
        // One that comes with its answer goes first.
        wire.interim().unwrap().pass(StatusCode::EARLY_HINTS, HeaderMap::new());
        framed.write_all(b"[its answer]").await.unwrap();
        drop(framed);
        let mut written = String::new();
        far.read_to_string(&mut written).await.unwrap();
        assert_eq!(written, format!("[the answer before]{HINTS}{HINTS}[its answer]"));
    }
}
