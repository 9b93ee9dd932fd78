//! When what is known of endpoints' health takes effect on balancing: at once, or gathered over a window, as Envoy's
//! `update_merge_window` has it, for each priority by itself. A change that comes more than a window after the last ones
//! took effect does so at once, and what was gathered with it; others take effect together, a window after the first of
//! them. What was decided about the endpoints is told at once in any case. When members join, leave or change, all that was
//! gathered takes effect at once.
//! (Envoy 1.40, `ClusterManagerImpl::scheduleUpdate`.)

use std::time::Duration;

use super::Policies;
use crate::host::{Host, Instant};
use crate::policy::balance::Rank;

/// What has yet to take effect.
#[derive(Debug, Clone)]
pub(super) struct Merging {
    window: Option<Duration>,
    /// The level of each endpoint, as its place among the levels; by slot.
    level_of: Vec<usize>,
    /// The ranks that there are or were.
    ranks: Vec<Rank>,
    levels: Vec<Level>,
}

/// The endpoints of one rank.
#[derive(Debug, Clone, Default)]
struct Level {
    /// When something last took effect.
    last: Option<Instant>,
    /// When what was gathered does.
    due: Option<Instant>,
    gathered: Vec<usize>,
}

impl Merging {
    /// Nothing yet of endpoints of these ranks, by slot; gathers over `window`, if there is one.
    pub(super) fn new(window: Option<Duration>, members: impl Iterator<Item = (usize, Rank)>) -> Self {
        let mut merging = Self { window, level_of: Vec::new(), ranks: Vec::new(), levels: Vec::new() };
        merging.set_ranks(Instant::START, members);
        merging
    }

    /// The endpoints become these; nothing is gathered any more.
    pub(super) fn set_ranks(&mut self, now: Instant, members: impl Iterator<Item = (usize, Rank)>) {
        for level in self.levels.iter_mut().filter(|level| !level.gathered.is_empty()) {
            level.take(now);
        }
        for (slot, rank) in members {
            let level = self.ranks.iter().position(|known| *known == rank).unwrap_or_else(|| {
                self.ranks.push(rank);
                self.levels.push(Level::default());
                self.ranks.len() - 1
            });
            self.level_of.resize(self.level_of.len().max(slot + 1), 0);
            self.level_of[slot] = level;
        }
    }

    /// Whose changes take effect now that `endpoint` has changed; it may be among those that are gathered.
    fn take_effect(&mut self, now: Instant, endpoint: usize) -> Vec<usize> {
        let Some(window) = self.window else { return vec![endpoint] };
        let level = &mut self.levels[self.level_of[endpoint]];
        // Said again, it is no change.
        if level.gathered.contains(&endpoint) {
            return Vec::new();
        }
        level.gathered.push(endpoint);
        if level.last.is_none_or(|last| now > last + window) {
            return level.take(now);
        }
        level.due.get_or_insert(now + window);
        Vec::new()
    }

    /// What was gathered and takes effect by `now`.
    fn take_due(&mut self, now: Instant) -> Vec<usize> {
        let take = |level: &mut Level| level.due.filter(|due| *due <= now).map(|due| level.take(due));
        self.levels.iter_mut().filter_map(take).flatten().collect()
    }

    /// When something takes effect next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.levels.iter().filter_map(|level| level.due).min()
    }
}

impl Level {
    fn take(&mut self, now: Instant) -> Vec<usize> {
        (self.last, self.due) = (Some(now), None);
        std::mem::take(&mut self.gathered)
    }
}

impl<H: Host> Policies<H> {
    /// Tells the balancer how `endpoint` stands, at once or later.
    pub(super) fn stands(&mut self, now: Instant, endpoint: usize) {
        self.merge(now);
        if self.balance.is_healthy(endpoint) != self.standing.is_healthy(endpoint) {
            let taking = self.merging.take_effect(now, endpoint);
            self.tell_balance(now, &taking);
        }
    }

    /// Lets take effect what was gathered for long enough; whether there was anything.
    pub(super) fn merge(&mut self, now: Instant) -> bool {
        let due = self.merging.take_due(now);
        self.tell_balance(now, &due);
        !due.is_empty()
    }

    pub(super) fn tell_balance(&mut self, now: Instant, endpoints: &[usize]) {
        for endpoint in endpoints {
            self.balance.observe_health(now, *endpoint, self.standing.is_healthy(*endpoint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    fn merging(window: Option<Duration>, ranks: &[u8]) -> Merging {
        Merging::new(window, ranks.iter().map(|level| Rank::Level(*level)).enumerate())
    }

    #[test]
    fn the_first_change_takes_effect_at_once_and_those_after_it_together() {
        let mut merging = merging(Some(Duration::from_secs(1)), &[0; 3]);
        assert_eq!(merging.take_effect(at(100), 0), [0]);
        assert!(merging.take_effect(at(200), 1).is_empty() && merging.take_effect(at(900), 2).is_empty());
        assert_eq!((merging.due(), merging.take_due(at(1_199))), (Some(at(1_200)), Vec::new()));
        assert_eq!((merging.take_due(at(5_000)), merging.due()), (vec![1, 2], None));
        assert!(
            merging.take_effect(at(2_200), 0).is_empty(),
            "the window began when the last ones took effect"
        );
        assert_eq!(merging.take_due(at(3_200)), [0]);
        assert_eq!(merging.take_effect(at(9_000), 0), [0]);
    }

    #[test]
    fn what_was_gathered_takes_effect_with_a_change_that_does_so_at_once() {
        let mut merging = merging(Some(Duration::from_secs(1)), &[0; 3]);
        assert_eq!(merging.take_effect(at(1_050), 0), [0]);
        assert!(merging.take_effect(at(1_900), 1).is_empty());
        assert!(merging.take_effect(at(2_100), 1).is_empty(), "nothing has changed");
        assert_eq!((merging.take_effect(at(2_150), 2), merging.due()), (vec![1, 2], None));
    }

    #[test]
    fn levels_gather_by_themselves_and_nobody_does_without_a_window() {
        let mut levels = merging(Some(Duration::from_secs(1)), &[0, 1, 0]);
        assert_eq!((levels.take_effect(at(100), 0), levels.take_effect(at(200), 1)), (vec![0], vec![1]));
        assert!(levels.take_effect(at(300), 2).is_empty());
        // Somebody joins on a level of its own, and what was gathered is forgotten.
        let ranks = [(0, Rank::Level(0)), (2, Rank::Level(0)), (3, Rank::Backup)];
        levels.set_ranks(at(400), ranks.into_iter());
        assert_eq!((levels.due(), levels.take_effect(at(500), 3)), (None, vec![3]));
        assert!(levels.take_effect(at(1_300), 2).is_empty(), "it has just taken effect");
        let mut none = merging(None, &[0; 9]);
        assert!((0..9).all(|endpoint| none.take_effect(at(0), endpoint) == [endpoint]));
    }
}
