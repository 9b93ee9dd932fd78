//! An endpoint that follows a script and counts the requests that it saw: over HTTP/1.1 byte by byte, over HTTP/2 frame
//! by frame. It knows nothing of the proxy in front of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::row::Protocol;
use crate::frames::{DATA, END_STREAM, Frame, HEADERS, Server, frame, go_away, headers, reset};
use crate::lab::Lab;

const CONTENT: &str = "content";

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// An answer with this status; the connection is kept.
    Answer(u16),
    /// An answer with this status and these fields.
    With(u16, &'static [(&'static str, &'static str)]),
    /// HTTP/1.1: an answer after so many milliseconds.
    Late(u64, u16),
    /// HTTP/1.1: these bytes, then the end.
    Bytes(&'static str),
    /// HTTP/2: an answer of 200 with this `grpc-status` in its trailers.
    Trailers(&'static str),
    /// The head of a 200 and a part of its content, then the end.
    BreakOff,
    /// Never an answer.
    Silence,
    /// FIN, without an answer.
    Close,
    /// HTTP/1.1: RST, without an answer.
    Abort,
    /// HTTP/2: `RST_STREAM` with this code.
    Reset(u32),
    /// HTTP/2: GOAWAY with a last stream below the request's.
    GoAway,
    /// Nobody listens; alone in a script.
    Refuse,
    /// No connection is ever established; alone in a script.
    Unreachable,
}

/// What happens, and how far it has come.
#[derive(Debug)]
struct Script {
    acts: &'static [Act],
    seen: AtomicUsize,
    health: &'static [u16],
    told: AtomicUsize,
}

impl Script {
    fn next(&self) -> Act {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed);
        self.acts[seen.min(self.acts.len() - 1)]
    }

    /// The answer to a question about health.
    fn health(&self) -> Act {
        let told = self.told.fetch_add(1, Ordering::Relaxed);
        Act::Answer(self.health[told.min(self.health.len() - 1)])
    }
}

/// The endpoint. It ends with its lab.
pub(crate) struct Upstream {
    pub(crate) endpoint: Endpoint,
    script: Arc<Script>,
}

impl Upstream {
    pub(crate) async fn start(
        lab: &Lab,
        protocol: Protocol,
        acts: &'static [Act],
        health: &'static [u16],
    ) -> Self {
        let script = Arc::new(Script { acts, seen: AtomicUsize::new(0), health, told: AtomicUsize::new(0) });
        let endpoint = match (acts, protocol) {
            // Reserved, and nobody listens there.
            ([Act::Refuse], _) => Endpoint::new("127.0.0.1", 1),
            ([Act::Unreachable], _) => unreachable_endpoint(lab).await,
            (_, Protocol::Http1) => http1(lab, &script).await,
            (_, Protocol::Http2) => http2(lab, &script).await,
        };
        Self { endpoint, script }
    }

    /// How many requests have come; none where they cannot be counted, since no connection gets through.
    pub(crate) fn seen(&self) -> Option<usize> {
        let counted = !matches!(self.script.acts, [Act::Refuse | Act::Unreachable]);
        counted.then(|| self.script.seen.load(Ordering::Relaxed))
    }

    pub(crate) async fn has_seen_more_than(&self, lab: &Lab, requests: Option<usize>) {
        while self.seen() <= requests {
            lab.wait_ms(1).await;
        }
    }

    /// Waits until health has been asked for so often.
    pub(crate) async fn has_told_health(&self, lab: &Lab, often: usize) {
        while self.script.told.load(Ordering::Relaxed) < often {
            lab.wait_ms(1).await;
        }
    }
}

/// A port whose queue of new connections is full, and stays so.
async fn unreachable_endpoint(lab: &Lab) -> Endpoint {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let endpoint = Endpoint::from(listener.local_addr().unwrap());
    let first = lab.host.connect(&endpoint).await.unwrap();
    lab.spawner().spawn(async move {
        let _queue = (listener, first);
        std::future::pending::<()>().await;
    });
    endpoint
}

async fn http1(lab: &Lab, script: &Arc<Script>) -> Endpoint {
    let (mut listener, endpoint) = lab.bind().await;
    let (host, spawner, script) = (lab.host.clone(), lab.spawner(), Arc::clone(script));
    lab.spawner().spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            let (host, script) = (host.clone(), Arc::clone(&script));
            spawner.spawn(async move { drop(serve(&host, accepted.stream, &script).await) });
        }
    });
    endpoint
}

