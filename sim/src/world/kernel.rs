//! What the pods' kernels do: open and accept connections, give out ports, carry bytes between sockets and ends, and
//! collect what the ends want to send.
//!
//! Costs nothing for a connection on which nothing happens: only ends that something was done to are looked at. Owns
//! the ends and the ports; not what becomes of a segment once it has left ([`super::wire`]).

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use hoplab_proxy::host::Instant;
use tokio::io::ReadBuf;

use super::PodId;
use super::backlog::{Backlog, Waiting};
use super::connection::{Connections, End};
use super::flow::FlowId;
use super::link::Links;
use super::lock;
use super::port::{Ephemeral, Ports};
use super::process::Process;
use super::tcp::{Broken, Endpoint, Segment};
use super::timers::Timers;
use super::traffic::Traffic;
use crate::stalls::Stalls;

/// Connections of a listener that may wait for their handshake or to be accepted.
const BACKLOG: usize = 16 * 1024;

/// The kernels of all pods.
pub(super) struct Kernels {
    pub(super) connections: Connections,
    pub(super) ports: Ports,
    pods: Vec<Kernel>,
    /// Pods that may have something to send, each once.
    busy: Vec<PodId>,
    timers: Timers,
    /// What becomes of what is sent.
    pub(super) traffic: Traffic,
    /// Whom to wake once the kernels are let go of.
    pub(super) woken: Vec<Waker>,
}

/// One pod's.
#[derive(Default)]
struct Kernel {
    /// What answers segments to which no connection belongs.
    outbox: Vec<(FlowId, Segment)>,
    /// Ends that may have something to send, each once, with their numbers.
    ready: Vec<(u64, FlowId)>,
    is_busy: bool,
    ephemeral: Ephemeral,
    /// How many ends it has had.
    ends: u64,
}

impl Kernels {
    pub(super) fn new(pods: usize, counted: Range<Instant>, stalls: Stalls) -> Self {
        Self {
            connections: Connections::new(stalls),
            ports: Ports::default(),
            pods: (0..pods).map(|_| Kernel::default()).collect(),
            busy: Vec::new(),
            timers: Timers::default(),
            traffic: Traffic::new(counted),
            woken: Vec::new(),
        }
    }

    /// Connects from a pod, for a process of it; the flow of the socket, which holds it.
    ///
    /// # Errors
    /// If the pod has no port left.
    pub(super) fn connect(
        &mut self,
        pod: PodId,
        process: &Arc<Process>,
        to: End,
        links: &mut Links,
    ) -> io::Result<FlowId> {
        let port = self.free_port(pod).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let endpoint = Endpoint::connecting(self.next_number(pod), links.congestion());
        let flow = self.connections.open([(pod, port), to], endpoint, links);
        self.connections.flow(flow.reverse()).reader = Some(Arc::clone(process));
        self.touch(flow);
        Ok(flow)
    }

    /// Completes when a socket's handshake is done.
    pub(super) fn poll_connected(&mut self, flow: FlowId, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connections.endpoint_mut(flow).poll_connected(context)
    }

    /// Takes bytes of a socket to send.
    pub(super) fn poll_write(
        &mut self,
        now: Instant,
        flow: FlowId,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.connections.endpoint_mut(flow).poll_write(now, context, bytes);
        self.touch(flow);
        polled
    }

    /// Gives a socket what was received.
    pub(super) fn poll_read(
        &mut self,
        now: Instant,
        flow: FlowId,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = self.connections.endpoint_mut(flow).poll_read(now, context, buf);
        if polled.is_ready() {
            self.connections.read(flow.reverse(), now);
            self.touch(flow);
        }
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
        self.connections.endpoint_mut(flow).close();
        self.touch(flow);
        self.connections.released(flow);
    }

