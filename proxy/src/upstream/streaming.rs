//! The last stage of an attempt: its answer's content is under way. What did not come whole with the head is owned by a
//! task from here to the last byte, whether or not the caller reads: it holds the connection, the deadline, the idle
//! timer and the verdict, and hands frames over as the caller takes them, or up to a limit as they come. `select` says what happened, `apply` what
//! follows.
//!
//! Not here: everything until the head, which runs in the request's own future: a server polls that in any case.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame};

use super::content::Content;
use super::deadline::Limits;
use super::idle::Idle;
use super::pool::Lease;
use super::replay::{Replay, Waits};
use super::settings;
use super::state::{InFlight, Verdict};
use crate::body::Body;
use crate::grpc;
use crate::handover::{Giver, handover};
use crate::host::{Host, Instant};
use crate::tasks::Spawner;
use crate::telemetry::Fault;

/// An attempt whose answer's content is under way.
pub(super) struct Streaming<H: Host> {
    pub(super) host: H,
    pub(super) spawner: Spawner<H>,
    /// The status of the head.
    pub(super) status: StatusCode,
    pub(super) content: Content<Body>,
    /// The connection, as long as it is needed.
    pub(super) lease: Option<Lease<H>>,
    pub(super) verdict: Verdict<H>,
    pub(super) in_flight: InFlight<H>,
    pub(super) replay: Replay<H>,
    pub(super) clock: Clock<H>,
    /// Until when the end is waited for, once the caller has gone on with all bytes.
    pub(super) ends_by: Option<Instant>,
    /// How many bytes are taken from the upstream beyond what the caller has read.
    pub(super) buffer: u64,
}

/// How long the content may take.
pub(super) struct Clock<H> {
    pub(super) limits: Limits,
    /// How long nothing may come either way while the caller has not sent all of its content.
    pub(super) patience: Option<Duration>,
    pub(super) idle: Option<Idle<H>>,
}

/// What happens to content.
enum Event {
    /// A frame came, or the end.
    Came(Option<Result<Frame<Bytes>, Fault>>),
    /// The caller went away.
    Abandoned,
    /// Time is up.
    Late,
    /// The caller, which was waited for, has sent something.
    Resumed,
    /// The caller has gone on, with all bytes.
    Left,
}

/// How content ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It came whole.
    Whole,
    /// It broke off, and the upstream is to blame as far as the fault says so.
    Broken(Fault),
    /// The caller did not read, or did not send what the upstream waits for.
    Stalled,
    /// The caller went away.
    Abandoned,
}

impl<H: Host> Streaming<H> {
    /// The content as the caller reads it.
    pub(super) fn body(mut self) -> Body {
        if let Some(bytes) = self.content.whole() {
            self.apply(End::Whole);
            return Body::from(bytes);
        }
        let (giver, taker) = handover(self.content.size_hint(), self.buffer);
        let mut context = Context::from_waker(Waker::noop());
        // What is there leaves together with the head.
        while self.is_full() || giver.poll_wanted(&mut context).is_ready() {
            let Poll::Ready(came) = Pin::new(&mut self.content).poll_frame(&mut context) else { break };
            if let Some(over) = self.came(&giver, came) {
                self.end(&giver, over);
                return Body::handed(taker);
            }
        }
        let spawner = self.spawner.clone();
        spawner.spawn(self.run(giver));
        Body::handed(taker)
    }

    async fn run(mut self, giver: Giver) {
        let mut passed = self.host.now();
        let mut waits = self.replay.waits();
        let mut sleep = Box::pin(self.host.sleep_until(self.until(waits, passed)));
        let over = loop {
            match self.select(&giver, waits, sleep.as_mut()).await {
                Event::Came(came) => {
                    passed = self.host.now();
                    if let Some(over) = self.came(&giver, came) {
                        break over;
                    }
                }
                Event::Abandoned => break (End::Abandoned, None),
                Event::Late if self.ends_by.is_some_and(|ends_by| self.host.now() >= ends_by) => {
                    break (End::Whole, None);
                }
                Event::Late if self.host.now() >= self.until(self.replay.waits(), passed) => {
                    let fault = self.is_upstream_late(&giver).then_some(Fault::Timeout);
                    break (fault.map_or(End::Stalled, End::Broken), None);
                }
                Event::Late | Event::Resumed | Event::Left => {
                    waits = self.replay.waits();
                    sleep = Box::pin(self.host.sleep_until(self.until(waits, passed)));
                }
            }
        };
        self.end(&giver, over);
    }

