//! A second pair of eyes on how HTTP/1.1 requests are framed, ahead of hyper.
//!
//! hyper forgives what smuggling lives on: a length and chunks at once, a length twice, lines that
//! end in a bare line feed. [`Framed`] passes bytes through unchanged and follows them from request to
//! request; where a sender and a receiver could disagree about where a request ends, it ends the
//! stream in the middle of that line with bytes that hyper refuses with a 400. It owns no buffer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of a line is looked at: enough for any length and any coding that is understood.
const PREFIX_BYTES: usize = 64;

/// No part of any line of a request, and what hyper takes for the end of a head: it looks for that
/// before it looks at the lines.
const SPOILT: &[u8] = b"\0\n\n";

/// A stream of requests that is watched.
pub(super) struct Framed<S> {
    stream: S,
    watch: Watch,
    /// What is still to be read once the stream was found ambiguous.
    spoilt: Option<&'static [u8]>,
}

impl<S> Framed<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, watch: Watch::default(), spoilt: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where in the stream of requests the next byte lies.
#[derive(Debug, Default)]
struct Watch {
    place: Place,
    line: Line,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    RequestLine,
    Field,
    Content(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
}

/// The line that is being read.
#[derive(Debug)]
struct Line {
    prefix: [u8; PREFIX_BYTES],
    length: usize,
    last: u8,
}

impl Default for Line {
    fn default() -> Self {
        Self { prefix: [0; PREFIX_BYTES], length: 0, last: 0 }
    }
}

/// Two readers could disagree.
struct Ambiguous;

impl Watch {
    /// Follows `bytes`; how many of them are clear. Where it is not all, the next one would complete
    /// something ambiguous, and nothing after it can be followed.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut clear = 0;
        while clear < bytes.len() {
            let rest = &bytes[clear..];
            clear += match self.place {
                Place::Content(left) | Place::Chunk(left) => self.skip(left, rest.len()),
                _ => {
                    let end = rest.iter().position(|&byte| byte == b'\n');
                    self.line.extend(&rest[..end.unwrap_or(rest.len())]);
                    let Some(end) = end else { return bytes.len() };
                    let line = std::mem::take(&mut self.line);
                    let Ok(place) = self.judge(&line) else { return clear + end };
                    self.place = place;
                    end + 1
                }
            };
        }
        clear
    }

    fn skip(&mut self, left: u64, available: usize) -> usize {
        let passed = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - passed as u64;
        self.place = match self.place {
            Place::Chunk(_) if left == 0 => Place::ChunkEnd,
            Place::Chunk(_) => Place::Chunk(left),
            _ if left == 0 => Place::RequestLine,
            _ => Place::Content(left),
        };
        passed
    }

    fn judge(&mut self, line: &Line) -> Result<Place, Ambiguous> {
        if line.last != b'\r' {
            return Err(Ambiguous);
        }
        let empty = line.length == 1;
        match self.place {
            Place::RequestLine | Place::Trailer if empty => Ok(Place::RequestLine),
            Place::RequestLine => {
                self.length = None;
                self.chunked = false;
                Ok(Place::Field)
            }
            Place::Field if empty => Ok(match self.length {
                _ if self.chunked => Place::ChunkSize,
                Some(length) if length > 0 => Place::Content(length),
                _ => Place::RequestLine,
            }),
            Place::Field => self.judge_field(line).map(|()| Place::Field),
            Place::ChunkSize => match line.chunk_size()? {
                0 => Ok(Place::Trailer),
                size => Ok(Place::Chunk(size)),
            },
            Place::ChunkEnd if empty => Ok(Place::ChunkSize),
            Place::Trailer => line.check_start().map(|()| Place::Trailer),
            Place::ChunkEnd | Place::Content(_) | Place::Chunk(_) => Err(Ambiguous),
        }
    }

    fn judge_field(&mut self, line: &Line) -> Result<(), Ambiguous> {
        let framed = self.chunked || self.length.is_some();
        if line.names(b"content-length") {
            let value = line.value().filter(|_| !framed).ok_or(Ambiguous)?;
            self.length = Some(number(value, 10)?);
        } else if line.names(b"transfer-encoding") {
            let value = line.value().filter(|_| !framed).ok_or(Ambiguous)?;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Ambiguous);
            }
            self.chunked = true;
        }
        line.check_start()
    }
}

impl Line {
    fn extend(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.last = last;
        }
        let start = self.length.min(PREFIX_BYTES);
        let kept = bytes.len().min(PREFIX_BYTES - start);
        self.prefix[start..start + kept].copy_from_slice(&bytes[..kept]);
        self.length += bytes.len();
    }

    /// Fields start with a name: what starts otherwise continues the line before, or ends the head
    /// for some and not for others.
    fn check_start(&self) -> Result<(), Ambiguous> {
        let start = self.prefix[0];
        let name = start.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&start);
        if name { Ok(()) } else { Err(Ambiguous) }
    }

    /// Whether the line is a field with this name, whatever a careless reader makes of white space.
    fn names(&self, name: &[u8]) -> bool {
        let (head, rest) = self.prefix.split_at(name.len());
        head.eq_ignore_ascii_case(name) && matches!(rest.trim_ascii_start().first(), Some(b':'))
    }

    /// The field's value without white space around it; `None` when the line is too long to say.
    fn value(&self) -> Option<&[u8]> {
        let line = self.prefix.get(..self.length)?;
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some(line[colon + 1..].trim_ascii())
    }

    fn chunk_size(&self) -> Result<u64, Ambiguous> {
        let line = &self.prefix[..self.length.min(PREFIX_BYTES)];
        let end = line.iter().position(|&byte| matches!(byte, b';' | b'\r')).ok_or(Ambiguous)?;
        number(&line[..end], 16)
    }
}

/// Digits and nothing else, as a number.
fn number(text: &[u8], radix: u32) -> Result<u64, Ambiguous> {
    let digits = text.iter().all(|&byte| char::from(byte).is_digit(radix));
    let text = std::str::from_utf8(text).ok().filter(|_| digits).ok_or(Ambiguous)?;
    u64::from_str_radix(text, radix).map_err(|_| Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How much of `stream` is clear when it arrives in pieces of `piece` bytes.
    fn clear(stream: &str, piece: usize) -> usize {
        let mut watch = Watch::default();
        let mut clear = 0;
        for piece in stream.as_bytes().chunks(piece) {
            let passed = watch.pass(piece);
            clear += passed;
            if passed < piece.len() {
                break;
            }
        }
        clear
    }

    const GOOD: [&str; 7] = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\ncdGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\na\nb\nc\r\nA\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding:Chunked \r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length-Hint: 5\r\nContent-Type: x\r\nTransfer: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ];

    const BAD: [&str; 17] = [
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length : 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nabcde\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\na: b\n\r\n",
    ];

    proptest! {
        #[test]
        fn clear_requests_pass(which in 0..GOOD.len(), piece in 1_usize..40) {
            prop_assert_eq!(clear(GOOD[which], piece), GOOD[which].len());
        }

        #[test]
        fn ambiguous_requests_do_not_pass_whole(which in 0..BAD.len(), piece in 1_usize..40) {
            prop_assert!(clear(BAD[which], piece) < BAD[which].len(), "{:?}", BAD[which]);
            prop_assert_eq!(clear(BAD[which], piece), clear(BAD[which], 1));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1_usize..40) {
            let mut watch = Watch::default();
            bytes.chunks(piece).for_each(|piece| { watch.pass(piece); });
        }
    }
}
