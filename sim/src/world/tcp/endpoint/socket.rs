//! What a socket asks of its end: to connect, write, read, shut down and close. What comes over the wire, and what leaves,
//! stands above.

use std::io;
use std::task::{Context, Poll};

use hoplab_proxy::host::Instant;
use tokio::io::ReadBuf;

use super::{Endpoint, State};

impl Endpoint {
    /// Completes when the handshake is done.
    ///
    /// # Errors
    /// If it was refused or reset, or nobody answered.
    pub(in crate::world) fn poll_connected(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state == State::SynSent {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.check())
    }

    /// Takes bytes to send, as many as there is room for.
    ///
    /// # Errors
    /// If it is reset, or was shut down, or the peer is not heard of any more.
    pub(in crate::world) fn poll_write(
        &mut self,
        now: Instant,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let Some(count) = self.sender.write(now, bytes) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        self.blocked = count == 0 && !bytes.is_empty();
        if self.blocked {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(count))
    }

    /// Gives what was received; nothing when the peer has finished.
    ///
    /// # Errors
    /// If it is reset or the peer is not heard of any more, after what had come before.
    pub(in crate::world) fn poll_read(
        &mut self,
        now: Instant,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let put = |piece: &[u8]| {
            let count = piece.len().min(buf.remaining());
            buf.put_slice(&piece[..count]);
            count
        };
        if self.has_unread() && self.receiver.read(now, put) > 0 || buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.check()?;
        if self.receiver.has_ended() {
            return Poll::Ready(Ok(()));
        }
        match &mut self.reader {
            Some(reader) => reader.clone_from(context.waker()),
            reader => *reader = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// Nothing more will be written.
    ///
    /// # Errors
    /// If it is reset, or the peer is not heard of any more.
    pub(in crate::world) fn shutdown(&mut self) -> io::Result<()> {
        self.check()?;
        self.finish();
        Ok(())
    }

    /// Nobody holds it any more. What was written is still sent; a reset instead when bytes were left unread
    /// (RFC 2525, 2.17).
    pub(in crate::world) fn close(&mut self) {
        self.held = false;
        (self.reader, self.writer) = (None, None);
        match self.state {
            State::SynSent => {
                self.state = State::Closed;
                self.silence();
            }
            State::Established if self.has_unread() => self.reset(),
            State::Established => self.finish(),
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.blocked = false;
        self.sender.finish();
    }

    fn check(&self) -> io::Result<()> {
        match self.state {
            State::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
            State::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            State::TimedOut => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}
