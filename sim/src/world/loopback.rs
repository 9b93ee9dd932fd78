//! Connections within a pod: bytes are there as soon as they are written, and no kernel is involved.
//! An application and its sidecar talk a lot, and a drain of the kernels for each word would be most
//! of a mesh's cost.
//!
//! As TCP does: bounded buffers, half close, and a reset for whoever leaves bytes unread.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::lock;

/// What may be written and not yet read.
const CAPACITY: usize = 64 * 1024;

/// One end of a connection within a pod.
#[derive(Debug)]
pub(super) struct LocalStream {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    state: State,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    /// The writer has nothing more to say.
    Finished,
    /// The reader is gone.
    Unread,
    /// Somebody left bytes unread.
    Reset,
}

impl LocalStream {
    /// The two ends of a connection.
    pub(super) fn pair() -> (Self, Self) {
        let (there, back) = <(Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>)>::default();
        let opener = Self { incoming: Arc::clone(&back), outgoing: Arc::clone(&there) };
        (opener, Self { incoming: there, outgoing: back })
    }
}

impl Pipe {
    /// Changes the state, and who to tell.
    fn end(&mut self, state: State) -> [Option<Waker>; 2] {
        if self.state != State::Reset {
            self.state = state;
        }
        if state == State::Reset {
            self.bytes.clear();
        }
        [self.reader.take(), self.writer.take()]
    }
}

impl AsyncRead for LocalStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.incoming);
        if pipe.bytes.is_empty() {
            return match pipe.state {
                State::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                State::Finished => Poll::Ready(Ok(())),
                State::Open | State::Unread => {
                    pipe.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let (front, _) = pipe.bytes.as_slices();
        let count = front.len().min(buf.remaining());
        buf.put_slice(&front[..count]);
        pipe.bytes.drain(..count);
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.outgoing);
        match pipe.state {
            State::Open => {}
            State::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            State::Finished | State::Unread => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
        let count = buf.len().min(CAPACITY - pipe.bytes.len());
        if count == 0 && !buf.is_empty() {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        pipe.bytes.extend(&buf[..count]);
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.outgoing);
        if pipe.state == State::Reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let wakers = if pipe.state == State::Open { pipe.end(State::Finished) } else { [None, None] };
        drop(pipe);
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl Drop for LocalStream {
    fn drop(&mut self) {
        let is_unread = !lock(&self.incoming).bytes.is_empty();
        let (incoming, outgoing) =
            if is_unread { (State::Reset, State::Reset) } else { (State::Unread, State::Finished) };
        let heard = lock(&self.incoming).end(incoming);
        let told = lock(&self.outgoing).end(outgoing);
        heard.into_iter().chain(told).flatten().for_each(Waker::wake);
    }
}
