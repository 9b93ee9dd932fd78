//! The end of an HTTP/1.1 connection whose peer is still sending, since its request was answered before it was complete.
//! Closing at once would make the peer's kernel throw away the answer (RFC 9112, 9.6): the connection is closed for
//! writing, and what still comes is read and dropped, for as long as nginx does.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::stream::Framed;
use crate::host::{Host, Instant};
use crate::timer::before;

/// nginx's `lingering_time`.
const LONGEST: Duration = Duration::from_secs(30);

/// nginx's `lingering_timeout`.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// How much is read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Closes `stream`, without cutting the answer off from a peer that is still sending.
pub(super) async fn linger<H: Host, S: AsyncRead + AsyncWrite + Unpin>(host: &H, mut stream: Framed<S, H>) {
    let ends = host.now() + LONGEST;
    let closed = before(host, ends, stream.shutdown()).await;
    if closed.is_none_or(|closed| closed.is_err()) || !stream.is_within_request() {
        return;
    }
    drain(host, stream.into_inner(), ends).await;
}

/// Closes `stream`, whose peer was told in the handshake that it is refused, and may be sending requests all the same.
pub(super) async fn refuse<H: Host, S: AsyncRead + AsyncWrite + Unpin>(host: &H, mut stream: S) {
    let ends = host.now() + LONGEST;
    if let Some(Ok(())) = before(host, ends, stream.shutdown()).await {
        drain(host, stream, ends).await;
    }
}

/// Reads and drops what still comes, until `ends` at the latest.
async fn drain<H: Host>(host: &H, mut stream: impl AsyncRead + Unpin, ends: Instant) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let silent = ends.min(host.now() + SILENCE_MAX);
        match before(host, silent, stream.read(&mut piece)).await {
            Some(Ok(1..)) => {}
            Some(_) | None => return,
        }
    }
}
