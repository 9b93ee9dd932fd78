//! What an upstream makes of deadlines: when a request must be over, whether it is too late to begin, and what each
//! attempt tells of it. How they are read and written is [`crate::policy::deadline`]'s matter.

use http::HeaderMap;

use super::Upstream;
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::telemetry::{Decision, Fault};

/// When a request must be over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The request itself, its answer included.
    pub(super) deadline: Instant,
    /// From when on no attempt is begun: the upstream would have no time at all.
    pub(super) begin_by: Instant,
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
        let limit = now + self.settings.timeout;
        let deadline = [exchange.told, exchange.deadline].into_iter().flatten().fold(limit, Instant::min);
        let limits = Limits { deadline, begin_by: self.of_next_hop(deadline) };
        self.refuse_late(&limits).map(|()| limits)
    }

    /// Refuses to begin what could not be done in time.
    pub(super) fn refuse_late(&self, limits: &Limits) -> Result<(), Fault> {
        if self.host.now() < limits.begin_by {
            return Ok(());
        }
        self.state.decided(None, Decision::DeadlinePassed);
        Err(Fault::DeadlinePassed)
    }

    /// Refuses to send what waited too long for its connection, so that the upstream would have no time for it.
    pub(super) fn refuse_hopeless(&self, endpoint: usize, until: Instant) -> Result<(), Fault> {
        if self.deadline.is_none() || self.host.now() < self.of_next_hop(until) {
            return Ok(());
        }
        self.state.decided(Some(endpoint), Decision::DeadlinePassed);
        Err(Fault::DeadlinePassed)
    }

    /// Tells the upstream what is left of an attempt that is over at `until`.
    pub(super) fn tell_deadline(&self, headers: &mut HeaderMap, exchange: &Exchange, until: Instant) {
        let Some(policy) = &self.deadline else { return };
        let deadline = if policy.config().own { Some(until) } else { exchange.told };
        let deadline = deadline.map(|deadline| policy.of_next_hop(deadline));
        policy.write(headers, deadline, self.host.now(), || self.host.wall());
    }

    fn of_next_hop(&self, deadline: Instant) -> Instant {
        self.deadline.as_ref().map_or(deadline, |policy| policy.of_next_hop(deadline))
    }
}