/// Serves one connection until the script or the peer ends it.
async fn serve(host: &Live, mut stream: <Live as Host>::Stream, script: &Script) -> std::io::Result<()> {
    loop {
        let head = read_head(&mut stream).await?;
        let act = if head.starts_with("GET /healthz ") { script.health() } else { script.next() };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        stream.read_exact(&mut vec![0; length.unwrap_or(0)]).await?;
        match act {
            Act::Answer(status) => stream.write_all(answer(status, &[]).as_bytes()).await?,
            Act::With(status, fields) => stream.write_all(answer(status, fields).as_bytes()).await?,
            Act::Late(ms, status) => {
                host.sleep_until(host.now() + Duration::from_millis(ms)).await;
                stream.write_all(answer(status, &[]).as_bytes()).await?;
            }
            Act::BreakOff => {
                let whole = answer(200, &[]);
                return stream.write_all(&whole.as_bytes()[..whole.len() - 1]).await;
            }
            Act::Bytes(bytes) => return stream.write_all(bytes.as_bytes()).await,
            Act::Silence => drop(read_head(&mut stream).await?),
            Act::Close => return Ok(()),
            Act::Abort => return stream.socket().set_zero_linger(),
            act => panic!("{act:?} is none of HTTP/1.1"),
        }
    }
}

/// Reads up to the empty line.
async fn read_head(stream: &mut <Live as Host>::Stream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

fn answer(status: u16, fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let fields = fields.concat();
    format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n{fields}\r\n{CONTENT}", CONTENT.len())
}

async fn http2(lab: &Lab, script: &Arc<Script>) -> Endpoint {
    let script = Arc::clone(script);
    // What is done once the request is complete.
    let begun = Mutex::new(Vec::new());
    let react = move |connection: usize, frame: &Frame| {
        let mut begun = begun.lock().unwrap();
        if frame.kind == HEADERS {
            begun.push((connection, frame.stream, script.next()));
        }
        let ends = matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0;
        let at =
            begun.iter().position(|(number, stream, _)| (*number, *stream) == (connection, frame.stream));
        match at.filter(|_| ends) {
            Some(at) => reaction(begun.swap_remove(at).2, frame.stream),
            None => Some(Vec::new()),
        }
    };
    Server::start(lab, &[], react).await.endpoint
}

/// What is written to a request of `stream`; `None` ends the connection.
fn reaction(act: Act, stream: u32) -> Option<Vec<u8>> {
    let data = |flags| frame(DATA, flags, stream, CONTENT.as_bytes());
    let ok = || headers(0, stream, &[(":status", "200"), ("content-type", "application/grpc")]);
    Some(match act {
        Act::Answer(status) => [head(stream, status, &[]), data(END_STREAM)].concat(),
        Act::With(status, fields) => [head(stream, status, fields), data(END_STREAM)].concat(),
        Act::Trailers(code) => {
            let message = frame(DATA, 0, stream, b"\0\0\0\0\x02hi");
            [ok(), message, headers(END_STREAM, stream, &[("grpc-status", code)])].concat()
        }
        Act::BreakOff => [ok(), data(0), reset(stream, 2)].concat(),
        Act::Silence => Vec::new(),
        Act::Close => return None,
        Act::Reset(code) => reset(stream, code),
        Act::GoAway => go_away(stream.saturating_sub(2), 0),
        act => panic!("{act:?} is none of HTTP/2"),
    })
}

fn head(stream: u32, status: u16, fields: &[(&str, &str)]) -> Vec<u8> {
    let status = status.to_string();
    headers(0, stream, &[&[(":status", status.as_str())], fields].concat())
}
