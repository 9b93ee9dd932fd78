//! What becomes of an HTTP/1.1 connection whose caller was told that another protocol follows: its bytes pass as they are,
//! each way by itself, until both have ended. The upstream's side of the tunnel has its own owner
//! ([`crate::upstream`]); here is the caller's, whose connection counts among the server's as long as it lasts.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use http_body::Body as HttpBody;
use tokio::io::{AsyncRead, AsyncWrite};

use super::stream::Framed;
use crate::body::Body;
use crate::handover::Giver;
use crate::host::Host;
use crate::telemetry::Fault;
use crate::upgrade::bytes::{Reading, Writing};

/// The two ways of a tunnel, as its caller's connection sees them.
#[derive(Debug)]
pub(super) struct Switched {
    /// Where what the caller says goes.
    pub(super) said: Giver,
    /// What the caller is told.
    pub(super) told: Body,
}

/// Passes the bytes of `stream`, of which `first` were read already, until both ways have ended, or one has broken off.
pub(super) async fn pass<S, H>(stream: Framed<S, H>, first: Bytes, switched: Switched)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Host,
{
    let Switched { said, told } = switched;
    // What came before the answer was no request, and nothing says that the caller meant it for the other protocol.
    let Some(stream) = stream.switched() else {
        said.end(Err(Fault::Cancelled));
        return;
    };
    let (read, write) = tokio::io::split(stream);
    let mut reading = Some(Reading::new(first, read, Fault::Cancelled));
    let mut writing = Some(Writing::new(told, write));
    poll_fn(|cx| {
        if let Some(to_caller) = &mut writing
            && let Poll::Ready(written) = to_caller.poll_written(cx)
        {
            if written.is_err() {
                return Poll::Ready(());
            }
            writing = None;
        }
        while let Some(from_caller) = &mut reading {
            // Where nobody takes anything any more, the tunnel is over.
            if said.poll_abandoned(cx).is_ready() {
                reading = None;
                break;
            }
            if said.poll_wanted(cx).is_pending() {
                break;
            }
            match std::pin::Pin::new(from_caller).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => said.give(frame, false),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(()),
                Poll::Ready(None) => {
                    said.end(Ok(()));
                    reading = None;
                }
                Poll::Pending => break,
            }
        }
        if reading.is_none() && writing.is_none() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    if reading.is_some() {
        said.end(Err(Fault::Cancelled));
    }
}
