//! The process in a container: whether it runs, and how fast it reads what it is sent. Its kernel knows nothing of
//! either: connections are accepted, bytes received and acknowledged until its buffers are full.
//!
//! Owns who waits for it; not its tasks, which ask before each step, nor its cores.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::lock;

/// How much a slow reader takes at a time: what it reads in so long, so that the kernel sees it read steadily.
const SIP: Duration = Duration::from_millis(10);

/// What the process of a container may do.
#[derive(Debug, Default)]
pub(super) struct Process {
    is_stopped: AtomicBool,
    is_slow: AtomicBool,
    holds: Mutex<Vec<Held>>,
    stopped: Mutex<Stopped>,
    lifted: Arc<Notify>,
}

/// What keeps a process from going on as it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// It is stopped (`SIGSTOP`): none of its tasks goes on. Over with the process.
    Stopped,
    /// It reads each of its connections no faster, in bits a second; so does the one that follows it.
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

/// The tasks that would have gone on, in the order in which they would have, each once.
#[derive(Debug, Default)]
struct Stopped {
    tasks: Vec<Waker>,
    /// What their wakers point to, which is theirs as long as they are kept.
    known: BTreeSet<usize>,
}

impl Process {
    /// Holds it until that is lifted.
    pub(super) fn hold(&self, hold: Hold) -> HoldId {
        let mut holds = lock(&self.holds);
        // To stop it is to hit it; to slow it is once something waits for it.
        holds.push(Held { hold, is_on: true, hits: u64::from(hold == Hold::Stopped) });
        self.note(&holds);
        HoldId(holds.len() - 1)
    }

    /// Ends a hold, if it is not over already.
    pub(super) fn lift(&self, HoldId(index): HoldId) {
        lock(&self.holds)[index].is_on = false;
        self.goes_on();
    }

    /// It has ended: another takes its place, which nobody has stopped.
    pub(super) fn ends(&self) {
        for held in lock(&self.holds).iter_mut().filter(|held| held.hold == Hold::Stopped) {
            held.is_on = false;
        }
        self.goes_on();
    }

    fn goes_on(&self) {
        self.note(&lock(&self.holds));
        self.lifted.notify_waiters();
        if !self.is_stopped() {
            let Stopped { tasks, .. } = std::mem::take(&mut *lock(&self.stopped));
            tasks.into_iter().for_each(Waker::wake);
        }
    }

    fn note(&self, holds: &[Held]) {
        let mut on = holds.iter().filter(|held| held.is_on).map(|held| held.hold);
        self.is_slow.store(on.clone().any(|hold| hold != Hold::Stopped), Ordering::Relaxed);
        self.is_stopped.store(on.any(|hold| hold == Hold::Stopped), Ordering::Relaxed);
    }

    /// How often a hold has kept it from going on: once when it is stopped, and whenever a connection began to wait to be
    /// read.
    pub(super) fn hits(&self, HoldId(index): HoldId) -> u64 {
        lock(&self.holds)[index].hits
    }

    /// Whether none of its tasks goes on.
    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Whether something keeps it from going on as it would.
    pub(super) fn is_held(&self) -> bool {
        self.is_stopped() || self.is_slow.load(Ordering::Relaxed)
    }

    /// Completes when its tasks may go on.
    pub(super) fn poll_running(&self, context: &Context<'_>) -> Poll<()> {
        if !self.is_stopped() {
            return Poll::Ready(());
        }
        let mut stopped = lock(&self.stopped);
        if stopped.known.insert(context.waker().data() as usize) {
            stopped.tasks.push(context.waker().clone());
        }
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

    /// Something that has come is not read at once.
    pub(super) fn keeps_waiting(&self) {
        let mut holds = lock(&self.holds);
        let on = holds.iter_mut().filter(|held| held.is_on && held.hold != Hold::Stopped);
        on.for_each(|held| held.hits += 1);
    }

    /// Completes when a hold is lifted after this.
    pub(super) fn lifted(&self) -> OwnedNotified {
        Arc::clone(&self.lifted).notified_owned()
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
