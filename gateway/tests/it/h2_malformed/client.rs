//! A client of a gateway that says what it is told to, byte for byte, and a good request behind it; and the gateway's
//! backend, which notes every request that it has read to its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use http::header::HOST;
use http::{Response, StatusCode};
use http_body_util::BodyExt;

use crate::frames::{DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PREFACE, Wire, block, frame, settings};
use crate::lab::{Lab, Running};

/// How many cases a connection is used for.
const CASES_OF_CONNECTION: u32 = 25;

/// How many streams a case may use.
const STREAMS_OF_CASE: u32 = 40;

/// `:status: 200` as an entry of the static table.
const OK: u8 = 0x88;

/// The newest entry of the dynamic table.
const NEWEST: u8 = 0xbe;

/// Paths and hosts of the requests that a backend has read to their end.
type Whole = Arc<Mutex<Vec<(String, String)>>>;

pub(super) struct Client {
    gateway: Running,
    wire: Option<Wire>,
    stream: u32,
    whole: Whole,
}

/// A good request.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) path: &'a str,
    /// Whether it has the field that was the last to go into the dynamic table.
    pub(super) is_marked: bool,
}

/// What came on a connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// To the good request, unless the connection ended before.
    pub(super) good: Option<Answer>,
    /// On the streams before.
    pub(super) answers: BTreeMap<u32, Answer>,
}

#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) is_ok: bool,
    content: String,
    has_ended: bool,
}

impl Answer {
    /// Whether it has come, whole and with this content.
    pub(super) fn is_whole(&self, content: &str) -> bool {
        self.is_ok && self.has_ended && self.content == content
    }

    fn take(&mut self, frame: &Frame) {
        match frame.kind {
            HEADERS => self.is_ok = frame.payload[0] == OK,
            DATA => self.content.push_str(&String::from_utf8_lossy(&frame.payload)),
            _ => return,
        }
        self.has_ended |= frame.flags & END_STREAM != 0;
    }
}

impl Client {
    /// A client of a gateway with an upstream of its own, of which `policies` say more.
    pub(super) async fn start(lab: &Lab, policies: &str) -> Self {
        let whole = Whole::default();
        let note = Arc::clone(&whole);
        let backend = lab.backend(move |request| note_whole(Arc::clone(&note), request)).await;
        let text = format!("[upstreams.a]\nendpoints = [\"{backend}\"]\n{policies}");
        Self { gateway: lab.gateway(&text).await, wire: None, stream: 1, whole }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from(self.gateway.address)
    }

    /// The stream for what is said next.
    pub(super) fn next_stream(&mut self) -> u32 {
        if self.wire.is_none() || self.stream > CASES_OF_CONNECTION * STREAMS_OF_CASE {
            (self.wire, self.stream) = (None, 1);
        }
        self.stream
    }

    /// Says `bytes`, and `request` behind them, and reads until that is answered, and what was said on
    /// [`Self::next_stream`] too if it `is_answered`; `None` when that takes too long.
    pub(super) async fn ask(
        &mut self,
        lab: &Lab,
        bytes: &[u8],
        request: Request<'_>,
        is_answered: bool,
    ) -> Option<Seen> {
        let stream = self.next_stream();
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::client(lab, &self.endpoint()).await,
        };
        let good = stream + STREAMS_OF_CASE;
        self.stream = good + 2;
        wire.write(&[bytes, &request.on(good)].concat()).await;
        let mut seen = Seen::default();
        let is_over = |seen: &Seen| {
            let ended = |stream| seen.answers.get(&stream).is_some_and(|answer| answer.has_ended);
            ended(good) && (!is_answered || ended(stream))
        };
        let reading = async {
            while !is_over(&seen) {
                let frame = wire.read().await?;
                seen.answers.entry(frame.stream).or_default().take(&frame);
            }
            Some(())
        };
        if lab.patiently(reading).await?.is_some() {
            self.wire = Some(wire);
            seen.good = seen.answers.remove(&good);
        }
        Some(seen)
    }

    /// Says `bytes` over a connection of their own, and no more; behind what a client says first if that `is_greeting`.
    /// Reads to the end; `None` when that does not come.
    pub(super) async fn say(&mut self, lab: &Lab, bytes: &[u8], is_greeting: bool) -> Option<Seen> {
        let greeting = if is_greeting { [PREFACE, &settings(&[])].concat() } else { Vec::new() };
        let mut wire = Wire::silent(lab, &self.endpoint(), &[&greeting, bytes].concat()).await;
        wire.end().await;
        let mut seen = Seen::default();
        let reading = async {
            while let Some(frame) = wire.read().await {
                seen.answers.entry(frame.stream).or_default().take(&frame);
            }
        };
        lab.patiently(reading).await?;
        Some(seen)
    }

    /// What has reached the backend whole since this was last asked, and is not well formed; of what can be anything,
    /// only what was smuggled.
    pub(super) fn wrongly_whole(&self, is_any: bool) -> Vec<(String, String)> {
        let mut whole = std::mem::take(&mut *self.whole.lock().unwrap());
        whole.retain(|(path, host)| {
            let is_known = ["/good-", "/whole-", "/either-"].iter().any(|sound| path.starts_with(sound));
            if is_any { path.contains("smuggled") } else { !is_known || host != "a" }
        });
        whole
    }
}

impl Request<'_> {
    fn on(self, stream: u32) -> Vec<u8> {
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", self.path), (":authority", "a")];
        let mut block = block(&fields);
        if self.is_marked {
            block.push(NEWEST);
        }
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
    }
}

/// Takes note of requests whose content was complete, and answers with path, mark and content.
async fn note_whole(whole: Whole, request: http::Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let field = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Ok(content) = body.collect().await else {
        let mut broken = Response::new(Body::empty());
        *broken.status_mut() = StatusCode::BAD_REQUEST;
        return broken;
    };
    let path = head.uri.path();
    whole.lock().unwrap().push((path.to_owned(), field(HOST.as_str()).unwrap_or_default().into_owned()));
    let content = content.to_bytes();
    let mark = field("x-mark").unwrap_or_default();
    Response::new(Body::from(Bytes::from(format!("{path}|{mark}|{}", String::from_utf8_lossy(&content)))))
}
