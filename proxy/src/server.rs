//! The accept loop that every product uses: connections in, HTTP/1.1 and HTTP/2, requests to a
//! [`Handler`], and an orderly end. Live and simulated, gateway, sidecar and service alike.
//!
//! Read it in this order: [`serve`] (accepting, draining), `Acceptance::serve` (one connection: what does it
//! speak, who is it), `speak_http1` and `speak_http2`. Not here: what becomes of a request.

mod drain;
mod lifetime;
mod lingering;
mod port;
mod settings;
mod stream;
mod switched;
mod wire;

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Parts as Parts1};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::Body;
use crate::host::{Accepted, Host, Instant, Listener, Work};
use crate::http2::server::{self as http2, Answering};
use crate::interim::Interim;
use crate::message::{self, HeadLimits};
use crate::stall::Stall;
use crate::tasks::Spawner;
use crate::telemetry::{Report, TlsPeer, TlsTrouble};
use crate::timer::{HostTimer, before};
use crate::tls::{self, Opening, Protocol, ServerTls, Sniffed, SpiffeId};
use crate::upgrade::Upgrade;

use drain::Drain;
pub use lifetime::ConnectionAge;
use lifetime::{Lifetime, closing};
use lingering::linger;
pub use port::{Port, PortControl};
pub use settings::{DRAIN_TIMEOUT, HEAD_BYTES_MAX, SEND_TIMEOUT, Settings};
use stream::Framed;
pub(crate) use wire::Cutter;
use wire::{Sending, Sent, Wire};

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request, whose target is in origin form and whose host stands in `Host`. The
    /// future is dropped when the caller goes away. Each request's is moved into a box, so its size counts: an `async`
    /// block holds once what an `async fn` holds twice, its arguments.
    fn handle(
        self: Arc<Self>,
        request: Request<Body>,
        connection: Arc<Connection>,
    ) -> impl Future<Output = Response<Body>> + Send;

    /// Takes note of a request that was refused while it was being read, and is never handled.
    fn note_refused(&self, _: Refused<'_>, _: &Connection) {}
}

/// A request that was refused while it was being read.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// What its sender was told.
    pub status: StatusCode,
    /// Its head, when as much could be read.
    pub head: Option<&'a Parts>,
}

/// The connection that a request came over.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Who connected.
    pub peer: SocketAddr,
    /// Where the peer wanted to go before the connection was redirected here.
    pub original_destination: SocketAddr,
    /// Which one it is of those that were accepted at its port, which count from 0.
    pub(crate) number: u64,
    /// Whether it is secured.
    pub secure: bool,
    /// Which workload the peer has proven to be; `None` in the clear, and when it did not have to.
    pub identity: Option<SpiffeId>,
    /// What its requests share; `None` over HTTP/2.
    wire: Option<Arc<Wire>>,
    /// The peer's address as header fields have it, once one does.
    peer_text: OnceLock<HeaderValue>,
}

impl Connection {
    /// A connection in the clear, of which no more is known yet.
    pub(crate) fn new(peer: SocketAddr, original_destination: SocketAddr) -> Self {
        Self {
            peer,
            original_destination,
            number: 0,
            secure: false,
            identity: None,
            wire: None,
            peer_text: OnceLock::new(),
        }
    }

    /// The peer's address as header fields have it.
    pub(crate) fn peer_text(&self) -> &HeaderValue {
        let text = || HeaderValue::try_from(self.peer.ip().to_canonical().to_string());
        self.peer_text.get_or_init(|| text().expect("an address is a header value"))
    }

    /// Ends the connection should the answer to the request break off that is being answered now, although its sender
    /// does not read; `None` over HTTP/2.
    pub(crate) fn cutter(&self) -> Option<Cutter> {
        self.wire.as_ref().map(Cutter::of)
    }

    /// Where interim answers to the request go that is being answered; `None` when its sender cannot take them, or
    /// the request itself says where.
    pub(crate) fn interim(&self) -> Option<Interim> {
        self.wire.as_ref().and_then(Wire::interim)
    }
}

/// Whether connections are to be secured.
#[derive(Debug, Clone, Default)]
pub enum Security {
    /// In the clear.
    #[default]
    Plain,
    /// Mutual TLS alone.
    Strict(ServerTls),
    /// Mutual TLS, and in the clear: the first byte tells.
    Permissive(ServerTls),
    /// TLS for the public alone; who speaks in the clear is told so.
    Public(ServerTls),
}

