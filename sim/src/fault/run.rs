//! What a fault is carried out with: its time, the pods of the run, and where its bites are counted.

use hoplab_proxy::host::{Host, Instant};

use crate::faults::Faults;
use crate::pods::{Place, Pods};
use crate::scenario::plan::target::Between;
use crate::world::{Impairment, ImpairmentKind, SimHost, Trouble};

/// A fault while it is carried out.
pub(crate) struct Run<'a> {
    pub(crate) pods: &'a Pods,
    /// Starts what runs in a service's pod.
    pub(crate) start_pod: &'a dyn Fn(Place),
    /// Where the time is read.
    pub(crate) host: SimHost,
    pub(crate) faults: &'a Faults,
    /// Which of the plan's faults it is.
    pub(crate) index: usize,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

impl Run<'_> {
    /// Waits until the fault's time is over.
    pub(super) async fn until_end(&self) {
        self.host.sleep_until(self.end).await;
    }

    /// The fault has bitten.
    pub(super) fn hit(&self, times: u64) {
        self.faults.hit(self.index, times);
    }

    /// Lets go of a pod that was killed, which starts anew when nobody else holds it.
    pub(super) fn let_go(&self, pod: Place) {
        if self.pods.let_go(pod) {
            (self.start_pod)(pod);
        }
    }

    /// Impairs the network between two sides until the fault's time is over.
    pub(super) async fn impair(&self, between: Between, kind: ImpairmentKind) {
        let (a, b) = self.pods.sides(between);
        let Between { ways, connections, .. } = between;
        let trouble = self.pods.world().impair(Impairment { a, b, ways, connections, kind });
        self.trouble(vec![trouble]).await;
    }

    /// There is such trouble, which the world counts, until the fault's time is over.
    pub(super) async fn trouble(&self, troubles: Vec<Trouble>) {
        self.faults.trouble(self.index, troubles.clone());
        self.until_end().await;
        for trouble in troubles {
            self.pods.world().lift(trouble);
        }
    }
}
