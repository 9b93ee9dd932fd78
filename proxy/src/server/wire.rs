//! What the requests of one HTTP/1.1 connection share with its stream, for what hyper's server does not do by itself:
//! interim answers, which are written between answers, and an answer's content that fails, for which hyper would
//! forget what it has not written yet, the head included. Costs one allocation a connection.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::switched::Switched;
use crate::body::Body;
use crate::handover::Giver;
use crate::http2::server::Answering;
use crate::interim::{Interim, Taker};
use crate::telemetry::Fault;

/// How much of interim answers may wait for a caller that does not read: what is beyond is dropped, for they are hints.
const INTERIM_BYTES_MAX: usize = 64 * 1024;

/// What the requests of a connection share.
#[derive(Debug, Default)]
pub(super) struct Wire {
    state: Mutex<State>,
    /// Whether everything was written since content failed.
    is_flushed: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the request that is being answered.
    request: u64,
    /// Whether it may have interim answers: its answer is not there, and its sender can take them.
    is_open: bool,
    /// Interim answers that are to be written.
    interim: Vec<u8>,
    /// Whether the answer has broken off that is being written, though its sender does not read.
    is_cut: bool,
    /// The task that writes.
    writer: Option<Waker>,
    /// Where what the caller says goes, should the answer be that another protocol follows.
    said: Option<Giver>,
    /// The two ways of the tunnel, once that was the answer.
    switched: Option<Switched>,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request begins, which came in `version`: HTTP/1.0 knows no interim answers.
    pub(super) fn begin(&self, version: Version) {
        let mut state = self.state();
        state.request += 1;
        state.is_open = version == Version::HTTP_11;
        state.is_cut = false;
        state.interim.clear();
    }

    /// The request that begins asks for another protocol, in which `said` is given what the caller says.
    pub(super) fn may_switch(&self, said: Giver) {
        self.state().said = Some(said);
    }

    /// Whether a request that asks for another protocol is being answered.
    pub(super) fn may_still_switch(&self) -> bool {
        self.state().said.is_some()
    }

    /// The answer is there: interim answers would come too late. Where another protocol follows, its bytes are no content.
    fn end(&self, answer: &mut Response<Body>) {
        let mut state = self.state();
        state.is_open = false;
        if let Some(said) = state.said.take()
            && answer.status() == StatusCode::SWITCHING_PROTOCOLS
        {
            state.switched = Some(Switched { said, told: std::mem::take(answer.body_mut()) });
        }
    }

    /// The two ways of the tunnel, where another protocol follows the last answer.
    pub(super) fn take_switched(&self) -> Option<Switched> {
        self.state().switched.take()
    }

    /// Where interim answers to the request go that is being answered.
    pub(super) fn interim(self: &Arc<Self>) -> Option<Interim> {
        let state = self.state();
        let to: Arc<dyn Taker> = Arc::<Self>::clone(self);
        state.is_open.then(|| Interim::to(to, state.request))
    }

    /// Takes out what is to be written now, and remembers whom to wake when there is more.
    pub(super) fn take_interim(&self, cx: &Context<'_>) -> Vec<u8> {
        let mut state = self.state();
        if state.is_open && !state.writer.as_ref().is_some_and(|writer| writer.will_wake(cx.waker())) {
            state.writer = Some(cx.waker().clone());
        }
        std::mem::take(&mut state.interim)
    }

    /// Drops what would come too late.
    pub(super) fn drop_late_interim(&self) {
        let mut state = self.state();
        if !state.is_open {
            state.interim.clear();
        }
    }

    /// The answer to `request` has broken off, whether or not what was written of it has left.
    fn cut(&self, request: u64) {
        let mut state = self.state();
        if state.request == request {
            state.is_cut = true;
            if let Some(writer) = state.writer.take() {
                writer.wake();
            }
        }
    }

    /// Whether the answer that is being written has broken off; if not yet, `cx` is told when it does.
    pub(super) fn is_cut(&self, cx: &Context<'_>) -> bool {
        let mut state = self.state();
        if !state.is_cut {
            state.writer = Some(cx.waker().clone());
        }
        state.is_cut
    }

    /// Everything was written.
    pub(super) fn flushed(&self) {
        self.is_flushed.store(true, Ordering::Relaxed);
    }
}

