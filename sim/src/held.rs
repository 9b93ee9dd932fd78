//! Which pods somebody holds down: a crash until it is over, a restart from the moment it tells a pod to stop until
//! the pod may be back. Several may hold the same pod: it is killed once and comes back when the last lets go.
//! Not here: what starts and ends in a pod (`crate::deployment`).

use std::collections::BTreeMap;

use crate::world::PodId;

/// The pods that are held down.
#[derive(Default)]
pub(crate) struct Held(BTreeMap<PodId, Hold>);

struct Hold {
    holders: u32,
    /// Whether something still runs in the pod.
    is_up: bool,
}

impl Held {
    /// One more holds `pod`.
    pub(crate) fn hold(&mut self, pod: PodId) {
        self.0.entry(pod).or_insert(Hold { holders: 0, is_up: true }).holders += 1;
    }

    /// One who holds `pod` kills it; whether there was something to kill.
    pub(crate) fn kill(&mut self, pod: PodId) -> bool {
        self.0.get_mut(&pod).is_some_and(|hold| std::mem::replace(&mut hold.is_up, false))
    }

    /// Whether something runs in `pod`.
    pub(crate) fn is_up(&self, pod: PodId) -> bool {
        self.0.get(&pod).is_none_or(|hold| hold.is_up)
    }

    /// One who holds `pod` lets go; whether it was the last, so that the pod is to be started.
    pub(crate) fn let_go(&mut self, pod: PodId) -> bool {
        let Some(hold) = self.0.get_mut(&pod) else { return false };
        hold.holders -= 1;
        let is_last = hold.holders == 0;
        if is_last {
            self.0.remove(&pod);
        }
        is_last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_killed_once_and_comes_back_when_the_last_lets_go() {
        let (mut held, pod, other) = (Held::default(), PodId(1), PodId(2));
        for pod in [pod, pod, other] {
            held.hold(pod);
        }
        assert!(held.is_up(pod) && held.kill(pod) && !held.kill(pod) && !held.is_up(pod));
        assert!(!held.let_go(pod));
        assert!(!held.kill(pod), "it has not come back in between");
        assert!(held.let_go(pod) && held.is_up(pod));
        held.hold(pod);
        assert!(held.kill(pod) && held.let_go(pod), "and then all begins anew");
        assert!(!held.let_go(pod) && held.kill(other), "nobody holds the one, and the other is not touched");
    }
}
