//! Failover by priority. Endpoints stand on levels, of which the first is asked as far as it is good for: a level is
//! taken for as good as it is healthy times the overprovisioning factor, and what it is not good for goes to the next
//! (Envoy's priority levels). Beside the levels there are backups, which are asked when nobody else can be (nginx's and
//! `HAProxy`'s `backup`).
//!
//! Each level has its panic, in which health counts for nothing there: as long as all together are good for every
//! request none has (as in Envoy).

use super::group::Group;

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// On this level; the lower the number, the sooner it is asked.
    Level(u8),
    /// Behind all levels.
    Backup,
}

impl Default for Rank {
    /// On the first level.
    fn default() -> Self {
        Self::Level(0)
    }
}

/// The levels of an upstream's endpoints.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    /// By slot.
    ranks: Vec<Rank>,
    groups: Vec<Group>,
    backups: Group,
    overprovisioning: f64,
    panic: f64,
}

impl Levels {
    /// All `members`, slots and ranks, are healthy. `None` where all stand on the same level.
    pub(super) fn new(overprovisioning: f64, panic: f64, members: &[(usize, Rank)]) -> Option<Self> {
        let (_, first) = members.first()?;
        if members.iter().all(|(_, rank)| rank == first) {
            return None;
        }
        let slots = members.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0);
        let mut ranks = vec![Rank::default(); slots];
        let (mut groups, mut backups) = (Vec::new(), Group::default());
        for (slot, rank) in members {
            ranks[*slot] = *rank;
            match rank {
                Rank::Level(level) => {
                    let levels = groups.len().max(usize::from(*level) + 1);
                    groups.resize(levels, Group::default());
                    groups[usize::from(*level)].add();
                }
                Rank::Backup => backups.add(),
            }
        }
        Some(Self { ranks, groups, backups, overprovisioning, panic })
    }

    /// Where `endpoint` stands.
    pub(super) fn rank(&self, endpoint: usize) -> Rank {
        self.ranks[endpoint]
    }

    /// Learns that `endpoint` turned healthy or is so no more.
    pub(super) fn observe_health(&mut self, endpoint: usize, healthy: bool) {
        match self.ranks[endpoint] {
            Rank::Level(level) => self.groups[usize::from(level)].observe_health(healthy),
            Rank::Backup => self.backups.observe_health(healthy),
        }
    }

    /// Whom to ask, in order: the level that a request belongs to whose share, 0 to 1, is this; then the others, should
    /// nobody of it be admitted; then the backups.
    pub(super) fn order(&self, share: f64) -> impl Iterator<Item = Rank> + use<> {
        let drawn = self.level_of(share);
        let levels = u8::try_from(self.groups.len()).unwrap_or(u8::MAX);
        let others = (0..levels).filter(move |level| Some(*level) != drawn);
        drawn.into_iter().chain(others).map(Rank::Level).chain([Rank::Backup])
    }

    /// Whether health counts for nothing on this level, since too few endpoints there are healthy.
    pub(super) fn is_panicking(&self, rank: Rank) -> bool {
        let Rank::Level(level) = rank else { return false };
        self.panics(self.groups[usize::from(level)])
    }

    /// Whether it counts for nothing on any level.
    pub(super) fn is_any_panicking(&self) -> bool {
        self.groups.iter().any(|group| self.panics(*group))
    }

    fn panics(&self, group: Group) -> bool {
        let good = self.good_for();
        // Rounding must not make a level panic that Envoy, which reckons in percent, takes for good.
        let is_enough = good > 1.0 - 1e-9 || (good == 0.0 && self.backups.health() > 0.0);
        group.all() > 0 && !is_enough && group.health() < self.panic
    }

    fn level_of(&self, share: f64) -> Option<u8> {
        let all_panic = self.groups.iter().all(|group| group.all() == 0 || self.panics(*group));
        let weigh = |group: &Group| {
            if all_panic { f64::from(group.all()) } else { group.goodness(self.overprovisioning) }
        };
        let total: f64 = self.groups.iter().map(weigh).sum();
        let mut left = share * if all_panic { total } else { total.min(1.0) };
        let level = self.groups.iter().position(|group| {
            left -= weigh(group);
            left < 0.0
        })?;
        u8::try_from(level).ok()
    }

    /// How much of all requests the levels are good for together, 1 at most.
    fn good_for(&self) -> f64 {
        let good = self.groups.iter().map(|group| group.goodness(self.overprovisioning));
        good.sum::<f64>().min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(sizes: &[u8], backups: usize) -> Levels {
        let ranks = (0..).zip(sizes).flat_map(|(level, size)| vec![Rank::Level(level); usize::from(*size)]);
        let ranks: Vec<_> = ranks.chain(vec![Rank::Backup; backups]).enumerate().collect();
        Levels::new(1.4, 0.5, &ranks).unwrap()
    }

    /// How many of 100 requests belong to each level.
    fn spread(levels: &Levels) -> Vec<usize> {
        let drawn: Vec<_> = (0..100).map(|share| levels.level_of(f64::from(share) / 100.0)).collect();
        (0..3).map(|level| drawn.iter().filter(|drawn| **drawn == Some(level)).count()).collect()
    }

    /// The table in Envoy's documentation of priority levels.
    #[test]
    fn what_a_level_is_not_good_for_goes_to_the_next() {
        let mut levels = Levels { panic: 0.0, ..levels(&[100, 100, 100], 0) };
        let mut healthy = [100, 100, 100_usize];
        for (wanted, expected) in [
            ([100, 100, 100], [100, 0, 0]),
            ([72, 72, 100], [100, 0, 0]),
            ([71, 71, 100], [99, 1, 0]),
            ([50, 50, 100], [70, 30, 0]),
            ([25, 100, 100], [35, 65, 0]),
            ([25, 25, 100], [35, 35, 30]),
            ([25, 25, 20], [36, 36, 28]),
        ] {
            for level in 0..3 {
                for place in 0..healthy[level].abs_diff(wanted[level]) {
                    let endpoint = level * 100 + place;
                    levels.observe_health(endpoint, wanted[level] > healthy[level]);
                }
            }
            healthy = wanted;
            let spread = spread(&levels);
            let off = spread.iter().zip(expected).map(|(got, expected)| got.abs_diff(expected));
            assert!(off.max() <= Some(1), "{wanted:?}: {spread:?}, not {expected:?}");
        }
    }

    #[test]
    fn others_are_asked_when_nobody_of_the_level_is_admitted_and_backups_last() {
        let levels = levels(&[1, 1], 1);
        let order: Vec<_> = levels.order(0.0).collect();
        assert_eq!(order, [Rank::Level(0), Rank::Level(1), Rank::Backup]);
        assert_eq!(levels.rank(2), Rank::Backup);
        assert!(Levels::new(1.4, 0.5, &[0, 1, 2].map(|slot| (slot, Rank::Level(0)))).is_none());
    }

    #[test]
    fn a_level_panics_when_all_together_are_not_enough() {
        let mut levels = levels(&[4, 4], 0);
        (0..4).for_each(|endpoint| levels.observe_health(endpoint, false));
        assert!(!levels.is_any_panicking(), "the second level is good for everything");
        (4..7).for_each(|endpoint| levels.observe_health(endpoint, false));
        assert!(levels.is_panicking(Rank::Level(0)) && levels.is_panicking(Rank::Level(1)));
        (4..5).for_each(|endpoint| levels.observe_health(endpoint, true));
        assert!(levels.is_panicking(Rank::Level(0)) && !levels.is_panicking(Rank::Level(1)));
    }

    #[test]
    fn when_all_levels_panic_each_gets_as_much_as_it_has_endpoints() {
        let mut levels = levels(&[2, 6], 0);
        (0..8).for_each(|endpoint| levels.observe_health(endpoint, false));
        assert_eq!(spread(&levels), [25, 75, 0]);
    }

    #[test]
    fn nobody_panics_while_a_backup_takes_what_nobody_else_can() {
        let mut levels = levels(&[2], 1);
        (0..2).for_each(|endpoint| levels.observe_health(endpoint, false));
        assert!(!levels.is_any_panicking());
        levels.observe_health(2, false);
        assert!(levels.is_panicking(Rank::Level(0)));
    }
}
