//! What the pods' kernels do: open and accept connections, give out ports, carry bytes between sockets and ends, and
//! collect what the ends want to send.
//!
//! Costs nothing for a connection on which nothing happens: only ends that something was done to are looked at. Owns
//! the ends and the ports; not what becomes of a segment once it has left ([`super::wire`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

use super::PodId;
use super::backlog::{Backlog, Waiting};
use super::connection::{Connections, End};
use super::flow::FlowId;
use super::link::Links;
use super::lock;
use super::port::{Ephemeral, Ports};
use super::tcp::{Endpoint, Segment};

/// Connections of a listener that may wait for their handshake or to be accepted.
const BACKLOG: usize = 16 * 1024;

/// The kernels of all pods.
pub(super) struct Kernels {
    pub(super) connections: Connections,
    pub(super) ports: Ports,
    pods: Vec<Kernel>,
    /// Pods that may have something to send.
    busy: BTreeSet<PodId>,
    /// Whom to wake once the kernels are let go of.
    pub(super) woken: Vec<Waker>,
}

/// One pod's.
#[derive(Default)]
struct Kernel {
    /// Handshakes, acknowledgements and resets, in the order of their causes.
    outbox: Vec<(FlowId, Segment)>,
    /// Ends that may have bytes to send, the eldest first.
    ready: BTreeMap<u64, FlowId>,
    ephemeral: Ephemeral,
    /// How many ends it has had.
    ends: u64,
}

impl Kernels {
    pub(super) fn new(pods: usize) -> Self {
        Self {
            connections: Connections::default(),
            ports: Ports::default(),
            pods: (0..pods).map(|_| Kernel::default()).collect(),
            busy: BTreeSet::new(),
            woken: Vec::new(),
        }
    }

    /// Connects from a pod; the flow of the socket, which holds it.
    ///
    /// # Errors
    /// If the pod has no port left.
    pub(super) fn connect(&mut self, pod: PodId, to: End, links: &mut Links) -> io::Result<FlowId> {
        let port = self.free_port(pod).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let (endpoint, syn) = Endpoint::connecting(self.next_number(pod));
        let flow = self.connections.open([(pod, port), to], endpoint, links);
        self.send(flow, Some(syn));
        Ok(flow)
    }

    /// Completes when a socket's handshake is done.
    pub(super) fn poll_connected(&mut self, flow: FlowId, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connections.endpoint_mut(flow).poll_connected(context)
    }

    /// Takes bytes of a socket to send.
    pub(super) fn poll_write(
        &mut self,
        flow: FlowId,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.connections.endpoint_mut(flow).poll_write(context, bytes);
        self.touch(flow);
        polled
    }

    /// Gives a socket what was received.
    pub(super) fn poll_read(
        &mut self,
        flow: FlowId,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let endpoint = self.connections.endpoint_mut(flow);
        let polled = endpoint.poll_read(context, buf);
        let update = endpoint.update();
        self.send(flow, update);
        polled
    }

    /// A socket has nothing more to send.
    pub(super) fn shutdown(&mut self, flow: FlowId) -> io::Result<()> {
        let done = self.connections.endpoint_mut(flow).shutdown();
        self.touch(flow);
        done
    }

    /// A socket is gone. A connect that has not come to an end is given up: its SYN is not tried again.
    pub(super) fn close(&mut self, flow: FlowId) {
        let endpoint = self.connections.endpoint_mut(flow);
        let gave_up = endpoint.is_connecting();
        let reset = endpoint.close();
        self.send(flow, reset);
        self.touch(flow);
        if gave_up {
            self.connections.give_up(flow);
        } else {
            self.connections.released(flow);
        }
    }

