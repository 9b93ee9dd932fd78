//! The two sides of a gateway whose answers are put to the test: a backend that says what it is told to, byte for
//! byte, and clients that take nothing on trust, over HTTP/1.1 and over HTTP/2.

use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes, BytesMut};
use h2::client::SendRequest;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use http::{HeaderMap, Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::lab::{Lab, PATIENCE, Running};

type Stream = <Live as Host>::Stream;

/// What a backend says to a request, and whether it closes the connection behind it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) closes: bool,
}

/// A backend that answers `/bad` as it is told to, and all else with the path and the number of the connection.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    told: Arc<Told>,
}

/// What a backend is told.
#[derive(Default)]
struct Told {
    reply: Mutex<Reply>,
    /// Whether to say it right now, unasked.
    speak: Notify,
}

impl Backend {
    pub(crate) async fn start(lab: &Lab) -> Self {
        let (mut listener, endpoint) = lab.bind().await;
        let told = Arc::new(Told::default());
        let (spawner, tell) = (lab.spawner(), Arc::clone(&told));
        lab.spawner().spawn(async move {
            let mut number = 0;
            while let Ok(accepted) = listener.accept().await {
                spawner.spawn(converse(accepted.stream, Arc::clone(&tell), number));
                number += 1;
            }
        });
        Self { endpoint, told }
    }

    /// From now on, this is said to `/bad`.
    pub(crate) fn say(&self, reply: Reply) {
        *self.told.reply.lock().unwrap() = reply;
    }

    /// Says so right now on the connection that was opened first.
    pub(crate) fn speak(&self) {
        self.told.speak.notify_one();
    }
}

async fn converse(mut stream: Stream, told: Arc<Told>, number: usize) {
    let mut buffer = BytesMut::new();
    loop {
        while let Some(end) = buffer.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8(buffer.split_to(end + 4).to_vec()).unwrap();
            let path = head.split(' ').nth(1).unwrap();
            let Reply { bytes, closes } = match path {
                "/bad" => told.reply.lock().unwrap().clone(),
                _ => good(&format!("{path} on {number}")),
            };
            if stream.write_all(&bytes).await.is_err() || closes {
                return;
            }
        }
        tokio::select! {
            biased;
            () = told.speak.notified() => {
                let unasked = told.reply.lock().unwrap().bytes.clone();
                stream.write_all(&unasked).await.unwrap();
            }
            read = stream.read_buf(&mut buffer) => if !read.is_ok_and(|read| read > 0) {
                return;
            }
        }
    }
}

fn good(content: &str) -> Reply {
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len());
    Reply { bytes: bytes.into_bytes(), closes: false }
}

/// What a client saw of an answer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// `None` when there was not even a head.
    pub(crate) status: Option<u16>,
    pub(crate) fields: HeaderMap,
    pub(crate) content: String,
    pub(crate) trailers: HeaderMap,
    /// Whether the content came to its end.
    pub(crate) is_whole: bool,
    /// The interim answers before it.
    pub(crate) interim: Vec<(u16, HeaderMap)>,
}

/// Someone who asks a gateway.
pub(crate) enum Client<'a> {
    Http1(&'a Running, Option<(Stream, BytesMut)>),
    Http2(SendRequest<Bytes>),
}

impl<'a> Client<'a> {
    pub(crate) fn http1(gateway: &'a Running) -> Self {
        Self::Http1(gateway, None)
    }

    pub(crate) async fn http2(lab: &Lab, gateway: &Running) -> Self {
        let (sender, connection) = h2::client::handshake(gateway.connect().await).await.unwrap();
        lab.spawner().spawn(async move { drop(connection.await) });
        Self::Http2(sender)
    }

