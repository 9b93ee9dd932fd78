//! The process in a container: whether it runs, and how fast it reads what it is sent. Its kernel knows nothing of
//! either: connections are accepted, bytes received and acknowledged until its buffers are full.
//!
//! Owns who waits for it; not its tasks, which ask before each step, nor its cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::lock;

/// How much a slow reader takes at a time: what it reads in so long, so that the kernel sees it read steadily.
const SIP: Duration = Duration::from_millis(10);

/// What the process of a container may do.
#[derive(Debug, Default)]
pub(super) struct Process {
    is_stopped: AtomicBool,
    is_slow: AtomicBool,
    holds: Mutex<Vec<Held>>,
    /// Whom to wake when a hold is lifted.
    waiting: Mutex<Vec<Waker>>,
}

/// What keeps a process from going on as it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// It is stopped (`SIGSTOP`): none of its tasks goes on.
    Stopped,
    /// It reads each of its connections no faster, in bits a second.
    Reads(u64),
}

#[derive(Debug)]
struct Held {
    hold: Hold,
    is_on: bool,
    hits: u64,
}

/// Names a hold on a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HoldId(usize);

impl Process {
    /// Holds it until that is lifted.
    pub(super) fn hold(&self, hold: Hold) -> HoldId {
        let mut holds = lock(&self.holds);
        holds.push(Held { hold, is_on: true, hits: 0 });
        self.note(&holds);
        HoldId(holds.len() - 1)
    }

    /// Ends a hold.
    pub(super) fn lift(&self, HoldId(index): HoldId) {
        let mut holds = lock(&self.holds);
        holds[index].is_on = false;
        self.note(&holds);
        drop(holds);
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        waiting.into_iter().for_each(Waker::wake);
    }

    fn note(&self, holds: &[Held]) {
        let mut on = holds.iter().filter(|held| held.is_on).map(|held| held.hold);
        self.is_slow.store(on.clone().any(|hold| hold != Hold::Stopped), Ordering::Relaxed);
        self.is_stopped.store(on.any(|hold| hold == Hold::Stopped), Ordering::Relaxed);
    }

    /// How often a hold has kept it from going on.
    pub(super) fn hits(&self, HoldId(index): HoldId) -> u64 {
        lock(&self.holds)[index].hits
    }

    /// Completes when its tasks may go on.
    pub(super) fn poll_running(&self, context: &Context<'_>) -> Poll<()> {
        if !self.is_stopped.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        self.is_held_by(|hold| hold == Hold::Stopped, context);
        Poll::Pending
    }

    /// How fast it reads a connection, unless as fast as it can.
    pub(super) fn reads(&self) -> Option<Sip> {
        if !self.is_slow.load(Ordering::Relaxed) {
            return None;
        }
        let holds = lock(&self.holds);
        let rates = holds.iter().filter(|held| held.is_on).filter_map(|held| match held.hold {
            Hold::Reads(bits_per_second) => Some(bits_per_second),
            Hold::Stopped => None,
        });
        rates.min().map(|bits_per_second| Sip { bits_per_second })
    }

    /// It would read, and does not yet.
    pub(super) fn reads_later(&self, context: &Context<'_>) {
        self.is_held_by(|hold| hold != Hold::Stopped, context);
    }

    /// Such holds have kept it from going on; it is woken when one is lifted.
    fn is_held_by(&self, is_one: impl Fn(Hold) -> bool, context: &Context<'_>) {
        let mut holds = lock(&self.holds);
        let on = holds.iter_mut().filter(|held| held.is_on && is_one(held.hold));
        on.for_each(|held| held.hits += 1);
        let mut waiting = lock(&self.waiting);
        if !waiting.iter().any(|known| known.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
    }
}

/// What a slow reader takes at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sip {
    bits_per_second: u64,
}

impl Sip {
    /// At most so many bytes.
    pub(super) fn most(self) -> usize {
        let bytes = u128::from(self.bits_per_second) * SIP.as_nanos() / 8_000_000_000;
        usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
    }

    /// How long it takes for so many.
    pub(super) fn takes(self, bytes: usize) -> Duration {
        let nanos = 8_000_000_000 * bytes as u128 / u128::from(self.bits_per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
