//! The one body type of the data plane: nothing, bytes at hand, or a stream from the network. Frames
//! pass one at a time, as the reader asks for them, so that backpressure reaches the sender;
//! trailers are frames like any other.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::framing;
use crate::handover::Taker;
use crate::http2::content::Content;
use crate::telemetry::Fault;

/// The content of a request or an answer.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    Request(Incoming),
    Answer(Incoming),
    Handed(Taker),
    /// Boxed, since it is three times as large as the others, and every message is moved about with room for it.
    Http2(Box<Content>),
    Boxed(Pin<Box<dyn Breakable + Send>>),
}

/// Content that can break off while nobody takes its frames, since the reader stalls: at a deadline, say. Whoever sends
/// it asks for that while it waits for the reader.
pub trait Breakable: HttpBody<Data = Bytes, Error = Fault> {
    /// Completes once the content has broken off; a frame that is asked for then is the same fault, or the end.
    fn poll_broken(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fault>;
}

/// What a body says when it is asked for a frame.
pub(crate) type Said = Option<Result<Frame<Bytes>, Fault>>;

/// Content whose frames somebody sees as they pass.
struct Tapped<F> {
    body: Body,
    sees: F,
}

pin_project_lite::pin_project! {
    /// Content that breaks off only when it is read.
    struct Plain<B> {
        #[pin]
        body: B,
    }
}

impl Body {
    /// No content.
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// The content of a request that a server reads.
    pub fn request(incoming: Incoming) -> Self {
        if incoming.is_end_stream() { Self::empty() } else { Self(Kind::Request(incoming)) }
    }

    /// The content of an answer that a client reads.
    pub fn answer(incoming: Incoming) -> Self {
        if incoming.is_end_stream() { Self::empty() } else { Self(Kind::Answer(incoming)) }
    }

    /// Content whose attempt has an owner that goes on while nobody reads.
    pub(crate) fn handed(taker: Taker) -> Self {
        Self(Kind::Handed(taker))
    }

    /// The end of a handover, where the content is read at one.
    pub(crate) fn handed_over(&mut self) -> Option<&mut Taker> {
        if let Kind::Handed(taker) = &mut self.0 { Some(taker) } else { None }
    }

    /// The content of a message that comes over HTTP/2.
    pub(crate) fn http2(content: Content) -> Self {
        if content.is_end_stream() { Self::empty() } else { Self(Kind::Http2(Box::new(content))) }
    }

    /// Content of another kind.
    pub fn boxed(body: impl HttpBody<Data = Bytes, Error = Fault> + Send + 'static) -> Self {
        Self::breakable(Plain { body })
    }

    /// Content of another kind that can break off unread.
    pub fn breakable(body: impl Breakable + Send + 'static) -> Self {
        Self(Kind::Boxed(Box::pin(body)))
    }

    /// The same content, of which `sees` hears frame by frame, its end included.
    pub(crate) fn tapped(self, sees: impl FnMut(&Said) + Send + Unpin + 'static) -> Self {
        if self.is_end_stream() { self } else { Self::breakable(Tapped { body: self, sees }) }
    }

    /// Completes once the content has broken off, also while nobody asks for its next frame. Content that does so
    /// only when it is read never completes here.
    pub fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        match &mut self.0 {
            Kind::Handed(taker) => taker.poll_broken(cx),
            Kind::Boxed(body) => body.as_mut().poll_broken(cx),
            _ => Poll::Pending,
        }
    }

    /// Takes what has come off its connection, while nobody wants its frames.
    pub(crate) fn gather(&mut self, cx: &mut Context<'_>) {
        if let Kind::Http2(content) = &mut self.0 {
            content.gather(cx);
        }
    }

    /// The number of bytes, when that is known beforehand.
    pub fn exact_length(&self) -> Option<u64> {
        self.size_hint().exact()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Full(bytes)) }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(_) => {
                let Kind::Full(bytes) = std::mem::take(&mut self.0) else { return Poll::Ready(None) };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Request(incoming) => {
                let frame = Pin::new(incoming).poll_frame(cx);
                frame.map_ok(settled).map_err(|error| fault_of_request(&error))
            }
            Kind::Answer(incoming) => {
                Pin::new(incoming).poll_frame(cx).map_err(|error| framing::fault_of(&error))
            }
            Kind::Handed(taker) => Pin::new(taker).poll_frame(cx),
            Kind::Http2(content) => Pin::new(&mut **content).poll_frame(cx),
            Kind::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Request(incoming) | Kind::Answer(incoming) => incoming.is_end_stream(),
            Kind::Handed(taker) => taker.is_end_stream(),
            Kind::Http2(content) => content.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Request(incoming) | Kind::Answer(incoming) => incoming.size_hint(),
            Kind::Handed(taker) => taker.size_hint(),
            Kind::Http2(content) => content.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Empty => "Body::Empty",
            Kind::Full(_) => "Body::Full",
            Kind::Request(_) => "Body::Request",
            Kind::Answer(_) => "Body::Answer",
            Kind::Handed(_) => "Body::Handed",
            Kind::Http2(_) => "Body::Http2",
            Kind::Boxed(_) => "Body::Boxed",
        })
    }
}

/// A frame without what must not be a trailer.
fn settled(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        framing::settle_trailers(trailers);
    }
    frame
}

impl<F: FnMut(&Said) + Unpin> HttpBody for Tapped<F> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Said> {
        let said = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(said) = &said {
            (self.sees)(said);
        }
        said
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnMut(&Said) + Unpin> Breakable for Tapped<F> {
    fn poll_broken(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fault> {
        self.body.poll_broken(cx)
    }
}

impl<B: HttpBody<Data = Bytes, Error = Fault>> HttpBody for Plain<B> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: HttpBody<Data = Bytes, Error = Fault>> Breakable for Plain<B> {
    fn poll_broken(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Fault> {
        Poll::Pending
    }
}

/// What a broken request body says: bytes that make no sense, or a caller that went away.
fn fault_of_request(error: &hyper::Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let nonsense = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
            return if nonsense { Fault::Malformed } else { Fault::Cancelled };
        }
        cause = error.source();
    }
    Fault::Cancelled
}
