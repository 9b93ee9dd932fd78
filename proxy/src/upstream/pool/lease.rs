//! The right to send one request over a connection: what is sent, what becomes of the rest of its content, and how the
//! connection goes back.

use std::future::poll_fn;
use std::sync::Arc;

use futures_util::future::{Either, select};
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::connect::Label;
use super::count::Counted;
use super::http1::{self, Kept};
use super::http2::Shared;
use super::switching::Outlet;
use super::{Connections, Pool};
use crate::body::Body;
use crate::host::{Host, Instant};
use crate::http2::client::Unanswered;
use crate::interim::Interim;
use crate::message;
use crate::policy::retry::Reach;
use crate::telemetry::{ConnectionId, Fault};
use crate::timer::before;

/// The right to send one request over a connection.
pub(in super::super) struct Lease<H: Host> {
    pub(super) pool: Arc<Pool<H>>,
    pub(super) sender: Sender<H>,
    permit: Permit,
    /// The rest of a request whose answer has begun: it is given up with the lease, or is told until when it may go on.
    upload: Option<oneshot::Sender<Instant>>,
    /// The way to send the upstream bytes, where it has switched to another protocol.
    pub(super) outlet: Option<Outlet>,
    /// Whether the connection had been used before, so that the peer may have closed it meanwhile.
    pub(in super::super) reused: bool,
}

pub(super) enum Sender<H: Host> {
    Http1(Kept),
    Http2(Shared<H>),
}

/// A place among the requests that use a connection.
pub(super) struct Permit {
    pub(super) connection: OwnedSemaphorePermit,
    #[expect(dead_code, reason = "counts as long as it lives")]
    pub(super) request: Counted,
    #[expect(dead_code, reason = "counts as long as it lives")]
    pub(super) of_upstream: Option<Counted>,
}

impl<H: Host> Lease<H> {
    pub(super) fn new(pool: Arc<Pool<H>>, sender: Sender<H>, permit: Permit, reused: bool) -> Self {
        Self { pool, sender, permit, upload: None, outlet: None, reused }
    }

    /// Sends `request`, whose interim answers go to `interim`; the answer's content is not part of the wait.
    pub(in super::super) async fn send(
        &mut self,
        request: Request<Body>,
        interim: Option<Interim>,
    ) -> Result<Response<Body>, Unanswered> {
        match &mut self.sender {
            Sender::Http1(kept) => {
                kept.requests += 1;
                match kept.sender.send(request, interim).await {
                    Ok(answer) if message::has_too_many_fields(answer.headers()) => {
                        Err(Unanswered::new(Fault::ProtocolError, Reach::Sent))
                    }
                    Ok(answer) => Ok(answer.map(Body::answer)),
                    Err(mut error) => {
                        let unwritten = error.take_message().is_some();
                        Err(http1::unanswered(&error.into_error(), unwritten))
                    }
                }
            }
            Sender::Http2(shared) => {
                let answered = shared.sender.send(request, interim).await?;
                // What is left of the request's content takes up the stream until it is sent.
                if let Some(upload) = answered.upload {
                    let stream = shared.stream.share();
                    let (keep, given_up) = oneshot::channel();
                    self.upload = Some(keep);
                    let host = self.pool.connector.host.clone();
                    self.pool.spawner.spawn(async move {
                        if let Either::Right((Ok(deadline), upload)) = select(upload, given_up).await {
                            before(&host, deadline, upload).await;
                        }
                        drop(stream);
                    });
                }
                Ok(answered.answer.map(Body::http2))
            }
        }
    }

    /// Whether the upstream has switched to another protocol, so that the connection is nobody else's any more.
    pub(in super::super) fn has_switched(&self) -> bool {
        self.outlet.is_some()
    }

    /// The way to send the upstream bytes, where it has switched to another protocol.
    pub(in super::super) fn take_outlet(&mut self) -> Option<Outlet> {
        self.outlet.take()
    }

    /// Reports that the peer has refused the connection's handshake, and why.
    pub(in super::super) fn was_refused(&self, why: String) {
        let _ = self.pool.connector.not_secured(why);
    }

    /// Whom the connection leads to, where the endpoint stands for several.
    pub(in super::super) fn peer(&self) -> Option<&Arc<str>> {
        self.label().peer.as_ref()
    }

    /// The connection's name, where the host has one.
    pub(in super::super) fn connection(&self) -> Option<ConnectionId> {
        self.label().connection
    }

    fn label(&self) -> &Label {
        match &self.sender {
            Sender::Http1(kept) => &kept.label,
            Sender::Http2(shared) => &shared.label,
        }
    }

    /// Gives the connection back, once the request was read and the answer's content read to its end. A lease that is
    /// dropped instead closes its HTTP/1.1 connection, or resets its stream, and so does one whose request is not written
    /// by `deadline`.
    pub(in super::super) fn give_back(self, deadline: Instant) {
        let Self { pool, sender, permit, upload, .. } = self;
        let Sender::Http1(mut kept) = sender else {
            // Where nothing is left of it, nobody hears.
            let _ = upload.map(|upload| upload.send(deadline));
            return;
        };
        if kept.sender.is_ready() {
            pool.put(kept);
            return;
        }
        // The last of the request may not be written yet, or the driver has not noticed the end.
        let Permit { connection, .. } = permit;
        let (spawner, host) = (pool.spawner.clone(), pool.connector.host.clone());
        spawner.spawn(async move {
            let ready = poll_fn(|cx| kept.sender.poll_ready(cx));
            if let Some(Ok(())) = before(&host, deadline, ready).await {
                pool.put(kept);
            }
            drop(connection);
        });
    }

    /// Sees to it that nobody else is given the connection.
    pub(in super::super) fn retire(&self) {
        if let (Sender::Http2(shared), Connections::Http2(open)) =
            (&self.sender, &mut *self.pool.connections())
        {
            shared.stream.id().into_iter().for_each(|id| open.retire(id));
        }
    }
}