/// How an accept loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every connection had come to its end.
    Clean,
    /// Time was up, and this many connections were cut.
    Cut(usize),
}

/// Accepts connections on `listener` and has `handler` answer their requests, until `shutdown`
/// completes; then finishes what is in flight, for as long as `settings` allow.
pub async fn serve<H: Host, A: Handler>(
    host: H,
    spawner: Spawner<H>,
    listener: H::Listener,
    handler: Arc<A>,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let settings = Arc::new(settings);
    serve_by(host, spawner, listener, handler, || Arc::clone(&settings), shutdown).await
}

/// As [`serve`], where each connection goes by what `settings` says when it is accepted; but how many there may be is
/// settled by the first word.
async fn serve_by<H: Host, A: Handler>(
    host: H,
    spawner: Spawner<H>,
    mut listener: impl Listener<Stream = H::Stream>,
    handler: Arc<A>,
    settings: impl Fn() -> Arc<Settings>,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let mut acceptance = Acceptance { host, spawner, handler, settings: settings(), drain: Arc::default() };
    let connections_max = acceptance.settings.connections_max;
    let permits = Arc::new(Semaphore::new(connections_max as usize));
    let mut shutdown = pin!(shutdown);
    let mut accepted_before = 0;
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            (permit, accepted) = acceptance.next(&mut listener, &permits) => {
                acceptance.settings = settings();
                let end = acceptance.end_of(accepted_before);
                let connection = acceptance.clone().serve(accepted, accepted_before, end);
                accepted_before += 1;
                acceptance.spawner.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    acceptance.drain.begin();
    let all = permits.acquire_many(connections_max);
    let deadline = acceptance.host.now() + settings().drain_timeout;
    match before(&acceptance.host, deadline, all).await {
        Some(_) => Drained::Clean,
        None => Drained::Cut(connections_max as usize - permits.available_permits()),
    }
}

/// What every connection of an accept loop shares.
struct Acceptance<H, A> {
    host: H,
    spawner: Spawner<H>,
    handler: Arc<A>,
    settings: Arc<Settings>,
    drain: Arc<Drain>,
}

impl<H: Host, A: Handler> Acceptance<H, A> {
    /// The next connection, once there is room for one. An error of the listener (out of file
    /// descriptors, a peer that went away already) is no reason to stop: it is waited out.
    async fn next(
        &self,
        listener: &mut impl Listener<Stream = H::Stream>,
        permits: &Arc<Semaphore>,
    ) -> (Option<OwnedSemaphorePermit>, Accepted<H::Stream>) {
        let permit = Arc::clone(permits).acquire_owned().await.ok();
        let mut pause = settings::ACCEPT_PAUSE_MIN;
        loop {
            match listener.accept().await {
                Ok(accepted) => return (permit, accepted),
                Err(error) if is_of_the_peer(&error) => {}
                Err(_) => {
                    self.host.sleep_until(self.host.now() + pause).await;
                    pause = (pause * 2).min(settings::ACCEPT_PAUSE_MAX);
                }
            }
        }
    }

    /// When a connection, which is accepted now after so many others, is old; never when `None`.
    fn end_of(&self, accepted_before: u64) -> Option<Instant> {
        self.settings.age.map(|age| self.host.now() + age.of(accepted_before))
    }

    /// Serves the connection of this `number` to its end, which is due at `end`.
    async fn serve(self, accepted: Accepted<H::Stream>, number: u64, end: Option<Instant>) {
        let Accepted { stream, peer, original_destination } = accepted;
        self.host.work(Work { connections: 1, ..Work::default() }, |_, _| {}).await;
        let mut connection = Connection::new(peer, original_destination);
        connection.number = number;
        let Some(Ok((stream, opening))) = self.patiently(Sniffed::new(stream)).await else { return };
        match (opening, &self.settings.security) {
            (Opening::Tls, Security::Strict(tls) | Security::Permissive(tls) | Security::Public(tls)) => {
                let handshake = tls.accept(&self.host, stream);
                let secured = match self.patiently(handshake).await {
                    Some(Ok(secured)) => secured,
                    Some(Err((error, stream))) => {
                        // Whoever only looks whether somebody listens goes away, too.
                        if let Some(fact) = tls::refusal(&error) {
                            self.not_secured(peer, fact);
                        }
                        if let Some(stream) = stream {
                            lingering::refuse(&self.host, stream).await;
                        }
                        return;
                    }
                    None => return,
                };
                connection.secure = true;
                connection.identity = secured.peer;
                match secured.protocol {
                    Protocol::Http1 => self.speak_http1(secured.stream, connection, end).await,
                    Protocol::Http2 => self.speak_http2(secured.stream, connection, end).await,
                }
            }
            (Opening::Http2, Security::Strict(_) | Security::Public(_)) => {
                self.not_secured(peer, "it speaks HTTP/2 in the clear".to_owned());
            }
            (Opening::Http2, _) => self.speak_http2(stream, connection, end).await,
            (Opening::Http1 | Opening::Tls, _) => self.speak_http1(stream, connection, end).await,
        }
    }

    /// Reports that the connection of `peer` was not secured, and why.
    fn not_secured(&self, peer: SocketAddr, fact: String) {
        let (at, with) = (self.host.now(), TlsPeer::Caller(peer));
        self.host.report(Report::Tls(TlsTrouble { at, with, fact }));
    }

    /// Waits for a peer that has not sent a request yet: not for ever, and not while draining.
    async fn patiently<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let deadline = self.host.now() + self.settings.idle_timeout;
        tokio::select! {
            biased;
            output = before(&self.host, deadline, future) => output,
            () = self.drain.begun() => None,
        }
    }

    async fn speak_http1<S>(self, stream: S, mut connection: Connection, end: Option<Instant>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let drain = Arc::clone(&self.drain);
        let mut builder = http1::Builder::new();
        builder
            .timer(HostTimer(self.host.clone()))
            .header_read_timeout(self.settings.idle_timeout)
            .max_header_size(self.settings.head_limits().bytes_read())
            .max_headers(self.settings.head_limits().fields_read())
            .auto_date_header(false);
        let wire = Arc::new(Wire::default());
        connection.wire = Some(Arc::clone(&wire));
        let stall = Stall::new(self.host.clone(), self.settings.send_timeout);
        let stream = TokioIo::new(Framed::new(stream, Arc::clone(&wire), stall));
        let lifetime = end.map(|end| Lifetime::new(self.host.clone(), end));
        let service = self.answers(connection, lifetime);
        let mut serving = builder.serve_connection(stream, service);
        let ended = tokio::select! {
            biased;
            ended = poll_fn(|cx| serving.poll_without_shutdown(cx)) => ended,
            () = drain.begun() => {
                let mut told = false;
                poll_fn(|cx| loop {
                    // To the answer that another protocol follows, hyper would add that the connection closes.
                    let is_undecided = wire.may_still_switch();
                    if !told && !is_undecided {
                        told = true;
                        Pin::new(&mut serving).graceful_shutdown();
                    }
                    let served = serving.poll_without_shutdown(cx);
                    if served.is_ready() || told || wire.may_still_switch() {
                        return served;
                    }
                })
                .await
            }
        };
        let Parts1 { io, read_buf, service: Answers { handler, connection, .. }, .. } = serving.into_parts();
        let mut stream = io.into_inner();
        if let Some(switched) = wire.take_switched() {
            if ended.is_ok() {
                // Boxed, since it is rare: the task of every connection would hold the room for it.
                Box::pin(switched::pass(stream, read_buf, switched)).await;
            }
            return;
        }
        // How a connection ends is the peer's affair: its requests were told, but for one that hyper could not read.
        if let Err(error) = ended {
            let refused = |status| handler.note_refused(Refused { status, head: None }, &connection);
            if let Some(status) = told_by_hyper(&error) {
                refused(status);
            } else if error.is_timeout() && stream.is_within_request() && stream.is_clean() {
                refused(StatusCode::REQUEST_TIMEOUT);
                // Who does not read it is let go of all the same.
                let until = self.host.now() + self.settings.idle_timeout;
                before(&self.host, until, stream.write_all(HEAD_TIMEOUT)).await;
            }
        }
        linger(&self.host, stream).await;
    }

    async fn speak_http2<S>(self, stream: S, connection: Connection, end: Option<Instant>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = http2::Settings {
            streams_max: self.settings.streams_max,
            head_bytes_max: u32::try_from(self.settings.head_limits().bytes_read()).unwrap_or(u32::MAX),
            first_timeout: self.settings.idle_timeout,
            idle_timeout: self.settings.http2_idle_timeout,
            keep_alive: self.settings.http2_keep_alive,
            send_timeout: self.settings.send_timeout,
        };
        let answers = self.answers(connection, None);
        let answer = |request| answers.begin(request);
        let leave = async {
            tokio::select! {
                biased;
                () = self.drain.begun() => {}
                () = reached(&self.host, end) => {}
            }
        };
        http2::serve(&self.host, stream, settings, &self.spawner, answer, leave).await;
    }

    fn answers(&self, connection: Connection, lifetime: Option<Lifetime<H>>) -> Answers<H, A> {
        Answers {
            handler: Arc::clone(&self.handler),
            connection: Arc::new(connection),
            head_limits: self.settings.head_limits(),
            must_be_secure: matches!(self.settings.security, Security::Public(_) | Security::Strict(_)),
            lifetime,
        }
    }
}

