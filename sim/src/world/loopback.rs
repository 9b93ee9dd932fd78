//! Connections within a pod: bytes are there as soon as they are written, and no kernel is involved.
//! An application and its sidecar talk a lot, and a drain of the kernels for each word would be most
//! of a mesh's cost.
//!
//! As TCP does: bounded buffers, half close, and a reset for whoever leaves bytes unread. Tells when one stands still
//! because whoever reads is held.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::ConnectionId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::clock::Clock;
use super::lock;
use super::process::Process;
use crate::stalls::{Stall, Stalls, Way};

/// What may be written and not yet read.
const CAPACITY: usize = 64 * 1024;

/// The connections within pods.
#[derive(Debug)]
pub(super) struct Loopback {
    clock: Arc<Clock>,
    stalls: Stalls,
    state: Mutex<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    /// How many there have been.
    count: u64,
    /// Pipes that were written to at this instant; whoever reads has yet to do so.
    fresh: Vec<Arc<Mutex<Pipe>>>,
}

/// One end of a connection within a pod.
#[derive(Debug)]
pub(super) struct LocalStream {
    loopback: Arc<Loopback>,
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
}

/// One direction of a connection.
#[derive(Debug)]
struct Pipe {
    name: (ConnectionId, Way),
    /// Who reads.
    process: Arc<Process>,
    bytes: VecDeque<u8>,
    state: State,
    /// Whether something is in it that its process, which is held, does not read.
    is_unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    /// The writer has nothing more to say.
    Finished,
    /// The reader is gone.
    Unread,
    /// Somebody left bytes unread.
    Reset,
}

impl Loopback {
    pub(super) fn new(clock: Arc<Clock>, stalls: Stalls) -> Self {
        Self { clock, stalls, state: Mutex::default() }
    }

    /// A connection from one process to another: their ends.
    pub(super) fn open(
        self: &Arc<Self>,
        opens: &Arc<Process>,
        accepts: &Arc<Process>,
    ) -> (LocalStream, LocalStream) {
        let mut state = lock(&self.state);
        state.count += 1;
        // Those over the wire are counted from below.
        let id = ConnectionId(u64::MAX - state.count);
        let pipe = |way, reads| Arc::new(Mutex::new(Pipe::new((id, way), Arc::clone(reads))));
        let (there, back) = (pipe(Way::Forth, accepts), pipe(Way::Back, opens));
        let end = |incoming: &Arc<Mutex<Pipe>>, outgoing: &Arc<Mutex<Pipe>>| LocalStream {
            loopback: Arc::clone(self),
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
        };
        (end(&back, &there), end(&there, &back))
    }

    /// Whoever reads at once has read.
    pub(super) fn settle(&self, now: Instant) {
        let mut state = lock(&self.state);
        for pipe in state.fresh.drain(..) {
            let mut pipe = lock(&pipe);
            if !pipe.is_unread && !pipe.bytes.is_empty() && pipe.process.is_held() {
                pipe.is_unread = true;
                pipe.process.keeps_waiting();
                let (id, way) = pipe.name;
                self.stalls.begins(id, way, Stall::Unread, now);
            }
        }
    }

    fn written(&self, pipe: &Arc<Mutex<Pipe>>) {
        lock(&self.state).fresh.push(Arc::clone(pipe));
    }

    /// Something was taken out of a pipe.
    fn taken(&self, pipe: &mut Pipe) {
        if pipe.bytes.is_empty() && std::mem::take(&mut pipe.is_unread) {
            let (id, way) = pipe.name;
            self.stalls.ends(id, way, Stall::Unread, self.clock.now());
        }
    }
}

impl LocalStream {
    /// The name of its connection.
    pub(super) fn connection(&self) -> ConnectionId {
        lock(&self.incoming).name.0
    }
}

impl Pipe {
    fn new(name: (ConnectionId, Way), process: Arc<Process>) -> Self {
        Self {
            name,
            process,
            bytes: VecDeque::new(),
            state: State::default(),
            is_unread: false,
            reader: None,
            writer: None,
        }
    }

    /// Changes the state, and who to tell.
    fn end(&mut self, state: State) -> [Option<Waker>; 2] {
        if self.state != State::Reset {
            self.state = state;
        }
        if state == State::Reset {
            self.bytes.clear();
        }
        [self.reader.take(), self.writer.take()]
    }
}

impl AsyncRead for LocalStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.incoming);
        if pipe.bytes.is_empty() {
            return match pipe.state {
                State::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                State::Finished => Poll::Ready(Ok(())),
                State::Open | State::Unread => {
                    pipe.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let (front, _) = pipe.bytes.as_slices();
        let count = front.len().min(buf.remaining());
        buf.put_slice(&front[..count]);
        pipe.bytes.drain(..count);
        self.loopback.taken(&mut pipe);
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LocalStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.outgoing);
        match pipe.state {
            State::Open => {}
            State::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            State::Finished | State::Unread => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
        let count = buf.len().min(CAPACITY - pipe.bytes.len());
        if count == 0 && !buf.is_empty() {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        pipe.bytes.extend(&buf[..count]);
        let reader = pipe.reader.take();
        drop(pipe);
        self.loopback.written(&self.outgoing);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.outgoing);
        if pipe.state == State::Reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let wakers = if pipe.state == State::Open { pipe.end(State::Finished) } else { [None, None] };
        drop(pipe);
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl Drop for LocalStream {
    fn drop(&mut self) {
        let is_unread = !lock(&self.incoming).bytes.is_empty();
        let (incoming, outgoing) =
            if is_unread { (State::Reset, State::Reset) } else { (State::Unread, State::Finished) };
        let ended = |pipe: &Mutex<Pipe>, state| {
            let mut pipe = lock(pipe);
            let woken = pipe.end(state);
            self.loopback.taken(&mut pipe);
            woken
        };
        let (heard, told) = (ended(&self.incoming, incoming), ended(&self.outgoing, outgoing));
        heard.into_iter().chain(told).flatten().for_each(Waker::wake);
    }
}
