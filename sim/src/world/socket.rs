//! Sockets that know their pod. turmoil-net finds "the current host" in a thread-local, so a socket
//! sets it on every poll and before it is dropped; tasks may then run anywhere.
//!
//! They also tell the wire what they wrote, so that it knows what has yet to depart.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil_net::shim::tokio::net::TcpStream;

use super::connection::FlowId;
use super::wire::ConnectId;
use super::{Pod, RECEIVE_BUFFER, Shared, lock};

/// A kernel tells the peer of the room in its buffer only when at least this much is taken at once.
/// Small reads could stall for ever, so as much as this is always taken at once.
const UPDATE: usize = RECEIVE_BUFFER / 2;

thread_local! {
    /// Between a kernel and a reader.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; RECEIVE_BUFFER]);
}

/// A connection of a pod to another.
pub(super) struct WireStream {
    socket: Socket<TcpStream>,
    /// What it writes.
    flow: Option<FlowId>,
    /// What was taken from the kernel and has not been read, from `taken` on.
    buffer: Vec<u8>,
    taken: usize,
}

/// A socket that is used and dropped as its pod's.
pub(super) struct Socket<T> {
    /// `None` once dropped.
    inner: Option<T>,
    pub(super) shared: Arc<Shared>,
    pub(super) pod: Arc<Pod>,
}

impl<T> Socket<T> {
    pub(super) fn new(shared: &Arc<Shared>, pod: &Arc<Pod>, inner: T) -> Self {
        Self { inner: Some(inner), shared: Arc::clone(shared), pod: Arc::clone(pod) }
    }

    pub(super) fn get(&mut self) -> &mut T {
        turmoil_net::set_current(self.pod.kernel);
        self.inner.as_mut().expect("the socket is there until it is dropped")
    }

    fn touch(&self) {
        lock(&self.shared.wire).touch();
    }
}

impl Socket<TcpStream> {
    fn receive(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(bytes);
        ready!(Pin::new(self.get()).poll_read(context, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// How much the kernel has, as far as it fits into `bytes`.
    fn available(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> usize {
        match self.get().poll_peek(context, &mut ReadBuf::new(bytes)) {
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        }
    }
}

impl<T> Drop for Socket<T> {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        if !self.shared.alive.load(Ordering::Relaxed) {
            // The kernel that would close it is gone.
            return std::mem::forget(inner);
        }
        turmoil_net::set_current(self.pod.kernel);
        drop(inner);
        self.touch();
    }
}

impl WireStream {
    /// Connects from `pod` to `address`, which is in another.
    pub(super) async fn connect(
        shared: &Arc<Shared>,
        pod: &Arc<Pod>,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let future: Connecting = Box::pin(TcpStream::connect(address));
        let socket = Socket::new(shared, pod, future);
        let stream = Connect { socket, id: None, polled: false }.await?;
        Ok(Self::new(Socket::new(shared, pod, stream)))
    }

    /// A stream that its kernel has connected.
    pub(super) fn new(mut socket: Socket<TcpStream>) -> Self {
        let inner = socket.get();
        let flow = match (inner.local_addr(), inner.peer_addr()) {
            (Ok(local), Ok(peer)) => lock(&socket.shared.wire).hold(local, peer),
            _ => None,
        };
        Self { socket, flow, buffer: Vec::new(), taken: 0 }
    }

    /// Hands over what was taken from the kernel before.
    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = &self.buffer[self.taken..];
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        self.taken += count;
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
    }
}

impl AsyncRead for WireStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.buffer.is_empty() || buf.remaining() == 0 {
            this.hand_over(buf);
            return Poll::Ready(Ok(()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let room = buf.remaining().min(RECEIVE_BUFFER);
            let count = ready!(this.socket.receive(context, &mut scratch[..room]))?;
            buf.put_slice(&scratch[..count]);
            if count >= UPDATE {
                this.socket.touch();
            } else if count == room && this.socket.available(context, &mut scratch[..UPDATE]) == UPDATE {
                if let Poll::Ready(Ok(count)) = this.socket.receive(context, scratch) {
                    this.buffer.extend_from_slice(&scratch[..count]);
                }
                this.socket.touch();
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // Acknowledgements that nobody waited for make room.
        this.socket.shared.deliver_due();
        let polled = Pin::new(this.socket.get()).poll_write(context, buf);
        let mut wire = lock(&this.socket.shared.wire);
        match (&polled, this.flow) {
            (Poll::Ready(Ok(count)), Some(flow)) => wire.wrote(flow, *count),
            (Poll::Ready(Ok(_)), None) => wire.touch(),
            (Poll::Pending, Some(flow)) => wire.block(flow),
            (Poll::Ready(Err(_)) | Poll::Pending, _) => {}
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.socket.get()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let polled = Pin::new(this.socket.get()).poll_shutdown(context);
        let mut wire = lock(&this.socket.shared.wire);
        match this.flow {
            Some(flow) => wire.finish(flow),
            None => wire.touch(),
        }
        polled
    }
}

impl Drop for WireStream {
    fn drop(&mut self) {
        if let Some(flow) = self.flow {
            lock(&self.socket.shared.wire).release(flow);
        }
    }
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A connect that the wire knows of.
struct Connect {
    socket: Socket<Connecting>,
    /// Set while the outcome is open and a SYN is on the wire.
    id: Option<ConnectId>,
    polled: bool,
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let polled = this.socket.get().as_mut().poll(context);
        let mut wire = lock(&this.socket.shared.wire);
        let is_first = !std::mem::replace(&mut this.polled, true);
        if is_first {
            wire.touch();
            if polled.is_pending() {
                this.id = Some(wire.connecting(this.socket.pod.id));
            }
        } else if let Some(id) = this.id.take_if(|_| polled.is_ready()) {
            wire.connected(id, false);
        }
        polled
    }
}

impl Drop for Connect {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            lock(&self.socket.shared.wire).connected(id, true);
        }
    }
}