/// What each request meets: the handler, or a refusal of what is no proper request.
struct Answers<H, A> {
    handler: Arc<A>,
    connection: Arc<Connection>,
    head_limits: HeadLimits,
    must_be_secure: bool,
    /// Where the connection's age counts with its answers.
    lifetime: Option<Lifetime<H>>,
}

impl<H: Host, A: Handler> Answers<H, A> {
    /// Begins to answer `request`.
    fn begin(&self, request: Request<Body>) -> Answering {
        let (handler, connection) = (Arc::clone(&self.handler), Arc::clone(&self.connection));
        let (mut head, content) = request.into_parts();
        match message::settle(&mut head, self.head_limits) {
            // As nginx does; whoever asks so asks for an address that does not exist.
            Ok(()) if self.must_be_secure && !connection.secure => {
                let answer = message::plain(StatusCode::BAD_REQUEST, IN_THE_CLEAR);
                handler.note_refused(Refused { status: answer.status(), head: Some(&head) }, &connection);
                Box::pin(ready(closing(answer)))
            }
            Ok(()) => {
                if let Some(wire) = &connection.wire
                    && let Some((upgrade, said)) = Upgrade::of_http1(&mut head, &content)
                {
                    wire.may_switch(said);
                    head.extensions.insert(Arc::new(upgrade));
                }
                let answering: Answering =
                    Box::pin(handler.handle(Request::from_parts(head, content), connection));
                match &self.lifetime {
                    None => answering,
                    Some(lifetime) => Box::pin(lifetime.clone().keep(answering)),
                }
            }
            // A peer that sends what is no proper request is not to be trusted with another.
            Err(refusal) => {
                let answer = refusal.answer_to(&head.headers);
                handler.note_refused(Refused { status: answer.status(), head: Some(&head) }, &connection);
                Box::pin(ready(closing(answer)))
            }
        }
    }
}

