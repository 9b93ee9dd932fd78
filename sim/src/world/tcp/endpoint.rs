//! One end of a TCP connection: handshake, half close, reset, and who waits for what (RFC 9293, 3.3.2).
//!
//! Joins the sending half ([`super::sender`]) and the receiving half ([`super::receiver`]). There is no TIME-WAIT of
//! 60 s: an end that has finished is kept as long as its peer may send something again, and no longer.

mod socket;

use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::host::Instant;

use super::alarms::earlier;
use super::receiver::{Receiver, Told, WINDOW_INITIAL};
use super::segment::{Broken, Flags, Segment, Timestamps};
use super::sender::{Piece, Sender, Timeouts};
use crate::scenario::plan::network::CongestionControl;

/// The first pause before a SYN or its answer is sent again; it doubles (RFC 6298, 2.1), as with Linux up to 6.4.
/// Since 6.5 a SYN's first four pauses are as long, unless `tcp_syn_linear_timeouts` is 0.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a SYN is sent again: Linux's `tcp_syn_retries`.
const SYN_RETRIES: u32 = 6;
/// How often its answer is: Linux's `tcp_synack_retries`.
const ANSWER_RETRIES: u32 = 5;

/// One end of a connection.
#[derive(Debug)]
pub(in crate::world) struct Endpoint {
    state: State,
    /// Which of its pod's ends it is, counted in the order of their making.
    number: u64,
    /// Whether a socket, or a listener's queue, still refers to it.
    held: bool,
    handshake: Handshake,
    sender: Sender,
    receiver: Receiver,
    /// A reset has to be sent.
    resets: bool,
    /// Whether somebody could not write, and has not since.
    blocked: bool,
    /// Who waits for bytes or the end.
    reader: Option<Waker>,
    /// Who waits for room to write, or for the handshake.
    writer: Option<Waker>,
    /// Its earliest entry among the timers, in microseconds.
    pub(in crate::world) armed_us: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The accepting end, before the SYN has come.
    Unopened,
    SynSent,
    SynReceived,
    Established,
    /// Both ends have finished.
    Finished,
    /// This end has left bytes unread or given up, or its listener went.
    Closed,
    /// A SYN was answered with a reset.
    Refused,
    /// The peer, or somebody between, has reset it.
    Reset,
    /// The peer was not heard of for too long.
    TimedOut,
}

/// A SYN, or its answer, that has not been answered.
#[derive(Debug)]
struct Handshake {
    sequence: u64,
    is_due: bool,
    /// When it was sent first.
    first_sent: Option<Instant>,
    retries: u32,
    deadline: Option<Instant>,
}

impl Endpoint {
    /// The end that accepts, before it hears of the connection.
    pub(in crate::world) fn unopened(control: CongestionControl) -> Self {
        let handshake =
            Handshake { sequence: 0, is_due: false, first_sent: None, retries: 0, deadline: None };
        Self {
            state: State::Unopened,
            number: 0,
            held: false,
            handshake,
            sender: Sender::new(control),
            receiver: Receiver::new(),
            resets: false,
            blocked: false,
            reader: None,
            writer: None,
            armed_us: None,
        }
    }

    /// The end that connects, held by a socket.
    pub(in crate::world) fn connecting(number: u64, control: CongestionControl) -> Self {
        let mut end = Self { state: State::SynSent, held: true, ..Self::unopened(control) };
        end.begin(number);
        end
    }

    /// Takes a SYN, which it answers.
    pub(in crate::world) fn accept(&mut self, now: Instant, number: u64, syn: &Segment) {
        self.state = State::SynReceived;
        self.receiver.open(now, syn.sequence);
        self.receiver.echo = Some(syn.timestamps.value);
        self.sender.open(initial_sequence(number), syn, None);
        self.begin(number);
    }

    fn begin(&mut self, number: u64) {
        self.number = number;
        self.handshake.sequence = initial_sequence(number);
        self.handshake.is_due = true;
    }

    pub(in crate::world) fn number(&self) -> u64 {
        self.number
    }

    /// The first sequence number that it has not sent.
    pub(in crate::world) fn next(&self) -> u64 {
        self.sender.next()
    }

    /// How often its timers have run out.
    pub(in crate::world) fn timeouts(&self) -> Timeouts {
        self.sender.timeouts
    }

    /// How its connection broke for it, if it did.
    pub(in crate::world) fn broken(&self) -> Option<Broken> {
        match self.state {
            State::Refused => Some(Broken::Refused),
            State::Reset => Some(Broken::Reset),
            _ => None,
        }
    }

    /// A socket or a listener's queue refers to it from now on.
    pub(in crate::world) fn hold(&mut self) {
        self.held = true;
    }

    /// Whether its answer to a SYN has not been acknowledged.
    pub(in crate::world) fn is_accepting(&self) -> bool {
        self.state == State::SynReceived
    }

    /// Whether it is still to hear of its SYN.
    pub(in crate::world) fn is_unopened(&self) -> bool {
        self.state == State::Unopened
    }

