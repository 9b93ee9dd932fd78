//! A listener's backlog: connections that wait to be accepted, over the wire and from within the pod. Knows nothing of
//! handshakes but how many are under way.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use super::flow::FlowId;
use super::lock;
use super::loopback::LocalStream;

/// Connections that wait to be accepted by one listener.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) waiting: VecDeque<Waiting>,
    /// Handshakes that are under way.
    pub(super) unfinished: usize,
    acceptor: Option<Waker>,
}

/// A connection that waits to be accepted.
#[derive(Debug)]
pub(super) enum Waiting {
    /// From within the pod: from where, and to where.
    Local(LocalStream, SocketAddr, SocketAddr),
    /// Over the wire.
    Wire(FlowId),
}

impl Backlog {
    /// Connects from `peer` to `address` of the same pod; the opener's end.
    pub(super) fn connect(backlog: &Mutex<Self>, peer: SocketAddr, address: SocketAddr) -> LocalStream {
        let (opener, acceptor) = LocalStream::pair();
        let woken = lock(backlog).push(Waiting::Local(acceptor, peer, address));
        woken.into_iter().for_each(Waker::wake);
        opener
    }

    /// A connection waits from now on; whom to tell.
    pub(super) fn push(&mut self, connection: Waiting) -> Option<Waker> {
        self.waiting.push_back(connection);
        self.acceptor.take()
    }

    /// The next connection.
    pub(super) fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Waiting> {
        if let Some(connection) = self.waiting.pop_front() {
            return Poll::Ready(connection);
        }
        self.acceptor = Some(context.waker().clone());
        Poll::Pending
    }
}
