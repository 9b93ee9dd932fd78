//! A request's content that is taken in whole before anything is begun for it, so that a caller that is slow to send holds
//! no endpoint and no connection. The time until then is the caller's. Not here: answers ([`super::streaming`]), and
//! content that is kept as it passes ([`super::replay`]).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

use super::Upstream;
use super::deadline::Limits;
use crate::body::{Body, Said};
use crate::exchange::Exchange;
use crate::grpc;
use crate::host::Host;
use crate::telemetry::{Decision, Fault, Owner};
use crate::timer::before;

impl<H: Host> Upstream<H> {
    /// How much is taken in of the content of a request with this head before anything is begun; `None` where it passes as it
    /// comes.
    pub(super) fn takes_in(&self, exchange: &Exchange, head: &Parts, body: &Body) -> Option<u64> {
        let most = self.settings.buffer.requests?;
        let passes = body.is_end_stream() || exchange.upgrade.is_some() || grpc::is_grpc(&head.headers);
        (!passes).then_some(most)
    }

    /// Takes in a request's content, which may be of at most so many bytes, as long as the caller goes on sending; the
    /// request has what it had of its `limits` from then on.
    pub(super) async fn take_in(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        body: Body,
        limits: Limits,
        most: u64,
    ) -> Result<(Body, Limits), Fault> {
        exchange.mark(self.host.now());
        exchange.enter(Owner::Downstream);
        let read = self.read_whole(body, limits, most).await;
        exchange.mark(self.host.now());
        Ok((read?, self.limits(exchange, &head.headers)?))
    }

    async fn read_whole(&self, mut body: Body, limits: Limits, most: u64) -> Result<Body, Fault> {
        if body.exact_length().is_some_and(|length| length > most) {
            return Err(self.too_large());
        }
        let patience = [self.settings.timeout, self.settings.idle_timeout].into_iter().flatten().min();
        let mut whole = Whole::default();
        loop {
            let until = limits.of_wait(self.host.now(), patience);
            match before(&self.host, until, body.frame()).await {
                None => return Err(Fault::RequestTimeout),
                Some(None) => return Ok(whole.into_body()),
                Some(Some(frame)) => whole.put(frame?),
            }
            if whole.bytes > most {
                return Err(self.too_large());
            }
        }
    }

    fn too_large(&self) -> Fault {
        self.state.decided(None, Decision::ContentTooLarge);
        Fault::ContentTooLarge
    }
}

/// Content that is at hand.
#[derive(Default)]
struct Whole {
    frames: VecDeque<Bytes>,
    bytes: u64,
    trailers: Option<HeaderMap>,
}

impl Whole {
    fn put(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) => {
                self.bytes += data.len() as u64;
                self.frames.push_back(data);
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
    }

    fn into_body(self) -> Body {
        if self.is_end_stream() { Body::empty() } else { Body::boxed(self) }
    }
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Said> {
        if let Some(data) = self.frames.pop_front() {
            self.bytes -= data.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.trailers.is_none()
    }

    /// Trailers need content without a length in HTTP/1.1.
    fn size_hint(&self) -> SizeHint {
        if self.trailers.is_none() {
            return SizeHint::with_exact(self.bytes);
        }
        let mut hint = SizeHint::default();
        hint.set_lower(self.bytes);
        hint
    }
}