    pub(in crate::world) fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// Whether its kernel has forgotten it, but for what it may have to say to a peer that has not heard so.
    pub(in crate::world) fn is_gone(&self) -> bool {
        !self.held
            && matches!(
                self.state,
                State::Finished | State::Closed | State::Refused | State::Reset | State::TimedOut
            )
    }

    /// Whether a segment that comes for it belongs to no connection any more. One that has finished stays for its
    /// peer, whose last segment may come again.
    pub(in crate::world) fn is_forgotten(&self) -> bool {
        self.is_gone() && self.state != State::Finished
    }

    /// Whether a bare acknowledgement that is under way changes nothing that anyone sees.
    pub(in crate::world) fn is_settled(&self) -> bool {
        match self.state {
            State::Established => self.sender.is_quiet() && !self.blocked,
            State::SynSent | State::SynReceived => false,
            _ => true,
        }
    }

    /// Whether [`Endpoint::transmit`] has something.
    pub(in crate::world) fn can_transmit(&self) -> bool {
        if self.resets || self.handshake.is_due {
            return true;
        }
        match self.state {
            State::Established => self.receiver.owes() || self.sender.can_transmit(),
            State::Finished => self.receiver.owes(),
            _ => false,
        }
    }

    /// Whether something is written that was not sent.
    pub(in crate::world) fn has_unsent(&self) -> bool {
        self.sender.has_unsent()
    }

    /// Whether something has come that was not read.
    pub(in crate::world) fn has_unread(&self) -> bool {
        self.receiver.ready() > 0
    }

    /// The next segment that leaves now.
    pub(in crate::world) fn transmit(&mut self, now: Instant) -> Option<Segment> {
        if std::mem::take(&mut self.resets) {
            let reset = self.segment(now, self.sender.next(), Flags::RST.and(Flags::ACK), Bytes::new());
            return Some(Segment { window: 0, ranges: None, ..reset });
        }
        if std::mem::take(&mut self.handshake.is_due) {
            return Some(self.send_handshake(now));
        }
        match self.state {
            State::Established => self.send_piece(now).or_else(|| self.acknowledge(now)),
            State::Finished => self.acknowledge(now),
            _ => None,
        }
    }

    fn send_handshake(&mut self, now: Instant) -> Segment {
        let is_repeated = self.handshake.first_sent.is_some();
        self.handshake.first_sent.get_or_insert(now);
        let pause = HANDSHAKE_TIMEOUT.saturating_mul(1 << self.handshake.retries);
        self.handshake.deadline = Some(now + pause);
        let flags = if self.state == State::SynSent { Flags::SYN } else { Flags::SYN.and(Flags::ACK) };
        let syn = self.segment(now, self.handshake.sequence, flags, Bytes::new());
        Segment { window: WINDOW_INITIAL, is_repeated, ..syn }
    }

    fn send_piece(&mut self, now: Instant) -> Option<Segment> {
        let Piece { sequence, payload, fin, is_repeated } = self.sender.transmit(now)?;
        self.receiver.answered(now);
        let flags = if payload.is_empty() { Flags::ACK } else { Flags::PSH.and(Flags::ACK) };
        let flags = if fin { flags.and(Flags::FIN) } else { flags };
        Some(Segment { is_repeated, ..self.segment(now, sequence, flags, payload) })
    }

    fn acknowledge(&mut self, now: Instant) -> Option<Segment> {
        let told = self.receiver.tell_due()?;
        Some(self.telling(now, self.sender.next(), Flags::ACK, told))
    }

    fn segment(&mut self, now: Instant, sequence: u64, flags: Flags, payload: Bytes) -> Segment {
        let none = Told { acknowledgement: 0, window: 0, ranges: None };
        let told = if flags.has(Flags::ACK) { self.receiver.tell() } else { none };
        Segment { payload, ..self.telling(now, sequence, flags, told) }
    }

    fn telling(&self, now: Instant, sequence: u64, flags: Flags, told: Told) -> Segment {
        let Told { acknowledgement, window, ranges } = told;
        let payload = Bytes::new();
        let timestamps = Timestamps { value: now, echo: self.receiver.echo };
        Segment { sequence, acknowledgement, flags, window, payload, timestamps, ranges, is_repeated: false }
    }

    /// Takes a segment of the peer's. Who waited for it is added to `woken`.
    pub(in crate::world) fn receive(&mut self, now: Instant, segment: Segment, woken: &mut Vec<Waker>) {
        if segment.is_reset() {
            return self.abort(woken);
        }
        let opens = segment.flags.has(Flags::SYN);
        match self.state {
            State::SynSent if segment.flags.has(Flags::SYN.and(Flags::ACK)) => {
                self.opened(now, &segment, woken);
            }
            // The answer got lost.
            State::SynReceived if opens => self.handshake.is_due = true,
            State::SynReceived => {
                self.established(now, &segment);
                self.take(now, segment, woken);
            }
            // The end of the handshake got lost.
            State::Established if opens => self.receiver.owe_at_once(),
            // Nobody will read it (RFC 1122, 4.2.2.13).
            State::Established if !self.held && !segment.payload.is_empty() && self.is_new(&segment) => {
                self.reset();
            }
            State::Established => self.take(now, segment, woken),
            // Acknowledgements got lost.
            State::Finished if segment.length() > 0 => self.receiver.owe_at_once(),
            _ => {}
        }
    }

