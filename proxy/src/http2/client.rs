//! The connecting side of an HTTP/2 connection: opens one over any stream of bytes, and sends requests on it. Says of a
//! request without an answer how far it came: a GOAWAY or a refusal leaves it untouched, so that it may be sent again
//! (RFC 9113, 8.7). How many streams the peer allows is told to whoever shares the connection out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use tokio::io::{AsyncRead, AsyncWrite};

use super::alive::{Alive, Heard};
use super::content::{Content, Message, Open, is_broken_rule};
use super::pipe::Pipe;
use super::{announced_length, has_content, is_for_content};
use crate::body::Body;
use crate::host::Host;
use crate::interim::Interim;
use crate::policy::retry::Reach;
use crate::tasks::Spawner;
use crate::telemetry::Fault;
use crate::tls;

/// The largest head of an answer that is read; more is a fault of the upstream.
const HEAD_BYTES_MAX: u32 = 64 * 1024;

/// What h2 is told of how many streams the peer allows, before the peer has said so: nothing that it can say.
const UNTOLD: usize = usize::MAX - 1;

/// How much of requests' content waits in a connection until the peer takes it, per stream.
const SEND_BUFFER_BYTES: usize = 1024 * 1024;

/// How a connection is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Requests at a time at most, by our own will.
    pub(crate) streams_max: u32,
    /// After how long a silence the peer is pinged while requests are open; never when `None`.
    pub(crate) keep_alive: Option<Duration>,
}

/// Sends requests over a connection, which lives as long as there is one of these or a request. Cloning gives another.
#[derive(Clone)]
pub(crate) struct Sender {
    requests: SendRequest<Bytes>,
    /// How many requests are open, where somebody wants to know.
    open: Option<Arc<AtomicU32>>,
}

/// A request that was answered, maybe before all of its content was sent.
pub(crate) struct Answered {
    pub(crate) answer: Response<Content>,
    /// Sends the rest.
    pub(crate) upload: Option<Pipe>,
}

/// A request for another protocol that was answered.
pub(crate) struct Connected {
    pub(crate) answer: Response<Content>,
    /// Where the peer has consented, the way to send it bytes.
    pub(crate) stream: Option<SendStream<Bytes>>,
}

/// A request that was not answered, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unanswered {
    pub(crate) fault: Fault,
    pub(crate) reach: Reach,
    /// Why, where the peer has refused the handshake.
    pub(crate) refusal: Option<String>,
}

impl Unanswered {
    /// Of a request to a peer that has not refused the handshake.
    pub(crate) const fn new(fault: Fault, reach: Reach) -> Self {
        Self { fault, reach, refusal: None }
    }

    /// Of a request on a connection whose handshake the peer has refused, which may seem open with TLS 1.3.
    pub(crate) fn refused(why: String) -> Self {
        Self { fault: Fault::Tls, reach: Reach::Connecting, refusal: Some(why) }
    }
}

/// A request whose answer is malformed in a way that `h2` lets pass.
const MALFORMED: Unanswered = Unanswered::new(Fault::ProtocolError, Reach::Sent);

/// Speaks HTTP/2 on `stream`. `changed` hears when the peer changes how many streams it allows, and when the connection
/// has come to its end.
pub(crate) async fn handshake<H, S>(
    host: &H,
    stream: S,
    settings: Settings,
    spawner: &Spawner<H>,
    changed: impl Fn() + Send + Unpin + 'static,
) -> Result<Sender, h2::Error>
where
    H: Host,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(UNTOLD)
        .initial_window_size(super::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(super::connection_window_bytes(settings.streams_max))
        .data_frame_budget(super::DATA_FRAME_OVERHEAD_BYTES_MAX)
        .max_frame_size(16 * 1024)
        .max_header_list_size(HEAD_BYTES_MAX)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .reset_stream_duration(super::RESET_STREAM_MEMORY)
        // Only a few such streams are remembered; what still comes for the others is no attack.
        .max_local_error_reset_streams(None);
    let heard = settings.keep_alive.map(|_| Arc::<AtomicBool>::default());
    let (requests, mut connection) = builder.handshake::<_, Bytes>(Heard::new(stream, heard.clone())).await?;
    let pings = settings.keep_alive.zip(heard).and_then(|(interval, heard)| {
        let pings = connection.ping_pong()?;
        Some((Alive::new(host.clone(), interval, pings, heard), Arc::default()))
    });
    let open = pings.as_ref().map(|(_, open)| Arc::clone(open));
    let streams_max = connection.max_concurrent_send_streams();
    spawner.spawn(Driver { connection: Some(connection), pings, streams_max, changed });
    Ok(Sender { requests, open })
}

/// Drives a connection to its end.
struct Driver<H, S, C> {
    /// Gone once it has ended.
    connection: Option<Connection<Heard<S>, Bytes>>,
    pings: Option<(Alive<H>, Arc<AtomicU32>)>,
    streams_max: usize,
    changed: C,
}

impl<H, S, C> Future for Driver<H, S, C>
where
    H: Host,
    S: AsyncRead + AsyncWrite + Unpin,
    C: Fn() + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(connection) = &mut this.connection else { return Poll::Ready(()) };
        // How a connection ends is told to the requests on it.
        let mut ended = Pin::new(&mut *connection).poll(cx).is_ready();
        if let Some((alive, open)) = &mut this.pings {
            ended |= alive.poll_dead(open.load(Ordering::Relaxed) > 0, cx).is_ready();
        }
        if ended {
            this.connection = None;
            (this.changed)();
            return Poll::Ready(());
        }
        let streams_max = connection.max_concurrent_send_streams();
        if streams_max != this.streams_max {
            this.streams_max = streams_max;
            (this.changed)();
        }
        Poll::Pending
    }
}

