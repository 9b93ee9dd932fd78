//! A socket of a connection to another pod: what [`super::kernel`] offers, as a stream.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hoplab_proxy::telemetry::ConnectionId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::End;
use super::flow::FlowId;
use super::process::Process;
use super::{PodId, Shared, lock};

/// A connection of a pod to another. Dropped before it is connected, it gives up.
pub(super) struct WireStream {
    shared: Arc<Shared>,
    /// What it writes.
    flow: FlowId,
}

impl WireStream {
    /// Connects from `pod`, for a process of it, to an end in another.
    pub(super) async fn connect(
        shared: &Arc<Shared>,
        pod: PodId,
        process: &Arc<Process>,
        to: End,
    ) -> io::Result<Self> {
        let flow = lock(&shared.wire).connect(pod, process, to)?;
        let stream = Self::new(shared, flow);
        poll_fn(|context| lock(&shared.wire).kernels.poll_connected(flow, context)).await?;
        Ok(stream)
    }

    /// The socket of a connection whose end has been held for it.
    pub(super) fn new(shared: &Arc<Shared>, flow: FlowId) -> Self {
        Self { shared: Arc::clone(shared), flow }
    }

    /// The name of its connection.
    pub(super) fn connection(&self) -> ConnectionId {
        lock(&self.shared.wire).kernels.connections.name(self.flow)
    }

    /// Its own address, and its peer's.
    pub(super) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let (local, peer) = lock(&self.shared.wire).kernels.connections.ends(self.flow);
        (local.0.at_port(local.1), peer.0.at_port(peer.1))
    }
}

impl AsyncRead for WireStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let now = self.shared.clock.now();
        lock(&self.shared.wire).kernels.poll_read(now, self.flow, context, buf)
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // Acknowledgements that nobody waited for make room.
        self.shared.deliver_due();
        let now = self.shared.clock.now();
        lock(&self.shared.wire).kernels.poll_write(now, self.flow, context, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(lock(&self.shared.wire).kernels.shutdown(self.flow))
    }
}

impl Drop for WireStream {
    fn drop(&mut self) {
        lock(&self.shared.wire).kernels.close(self.flow);
    }
}