    /// A process of a pod listens on an address from now on; the address, with a port if it had none, and who connects
    /// to it.
    ///
    /// # Errors
    /// If it is taken, or there is no port left.
    pub(super) fn listen(
        &mut self,
        pod: PodId,
        process: &Arc<Process>,
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
        Ok((address, self.ports.bind(pod, address, process)))
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
            self.connections.endpoint_mut(flow).reset();
            self.touch(flow);
            self.connections.released(flow);
        }
        within
    }

    /// A segment has come over the wire.
    pub(super) fn deliver(&mut self, now: Instant, from: FlowId, segment: Segment) {
        let to = from.reverse();
        let endpoint = self.connections.endpoint_mut(to);
        if endpoint.is_unopened() {
            return self.accept(now, to, &segment);
        }
        if endpoint.is_forgotten() {
            return self.refuse(to, &segment);
        }
        let (was_accepting, was_broken) = (endpoint.is_accepting(), endpoint.broken());
        endpoint.receive(now, segment, &mut self.woken);
        let broken = endpoint.broken().filter(|_| was_broken.is_none());
        let is_readable = endpoint.has_unread();
        if was_accepting && !endpoint.is_accepting() {
            self.accepted(to);
        }
        if let Some(broken) = broken {
            self.connections.silenced(to, now);
            self.traffic.broke(self.connections.link(to), now, broken);
        }
        if is_readable {
            self.connections.readable(from);
        }
        self.touch(to);
    }

    /// A SYN has come.
    fn accept(&mut self, now: Instant, flow: FlowId, syn: &Segment) {
        let ((pod, port), _) = self.connections.ends(flow);
        let Some(backlog) = self.ports.backlog(pod, pod.at_port(port)).filter(|_| syn.opens()) else {
            return self.refuse(flow, syn);
        };
        let mut listener = lock(&backlog);
        // Otherwise it is dropped and nobody is told, as by Linux; it is sent again.
        if listener.unfinished + listener.waiting.len() < BACKLOG {
            listener.unfinished += 1;
            drop(listener);
            self.connections.begin_handshake(flow, backlog);
            let number = self.next_number(pod);
            self.connections.endpoint_mut(flow).accept(now, number, syn);
            self.touch(flow);
        }
    }

    /// Answers a segment to which no connection belongs.
    fn refuse(&mut self, flow: FlowId, segment: &Segment) {
        if !segment.is_reset() {
            let (pod, _) = self.connections.ends(flow).0;
            self.pods[pod.0].outbox.push((flow, segment.refusal()));
            self.has_to_send(pod);
        }
    }

    /// When the next timer of an end runs out, in microseconds, if that is before `at_us`.
    pub(super) fn next_timer_before(&mut self, at_us: u64) -> Option<u64> {
        self.timers.next_before(at_us, &mut self.connections)
    }

    /// Does what is due at the timer that ran out at `now`.
    pub(super) fn expire(&mut self, now: Instant) {
        let Some(flow) = self.timers.take() else { return };
        let endpoint = self.connections.endpoint_mut(flow);
        let (was_accepting, before) = (endpoint.is_accepting(), endpoint.timeouts());
        endpoint.expire(now, &mut self.woken);
        let ran_out = endpoint.timeouts().since(before);
        if was_accepting && !endpoint.is_accepting() {
            self.accepted(flow);
        }
        self.traffic.ran_out(self.connections.link(flow), now, ran_out);
        self.touch(flow);
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
            self.connections.flow(flow.reverse()).reader = Some(Arc::clone(&backlog.process));
        }
    }

    /// Resets both ends of a connection, if one of them is established; whether it is.
    pub(super) fn tear(&mut self, now: Instant, opener: FlowId) -> bool {
        let ends = [opener, opener.reverse()];
        let is_established = ends.iter().any(|flow| self.connections.endpoint(*flow).is_established());
        if is_established {
            for flow in ends {
                let endpoint = self.connections.endpoint_mut(flow);
                endpoint.abort(&mut self.woken);
                self.timers.arm(flow, endpoint);
                self.connections.silenced(flow, now);
            }
            self.accepted(opener.reverse());
            self.traffic.broke(self.connections.link(opener), now, Broken::Reset);
            self.connections.released(opener);
        }
        is_established
    }

    /// A pod forgets its connections and whatever it had to say.
    pub(super) fn forget(&mut self, now: Instant, pod: PodId) {
        self.pods[pod.0].outbox.clear();
        let sides = |(opener, [a, b]): (FlowId, [End; 2])| {
            [(a, opener), (b, opener.reverse())].into_iter().filter(|((of, _), _)| *of == pod)
        };
        let its = self.connections.all().flat_map(sides).map(|(_, flow)| flow);
        for flow in its.collect::<Vec<_>>() {
            let endpoint = self.connections.endpoint_mut(flow);
            endpoint.forget();
            self.timers.arm(flow, endpoint);
            self.connections.silenced(flow, now);
            self.accepted(flow);
            self.connections.released(flow);
        }
    }

    /// Whether a pod may have something to send.
    pub(super) fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Adds all that the pods send now, pod by pod; returns the ends that acknowledgements matter to.
    pub(super) fn drain(&mut self, now: Instant, segments: &mut Vec<(FlowId, Segment)>) -> Vec<FlowId> {
        let mut unsettled = Vec::new();
        self.busy.sort_unstable();
        for pod in self.busy.drain(..) {
            let kernel = &mut self.pods[pod.0];
            kernel.is_busy = false;
            segments.append(&mut kernel.outbox);
            // The eldest first.
            kernel.ready.sort_unstable();
            for (_, flow) in kernel.ready.drain(..) {
                let endpoint = self.connections.endpoint_mut(flow);
                segments.extend(std::iter::from_fn(|| endpoint.transmit(now)).map(|segment| (flow, segment)));
                self.timers.arm(flow, endpoint);
                if !endpoint.is_settled() {
                    unsettled.push(flow);
                }
                let has_unsent = endpoint.has_unsent();
                self.connections.flow(flow).is_ready = false;
                self.connections.drained(flow, now, has_unsent);
            }
        }
        unsettled
    }

    /// Whoever had something to do at once has done it: notes what was left unread, and forgets what is over.
    pub(super) fn settle(&mut self, now: Instant) {
        self.connections.settle(now);
        let pods = &mut self.pods;
        self.connections.sweep(now, |[(pod, port), _]| pods[pod.0].ephemeral.give_back(port));
    }

    /// Something was done to an end.
    fn touch(&mut self, flow: FlowId) {
        let endpoint = self.connections.endpoint_mut(flow);
        self.timers.arm(flow, endpoint);
        // Who waits for acknowledgements is looked at, too, so that they come.
        if endpoint.can_transmit() || !endpoint.is_settled() {
            let number = endpoint.number();
            if !std::mem::replace(&mut self.connections.flow(flow).is_ready, true) {
                let (pod, _) = self.connections.ends(flow).0;
                self.pods[pod.0].ready.push((number, flow));
                self.has_to_send(pod);
            }
        } else if endpoint.is_gone() {
            self.connections.released(flow);
        }
    }

    fn has_to_send(&mut self, pod: PodId) {
        if !std::mem::replace(&mut self.pods[pod.0].is_busy, true) {
            self.busy.push(pod);
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
