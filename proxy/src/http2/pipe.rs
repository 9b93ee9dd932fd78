//! Sends content on an HTTP/2 stream, a frame at a time and as fast as the peer lets it. Content that breaks off resets
//! the stream, also while the peer takes nothing; a peer that resets the stream ends it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;
use http_body::{Body as HttpBody, Frame};

use super::reason;
use crate::body::Body;
use crate::host::Host;
use crate::stall::Stall;
use crate::telemetry::Fault;
use crate::upgrade::bytes::Unwritten;

/// Content on its way to a peer.
pub(crate) struct Pipe {
    body: Body,
    stream: SendStream<Bytes>,
    /// Data that waits until the peer takes it, and whether it is the last.
    waiting: Option<(Bytes, bool)>,
    /// How many bytes the peer has taken.
    taken: u64,
    /// Why the content has broken off, if it has.
    broken: Option<Fault>,
    /// What the peer is told where something has failed.
    failed: h2::Reason,
}

impl Pipe {
    pub(crate) fn new(body: Body, stream: SendStream<Bytes>) -> Self {
        Self { body, stream, waiting: None, taken: 0, broken: None, failed: h2::Reason::INTERNAL_ERROR }
    }

    /// What the peer is told where something has failed.
    pub(super) fn failing_as(self, failed: h2::Reason) -> Self {
        Self { failed, ..self }
    }

    /// Sends the data that waits, as much at a time as the peer takes: what it does not take waits here, where it can be
    /// given up, and not in h2. Whether that was the last.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, h2::Error>> {
        while let Some((data, last)) = &mut self.waiting {
            let room = self.stream.capacity();
            if room == 0 {
                match self.stream.poll_capacity(cx) {
                    Poll::Ready(Some(capacity)) => drop(capacity?),
                    Poll::Ready(None) => return Poll::Ready(Err(h2::Reason::STREAM_CLOSED.into())),
                    Poll::Pending => {
                        let fault = ready!(self.body.poll_broken(cx));
                        return Poll::Ready(Err(self.break_off(fault)));
                    }
                }
                continue;
            }
            let now = data.split_to(room.min(data.len()));
            let (rest, ends) = (data.len(), *last && data.is_empty());
            self.taken += now.len() as u64;
            self.stream.send_data(now, ends)?;
            if rest == 0 {
                self.waiting = None;
                return Poll::Ready(Ok(ends));
            }
            self.stream.reserve_capacity(rest);
        }
        Poll::Ready(Ok(false))
    }

    /// Completes once everything was sent, or nothing more can be, also since the peer has taken nothing for too long.
    pub(super) fn poll_patiently<H: Host>(&mut self, stall: &mut Stall<H>, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_sent(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.waiting.is_none() {
            stall.end();
            return Poll::Pending;
        }
        ready!(stall.poll_over(self.taken, cx));
        self.break_off(Fault::Cancelled);
        Poll::Ready(())
    }

    /// Completes once everything was sent, or nothing more can be, and says why.
    pub(crate) fn poll_tunnelled(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unwritten>> {
        self.poll_sent(cx).map_err(|_| self.broken.map_or(Unwritten::Stream, Unwritten::Content))
    }

    /// Takes the next frame; whether everything was sent.
    fn take(&mut self, frame: Option<Result<Frame<Bytes>, Fault>>) -> Result<bool, h2::Error> {
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(fault)) => return Err(self.break_off(fault)),
            None => return self.stream.send_data(Bytes::new(), true).map(|()| true),
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() => {
                let last = self.body.is_end_stream();
                if last { self.stream.send_data(data, true).map(|()| true) } else { Ok(false) }
            }
            Ok(data) => {
                // Asked for only now that there is something: what a stream holds of the connection's window without
                // using it is missing to the others.
                self.stream.reserve_capacity(data.len());
                self.waiting = Some((data, self.body.is_end_stream()));
                Ok(false)
            }
            Err(frame) => {
                let Ok(trailers) = frame.into_trailers() else { return Ok(false) };
                self.stream.reserve_capacity(0);
                self.stream.send_trailers(trailers).map(|()| true)
            }
        }
    }

    fn break_off(&mut self, fault: Fault) -> h2::Error {
        let reason = reason(fault, self.failed);
        self.broken = Some(fault);
        self.stream.send_reset(reason);
        reason.into()
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        loop {
            if let Poll::Ready(reset) = self.stream.poll_reset(cx) {
                return Poll::Ready(Err(reset?.into()));
            }
            if self.waiting.is_some() && ready!(self.poll_waiting(cx))? {
                return Poll::Ready(Ok(()));
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            if self.take(frame)? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Completes once everything was sent, or nothing more can be.
impl Future for Pipe {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_sent(cx).map(drop)
    }
}