    /// Asks for `path`, over the same connection as before where that is still open.
    pub(crate) async fn ask(&mut self, lab: &Lab, method: &Method, path: &str) -> Seen {
        let mut seen = Seen::default();
        let deadline = lab.host.now() + PATIENCE;
        let asking = async {
            match self {
                Self::Http1(gateway, kept) => {
                    let mut connection = match kept.take() {
                        Some(kept) => kept,
                        None => (gateway.connect().await, BytesMut::new()),
                    };
                    if read_http1(&mut connection, method, path, &mut seen).await.is_some() {
                        *kept = Some(connection);
                    }
                }
                Self::Http2(sender) => drop(read_http2(sender, method, path, &mut seen).await),
            }
        };
        tokio::select! {
            biased;
            () = asking => seen,
            () = lab.host.sleep_until(deadline) => panic!("{method} {path} is not answered"),
        }
    }
}

/// Reads an answer; `None` when the connection cannot be used any more.
async fn read_http1(
    (stream, buffer): &mut (Stream, BytesMut),
    method: &Method,
    path: &str,
    seen: &mut Seen,
) -> Option<()> {
    assert!(buffer.is_empty(), "there were bytes behind the last answer: {buffer:?}");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let status = loop {
        let line = line(stream, buffer).await?;
        let status: u16 = line.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let fields = fields(stream, buffer).await?;
        if status >= 200 {
            seen.fields = fields;
            break status;
        }
        seen.interim.push((status, fields));
    };
    seen.status = Some(status);
    let length = seen.fields.get("content-length").map(|length| length.to_str().unwrap().parse().unwrap());
    let chunked = seen.fields.get("transfer-encoding").is_some();
    assert!(!chunked || length.is_none(), "{seen:?}");
    if *method == Method::HEAD || matches!(status, 204 | 304) {
        assert!(!chunked, "{seen:?}");
        seen.is_whole = true;
    } else if chunked {
        loop {
            let size = usize::from_str_radix(&line(stream, buffer).await?, 16).unwrap();
            if size == 0 {
                break;
            }
            take(stream, buffer, size, &mut seen.content).await?;
            assert_eq!(line(stream, buffer).await?, "");
        }
        seen.trailers = fields(stream, buffer).await?;
        seen.is_whole = true;
    } else {
        take(stream, buffer, length.unwrap(), &mut seen.content).await?;
        seen.is_whole = true;
    }
    let closes = seen.fields.get("connection").is_some_and(|connection| connection == "close");
    (!closes).then_some(())
}

async fn line(stream: &mut Stream, buffer: &mut BytesMut) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|end| end == b"\r\n") {
            let line = buffer.split_to(end);
            buffer.advance(2);
            return Some(String::from_utf8(line.to_vec()).unwrap());
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

async fn fields(stream: &mut Stream, buffer: &mut BytesMut) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    loop {
        let line = line(stream, buffer).await?;
        if line.is_empty() {
            return Some(fields);
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is no field"));
        let name = http::HeaderName::try_from(name).unwrap_or_else(|_| panic!("{line:?} is no field"));
        fields.append(name, value.parse().unwrap());
    }
}

/// Takes `count` bytes, or as many as come.
async fn take(stream: &mut Stream, buffer: &mut BytesMut, count: usize, content: &mut String) -> Option<()> {
    let mut left = count;
    while left > 0 {
        if buffer.is_empty() && stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        let part = buffer.split_to(left.min(buffer.len()));
        content.push_str(std::str::from_utf8(&part).unwrap());
        left -= part.len();
    }
    Some(())
}

async fn read_http2(
    sender: &mut SendRequest<Bytes>,
    method: &Method,
    path: &str,
    seen: &mut Seen,
) -> Result<(), h2::Error> {
    let request = Request::builder().method(method).uri(format!("http://a{path}"));
    let request = request.header("te", "trailers").body(()).unwrap();
    let mut ready = sender.clone().ready().await.expect("the connection outlives every answer");
    let (response, _) = ready.send_request(request, true)?;
    let (head, mut content) = response.await?.into_parts();
    (seen.status, seen.fields) = (Some(head.status.as_u16()), head.headers);
    while let Some(data) = content.data().await {
        let data = data?;
        content.flow_control().release_capacity(data.len())?;
        seen.content.push_str(std::str::from_utf8(&data).unwrap());
    }
    seen.trailers = content.trailers().await?.unwrap_or_default();
    seen.is_whole = true;
    Ok(())
}