    /// A pod listens on an address from now on; the address, with a port if it had none, and who connects to it.
    ///
    /// # Errors
    /// If it is taken, or there is no port left.
    pub(super) fn listen(
        &mut self,
        pod: PodId,
        mut address: SocketAddr,
    ) -> io::Result<(SocketAddr, Arc<Mutex<Backlog>>)> {
        if address.port() == 0 {
            let port = self.free_port(pod).ok_or(io::ErrorKind::AddrInUse)?;
            // As long as it is listened on, nobody connects from it.
            self.pods[pod.0].ephemeral.give_back(port);
            address.set_port(port);
        } else if self.ports.is_taken(pod, address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Ok((address, self.ports.bind(pod, address)))
    }

    /// A listener is gone: who waits for it over the wire is reset, and who waits within the pod is returned.
    pub(super) fn unlisten(&mut self, pod: PodId, address: SocketAddr) -> Vec<Waiting> {
        let Some(backlog) = self.ports.unbind(pod, address) else { return Vec::new() };
        let (mut within, mut left) = (Vec::new(), Vec::new());
        for waiting in lock(&backlog).waiting.drain(..) {
            match waiting {
                Waiting::Wire(flow) => left.push(flow),
                Waiting::Local(..) => within.push(waiting),
            }
        }
        left.extend(self.connections.handshakes(&backlog));
        for flow in left {
            self.connections.end_handshake(flow);
            let reset = self.connections.endpoint_mut(flow).reset();
            self.send(flow, reset);
            self.connections.released(flow);
        }
        within
    }

    /// A segment has come over the wire.
    pub(super) fn deliver(&mut self, from: FlowId, segment: Segment) {
        let to = from.reverse();
        let endpoint = self.connections.endpoint_mut(to);
        if endpoint.is_unopened() {
            return self.accept(to, &segment);
        }
        if endpoint.is_gone() {
            let refusal = (!segment.is_reset()).then(|| segment.refusal());
            return self.send(to, refusal);
        }
        let was_accepting = endpoint.is_accepting();
        let answer = endpoint.receive(segment, &mut self.woken);
        if was_accepting && !endpoint.is_accepting() {
            self.accepted(to);
        }
        self.send(to, answer);
        self.touch(to);
    }

    /// A SYN has come.
    fn accept(&mut self, flow: FlowId, syn: &Segment) {
        let ((pod, port), _) = self.connections.ends(flow);
        let Some(backlog) = self.ports.backlog(pod, pod.at_port(port)) else {
            return self.send(flow, Some(syn.refusal()));
        };
        let mut listener = lock(&backlog);
        // Otherwise it is dropped and nobody is told, as by Linux; but here nobody sends it again, and the connect
        // hangs until it is given up.
        if listener.unfinished + listener.waiting.len() < BACKLOG {
            listener.unfinished += 1;
            drop(listener);
            self.connections.begin_handshake(flow, backlog);
            let number = self.next_number(pod);
            let answer = self.connections.endpoint_mut(flow).accept(number, syn);
            self.send(flow, Some(answer));
        }
    }

    /// The handshake of an accepting end has come to an end, well or not.
    fn accepted(&mut self, flow: FlowId) {
        let Some(backlog) = self.connections.end_handshake(flow) else { return };
        let mut backlog = lock(&backlog);
        backlog.unfinished -= 1;
        let endpoint = self.connections.endpoint_mut(flow);
        if endpoint.is_established() {
            endpoint.hold();
            self.woken.extend(backlog.push(Waiting::Wire(flow)));
        }
    }

    /// Resets both ends of a connection, if one of them is established; whether it is.
    pub(super) fn tear(&mut self, opener: FlowId) -> bool {
        let ends = [opener, opener.reverse()];
        let is_established = ends.iter().any(|flow| self.connections.endpoint(*flow).is_established());
        if is_established {
            for flow in ends {
                self.connections.endpoint_mut(flow).abort(&mut self.woken);
                self.connections.give_up(flow);
            }
            self.accepted(opener.reverse());
        }
        is_established
    }

    /// Whether a pod may have something to send.
    pub(super) fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Adds all that the pods send now, pod by pod; returns the ends that were left with more to send.
    pub(super) fn drain(&mut self, segments: &mut Vec<(FlowId, Segment)>) -> Vec<FlowId> {
        let mut unsettled = Vec::new();
        while let Some(pod) = self.busy.pop_first() {
            let kernel = &mut self.pods[pod.0];
            let connections = &mut self.connections;
            // Who gave up before the SYN left sends none.
            let is_wanted = |(flow, segment): &(FlowId, Segment)| {
                !segment.opens() || connections.endpoint(*flow).is_connecting()
            };
            segments.extend(kernel.outbox.drain(..).filter(is_wanted));
            while let Some((_, flow)) = kernel.ready.pop_first() {
                let endpoint = connections.endpoint_mut(flow);
                segments.extend(std::iter::from_fn(|| endpoint.transmit()).map(|segment| (flow, segment)));
                if !endpoint.is_settled() {
                    unsettled.push(flow);
                }
            }
        }
        unsettled
    }

    /// Forgets what is over.
    pub(super) fn sweep(&mut self) {
        let pods = &mut self.pods;
        self.connections.sweep(|(pod, port)| pods[pod.0].ephemeral.give_back(port));
    }

    /// Something was done to an end that it may have to send something for.
    fn touch(&mut self, flow: FlowId) {
        let endpoint = self.connections.endpoint(flow);
        // Who waits for acknowledgements is looked at, too, so that they come.
        if endpoint.can_transmit() || !endpoint.is_settled() {
            let (pod, _) = self.connections.ends(flow).0;
            self.pods[pod.0].ready.insert(endpoint.number(), flow);
            self.busy.insert(pod);
        }
    }

    fn send(&mut self, flow: FlowId, segment: Option<Segment>) {
        if let Some(segment) = segment {
            let (pod, _) = self.connections.ends(flow).0;
            self.pods[pod.0].outbox.push((flow, segment));
            self.busy.insert(pod);
        }
    }

    /// A port that nobody listens on or connects from; in use from now on.
    fn free_port(&mut self, pod: PodId) -> Option<u16> {
        let ports = &self.ports;
        self.pods[pod.0].ephemeral.take(|port| ports.is_listened_on(pod, port))
    }

    fn next_number(&mut self, pod: PodId) -> u64 {
        let ends = &mut self.pods[pod.0].ends;
        *ends += 1;
        *ends
    }
}
