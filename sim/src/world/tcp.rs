//! One end of a TCP connection, as a state machine (RFC 9293, 3.3.2): handshake, segments, windows, half close, reset.
//!
//! The wire carries the segments of a flow in order and loses time instead of bytes ([`super::wire`]). So an end sees
//! each segment once, keeps no copy of what it sent, and has no TIME-WAIT: nothing comes twice. Whatever brings bytes
//! is acknowledged at once. Owns no socket, no wire and no clock; not here: which pod it is in ([`super::kernel`]).

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::ReadBuf;

/// What an end keeps of bytes that the application has not read. A window is 16 bits wide, so at most 64 KiB of a
/// connection are on their way; twice that keeps the window open while it is read.
const RECEIVE_BUFFER: usize = 128 * 1024;
/// What an end keeps of bytes that were not acknowledged, or not sent: a window and one to follow.
const SEND_BUFFER: usize = 128 * 1024;
/// The peer is told of room that reading makes once it is this much more than the peer knows of; half a window
/// avoids the silly window syndrome (RFC 9293, 3.8.6.2.2).
const UPDATE: u16 = u16::MAX / 2;
/// Headers of IPv4 and TCP, without options.
const HEADERS: usize = 40;
/// The most payload of a segment: Ethernet's 1,500 bytes without the headers.
const SEGMENT_MAX: usize = 1_500 - HEADERS;

/// A segment with the parts of its header that decide anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) flags: Flags,
    pub(super) window: u16,
    pub(super) payload: Bytes,
}

/// The flags as a TCP header has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(u8);

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Endpoint {
    state: State,
    /// Which of its pod's ends it is, counted in the order of their making.
    number: u64,
    /// Whether a socket, or a listener's queue, still refers to it.
    held: bool,
    /// The sequence number of what is sent next.
    next: u32,
    /// The first one that the peer has not acknowledged.
    unacknowledged: u32,
    /// The peer's window.
    window: u16,
    unsent: BytesMut,
    fin: Fin,
    /// Whether somebody could not write, and has not since.
    blocked: bool,
    /// What the peer sends next.
    expected: u32,
    received: VecDeque<Bytes>,
    received_bytes: usize,
    /// The window that the peer was told of last.
    advertised: u16,
    peer_finished: bool,
    /// Who waits for bytes or the end.
    reader: Option<Waker>,
    /// Who waits for room to write, or for the handshake.
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The accepting end, before the SYN has come.
    Unopened,
    SynSent,
    SynReceived,
    Established,
    /// Both ends have finished, or this one has left bytes unread or given up, or its listener went.
    Closed,
    /// A SYN was answered with a reset.
    Refused,
    /// The peer, or somebody between, has reset it.
    Reset,
}

/// How far the end of what this end sends is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fin {
    No,
    Wanted,
    Sent,
    Acknowledged,
}

impl Flags {
    pub(super) const FIN: Self = Self(1);
    pub(super) const SYN: Self = Self(2);
    pub(super) const RST: Self = Self(4);
    pub(super) const PSH: Self = Self(8);
    pub(super) const ACK: Self = Self(16);

    /// Both.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `others` are set.
    pub(super) const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// The byte of the header.
    pub(super) const fn bits(self) -> u8 {
        self.0
    }
}

impl Segment {
    /// Its bytes on the wire.
    pub(super) fn size(&self) -> u32 {
        (HEADERS + self.payload.len()) as u32
    }

    /// Whether it opens a connection.
    pub(super) fn opens(&self) -> bool {
        self.flags == Flags::SYN
    }

    pub(super) fn is_reset(&self) -> bool {
        self.flags.has(Flags::RST)
    }

    /// A reset that nothing asked for.
    pub(super) fn torn() -> Self {
        Self { sequence: 0, acknowledgement: 0, flags: Flags::RST, window: 0, payload: Bytes::new() }
    }

    /// What answers a segment to which no connection belongs (RFC 9293, 3.10.7.1).
    pub(super) fn refusal(&self) -> Self {
        if self.flags.has(Flags::ACK) {
            return Self { sequence: self.acknowledgement, ..Self::torn() };
        }
        let counted = u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN));
        let acknowledgement = self.sequence.wrapping_add(self.payload.len() as u32 + counted);
        Self { acknowledgement, flags: Flags::RST.and(Flags::ACK), ..Self::torn() }
    }
}

impl Endpoint {
    /// The end that accepts, before it hears of the connection.
    pub(super) fn unopened() -> Self {
        Self {
            state: State::Unopened,
            number: 0,
            held: false,
            next: 0,
            unacknowledged: 0,
            window: u16::MAX,
            unsent: BytesMut::new(),
            fin: Fin::No,
            blocked: false,
            expected: 0,
            received: VecDeque::new(),
            received_bytes: 0,
            advertised: u16::MAX,
            peer_finished: false,
            reader: None,
            writer: None,
        }
    }

