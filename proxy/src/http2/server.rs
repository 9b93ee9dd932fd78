//! The accepting side of an HTTP/2 connection: requests to whoever answers them, each in a task of its own, and an
//! orderly end. A connection without a request comes to its end after a while, and so does one whose peer is gone.
//! Not here: what becomes of a request, and when it is time to leave.

use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio::io::{AsyncRead, AsyncWrite};

use super::alive::{Alive, Heard, Quiet};
use super::content::{Content, Message};
use super::pipe::Pipe;
use super::{announced_length, has_content};
use crate::body::Body;
use crate::host::Host;
use crate::interim::{Interim, Taker};
use crate::stall::Stall;
use crate::tasks::Spawner;
use crate::timer::before;
use crate::upgrade::Upgrade;

/// How much of answers waits in a connection until the peer takes it, per stream.
const SEND_BUFFER_BYTES: usize = 400 * 1024;

/// How many interim answers to one request are passed on.
const INTERIM_ANSWERS_MAX: u32 = 32;

/// How long the peer of a connection without requests has to confirm that it heard of the end.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Requests at a time.
    pub(crate) streams_max: u32,
    /// Bytes of a request's head; beyond them, 431.
    pub(crate) head_bytes_max: u32,
    /// How long a peer may take until its first request.
    pub(crate) first_timeout: Duration,
    /// How long a connection may be without a request after that; for ever when `None`.
    pub(crate) idle_timeout: Option<Duration>,
    /// After how long a silence the peer is pinged while requests are open.
    pub(crate) keep_alive: Duration,
    /// How long the peer may take nothing of an answer.
    pub(crate) send_timeout: Duration,
}

/// An answer that is being made.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Has `answer` answer the requests that come on `stream`, until the peer ends the connection, or `leave` completes and
/// what was begun is done.
pub(crate) async fn serve<H, S>(
    host: &H,
    stream: S,
    settings: Settings,
    spawner: &Spawner<H>,
    answer: impl Fn(Request<Body>) -> Answering,
    leave: impl Future<Output = ()>,
) where
    H: Host,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut leave = pin!(leave);
    let heard = Arc::<AtomicBool>::default();
    let handshake = builder(settings).handshake::<_, Bytes>(Heard::new(stream, Some(Arc::clone(&heard))));
    let greeted = tokio::select! {
        biased;
        greeted = before(host, host.now() + settings.first_timeout, handshake) => greeted,
        () = leave.as_mut() => return,
    };
    let Some(Ok(mut connection)) = greeted else { return };
    let pings = connection.ping_pong();
    let alive = pings.map(|pings| Alive::new(host.clone(), settings.keep_alive, pings, heard));
    let mut serving = Serving {
        connection,
        settings,
        spawner,
        answer,
        alive,
        quiet: Quiet::new(host.clone()),
        host,
        asked: false,
        leaving: false,
    };
    std::future::poll_fn(|cx| serving.poll_served(leave.as_mut(), cx)).await;
}

fn builder(settings: Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(super::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(super::connection_window_bytes(settings.streams_max))
        .data_frame_budget(super::DATA_FRAME_OVERHEAD_BYTES_MAX)
        .max_frame_size(16 * 1024)
        .max_concurrent_streams(settings.streams_max)
        .max_header_list_size(settings.head_bytes_max)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .enable_connect_protocol()
        .reset_stream_duration(super::RESET_STREAM_MEMORY);
    builder
}

/// A connection that is being served.
struct Serving<'a, H, S, A> {
    connection: Connection<Heard<S>, Bytes>,
    settings: Settings,
    spawner: &'a Spawner<H>,
    answer: A,
    alive: Option<Alive<H>>,
    quiet: Quiet<H>,
    host: &'a H,
    /// Whether there was a request.
    asked: bool,
    /// Whether the peer was told that no further request is taken.
    leaving: bool,
}