impl Sender {
    /// Whether the peer takes further requests, as far as is known.
    pub(crate) fn is_open(&mut self) -> bool {
        matches!(self.requests.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
    }

    /// How many streams the peer allows, once it has said what it takes. Until then it is for who sends to open few.
    pub(crate) fn streams_max(&self) -> Option<u32> {
        let most = Some(self.requests.current_max_send_streams()).filter(|most| *most != UNTOLD)?;
        Some(u32::try_from(most).unwrap_or(u32::MAX))
    }

    /// Sends `request` and waits for the head of its answer; interim ones go to `interim`.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
        interim: Option<Interim>,
    ) -> Result<Answered, Unanswered> {
        let open = self.open.as_ref().map(Open::begin);
        let (mut head, body) = request.into_parts();
        let by_head = head.method == Method::HEAD;
        super::take_off_connection_specific(&mut head.headers);
        let length = body.exact_length().filter(|length| *length > 0 || is_for_content(&head.method));
        super::tell_length(&mut head.headers, length);
        let whole = body.is_end_stream();
        let sent = self.requests.send_request(Request::from_parts(head, ()), whole);
        let (answer, stream) = sent.map_err(|error| unsent(&error))?;
        let upload = (!whole).then(|| Pipe::new(body, stream));
        let mut asked = Asked { answer, upload, interim };
        let answer = std::future::poll_fn(|cx| asked.poll_answer(cx)).await?;
        let answer = received(answer, |status| Some(has_content(by_head, status)), open)?;
        Ok(Answered { answer, upload: asked.upload })
    }

    /// Sends `request`, an extended CONNECT, and waits for the head of its answer; interim ones go to `interim`.
    pub(crate) async fn connect(
        &mut self,
        request: Request<Body>,
        interim: Option<Interim>,
    ) -> Result<Connected, Unanswered> {
        if self.is_open() && !self.requests.is_extended_connect_protocol_enabled() {
            return Err(NO_TUNNELS);
        }
        let open = self.open.as_ref().map(Open::begin);
        let (mut head, _) = request.into_parts();
        super::take_off_connection_specific(&mut head.headers);
        let sent = self.requests.send_request(Request::from_parts(head, ()), false);
        let (answer, mut stream) = sent.map_err(|error| unsent(&error))?;
        let mut asked = Asked { answer, upload: None, interim };
        let answer = std::future::poll_fn(|cx| asked.poll_answer(cx)).await?;
        if answer.status().is_success() {
            return Ok(Connected { answer: received(answer, |_| None, open)?, stream: Some(stream) });
        }
        let answer = received(answer, |status| Some(has_content(false, status)), open)?;
        // Nothing more is said; a peer that has ended the stream needs not hear of it.
        let _ = stream.send_data(Bytes::new(), true);
        Ok(Connected { answer, stream: None })
    }
}

/// A request for another protocol of a peer that does not take any.
const NO_TUNNELS: Unanswered = Unanswered::new(Fault::UpgradeUnsupported, Reach::Held);

/// The content of an answer, as far as its head is what HTTP/2 allows. Consent to another protocol has no length.
fn received(
    answer: Response<h2::RecvStream>,
    has_content: impl FnOnce(StatusCode) -> Option<bool>,
    open: Option<Open>,
) -> Result<Response<Content>, Unanswered> {
    let (mut head, content) = answer.into_parts();
    if !super::fields::are_proper(&head.headers) || head.status.as_u16() >= 600 {
        return Err(MALFORMED);
    }
    let announced = announced_length(&mut head.headers);
    let length = match has_content(head.status) {
        Some(true) => announced,
        Some(false) => Some(0),
        None => None,
    };
    Ok(Response::from_parts(head, Content::new(content, Message::Answer, length, open)))
}

/// A request whose answer is waited for.
struct Asked {
    answer: ResponseFuture,
    upload: Option<Pipe>,
    interim: Option<Interim>,
}

impl Asked {
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<h2::RecvStream>, Unanswered>> {
        if let Some(upload) = &mut self.upload
            && Pin::new(upload).poll(cx).is_ready()
        {
            self.upload = None;
        }
        while let Poll::Ready(Some(Ok(answer))) = self.answer.poll_informational(cx) {
            let (head, ()) = answer.into_parts();
            // No other protocol was asked for, nor can be (RFC 9113, 8.6).
            if !super::fields::are_proper(&head.headers) || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(MALFORMED));
            }
            if let Some(interim) = &self.interim {
                interim.pass(head.status, head.headers);
            }
        }
        Pin::new(&mut self.answer).poll(cx).map_err(|error| unanswered(&error))
    }
}

/// What is to be said of a request of which nothing was written, since the connection takes none any more.
fn unsent(error: &h2::Error) -> Unanswered {
    match unanswered(error) {
        refused @ Unanswered { reach: Reach::Connecting, .. } => refused,
        _ => Unanswered::new(Fault::Reset, Reach::Unwritten),
    }
}

/// What is to be said of a request to which no answer came. A stream fails with the peer's GOAWAY only when it lies
/// above its last one.
fn unanswered(error: &h2::Error) -> Unanswered {
    if let Some(why) = tls::refusal(error) {
        return Unanswered::refused(why);
    }
    let left_untouched = (error.is_remote() && error.is_go_away())
        || (error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM));
    let (fault, reach) = if left_untouched {
        (Fault::Reset, Reach::Refused)
    } else if error.is_reset() && !error.is_remote() && !error.is_library() {
        // It was reset here, since its content broke off.
        (Fault::Cancelled, Reach::Sent)
    } else if is_broken_rule(error) {
        (Fault::ProtocolError, Reach::Sent)
    } else {
        (Fault::Reset, Reach::Sent)
    };
    Unanswered::new(fault, reach)
}
