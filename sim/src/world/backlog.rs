//! A listener's backlog: connections that wait to be accepted, over the wire and from within the pod. Knows nothing of
//! handshakes but how many are under way.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::flow::FlowId;
use super::loopback::LocalStream;
use super::process::Process;

/// Connections that wait to be accepted by one listener.
#[derive(Debug)]
pub(super) struct Backlog {
    /// Whose the listener is.
    pub(super) process: Arc<Process>,
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
    /// Of a listener of `process`.
    pub(super) fn of(process: &Arc<Process>) -> Self {
        Self { process: Arc::clone(process), waiting: VecDeque::new(), unfinished: 0, acceptor: None }
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