    /// Hands over what came; how the content ended, once it has, and the last frame.
    fn came(
        &mut self,
        giver: &Giver,
        came: Option<Result<Frame<Bytes>, Fault>>,
    ) -> Option<(End, Option<Frame<Bytes>>)> {
        match came {
            Some(Ok(frame)) => {
                self.clock.idle.iter().for_each(Idle::passes);
                self.read_status(&frame);
                if self.content.is_end_stream() {
                    return Some((End::Whole, Some(frame)));
                }
                giver.give(frame, false);
                None
            }
            // What the caller broke is the caller's.
            Some(Err(fault)) => Some((End::Broken(self.replay.broken().unwrap_or(fault)), None)),
            None => Some((End::Whole, None)),
        }
    }

    /// Ends the attempt, and tells the caller of it.
    fn end(self, giver: &Giver, (end, last): (End, Option<Frame<Bytes>>)) {
        let told = match end {
            End::Whole => Ok(()),
            End::Broken(fault) => Err(fault),
            End::Stalled | End::Abandoned => Err(Fault::Cancelled),
        };
        // Policies know, and the connection is back, before the caller can ask for more.
        self.apply(end);
        match last {
            Some(frame) => giver.give(frame, true),
            None => giver.end(told),
        }
    }

    /// Waits for what happens first.
    async fn select(
        &mut self,
        giver: &Giver,
        waits: Waits,
        mut sleep: Pin<&mut impl Future<Output = ()>>,
    ) -> Event {
        poll_fn(|cx| {
            let is_full = self.is_full();
            if self.ends_by.is_none() && giver.poll_abandoned(cx).is_ready() {
                if !is_full {
                    return Poll::Ready(Event::Abandoned);
                }
                self.ends_by = Some(self.host.now() + settings::END_PATIENCE);
                return Poll::Ready(Event::Left);
            }
            if !is_full && giver.poll_wanted(cx).is_pending() {
                self.content.gather(cx);
            } else if let Poll::Ready(came) = Pin::new(&mut self.content).poll_frame(cx) {
                return Poll::Ready(Event::Came(came));
            }
            if let Some(since) = waits.since
                && self.replay.poll_resumed(since, cx).is_ready()
            {
                return Poll::Ready(Event::Resumed);
            }
            sleep.as_mut().poll(cx).map(|()| Event::Late)
        })
        .await
    }

    /// Does what follows from the end of the content.
    fn apply(self, end: End) {
        let waits = self.replay.waits();
        // What passed last counts where the caller is waited for; else nobody has to look at the clock.
        let deadline = self.until(waits, waits.since.map_or(Instant::START, |_| self.host.now()));
        let Self { status, lease, mut verdict, in_flight, replay, .. } = self;
        // An upload that nobody wants any more ends with its connection, or its stream.
        let is_sent = replay.stop();
        match end {
            End::Whole => verdict.ended(status),
            End::Broken(fault) => verdict.failed(fault, true),
            End::Stalled | End::Abandoned => {}
        }
        drop(verdict);
        if let Some(lease) = lease.filter(|_| matches!(end, End::Whole) && is_sent) {
            lease.give_back(deadline);
        }
        drop(in_flight);
    }

    /// Trailers say how a call of gRPC ended.
    fn read_status(&mut self, frame: &Frame<Bytes>) {
        let said = frame.trailers_ref().and_then(|trailers| trailers.get(grpc::STATUS));
        self.status = grpc::amounts_to(self.status, said);
    }

    /// When it is over as things stand, of which the last frame has `passed` then.
    fn until(&self, waits: Waits, passed: Instant) -> Instant {
        let Clock { limits, patience, idle } = &self.clock;
        let until = match waits.since {
            Some(since) => limits.of_wait(since.max(passed), *patience),
            None => limits.deadline(waits.over),
        };
        let until = idle.as_ref().map_or(until, |idle| until.min(idle.until()));
        self.ends_by.map_or(until, |ends_by| until.min(ends_by))
    }

    /// Whether all bytes have come, so that only the end is to come, or trailers: over HTTP/2 that may take a frame of
    /// its own, for which a caller that counts bytes (HTTP/1.1) neither asks nor waits.
    fn is_full(&self) -> bool {
        self.content.size_hint().exact() == Some(0)
    }

    /// Whether it is the upstream that is waited for: the caller reads, and has sent what it has to.
    fn is_upstream_late(&self, giver: &Giver) -> bool {
        (self.is_full() || giver.is_waited_for()) && self.replay.waits().since.is_none()
    }
}
