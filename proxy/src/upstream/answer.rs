//! The content of an upstream's answer: passes frames on as they come, gives the connection back at
//! the end, and breaks off at the request's deadline, or when nothing has come for too long.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::attempt::Ends;
use super::content::Content;
use super::pool::Lease;
use crate::body::Body;
use crate::host::Host;
use crate::telemetry::Fault;

/// Content that is being read.
pub(super) struct Answer<H: Host> {
    content: Content<Incoming>,
    /// Gone once the content was read.
    held: Option<(Lease<H>, Ends<H>)>,
}

impl<H: Host> Answer<H> {
    /// The content of an answer that came over `lease`.
    pub(super) fn body(content: Content<Incoming>, lease: Lease<H>, ends: Ends<H>) -> Body {
        if content.is_end_stream() {
            lease.give_back();
            return Body::empty();
        }
        Body::boxed(Self { content, held: Some((lease, ends)) })
    }

    fn finish(&mut self) {
        if let Some((lease, _)) = self.held.take() {
            lease.give_back();
        }
    }
}

impl<H: Host> HttpBody for Answer<H> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        match Pin::new(&mut this.content).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some((_, Ends { idle: Some(idle), .. })) = &this.held {
                    idle.passes();
                }
                if this.content.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                this.held = None;
                Poll::Ready(Some(Err(Fault::Reset)))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let Some((_, ends)) = &mut this.held else { return Poll::Pending };
                let idle = ends.idle.as_mut().is_some_and(|idle| idle.is_over(cx));
                if !idle {
                    ready!(ends.deadline.as_mut().poll(cx));
                }
                this.held = None;
                Poll::Ready(Some(Err(Fault::Timeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
