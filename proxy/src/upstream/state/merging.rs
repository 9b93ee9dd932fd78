//! When what is known of endpoints' health takes effect on balancing: at once, or gathered over a window, as Envoy's
//! `update_merge_window` has it: a change after a pause of at least the window takes effect at once, and those that follow
//! within it together, a window after the first of them. What was decided about the endpoints is told at once in any case.

use std::time::Duration;

use super::Policies;
use crate::host::Instant;

/// What has yet to take effect.
#[derive(Debug, Clone, Default)]
pub(super) struct Merging {
    window: Option<Duration>,
    /// When something last took effect.
    last: Option<Instant>,
    /// When what was gathered does.
    due: Option<Instant>,
    gathered: Vec<usize>,
}

impl Merging {
    /// Nothing yet; gathers over `window`, if there is one.
    pub(super) fn new(window: Option<Duration>) -> Self {
        Self { window, ..Self::default() }
    }

    /// Whether the change of `endpoint` takes effect now; else it is gathered.
    fn takes_effect(&mut self, now: Instant, endpoint: usize) -> bool {
        let Some(window) = self.window else { return true };
        if self.due.is_none() && self.last.is_none_or(|last| now >= last + window) {
            self.last = Some(now);
            return true;
        }
        self.due.get_or_insert(now + window);
        self.gathered.push(endpoint);
        false
    }

    /// What was gathered and takes effect by `now`.
    fn take_due(&mut self, now: Instant) -> Vec<usize> {
        match self.due {
            Some(due) if due <= now => {
                (self.last, self.due) = (Some(due), None);
                std::mem::take(&mut self.gathered)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// When something takes effect next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Policies {
    /// Tells the balancer how `endpoint` stands, at once or later.
    pub(super) fn stands(&mut self, now: Instant, endpoint: usize) {
        self.merge(now);
        let healthy = self.standing.is_healthy(endpoint);
        if self.balance.is_healthy(endpoint) != healthy && self.merging.takes_effect(now, endpoint) {
            self.balance.observe_health(now, endpoint, healthy);
        }
    }

    /// Lets take effect what was gathered for long enough; whether there was anything.
    pub(super) fn merge(&mut self, now: Instant) -> bool {
        let due = self.merging.take_due(now);
        for endpoint in &due {
            self.balance.observe_health(now, *endpoint, self.standing.is_healthy(*endpoint));
        }
        !due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_takes_effect_at_once_and_those_after_it_together() {
        let at = |millis: u64| Instant::START + Duration::from_millis(millis);
        let mut merging = Merging::new(Some(Duration::from_secs(1)));
        assert!(merging.takes_effect(at(100), 0));
        assert!(!merging.takes_effect(at(200), 1) && !merging.takes_effect(at(900), 2));
        assert_eq!((merging.due(), merging.take_due(at(1_199))), (Some(at(1_200)), Vec::new()));
        assert_eq!((merging.take_due(at(5_000)), merging.due()), (vec![1, 2], None));
        assert!(!merging.takes_effect(at(2_199), 0), "the window began when the last ones took effect");
        assert_eq!(merging.take_due(at(3_199)), [0]);
        assert!(merging.takes_effect(at(9_000), 0));
        assert!((0..9).all(|endpoint| Merging::new(None).takes_effect(at(0), endpoint)));
    }
}
