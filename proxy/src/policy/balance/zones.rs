//! Zone preference with spill-over: the proxy's own zone first, as long as enough of it is healthy. The rule is that
//! of Envoy's priority levels: a zone is taken for as good as it is healthy times the overprovisioning factor, so that
//! with 1.4 all requests stay at home until less than 1/1.4, 71 %, of its endpoints are healthy; what is missing goes
//! to the other zones.

use super::group::Group;

/// What preference goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// By how much the endpoints of a zone are more than it needs; at least 1.
    pub overprovisioning: f64,
}

/// The endpoints at home and the others.
#[derive(Debug, Clone)]
pub struct Zones {
    config: Config,
    /// Whether each is at home, by slot; `None` where it has no part in it.
    local: Vec<Option<bool>>,
    home: Group,
    abroad: Group,
}

impl Zones {
    /// All `members` are healthy: their slots, and whether they are at home, unless they have no part in it. `None` when
    /// there is no choice.
    pub fn new(config: Config, members: impl Iterator<Item = (usize, Option<bool>)>) -> Option<Self> {
        let (mut home, mut abroad) = (Group::default(), Group::default());
        let mut all = Vec::new();
        for (slot, local) in members {
            all.resize(all.len().max(slot + 1), None);
            all[slot] = local;
            match local {
                Some(true) => home.add(),
                Some(false) => abroad.add(),
                None => {}
            }
        }
        let local = all;
        (home.all() > 0 && abroad.all() > 0).then_some(Self { config, local, home, abroad })
    }

    /// Whether `endpoint` is at home.
    pub fn is_local(&self, endpoint: usize) -> bool {
        self.local[endpoint] == Some(true)
    }

    /// Learns that `endpoint` turned healthy or is so no more.
    pub fn observe_health(&mut self, endpoint: usize, healthy: bool) {
        match self.local[endpoint] {
            Some(true) => self.home.observe_health(healthy),
            Some(false) => self.abroad.observe_health(healthy),
            None => {}
        }
    }

    /// The share of requests that stays at home; `None` when nobody is healthy anywhere.
    pub fn local_share(&self) -> Option<f64> {
        let factor = self.config.overprovisioning;
        let home = self.home.goodness(factor);
        let abroad = self.abroad.goodness(factor).min(1.0 - home);
        (home + abroad > 0.0).then(|| home / (home + abroad))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_stay_at_home_until_too_few_are_healthy() {
        let config = Config { overprovisioning: 1.4 };
        let local = [Some(true); 10].into_iter().chain([Some(false); 10]).enumerate();
        let mut zones = Zones::new(config, local).unwrap();
        let mut shares = Vec::new();
        for endpoint in 0..10 {
            shares.push(zones.local_share().unwrap());
            zones.observe_health(endpoint, false);
        }
        shares.push(zones.local_share().unwrap());
        let expected = [1.0, 1.0, 1.0, 0.98, 0.84, 0.7, 0.56, 0.42, 0.28, 0.14, 0.0];
        for (share, expected) in shares.iter().zip(expected) {
            assert!((share - expected).abs() < 1e-9, "{share} is not {expected}");
        }
        // Half of the others go, too: what is healthy there is still enough.
        (10..15).for_each(|endpoint| zones.observe_health(endpoint, false));
        assert_eq!(zones.local_share(), Some(0.0));
        (0..2).for_each(|endpoint| zones.observe_health(endpoint, true));
        let share = zones.local_share().unwrap();
        assert!((share - 0.28 / (0.28 + 0.7)).abs() < 1e-9, "both are too few: {share}");
        (0..2).chain(15..20).for_each(|endpoint| zones.observe_health(endpoint, false));
        assert_eq!(zones.local_share(), None);
    }

    #[test]
    fn where_all_are_in_one_zone_there_is_nothing_to_prefer() {
        let config = Config { overprovisioning: 1.4 };
        let zones = |members: &[Option<bool>]| Zones::new(config, members.iter().copied().enumerate());
        assert!(zones(&[Some(true); 3]).is_none());
        assert!(zones(&[Some(false); 3]).is_none());
        assert!(zones(&[Some(true), None]).is_none(), "the other one has no part in it");
        assert!(zones(&[]).is_none());
    }
}