impl<H, S, A> Serving<'_, H, S, A>
where
    H: Host,
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Body>) -> Answering,
{
    /// Completes with the connection.
    fn poll_served(&mut self, leave: Pin<&mut impl Future<Output = ()>>, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_requests(cx).is_ready() {
            return Poll::Ready(());
        }
        if !self.leaving && leave.poll(cx).is_ready() && self.say_goodbye(cx).is_ready() {
            return Poll::Ready(());
        }
        let busy = self.connection.has_streams();
        if let Some(alive) = &mut self.alive
            && alive.poll_dead(busy, cx).is_ready()
        {
            return self.hang_up(cx);
        }
        if busy {
            self.quiet.begin_anew();
            return Poll::Pending;
        }
        while self.quiet.poll_over(self.patience(), cx).is_ready() {
            // Who has never asked for anything counts on nothing.
            if self.leaving || !self.asked {
                return self.hang_up(cx);
            }
            if self.say_goodbye(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// How long the connection may now be without a request.
    fn patience(&self) -> Option<Duration> {
        if self.leaving {
            Some(GOODBYE_TIMEOUT)
        } else if self.asked {
            self.settings.idle_timeout
        } else {
            Some(self.settings.first_timeout)
        }
    }

    /// Takes requests; completes with the connection.
    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                // How a connection ends is the peer's affair; its requests were told.
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.asked = true;
        let (mut head, content) = request.into_parts();
        let length = announced_length(&mut head.headers);
        join_cookies(&mut head.headers);
        let by_head = head.method == Method::HEAD;
        let respond = Respond::new(respond);
        head.extensions.insert(respond.interim());
        // An extended CONNECT has no content: what follows is another protocol's.
        let upgrade = if head.method == Method::CONNECT { Upgrade::of_http2(&mut head) } else { None };
        let length = length.filter(|_| upgrade.is_none());
        let tunnel = upgrade.as_ref().map(Upgrade::reset_reason);
        let mut body = Body::http2(Content::new(content, Message::Request, length, None));
        if let Some(upgrade) = upgrade {
            upgrade.put_content(std::mem::take(&mut body));
            head.extensions.insert(Arc::new(upgrade));
        }
        let answering = (self.answer)(Request::from_parts(head, body));
        let stall = Stall::new(self.host.clone(), self.settings.send_timeout);
        self.spawner.spawn(respond.answer(answering, Asked { by_head, tunnel }, stall));
    }

    /// Tells the peer that no further request is taken; those that are under way are.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.leaving = true;
        self.quiet.begin_anew();
        self.connection.graceful_shutdown();
        self.poll_requests(cx)
    }

    /// Ends the connection, whether or not the peer hears of it.
    fn hang_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.abrupt_shutdown(Reason::NO_ERROR);
        let _ = self.poll_requests(cx);
        Poll::Ready(())
    }
}

/// What a request is, as far as it matters to how its answer is sent.
#[derive(Debug, Clone, Copy)]
struct Asked {
    by_head: bool,
    /// Where it asks for another protocol: what its sender is told when that fails.
    tunnel: Option<Reason>,
}

/// The way back to who sent a request, until its answer goes out.
struct Respond(Arc<Mutex<Answerable>>);

struct Answerable {
    respond: Option<SendResponse<Bytes>>,
    interim_answers: u32,
}

impl Respond {
    fn new(respond: SendResponse<Bytes>) -> Self {
        Self(Arc::new(Mutex::new(Answerable { respond: Some(respond), interim_answers: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Answerable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where interim answers to the request go.
    fn interim(&self) -> Interim {
        let to: Arc<dyn Taker> = Arc::clone(&self.0) as _;
        Interim::to(to, 0)
    }

    /// Waits for an answer and sends it; gives up both when the peer resets the stream.
    async fn answer<H: Host>(self, mut answering: Answering, asked: Asked, mut stall: Stall<H>) {
        let answer = std::future::poll_fn(|cx| match answering.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => match &mut self.lock().respond {
                Some(respond) => respond.poll_reset(cx).map(|_| None),
                None => Poll::Ready(None),
            },
        });
        let answer = answer.await;
        let respond = self.lock().respond.take();
        drop(answering);
        if let (Some(answer), Some(respond)) = (answer, respond)
            && let Some(mut pipe) = send(respond, answer, asked)
        {
            std::future::poll_fn(|cx| pipe.poll_patiently(&mut stall, cx)).await;
        }
    }
}

impl Taker for Mutex<Answerable> {
    /// Sends an interim answer, unless the answer itself is out.
    fn take(&self, _: u64, status: StatusCode, mut headers: HeaderMap) {
        let mut answerable = self.lock().unwrap_or_else(PoisonError::into_inner);
        answerable.interim_answers += 1;
        if answerable.interim_answers > INTERIM_ANSWERS_MAX {
            return;
        }
        if let Some(respond) = &mut answerable.respond {
            super::take_off_connection_specific(&mut headers);
            let mut answer = Response::new(());
            (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
            // Who went away meanwhile hears of no answer either.
            let _ = respond.send_informational(answer);
        }
    }
}

/// Sends the head of `answer`, and says what sends its content, if there is any.
fn send(mut respond: SendResponse<Bytes>, answer: Response<Body>, asked: Asked) -> Option<Pipe> {
    let (mut head, body) = answer.into_parts();
    super::take_off_connection_specific(&mut head.headers);
    let whole = body.is_end_stream() || !has_content(asked.by_head, head.status);
    if !whole {
        super::tell_length(&mut head.headers, body.exact_length());
    }
    let failed = asked.tunnel.filter(|_| head.status.is_success()).unwrap_or(Reason::INTERNAL_ERROR);
    let Ok(stream) = respond.send_response(Response::from_parts(head, ()), whole) else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return None;
    };
    (!whole).then(|| Pipe::new(body, stream).failing_as(failed))
}

/// Makes one field of several cookies (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (Some(_), Some(_)) = (cookies.next(), cookies.next()) else { return };
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Bytes that are no token's stay as they came: each of them is valid in a field.
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}
