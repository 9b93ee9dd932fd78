//! What an upstream makes of deadlines: when a request must be over, whether it is too late to begin, and what each
//! attempt tells of it. How they are read and written is [`crate::policy::deadline`]'s matter.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::Upstream;
use super::clock::Clock;
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::telemetry::{Decision, Fault};

/// When a request must be over. What it waits for its caller's content is not counted: its upstream gets the time
/// that it was promised (as in Envoy, whose timeout begins when the request is complete).
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The request itself, its answer included, by the upstream's own limit.
    own: Instant,
    /// The same until the head of its answer.
    head: Instant,
    /// The same as others said; that holds, whoever kept it waiting.
    told: Option<Instant>,
}

impl Limits {
    /// When a request that has `waited` for its caller must be over.
    pub(super) fn deadline(&self, waited: Duration) -> Instant {
        let own = self.own + waited;
        self.told.map_or(own, |told| own.min(told))
    }

    /// When the head of its answer must be there.
    pub(super) fn head(&self, waited: Duration) -> Instant {
        self.deadline(waited).min(self.head + waited)
    }

    /// Whether the request itself has a limit here.
    pub(super) fn is_limited(&self) -> bool {
        self.own < Instant::NEVER
    }

    /// Until when it may wait for its caller, which has sent nothing `since` then and may be silent for `patience`.
    pub(super) fn of_wait(&self, since: Instant, patience: Option<Duration>) -> Instant {
        let silent = after(since, patience);
        self.told.map_or(silent, |told| silent.min(told))
    }
}

impl<H: Host> Upstream<H> {
    /// When a request with `headers` must be over: the earliest of what it says itself, what `exchange` knows, and
    /// the upstream's own limit. A request that is too late already is refused.
    pub(super) fn limits(&self, exchange: &mut Exchange, headers: &HeaderMap) -> Result<Limits, Fault> {
        let now = self.host.now();
        if let Some(policy) = &self.deadline {
            let told = policy.read(headers, exchange.arrived(), now, || self.host.wall());
            let told = told.map_err(|_| Fault::Malformed)?;
            exchange.told = [exchange.told, told].into_iter().flatten().min();
        }
        let told = [exchange.told, exchange.deadline].into_iter().flatten().min();
        let own = after(now, self.settings.timeout);
        let limits = Limits { own, head: after(now, self.settings.head_timeout), told };
        self.refuse_late(now, self.begin_by(limits, Duration::ZERO)).map(|()| limits)
    }

    /// From when on no attempt is begun for a request within `limits` that has `waited` for its caller: the upstream would
    /// have no time at all.
    pub(super) fn begin_by(&self, limits: Limits, waited: Duration) -> Instant {
        limits.head(waited).min(self.next_hop(limits.deadline(waited)))
    }

    /// When the next hop must be done so that `deadline` is kept.
    fn next_hop(&self, deadline: Instant) -> Instant {
        match &self.deadline {
            Some(policy) if deadline < Instant::NEVER => policy.of_next_hop(deadline),
            _ => deadline,
        }
    }

    /// Refuses to begin `now` what had to be begun before `begin_by`.
    pub(super) fn refuse_late(&self, now: Instant, begin_by: Instant) -> Result<(), Fault> {
        if now < begin_by {
            return Ok(());
        }
        self.state.decided(None, Decision::DeadlinePassed);
        Err(Fault::DeadlinePassed)
    }

    /// Refuses to send what waited too long for its connection, so that the upstream would have no time for it.
    pub(super) fn refuse_hopeless(&self, endpoint: &Arc<str>, clock: &Clock<'_, H>) -> Result<(), Fault> {
        if self.deadline.is_none() || self.host.now() < clock.until().min(self.next_hop(clock.ends_by())) {
            return Ok(());
        }
        self.state.decided(Some(endpoint), Decision::DeadlinePassed);
        Err(Fault::DeadlinePassed)
    }

    /// Tells the upstream what is left of an attempt whose answer must have ended at `until`.
    pub(super) fn tell_deadline(&self, headers: &mut HeaderMap, exchange: &Exchange, until: Instant) {
        let Some(policy) = &self.deadline else { return };
        let own = Some(until).filter(|until| policy.config().own && *until < Instant::NEVER);
        let deadline = own.or(exchange.told).map(|deadline| self.next_hop(deadline));
        policy.write(headers, deadline, self.host.now_anew(), || self.host.wall());
    }
}

/// When `limit` is over that begins at `from`.
fn after(from: Instant, limit: Option<Duration>) -> Instant {
    limit.map_or(Instant::NEVER, |limit| from + limit)
}