impl<H: Host, A: Handler> Service<Request<Incoming>> for Answers<H, A> {
    type Response = Response<Sent>;
    type Error = Infallible;
    type Future = Sending;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let version = request.version();
        Sending::begin(self.connection.wire.as_ref(), version, || self.begin(request.map(Body::request)))
    }
}

impl<H: Clone, A> Clone for Acceptance<H, A> {
    fn clone(&self) -> Self {
        Self {
            host: self.host.clone(),
            spawner: self.spawner.clone(),
            handler: Arc::clone(&self.handler),
            settings: Arc::clone(&self.settings),
            drain: Arc::clone(&self.drain),
        }
    }
}

/// What a peer is told whose request's head was not complete in time.
const HEAD_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// What a peer is told who speaks in the clear where TLS is spoken.
const IN_THE_CLEAR: &str = "this port speaks TLS: ask for https";

/// What hyper says of a request whose target is longer than it takes.
const TARGET_TOO_LONG: &str = "URI too long";

/// What hyper answers by itself to a request whose head it cannot read; `None` when it was something else.
fn told_by_hyper(error: &hyper::Error) -> Option<StatusCode> {
    if error.is_parse_too_large() {
        // hyper tells the two apart to the caller, and to us in words alone.
        let is_target = error.to_string() == TARGET_TOO_LONG;
        let status =
            if is_target { StatusCode::URI_TOO_LONG } else { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE };
        Some(status)
    } else {
        error.is_parse().then_some(StatusCode::BAD_REQUEST)
    }
}

/// Completes at `end`.
async fn reached<H: Host>(host: &H, end: Option<Instant>) {
    match end {
        Some(end) => host.sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// Whether an error of accepting concerns the one connection alone.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
