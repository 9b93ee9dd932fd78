//! The model's clock, and timers that follow it. It stands still as long as any task is ready, and then goes on to the
//! next time that somebody waits for; who calls it forward is [`super`]. Timers have a grain of a microsecond and reach 18
//! hours.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use hoplab_proxy::host::Instant;
use tokio::task::coop;

use super::lock;
use super::wheel::{TimerId, Wheel};

/// As far as timers reach, in microseconds: 18 hours, a little less than the wheel.
const FAR_US: u64 = 18 * 3_600 * 1_000_000;

/// The time since the world began.
#[derive(Debug, Default)]
pub(super) struct Clock {
    now_us: AtomicU64,
    wheel: Mutex<Wheel>,
    /// A buffer for those who are woken, to be used again.
    woken: Mutex<Vec<Waker>>,
}

impl Clock {
    /// The model's time.
    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.now_us.load(Ordering::Relaxed) * 1_000)
    }

    /// Completes when the model's time reaches `at`, rounded up to a microsecond.
    pub(super) fn sleep_until(self: &Arc<Self>, at: Instant) -> Sleep {
        Sleep { clock: Arc::clone(self), at_us: ceil(at), timer: None }
    }

    /// Goes on to the next time that somebody waits for, and wakes who does; whether there is one.
    pub(super) fn advance(&self) -> bool {
        let mut woken = lock(&self.woken);
        let mut wheel = lock(&self.wheel);
        let advances = wheel.advance(&mut woken);
        self.now_us.store(wheel.now_us(), Ordering::Relaxed);
        drop(wheel);
        woken.drain(..).for_each(Waker::wake);
        advances
    }
}

fn ceil(at: Instant) -> u64 {
    at.nanos().div_ceil(1_000).min(FAR_US)
}

/// Completes at its time. Set when it is first polled, or by [`Sleep::reset`].
#[derive(Debug)]
pub(super) struct Sleep {
    clock: Arc<Clock>,
    at_us: u64,
    timer: Option<TimerId>,
}

impl Sleep {
    /// Completes at `at` instead, whether or not it has before.
    pub(super) fn reset(&mut self, at: Instant) {
        self.at_us = ceil(at);
        let mut wheel = lock(&self.clock.wheel);
        let woken = if let Some(timer) = self.timer {
            wheel.reset(timer, self.at_us)
        } else {
            self.timer = Some(wheel.set(self.at_us));
            None
        };
        drop(wheel);
        if let Some(waker) = woken {
            waker.wake();
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        // As every leaf of tokio's does: who polls one ready timer after the other lets others go on.
        let budget = ready!(coop::poll_proceed(context));
        let mut wheel = lock(&this.clock.wheel);
        let at_us = this.at_us;
        let timer = *this.timer.get_or_insert_with(|| wheel.set(at_us));
        let polled = wheel.poll(timer, context.waker());
        if polled.is_ready() {
            budget.made_progress();
        }
        polled
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            let waker = lock(&self.clock.wheel).remove(timer);
            // What it points to may hold timers itself.
            drop(waker);
        }
    }
}
