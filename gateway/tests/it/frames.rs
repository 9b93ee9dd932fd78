//! HTTP/2 frame by frame: written by hand, so that they may be wrong, and read as they come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::Lab;

/// What a client says first.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags of DATA and HEADERS; `ACK` of SETTINGS and PING.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
/// HEADERS that say on what their stream depends.
pub(crate) const PRIORITIZED: u8 = 0x20;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const CANCEL: u32 = 8;

/// How long to wait for what comes at once unless something is broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// A frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The code of `RST_STREAM` or GOAWAY.
    pub(crate) fn code(&self) -> Option<u32> {
        let code = match self.kind {
            RST_STREAM => self.payload.first_chunk(),
            GOAWAY => self.payload.get(4..).and_then(<[u8]>::first_chunk),
            _ => None,
        };
        code.map(|code| u32::from_be_bytes(*code))
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload = settings.iter().flat_map(|(id, value)| {
        let (id, value) = (id.to_be_bytes(), value.to_be_bytes());
        id.into_iter().chain(value)
    });
    frame(SETTINGS, 0, 0, &payload.collect::<Vec<_>>())
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

pub(crate) fn go_away(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// HEADERS, whole in one frame.
pub(crate) fn headers(flags: u8, stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// Fields as HPACK writes them without any table.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // An integer of seven bits and a rest (RFC 7541, 5.1).
            let mut rest = text.len();
            if rest < 127 {
                block.push(u8::try_from(rest).unwrap());
            } else {
                block.push(127);
                rest -= 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128 + 128).unwrap());
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// One end of a connection.
pub(crate) struct Wire {
    host: Live,
    stream: <Live as Host>::Stream,
}

impl Wire {
    /// Connects to `endpoint` as a client that says what it must.
    pub(crate) async fn client(lab: &Lab, endpoint: &Endpoint) -> Self {
        Self::silent(lab, endpoint, &[PREFACE, &settings(&[])].concat()).await
    }

    /// Connects to `endpoint` as a client that says `greeting`.
    pub(crate) async fn silent(lab: &Lab, endpoint: &Endpoint, greeting: &[u8]) -> Self {
        let stream = lab.host.connect(endpoint).await.unwrap();
        let mut wire = Self { host: lab.host.clone(), stream };
        wire.write(greeting).await;
        wire
    }

    /// Writes, whether or not the peer still reads.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Says that nothing more will come.
    pub(crate) async fn end(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        let mut payload = vec![0; number(&head[..3]) as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind: head[3], flags: head[4], stream: number(&head[5..]), payload })
    }

    /// Reads up to the first frame that `wanted` is true of; `None` when the connection ends without one.
    pub(crate) async fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let until = self.host.now() + PATIENCE;
        let host = self.host.clone();
        let found = async {
            loop {
                let frame = self.read().await?;
                if wanted(&frame) {
                    return Some(frame);
                }
            }
        };
        tokio::select! {
            biased;
            found = found => found,
            () = host.sleep_until(until) => panic!("nothing comes"),
        }
    }
}

/// A server that says `settings` and then, to the frames that a script is asked about, whatever that says.
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    /// What came, and over which connection.
    pub(crate) seen: Arc<Mutex<Vec<(usize, Frame)>>>,
}

impl Server {
    /// `script` hears of each frame and the number of its connection, and says what to write; `None` ends the connection.
    pub(crate) async fn start<S: Into<Said> + 'static>(
        lab: &Lab,
        allowed: &[(u16, u32)],
        script: impl Fn(usize, &Frame) -> S + Send + Sync + 'static,
    ) -> Self {
        let (mut listener, endpoint) = lab.bind().await;
        let seen = Arc::<Mutex<Vec<(usize, Frame)>>>::default();
        let (note, script) = (Arc::clone(&seen), Arc::new(script));
        let (host, spawner, greeting) = (lab.host.clone(), lab.spawner(), settings(allowed));
        lab.spawner().spawn(async move {
            for number in 0.. {
                let Ok(accepted) = listener.accept().await else { return };
                let wire = Wire { host: host.clone(), stream: accepted.stream };
                let (note, script, greeting) = (Arc::clone(&note), Arc::clone(&script), greeting.clone());
                spawner.spawn(converse(wire, number, greeting, note, script));
            }
        });
        Self { endpoint, seen }
    }

    /// The frames of one kind that came.
    pub(crate) fn frames(&self, kind: u8) -> Vec<(usize, Frame)> {
        self.seen.lock().unwrap().iter().filter(|(_, frame)| frame.kind == kind).cloned().collect()
    }
}

/// What a script says to a frame.
pub(crate) enum Said {
    /// The connection goes on behind it.
    More(Vec<u8>),
    /// The connection ends behind it.
    Last(Vec<u8>),
}

impl From<Option<Vec<u8>>> for Said {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or(Self::Last(Vec::new()), Self::More)
    }
}

async fn converse<S: Into<Said>>(
    mut wire: Wire,
    number: usize,
    greeting: Vec<u8>,
    note: Arc<Mutex<Vec<(usize, Frame)>>>,
    script: Arc<impl Fn(usize, &Frame) -> S>,
) {
    wire.write(&greeting).await;
    let mut preface = [0; PREFACE.len()];
    if wire.stream.read_exact(&mut preface).await.is_err() {
        return;
    }
    assert_eq!(preface, PREFACE);
    while let Some(frame) = wire.read().await {
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            wire.write(&self::frame(SETTINGS, ACK, 0, &[])).await;
        }
        note.lock().unwrap().push((number, frame.clone()));
        match script(number, &frame).into() {
            Said::More(bytes) => wire.write(&bytes).await,
            Said::Last(bytes) => return wire.write(&bytes).await,
        }
    }
}
