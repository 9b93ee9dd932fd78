//! An HTTP/1.1 connection to an endpoint whose answers are watched: each is matched with the request that it answers,
//! and what cannot be trusted ends the connection with an error. How answers are framed is in [`crate::framing`].

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::count::Slot;
use crate::body::Body;
use crate::framing::Malformed;
use crate::framing::response::{Answers, Question};
use crate::interim::Interim;

/// The request that is about to be written, if any.
#[derive(Debug, Default, Clone)]
pub(super) struct Asked(Arc<Mutex<Option<Question>>>);

impl Asked {
    fn put(&self, question: Question) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
    }

    fn take(&self) -> Option<Question> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Sends requests over a connection that is watched.
pub(super) struct Sender {
    sender: http1::SendRequest<Body>,
    asked: Asked,
}

impl Sender {
    pub(super) fn new(sender: http1::SendRequest<Body>, asked: Asked) -> Self {
        Self { sender, asked }
    }

    /// Sends `request`, whose interim answers go to `interim`.
    pub(super) fn send(
        &mut self,
        request: Request<Body>,
        interim: Option<Interim>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + use<> {
        self.asked.put(Question::new(request.method(), interim));
        self.sender.try_send_request(request)
    }

    /// Sends `request`, which asks for another protocol.
    pub(super) fn ask_to_switch(
        &mut self,
        request: Request<Body>,
        interim: Option<Interim>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + use<> {
        self.asked.put(Question::new(request.method(), interim).asking_to_switch());
        self.sender.try_send_request(request)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.sender.poll_ready(cx)
    }
}

/// A stream of answers that is watched.
pub(super) struct Watched<S> {
    stream: S,
    watch: Answers,
    asked: Asked,
    /// Whether what comes next cannot be trusted.
    spoilt: bool,
    /// Whether the peer takes no more: what is written goes nowhere, while its answer is read.
    deaf: bool,
    /// The connection counts as long as its bytes may pass, whoever passes them.
    #[expect(dead_code, reason = "counts as long as it lives")]
    slot: Slot,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, asked: Asked, slot: Slot) -> Self {
        Self { stream, watch: Answers::default(), asked, spoilt: false, deaf: false, slot }
    }

    /// Something is about to be written: the beginning of a request, when there was none.
    fn note(&mut self) {
        if self.watch.is_idle()
            && let Some(question) = self.asked.take()
        {
            self.watch.expect(question);
        }
    }

    /// What came of writing `length` bytes. A peer that refuses an upload early and closes has answered before: its
    /// answer is looked for before the request is given up (RFC 9112, 9.5), and hyper would not.
    fn written(&mut self, written: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Err(error)) if is_closed_by_peer(&error) && !self.watch.has_switched() => {
                self.deaf = true;
                Poll::Ready(Ok(length))
            }
            written => written,
        }
    }
}

fn is_closed_by_peer(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        // A peer that takes no more is not asked anything further.
        if self.deaf && self.watch.is_idle() {
            return Poll::Ready(Ok(()));
        }
        if !self.spoilt {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            let read = buffer.filled().len() - before;
            let clear = self.watch.pass(&buffer.filled()[before..]);
            self.spoilt = clear < read;
            buffer.set_filled(before + clear);
            if clear == read || clear > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(Err(io::Error::other(Malformed)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.note();
        if self.deaf {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note();
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.deaf {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error))
                if self.deaf || (is_closed_by_peer(&error) && !self.watch.has_switched()) =>
            {
                self.deaf = true;
                Poll::Ready(Ok(()))
            }
            flushed => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