    /// The end that connects, held by a socket, and its SYN.
    pub(super) fn connecting(number: u64) -> (Self, Segment) {
        let mut end = Self { state: State::SynSent, held: true, ..Self::unopened() };
        let syn = end.begin(number, Flags::SYN);
        (end, syn)
    }

    /// Takes a SYN and answers it.
    pub(super) fn accept(&mut self, number: u64, syn: &Segment) -> Segment {
        self.state = State::SynReceived;
        self.window = syn.window;
        self.expected = syn.sequence.wrapping_add(1);
        self.begin(number, Flags::SYN.and(Flags::ACK))
    }

    fn begin(&mut self, number: u64, flags: Flags) -> Segment {
        self.number = number;
        // Initial sequence numbers are a window apart, and come round again after 65,536 connections.
        self.next = (number as u32) << 16;
        let segment = self.segment(flags, Bytes::new());
        self.next = self.next.wrapping_add(1);
        self.unacknowledged = self.next;
        segment
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// A socket or a listener's queue refers to it from now on.
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Whether a SYN of its own has not been answered.
    pub(super) fn is_connecting(&self) -> bool {
        self.state == State::SynSent
    }

    /// Whether its answer to a SYN has not been acknowledged.
    pub(super) fn is_accepting(&self) -> bool {
        self.state == State::SynReceived
    }

    /// Whether it is still to hear of its SYN.
    pub(super) fn is_unopened(&self) -> bool {
        self.state == State::Unopened
    }

    pub(super) fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// Whether the end of what it sends is on its way.
    pub(super) fn has_sent_fin(&self) -> bool {
        matches!(self.fin, Fin::Sent | Fin::Acknowledged)
    }

    /// Whether its kernel has forgotten it.
    pub(super) fn is_gone(&self) -> bool {
        !self.held && matches!(self.state, State::Closed | State::Refused | State::Reset)
    }

    /// Whether everything that was written is on its way, and nobody waits to write more: an acknowledgement then
    /// changes nothing that anyone sees.
    pub(super) fn is_settled(&self) -> bool {
        self.state != State::Established || !(self.wants_to_send() || self.blocked)
    }

    /// Whether [`Endpoint::transmit`] has something.
    pub(super) fn can_transmit(&self) -> bool {
        self.state == State::Established && self.wants_to_send() && self.allowance() > 0
    }

    fn wants_to_send(&self) -> bool {
        !self.unsent.is_empty() || self.fin == Fin::Wanted
    }

    /// The next segment with bytes, or the end, that the peer's window allows.
    pub(super) fn transmit(&mut self) -> Option<Segment> {
        if !self.can_transmit() {
            return None;
        }
        if self.unsent.is_empty() {
            let segment = self.segment(Flags::FIN.and(Flags::ACK), Bytes::new());
            self.fin = Fin::Sent;
            self.next = self.next.wrapping_add(1);
            return Some(segment);
        }
        let length = self.unsent.len().min(SEGMENT_MAX).min(self.allowance());
        let payload = self.unsent.split_to(length).freeze();
        let segment = self.segment(Flags::PSH.and(Flags::ACK), payload);
        self.next = self.next.wrapping_add(length as u32);
        Some(segment)
    }

    /// Takes a segment of the peer's; what answers it at once. Who waited for it is added to `woken`.
    pub(super) fn receive(&mut self, segment: Segment, woken: &mut Vec<Waker>) -> Option<Segment> {
        if segment.is_reset() {
            self.abort(woken);
            return None;
        }
        match self.state {
            State::SynSent if segment.flags.has(Flags::SYN.and(Flags::ACK)) => {
                self.state = State::Established;
                self.expected = segment.sequence.wrapping_add(1);
                self.window = segment.window;
                woken.extend(self.writer.take());
                return Some(self.segment(Flags::ACK, Bytes::new()));
            }
            State::SynReceived if segment.acknowledgement == self.next => self.state = State::Established,
            // Nobody will read it (RFC 1122, 4.2.2.13).
            State::Established if !self.held && !segment.payload.is_empty() => return self.reset(),
            State::Established => {}
            _ => return None,
        }
        self.acknowledged(&segment, woken);
        let brought = self.take(segment, woken);
        if self.fin == Fin::Acknowledged && self.peer_finished {
            self.state = State::Closed;
        }
        brought.then(|| self.segment(Flags::ACK, Bytes::new()))
    }

    fn acknowledged(&mut self, segment: &Segment, woken: &mut Vec<Waker>) {
        let acknowledged = segment.acknowledgement.wrapping_sub(self.unacknowledged) as usize;
        if acknowledged <= self.in_flight() {
            self.unacknowledged = segment.acknowledgement;
        }
        self.window = segment.window;
        if self.fin == Fin::Sent && self.in_flight() == 0 {
            self.fin = Fin::Acknowledged;
        }
        if self.room() > 0 {
            woken.extend(self.writer.take());
        }
    }

    /// Takes the bytes and the end that a segment brings; whether it brought any.
    fn take(&mut self, segment: Segment, woken: &mut Vec<Waker>) -> bool {
        let (length, ends) = (segment.payload.len(), segment.flags.has(Flags::FIN));
        if length == 0 && !ends {
            return false;
        }
        debug_assert!(segment.sequence == self.expected && !self.peer_finished, "a flow is in order");
        debug_assert!(length <= RECEIVE_BUFFER - self.received_bytes, "the window is kept");
        if length > 0 {
            self.received.push_back(segment.payload);
            self.received_bytes += length;
        }
        self.peer_finished = ends;
        self.expected = self.expected.wrapping_add(length as u32 + u32::from(ends));
        woken.extend(self.reader.take());
        true
    }

    /// It is reset: nothing more comes of it.
    pub(super) fn abort(&mut self, woken: &mut Vec<Waker>) {
        self.state = match self.state {
            State::Closed => State::Closed,
            State::SynSent => State::Refused,
            _ => State::Reset,
        };
        self.discard();
        woken.extend(self.reader.take());
        woken.extend(self.writer.take());
    }

    /// Completes when the handshake is done.
    ///
    /// # Errors
    /// If it was refused or reset.
    pub(super) fn poll_connected(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.state {
            State::SynSent => {
                self.writer = Some(context.waker().clone());
                Poll::Pending
            }
            State::Refused => Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into())),
            State::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Takes bytes to send, as many as there is room for.
    ///
    /// # Errors
    /// If it is reset, or was shut down.
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        if self.fin != Fin::No {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(self.room());
        self.blocked = count == 0 && !bytes.is_empty();
        if self.blocked {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.unsent.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    /// Gives what was received; nothing when the peer has finished.
    ///
    /// # Errors
    /// If it is reset.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        if self.received.is_empty() && !self.peer_finished {
            self.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        while let Some(first) = self.received.front_mut()
            && buf.remaining() > 0
        {
            let count = first.len().min(buf.remaining());
            buf.put_slice(&first[..count]);
            first.advance(count);
            self.received_bytes -= count;
            if first.is_empty() {
                self.received.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the peer of the room that was made, if that is worth a segment.
    pub(super) fn update(&mut self) -> Option<Segment> {
        let is_worth_it = self.room_for_peer().saturating_sub(self.advertised) >= UPDATE;
        let is_heard = self.state == State::Established && !self.peer_finished;
        (is_worth_it && is_heard).then(|| self.segment(Flags::ACK, Bytes::new()))
    }

    /// Nothing more will be written.
    ///
    /// # Errors
    /// If it is reset.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        self.check()?;
        self.finish();
        Ok(())
    }

    /// Nobody holds it any more. What was written is still sent; a reset instead when bytes were left unread
    /// (RFC 2525, 2.17).
    pub(super) fn close(&mut self) -> Option<Segment> {
        self.held = false;
        (self.reader, self.writer) = (None, None);
        match self.state {
            State::SynSent => self.state = State::Closed,
            State::Established if self.received_bytes > 0 => return self.reset(),
            State::Established => self.finish(),
            _ => {}
        }
        None
    }

    /// Nobody will accept it: a reset for the peer, unless it is over.
    pub(super) fn reset(&mut self) -> Option<Segment> {
        self.held = false;
        if !matches!(self.state, State::SynReceived | State::Established) {
            return None;
        }
        self.state = State::Closed;
        self.discard();
        let reset = self.segment(Flags::RST.and(Flags::ACK), Bytes::new());
        Some(Segment { window: 0, ..reset })
    }

    /// Nothing that is left will be sent or read.
    fn discard(&mut self) {
        self.unsent.clear();
        self.received.clear();
        self.received_bytes = 0;
    }

    fn finish(&mut self) {
        self.blocked = false;
        if self.fin == Fin::No {
            self.fin = Fin::Wanted;
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.state == State::Reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    fn in_flight(&self) -> usize {
        self.next.wrapping_sub(self.unacknowledged) as usize
    }

    /// What may be written.
    fn room(&self) -> usize {
        SEND_BUFFER.saturating_sub(self.unsent.len() + self.in_flight())
    }

    /// What the peer's window allows to be sent.
    fn allowance(&self) -> usize {
        usize::from(self.window).saturating_sub(self.in_flight())
    }

    fn room_for_peer(&self) -> u16 {
        u16::try_from(RECEIVE_BUFFER - self.received_bytes).unwrap_or(u16::MAX)
    }

    fn segment(&mut self, flags: Flags, payload: Bytes) -> Segment {
        self.advertised = self.room_for_peer();
        Segment {
            sequence: self.next,
            acknowledgement: self.expected,
            flags,
            window: self.advertised,
            payload,
        }
    }
}

#[cfg(test)]
mod tests;
