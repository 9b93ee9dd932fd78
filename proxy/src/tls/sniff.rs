//! What a new connection is about to speak, told from its first bytes, which are then read again.
//! Owns no timeout: whoever accepts limits how long a peer may stay silent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// How every HTTP/2 client opens (RFC 9113, 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The record type that opens a TLS handshake (RFC 8446, 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// What a connection opens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// TLS.
    Tls,
    /// HTTP/2 in the clear, by prior knowledge.
    Http2,
    /// Anything else, an early end included: HTTP/1.1 says what is wrong with it.
    Http1,
}

/// A stream whose first bytes were read ahead.
#[derive(Debug)]
pub struct Sniffed<S> {
    stream: S,
    ahead: [u8; PREFACE.len()],
    next: usize,
    end: usize,
}

impl<S: AsyncRead + Unpin> Sniffed<S> {
    /// Reads ahead until it is clear what `stream` opens with.
    pub async fn new(stream: S) -> io::Result<(Self, Opening)> {
        let mut sniffed = Self { stream, ahead: [0; PREFACE.len()], next: 0, end: 0 };
        loop {
            let read = sniffed.stream.read(&mut sniffed.ahead[sniffed.end..]).await?;
            sniffed.end += read;
            let ahead = &sniffed.ahead[..sniffed.end];
            let opening = match ahead {
                [TLS_HANDSHAKE, ..] => Opening::Tls,
                _ if read == 0 || !PREFACE.starts_with(ahead) => Opening::Http1,
                _ if ahead.len() == PREFACE.len() => Opening::Http2,
                _ => continue,
            };
            return Ok((sniffed, opening));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sniffed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.next < this.end && buffer.remaining() > 0 {
            let read = buffer.remaining().min(this.end - this.next);
            buffer.put_slice(&this.ahead[this.next..this.next + read]);
            this.next += read;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sniffed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