/// Ends a connection when the answer to one of its requests has broken off.
pub(crate) struct Cutter {
    wire: Arc<Wire>,
    request: u64,
}

impl Cutter {
    /// For the request that is being answered now.
    pub(super) fn of(wire: &Arc<Wire>) -> Self {
        let request = wire.state().request;
        Self { wire: Arc::clone(wire), request }
    }

    /// It has broken off.
    pub(crate) fn cut(self) {
        self.wire.cut(self.request);
    }
}

impl Taker for Wire {
    fn take(&self, request: u64, status: StatusCode, headers: HeaderMap) {
        let mut state = self.state();
        if state.is_open && state.request == request && state.interim.len() < INTERIM_BYTES_MAX {
            encode(&mut state.interim, status, &headers);
            if let Some(writer) = state.writer.take() {
                writer.wake();
            }
        }
    }
}

fn encode(bytes: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    let mut line = String::new();
    // Writing into a string does not fail.
    let _ =
        write!(line, "HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    bytes.extend_from_slice(line.as_bytes());
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
}

/// The content of an answer as hyper is given it: when it fails, hyper hears of that once the bytes before have left.
pub(super) struct Sent {
    body: Body,
    wire: Option<Arc<Wire>>,
    failed: Option<Fault>,
}

/// Waits for the answer to one request, and gives it to hyper.
pub(super) struct Sending {
    wire: Option<Arc<Wire>>,
    answering: Answering,
}

impl Sending {
    /// Begins with a request that came in `version` over `wire`, which `begin` begins to answer.
    pub(super) fn begin(
        wire: Option<&Arc<Wire>>,
        version: Version,
        begin: impl FnOnce() -> Answering,
    ) -> Self {
        wire.inspect(|wire| wire.begin(version));
        Self { wire: wire.cloned(), answering: begin() }
    }
}

impl Future for Sending {
    type Output = Result<Response<Sent>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answer = ready!(self.answering.as_mut().poll(cx));
        if let Some(wire) = &self.wire {
            wire.end(&mut answer);
        }
        let wire = self.wire.take();
        Poll::Ready(Ok(answer.map(|body| Sent { body, wire, failed: None })))
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Self { body, wire, failed } = &mut *self;
        if let (Some(fault), Some(wire)) = (*failed, &*wire) {
            return if wire.is_flushed.load(Ordering::Relaxed) {
                Poll::Ready(Some(Err(fault)))
            } else {
                Poll::Pending
            };
        }
        match (ready!(Pin::new(body).poll_frame(cx)), wire) {
            (Some(Err(fault)), Some(wire)) => {
                wire.is_flushed.store(false, Ordering::Relaxed);
                *failed = Some(fault);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (frame, _) => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(wire: &Wire) -> String {
        let waker = Waker::noop();
        String::from_utf8(wire.take_interim(&Context::from_waker(waker))).unwrap()
    }

    fn hints(interim: &Interim) {
        interim.pass(StatusCode::EARLY_HINTS, HeaderMap::new());
    }

    #[test]
    fn interim_answers_are_for_the_request_that_is_being_answered() {
        let wire = Arc::new(Wire::default());
        assert!(wire.interim().is_none(), "there is no request");
        wire.begin(Version::HTTP_11);
        let first = wire.interim().unwrap();
        hints(&first);
        hints(&first);
        assert_eq!(taken(&wire), "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2));
        wire.begin(Version::HTTP_11);
        hints(&first);
        assert_eq!(taken(&wire), "", "that was for the request before");
        let second = wire.interim().unwrap();
        wire.end(&mut Response::default());
        hints(&second);
        assert_eq!(taken(&wire), "", "the answer was there");
        wire.begin(Version::HTTP_10);
        assert!(wire.interim().is_none(), "HTTP/1.0 knows none");
    }

    #[test]
    fn a_caller_that_does_not_read_is_not_kept_hints_for_without_end() {
        let wire = Arc::new(Wire::default());
        wire.begin(Version::HTTP_11);
        let interim = wire.interim().unwrap();
        (0..10_000).for_each(|_| hints(&interim));
        assert!(taken(&wire).len() < 2 * INTERIM_BYTES_MAX);
    }
}
