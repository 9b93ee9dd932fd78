//! The requests on each endpoint, for the algorithms that go by them: from the choice of the endpoint to the last byte
//! of the answer, whatever becomes of the attempt.

use std::sync::Arc;

use super::{Policies, Settled, Shared};
use crate::host::Host;
use crate::policy::balance::Outcome;
use crate::upstream::member::Seat;

/// A request on an endpoint, as long as it lives.
pub(in crate::upstream) struct Active<H: Host> {
    shared: Arc<Shared<H>>,
    seat: Seat,
}

impl<H: Host> Drop for Active<H> {
    fn drop(&mut self) {
        let mut policies = self.shared.lock();
        if policies.members.is_current(self.seat) {
            policies.balance.end(self.seat.slot);
        }
    }
}

impl<H: Host> Policies<H> {
    /// A request goes to the member in this seat; `None` where nobody counts.
    pub(super) fn begin(&mut self, shared: &Arc<Shared<H>>, seat: Seat) -> Option<Active<H>> {
        self.balance.counts_active().then(|| {
            self.balance.begin(seat.slot);
            Active { shared: Arc::clone(shared), seat }
        })
    }
}

impl From<Settled> for Outcome {
    /// As balancing sees it: an overload that the endpoint tells of is a failure, too.
    fn from(settled: Settled) -> Self {
        match settled {
            Settled::Answered(status) if status.is_server_error() || status.as_u16() == 429 => Self::Failure,
            Settled::Answered(_) => Self::Success,
            Settled::Failed { fault, .. } if fault.blames_endpoint() => Self::Failure,
            Settled::Failed { .. } | Settled::Abandoned => Self::Abandoned,
        }
    }
}
