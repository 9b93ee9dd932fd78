//! What a fault is carried out with: its time, the pods of the run, and where its bites are counted.

use hoplab_proxy::host::{Host, Instant};

use crate::faults::Faults;
use crate::pods::{Instance, Pods};
use crate::scenario::plan::target::{Between, Target};
use crate::world::{Impairment, ImpairmentKind, PodId, SimHost, Trouble};

/// A fault while it is carried out.
pub(crate) struct Run<'a> {
    pub(crate) pods: &'a Pods,
    /// Starts what runs in a pod.
    pub(crate) start_pod: &'a dyn Fn(Instance),
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

    /// Holds pods down until the fault's time is over: each is killed at once, after `first`, and counts.
    pub(super) async fn hold_down(&self, target: Target, first: impl Fn(PodId)) {
        let pods = self.pods.of(target);
        for pod in &pods {
            self.pods.hold(*pod);
            first(self.pods.id(*pod));
            self.pods.kill(*pod);
            self.hit(1);
        }
        self.until_end().await;
        for pod in pods {
            self.let_go(pod);
        }
    }

    /// Lets go of a pod that was killed, which starts anew when nobody else holds it.
    pub(super) fn let_go(&self, pod: Instance) {
        if self.pods.let_go(pod) {
            (self.start_pod)(pod);
        }
    }

    /// Impairs the network between two sides until the fault's time is over.
    pub(super) async fn impair(&self, between: Between, kind: ImpairmentKind) {
        self.trouble(vec![self.impaired(between, kind)]).await;
    }

    /// Impairs the network between two sides until that is lifted; does not count.
    pub(super) fn impaired(&self, between: Between, kind: ImpairmentKind) -> Trouble {
        let (a, b) = self.pods.sides(between);
        let Between { ways, connections, .. } = between;
        self.pods.world().impair(Impairment { a, b, ways, connections, kind })
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
