//! Asks for another protocol over a leased connection: with `Upgrade` over HTTP/1.1, with extended CONNECT over HTTP/2. An
//! upstream that consents answers 101 in here, whatever it speaks; then the content of its answer is the bytes that it
//! sends, and the lease has the way to send it some, for as long as it lives: such a connection is never given back.
//!
//! Not here: who moves the bytes, and for how long ([`super::super::tunnel`]).

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;
use http::{Request, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::WriteHalf;

use super::Pool;
use super::http1::{self, Kept};
use super::http2::Shared;
use super::lease::{Lease, Sender};
use crate::body::Body;
use crate::host::Host;
use crate::http2::client::{Connected, Unanswered};
use crate::http2::pipe::Pipe;
use crate::interim::Interim;
use crate::message;
use crate::policy::retry::Reach;
use crate::telemetry::Fault;
use crate::upgrade::Upgrade;
use crate::upgrade::bytes::{Reading, Unwritten, Writing};

/// The way to send an upstream bytes of another protocol.
pub(in super::super) enum Outlet {
    /// The connection is the protocol's alone.
    Http1(WriteHalf<TokioIo<Upgraded>>),
    /// A stream of it is.
    Http2(SendStream<Bytes>),
}

/// Bytes on their way to an upstream.
pub(in super::super) enum Upload {
    Http1(Writing<WriteHalf<TokioIo<Upgraded>>>),
    Http2(Pipe),
}

impl Outlet {
    /// Sends `content`, and its end.
    pub(in super::super) fn send(self, content: Body) -> Upload {
        match self {
            Self::Http1(to) => Upload::Http1(Writing::new(content, to)),
            Self::Http2(stream) => Upload::Http2(Pipe::new(content, stream)),
        }
    }
}

impl Upload {
    /// Whether nobody else uses the connection, so that it was reset where it takes nothing more.
    pub(in super::super) fn has_own_connection(&self) -> bool {
        matches!(self, Self::Http1(_))
    }

    /// Completes once all was sent, the end included, or nothing more can be.
    pub(in super::super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unwritten>> {
        match self {
            Self::Http1(writing) => writing.poll_written(cx),
            Self::Http2(pipe) => pipe.poll_tunnelled(cx),
        }
    }
}

/// An upstream's answer, and the way to send it bytes where it has consented.
type Switched = Result<(Response<Body>, Option<Outlet>), Unanswered>;

impl<H: Host> Lease<H> {
    /// Sends `request`, which asks for `upgrade`, and whose interim answers go to `interim`.
    pub(in super::super) async fn ask_to_switch(
        &mut self,
        request: Request<Body>,
        upgrade: &Upgrade,
        interim: Option<Interim>,
    ) -> Result<Response<Body>, Unanswered> {
        let (answer, outlet) = match &mut self.sender {
            Sender::Http1(kept) => ask_http1(kept, request, upgrade, interim).await?,
            Sender::Http2(shared) => ask_http2(&self.pool, shared, request, upgrade, interim).await?,
        };
        self.outlet = outlet;
        Ok(answer)
    }
}

async fn ask_http1(
    kept: &mut Kept,
    request: Request<Body>,
    upgrade: &Upgrade,
    interim: Option<Interim>,
) -> Switched {
    kept.requests += 1;
    let proof = upgrade.proof(request.headers());
    let mut answer = kept.sender.ask_to_switch(request, interim).await.map_err(|mut error| {
        let unwritten = error.take_message().is_some();
        http1::unanswered(&error.into_error(), unwritten)
    })?;
    let broken = |fault| Unanswered::new(fault, Reach::Sent);
    if message::has_too_many_fields(answer.headers()) {
        return Err(broken(Fault::ProtocolError));
    }
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok((answer.map(Body::answer), None));
    }
    upgrade.check(answer.headers(), proof.as_ref()).map_err(broken)?;
    // hyper lets go of the connection.
    let upgraded = hyper::upgrade::on(&mut answer).await.map_err(|_| broken(Fault::Reset))?;
    let (read, write) = tokio::io::split(TokioIo::new(upgraded));
    let content = Body::boxed(Reading::new(Bytes::new(), read, Fault::Reset));
    Ok((answer.map(|_| content), Some(Outlet::Http1(write))))
}

async fn ask_http2<H: Host>(
    pool: &Pool<H>,
    shared: &mut Shared<H>,
    request: Request<Body>,
    upgrade: &Upgrade,
    interim: Option<Interim>,
) -> Switched {
    // The first request on a connection may be faster than the peer's word on what it takes.
    loop {
        let heard = pool.heard.notified();
        if shared.sender.streams_max().is_some() || !shared.sender.is_open() {
            break;
        }
        heard.await;
    }
    let Connected { answer, stream } = shared.sender.connect(request, interim).await?;
    let (mut head, content) = answer.map(Body::http2).into_parts();
    if stream.is_some() {
        upgrade.translate_consent(&mut head);
    }
    Ok((Response::from_parts(head, content), stream.map(Outlet::Http2)))
}
