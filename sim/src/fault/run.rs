//! What a fault is carried out with: its time, the pods of the run, and where its bites are counted.

use hoplab_proxy::host::{Host, Instant};

use crate::deployment::Deployment;
use crate::faults::Faults;
use crate::scenario::plan::target::Between;
use crate::world::{Impairment, ImpairmentKind, SimHost};

/// A fault while it is carried out.
pub(crate) struct Run<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) faults: &'a Faults,
    /// Which of the plan's faults it is.
    pub(crate) index: usize,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

impl Run<'_> {
    pub(super) fn host(&self) -> SimHost {
        self.deployment.client_host()
    }

    /// Waits until the fault's time is over.
    pub(super) async fn until_end(&self) {
        self.host().sleep_until(self.end).await;
    }

    /// The fault has bitten.
    pub(super) fn hit(&self, times: u64) {
        self.faults.hit(self.index, times);
    }

    /// Impairs the network between two sides until the fault's time is over.
    pub(super) async fn impair(&self, between: Between, kind: ImpairmentKind) {
        let world = self.deployment.world();
        let (a, b) = self.deployment.sides(between);
        let id = world.impair(Impairment { a, b, kind });
        self.faults.impairs(self.index, id);
        self.until_end().await;
        world.lift(id);
    }
}
