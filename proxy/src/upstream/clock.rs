//! How long an attempt may take until the head of its answer: the request's limits, the limit of one try, and the idle
//! timeout. Time in which the caller keeps the attempt waiting for content is not the upstream's: the limits are put
//! off by it, and it has a limit of its own, after which the caller is told so (408) and nobody is blamed.
//!
//! Not here: the time of an answer's content ([`super::streaming`]).

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::deadline::Limits;
use super::idle::Idle;
use super::replay::{Replay, Waits};
use crate::host::{Host, Instant};
use crate::telemetry::Fault;
use crate::timer::before;

/// The time of one attempt.
pub(super) struct Clock<'a, H: Host> {
    pub(super) host: &'a H,
    pub(super) replay: &'a Replay<H>,
    pub(super) limits: Limits,
    /// How long a try may take.
    pub(super) per_try: Option<Duration>,
    /// How long the caller may keep an attempt waiting.
    pub(super) patience: Option<Duration>,
    pub(super) idle: Option<Idle<H>>,
    pub(super) began: Instant,
    /// How long the caller had kept earlier attempts waiting.
    pub(super) waited_before: Duration,
    /// Whether the head is there, and what follows it is looked at.
    pub(super) has_head: AtomicBool,
}

impl<H: Host> Clock<'_, H> {
    /// Waits for `future` until it is late, and says whose fault that is.
    pub(super) async fn in_time<F: Future>(&self, mut future: Pin<&mut F>) -> Result<F::Output, Fault> {
        loop {
            let waits = self.replay.waits();
            // While the caller is waited for, the limits move; they stand again once it has sent.
            let polled = poll_fn(|cx| match (future.as_mut().poll(cx), waits.since) {
                (Poll::Ready(output), _) => Poll::Ready(Some(output)),
                (Poll::Pending, Some(since)) => self.replay.poll_resumed(since, cx).map(|()| None),
                (Poll::Pending, None) => Poll::Pending,
            });
            match before(self.host, self.due(waits), polled).await {
                Some(Some(output)) => return Ok(output),
                Some(None) => {}
                None => self.late()?,
            }
        }
    }

    /// When the attempt is over, were the caller to send now.
    pub(super) fn until(&self) -> Instant {
        let waited = self.replay.waited();
        let has_head = self.has_head.load(Ordering::Relaxed);
        let limit = if has_head { self.limits.deadline(waited) } else { self.limits.head(waited) };
        self.try_ends(waited).min(limit)
    }

    /// By when the upstream is told to have done all, were the caller to send now. A limit of the head alone is not told,
    /// and that of one try only where the whole has one, too (as Envoy tells it): a stream may go on.
    pub(super) fn ends_by(&self) -> Instant {
        let waited = self.replay.waited();
        let whole = self.limits.deadline(waited);
        if self.limits.is_limited() { self.try_ends(waited).min(whole) } else { whole }
    }

    /// When the limit of one try is over for a request that has `waited`.
    fn try_ends(&self, waited: Duration) -> Instant {
        let waited_now = waited.saturating_sub(self.waited_before);
        self.per_try.map_or(Instant::NEVER, |per_try| self.began + per_try + waited_now)
    }

    /// When to look whether it is late.
    fn due(&self, waits: Waits) -> Instant {
        let due = match waits.since {
            Some(since) => self.limits.of_wait(since, self.patience),
            None => self.until(),
        };
        self.idle.as_ref().map_or(due, |idle| due.min(idle.due()))
    }

    /// Says who is late, if anybody is by now.
    fn late(&self) -> Result<(), Fault> {
        let now = self.host.now();
        let idle = self.idle.as_ref().is_some_and(|idle| now >= idle.until());
        match self.replay.waits().since {
            Some(since) if idle || now >= self.limits.of_wait(since, self.patience) => {
                Err(Fault::RequestTimeout)
            }
            None if idle || now >= self.until() => Err(Fault::Timeout),
            _ => Ok(()),
        }
    }
}