    fn is_new(&self, segment: &Segment) -> bool {
        segment.sequence + segment.payload.len() as u64 > self.receiver.next()
    }

    fn opened(&mut self, now: Instant, answer: &Segment, woken: &mut Vec<Waker>) {
        let round_trip = self.handshake_took(now);
        self.receiver.open(now, answer.sequence);
        self.receiver.echo = Some(answer.timestamps.value);
        self.sender.open(self.handshake.sequence, answer, round_trip);
        self.receiver.owe_at_once();
        self.state = State::Established;
        woken.extend(self.writer.take());
    }

    fn established(&mut self, now: Instant, segment: &Segment) {
        let round_trip = self.handshake_took(now);
        // The window of a SYN is not scaled, and what follows it may be.
        self.sender.open(self.handshake.sequence, segment, round_trip);
        self.state = State::Established;
    }

    fn handshake_took(&mut self, now: Instant) -> Option<Duration> {
        self.handshake.deadline = None;
        self.handshake.is_due = false;
        let sent = self.handshake.first_sent.filter(|_| self.handshake.retries == 0);
        sent.map(|sent| now.saturating_since(sent))
    }

    fn take(&mut self, now: Instant, segment: Segment, woken: &mut Vec<Waker>) {
        if self.receiver.is_outdated(&segment) && !self.sender.has_heard(&segment, self.receiver.next()) {
            return self.receiver.refuse(now, &segment);
        }
        self.sender.hear(now, &segment);
        self.receiver.stamp(now, &segment);
        if self.blocked && self.sender.is_writable() {
            woken.extend(self.writer.take());
        }
        let is_last = segment.flags.has(Flags::FIN);
        if self.receiver.take(now, segment, is_last, self.sender.timeout()) {
            woken.extend(self.reader.take());
        }
        if self.sender.has_finished() && self.receiver.has_ended() {
            self.state = State::Finished;
        }
    }

    /// When it wants to be called.
    pub(in crate::world) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::SynSent | State::SynReceived => self.handshake.deadline,
            State::Established => earlier(self.sender.deadline(), self.receiver.deadline()),
            _ => None,
        }
    }

    /// Its time has come.
    pub(in crate::world) fn expire(&mut self, now: Instant, woken: &mut Vec<Waker>) {
        self.armed_us = None;
        let gives_up = match self.state {
            State::SynSent | State::SynReceived => self.repeat_handshake(now),
            State::Established => {
                self.receiver.expire(now, self.sender.timeout());
                self.sender.expire(now, !self.held)
            }
            _ => false,
        };
        if gives_up {
            self.state = State::TimedOut;
            self.sender.discard();
            woken.extend(self.reader.take());
            woken.extend(self.writer.take());
        }
    }

    /// Sends the SYN or its answer again; whether it gives up.
    fn repeat_handshake(&mut self, now: Instant) -> bool {
        if self.handshake.deadline.take_if(|deadline| *deadline <= now).is_none() {
            return false;
        }
        self.handshake.retries += 1;
        self.sender.timeouts.retransmission += 1;
        let most = if self.state == State::SynSent { SYN_RETRIES } else { ANSWER_RETRIES };
        self.handshake.is_due = self.handshake.retries <= most;
        !self.handshake.is_due
    }

    /// It is reset: nothing more comes, and what has come may still be read.
    pub(in crate::world) fn abort(&mut self, woken: &mut Vec<Waker>) {
        self.state = match self.state {
            State::SynSent => State::Refused,
            State::Finished | State::Closed | State::TimedOut => return,
            _ => State::Reset,
        };
        self.silence();
        woken.extend(self.reader.take());
        woken.extend(self.writer.take());
    }

    fn silence(&mut self) {
        self.sender.discard();
        (self.handshake.is_due, self.handshake.deadline) = (false, None);
    }

    /// Nobody will accept or read it: a reset for the peer, unless it is over.
    pub(in crate::world) fn reset(&mut self) {
        self.held = false;
        if matches!(self.state, State::SynReceived | State::Established) {
            self.state = State::Closed;
            self.silence();
            self.receiver.discard();
            self.resets = true;
        }
    }

    /// Its kernel knows nothing of it any more, and nobody is told.
    pub(in crate::world) fn forget(&mut self) {
        if self.state != State::Unopened {
            self.state = State::Closed;
            self.silence();
            self.receiver.discard();
            self.resets = false;
        }
    }
}

/// Initial sequence numbers are apart, so that captures of connections can be told apart.
fn initial_sequence(number: u64) -> u64 {
    (number & 0xffff) << 16
}
