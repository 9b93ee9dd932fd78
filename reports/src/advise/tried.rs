//! All that was tried, put together: the share of requests that is lost on average under each architecture, by what two of
//! these differ beyond chance, and which one is to be chosen ([`super::recommendation`] has the rules). Owns no sentence.

use hoplab_sim::advise::About;
use indexmap::IndexMap;

use super::choice::{BASELINE, MATTERS, as_good, best, choose};
use super::cost::Cost;
use super::trial::{AllLost, Trial};
use crate::format::significant;

/// All that was tried, with what tells its differences from chance.
pub(super) struct Tried<'a> {
    pub(super) trials: Vec<(&'a Trial, &'a AllLost)>,
    /// What each architecture costs, the baseline first.
    pub(super) costs: &'a IndexMap<String, Cost>,
}

/// By how much larger a share is lost on average under one than under another, and how far that may be off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Apart {
    pub(super) value: f64,
    reach: f64,
}

/// A share as points of a per cent.
pub(super) fn points(share: f64) -> String {
    format!("{} points", significant(share * 100.0))
}

impl Apart {
    /// `2.4 to 4.4 points fewer`, in points of a per cent.
    pub(super) fn range(self, word: &str) -> String {
        let (low, high) = ((self.value - self.reach).max(0.0), self.value + self.reach);
        format!("{} to {} {word}", significant(low * 100.0), points(high))
    }
}

impl Tried<'_> {
    pub(super) fn name(&self, index: usize) -> &str {
        self.costs.get_index(index).map_or("", |(name, _)| name)
    }

    pub(super) fn cost(&self, index: usize) -> &Cost {
        &self.costs[index]
    }

    /// The trials that show something.
    pub(super) fn counted(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().map(|(trial, _)| *trial).filter(|trial| trial.counts())
    }

    /// Those that count for the choice, each with its weight: kinds of faults by their own, and the scenario's faults by as
    /// much as all of those.
    pub(super) fn weighed(&self) -> Vec<(&Trial, &AllLost, f64)> {
        let counted = || self.trials.iter().filter(|(trial, _)| trial.counts());
        let kinds: Vec<(&Trial, &AllLost, f64)> =
            counted().filter_map(|(trial, lost)| Some((*trial, *lost, trial.weight()?))).collect();
        let all: f64 = kinds.iter().map(|(.., weight)| weight).sum();
        let own = counted().filter(|(trial, _)| trial.about == About::Written);
        own.map(|(trial, lost)| (*trial, *lost, if all > 0.0 { all } else { 1.0 })).chain(kinds).collect()
    }

    /// The share that is lost on average.
    pub(super) fn mean(&self, name: &str) -> f64 {
        let (sum, all) = self.weighed().iter().fold((0.0, 0.0), |(sum, all), (trial, _, weight)| {
            (sum + weight * trial.seen.get(name).map_or(0.0, |seen| seen.lost), all + weight)
        });
        sum / f64::max(all, f64::MIN_POSITIVE)
    }

    /// The same of each architecture.
    fn means(&self) -> Vec<f64> {
        self.costs.keys().map(|name| self.mean(name)).collect()
    }

    /// By how much larger a share is lost on average under the second. Chance of one trial does not depend on that of
    /// another; one that cannot tell may be off by all that it differs by.
    pub(super) fn apart(&self, from: usize, to: usize) -> Apart {
        let weighed = self.weighed();
        let all: f64 = weighed.iter().map(|(.., weight)| weight).sum::<f64>().max(f64::MIN_POSITIVE);
        let (mut value, mut squares) = (0.0, 0.0_f64);
        for (_, lost, weight) in weighed {
            let Some(apart) = lost.apart(from, to) else { continue };
            value += weight / all * apart.value;
            squares += (weight / all * apart.reach.unwrap_or(apart.value)).powi(2);
        }
        Apart { value, reach: squares.sqrt() }
    }

    /// Whether more are lost under the second, beyond chance and by as much as matters.
    pub(super) fn is_worse(&self, from: usize, to: usize) -> bool {
        let Apart { value, reach } = self.apart(from, to);
        value >= MATTERS && value > reach
    }

    /// That under which fewest are lost, whatever chance says.
    pub(super) fn best(&self) -> Option<usize> {
        best(&self.means())
    }

    /// Those under which as few are lost as under the best.
    pub(super) fn as_good(&self) -> Vec<usize> {
        as_good(&self.means(), |best, index| self.is_worse(best, index))
    }

    /// The one to choose.
    pub(super) fn choose(&self) -> Option<usize> {
        choose(&self.as_good(), |index| self.is_worse(index, BASELINE), |index| Some(self.cost(index)))
    }
}
