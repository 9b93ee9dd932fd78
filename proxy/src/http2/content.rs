//! The content of a message that comes over HTTP/2. It is whole with `END_STREAM` and with nothing else: a reset, also one
//! without an error, and the end of the connection break it off (RFC 9113, 8.1). The sender may send on as frames are
//! taken. Owns no time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};

use crate::telemetry::Fault;

/// How much is put together of small frames.
const PIECE_BYTES: usize = 16 * 1024;

/// Content that is being received.
pub(crate) struct Content {
    stream: RecvStream,
    message: Message,
    /// How many bytes are still to come, where the head said it, or where there is no content.
    remaining: Option<u64>,
    stage: Stage,
    gathered: Gathered,
    #[expect(dead_code, reason = "counts as long as it lives")]
    open: Option<Open>,
}

/// What was taken off the connection before anybody wanted it: its bytes in a few pieces, for the connection holds each
/// frame by itself, and ends when many small ones make a burden of it (`too_many_data_frames`), though their bytes are
/// within the window. The peer may send no more for it until it is handed out.
#[derive(Default)]
struct Gathered {
    pieces: VecDeque<BytesMut>,
    /// What came behind them: the end of the data, or what broke it off.
    end: Option<Result<(), h2::Error>>,
}

impl Gathered {
    fn push(&mut self, data: Bytes) {
        match self.pieces.back_mut() {
            Some(last) if last.len() + data.len() <= PIECE_BYTES => last.extend_from_slice(&data),
            _ => self.pieces.push_back(BytesMut::from(data)),
        }
    }
}

/// Which message it belongs to, and so whose fault it is when it breaks off.
#[derive(Debug, Clone, Copy)]
pub(super) enum Message {
    Request,
    Answer,
}

impl Message {
    /// What is to be said when it is malformed.
    fn malformed(self) -> Fault {
        match self {
            Self::Request => Fault::Malformed,
            Self::Answer => Fault::ProtocolError,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    Ended,
}

/// A request that is open, counted as long as it lives.
pub(super) struct Open(Arc<AtomicU32>);

impl Open {
    pub(super) fn begin(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Content {
    /// The content of `message`, of which `remaining` bytes are announced.
    pub(super) fn new(
        stream: RecvStream,
        message: Message,
        remaining: Option<u64>,
        open: Option<Open>,
    ) -> Self {
        Self { stream, message, remaining, stage: Stage::Data, gathered: Gathered::default(), open }
    }

    fn break_off(&mut self, error: &h2::Error) -> Fault {
        self.stage = Stage::Ended;
        match self.message {
            message if is_broken_rule(error) => message.malformed(),
            Message::Request => Fault::Cancelled,
            Message::Answer => Fault::Reset,
        }
    }

    /// Takes what has come off the connection, while nobody wants it.
    pub(crate) fn gather(&mut self, cx: &mut Context<'_>) {
        while self.stage == Stage::Data
            && self.gathered.end.is_none()
            && let Poll::Ready(came) = self.stream.poll_data(cx)
        {
            match came {
                Some(Ok(data)) => self.gathered.push(data),
                Some(Err(error)) => self.gathered.end = Some(Err(error)),
                None => self.gathered.end = Some(Ok(())),
            }
        }
    }

    /// What comes next, gathered or not.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        if let Some(piece) = self.gathered.pieces.pop_front() {
            return Poll::Ready(Some(Ok(piece.freeze())));
        }
        match self.gathered.end.take() {
            Some(end) => Poll::Ready(end.err().map(Err)),
            None => self.stream.poll_data(cx),
        }
    }

    /// The next data; `None` once there is no more of it.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        loop {
            let Some(data) = ready!(self.poll_next(cx)).transpose()? else {
                return Poll::Ready(None);
            };
            if data.is_empty() {
                continue;
            }
            // It fails for more than was received only.
            let _ = self.stream.flow_control().release_capacity(data.len());
            // h2 has refused what exceeds an announced length: this answer has no content, whatever is sent.
            if self.remaining == Some(0) {
                continue;
            }
            self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(data.len() as u64));
            return Poll::Ready(Some(Ok(data)));
        }
    }
}

/// Whether the peer has broken the rules, and was told so.
pub(super) fn is_broken_rule(error: &h2::Error) -> bool {
    error.is_library() && error.reason().is_some_and(|reason| reason != h2::Reason::NO_ERROR)
}

impl Body for Content {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        if this.stage == Stage::Data {
            match ready!(this.poll_data(cx)) {
                Some(Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Err(error)) => return Poll::Ready(Some(Err(this.break_off(&error)))),
                None => this.stage = Stage::Trailers,
            }
        }
        if this.stage == Stage::Ended {
            return Poll::Ready(None);
        }
        match ready!(this.stream.poll_trailers(cx)) {
            Ok(Some(trailers)) if !super::fields::are_proper(&trailers) => {
                this.stage = Stage::Ended;
                Poll::Ready(Some(Err(this.message.malformed())))
            }
            Ok(trailers) => {
                this.stage = Stage::Ended;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Err(error) => Poll::Ready(Some(Err(this.break_off(&error)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Ended || (self.gathered.pieces.is_empty() && self.stream.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
