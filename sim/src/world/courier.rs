//! The courier: the one task of a world that sleeps until something arrives on the wire. Its alarm may be set earlier
//! without waking it. Owns the alarm; not what is delivered ([`super::wire`]).

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use hoplab_proxy::host::Instant;

use super::clock::{Clock, Sleep};
use super::{Shared, lock};

/// When the courier comes: a timer, once there was something to come for.
#[derive(Default)]
pub(super) struct Courier {
    alarm: Option<Sleep>,
    /// Whom to wake instead, while there is nothing to come for.
    idle: Option<Waker>,
}

impl Courier {
    /// Sets the alarm, whether or not the courier is asleep: it need not be woken for that. Whether it comes right `now`.
    pub(super) fn comes_earlier(&mut self, at: Instant, now: Instant) -> bool {
        match (self.idle.take(), &mut self.alarm) {
            (None, Some(alarm)) => {
                alarm.reset(at);
                at <= now
            }
            (idle, _) => {
                idle.into_iter().for_each(Waker::wake);
                true
            }
        }
    }

    /// Completes at `at`, or never when there is nothing to come for.
    fn poll_sleep(&mut self, at: Option<Instant>, clock: &Arc<Clock>, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            self.idle = Some(context.waker().clone());
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| clock.sleep_until(at));
        alarm.reset(at);
        Pin::new(alarm).poll(context)
    }
}

/// Sleeps until something arrives that somebody waits for, and delivers all that is due.
pub(super) async fn deliver(shared: Arc<Shared>) -> Infallible {
    poll_fn(|context| {
        loop {
            shared.deliver_due();
            let next = lock(&shared.wire).arm(shared.clock.now());
            ready!(lock(&shared.courier).poll_sleep(next, &shared.clock, context));
        }
    })
    .await
}
