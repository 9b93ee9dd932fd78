//! How it is told that health is ignored. The threshold itself is in [`crate::policy::balance`].

use super::Shared;
use crate::host::Host;
use crate::telemetry::Decision;

impl<H: Host> Shared<H> {
    /// Reports when panic began or ended since the last time; to be called wherever somebody's health changed.
    pub(super) fn report_panic(&self) {
        let mut policies = self.lock();
        let panicking = policies.balance.is_panicking();
        let before = std::mem::replace(&mut policies.panicking, panicking);
        drop(policies);
        match (before, panicking) {
            (false, true) => {
                self.decided(None, Decision::PanicBegan);
                // Those who wait for a healthy endpoint may go on.
                self.changed.notify_waiters();
            }
            (true, false) => self.decided(None, Decision::PanicEnded),
            _ => {}
        }
    }
}
