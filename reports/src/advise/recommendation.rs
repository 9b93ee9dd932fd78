//! Which architecture to choose, by what margin, and what would change it. The rules, in this order:
//!
//! 1. Requests that are lost while something is wrong count first: over all trials with faults on average, each kind of
//!    fault at each place by the weight that `[explore]` gives it, and the scenario's own faults by as much as all of those
//!    together.
//! 2. Of architectures under which as few are lost, beyond chance and by a tenth of a per cent, the one that keeps fewest
//!    cores busy is chosen, then the fastest.
//! 3. What it costs when all is well is told beside it, and decides nothing: whether it is worth that, only who pays knows.
//!
//! Owns the rules and their sentences; what they rest on are [`Trial`] and [`Cost`].

use hoplab_sim::advise::About;
use hoplab_sim::record::Interval;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::cost::Cost;
use super::trial::{Gaps, MATTERS, Trial};
use crate::format::{count, duration, listed, percent, significant};

/// The share of the time for which it is told what is saved.
const WRONG: f64 = 0.01;

const DAY: f64 = 86_400.0;

/// What loses as much under each architecture is mended by none.
const UNMENDED: f64 = 0.05;

/// More seeds than this are not advised.
const SEEDS_MAX: u64 = 50;

/// Less than so many cores more or fewer is not said.
const CORES_MIN: f64 = 0.005;

/// So many are named of what may be many.
const NAMED_MAX: usize = 5;

/// The kinds of faults after which a pod answers nothing, and which a platform may notice.
const DEAD: [&str; 4] = ["crash", "restart", "pause", "vanish"];

/// What to choose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Which architecture.
    pub architecture: String,
    /// That, with what it saves and costs, in a sentence.
    pub headline: String,
    /// How far the next one is off.
    pub margin: String,
    /// The share of requests that is lost while something is wrong, on average over all that was tried.
    pub lost: IndexMap<String, f64>,
    /// What to choose when something in particular goes wrong, most saved first.
    pub conditions: Vec<Condition>,
    /// What would change it.
    pub changes: Vec<String>,
}

/// What to choose when something in particular goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Which architecture.
    pub architecture: String,
    /// The trials that say so.
    pub trials: Vec<String>,
    /// The same in words, with what it saves and costs.
    pub text: String,
}

/// All that was tried, with what tells its differences from chance.
pub(super) struct Tried<'a> {
    pub(super) trials: Vec<(&'a Trial, &'a Gaps)>,
    pub(super) costs: &'a IndexMap<String, Cost>,
}

/// A share of requests, on average over what was tried.
#[derive(Debug, Clone, Copy)]
struct Mean {
    value: f64,
    reach: f64,
}

impl Tried<'_> {
    pub(super) fn recommend(&self) -> Recommendation {
        let names: Vec<&String> = self.costs.keys().collect();
        let Some(chosen) = self.choose() else { return Recommendation::default() };
        let lost = names.iter().map(|name| ((*name).clone(), self.mean(name))).collect();
        Recommendation {
            architecture: names[chosen].clone(),
            headline: self.headline(chosen),
            margin: self.margin(chosen),
            lost,
            conditions: self.conditions(),
            changes: self.changes(chosen),
        }
    }

    fn name(&self, index: usize) -> &str {
        self.costs.get_index(index).map_or("", |(name, _)| name)
    }

    fn cost(&self, index: usize) -> &Cost {
        &self.costs[index]
    }

    /// Those that count for the choice, each with its weight.
    fn weighed(&self) -> Vec<(&Trial, &Gaps, f64)> {
        let counted = || self.trials.iter().filter(|(trial, _)| trial.counts());
        let kinds: Vec<(&Trial, &Gaps, f64)> =
            counted().filter_map(|(trial, gaps)| Some((*trial, *gaps, trial.weight()?))).collect();
        let all: f64 = kinds.iter().map(|(.., weight)| weight).sum();
        let own = counted().filter(|(trial, _)| trial.about == About::Written);
        own.map(|(trial, gaps)| (*trial, *gaps, if all > 0.0 { all } else { 1.0 })).chain(kinds).collect()
    }

    /// How many are lost on average.
    fn mean(&self, name: &str) -> f64 {
        let (sum, all) = self.weighed().iter().fold((0.0, 0.0), |(sum, all), (trial, _, weight)| {
            (sum + weight * trial.seen.get(name).map_or(0.0, |seen| seen.lost), all + weight)
        });
        sum / f64::max(all, f64::MIN_POSITIVE)
    }

    /// How many more are lost on average under the second, and how far that may be off: chance of one trial does not depend
    /// on that of another.
    fn apart(&self, from: usize, to: usize) -> Mean {
        let weighed = self.weighed();
        let all: f64 = weighed.iter().map(|(.., weight)| weight).sum::<f64>().max(f64::MIN_POSITIVE);
        let (mut value, mut squares) = (0.0, 0.0_f64);
        for (_, gaps, weight) in weighed {
            let Some(gap) = gaps.between(from, to) else { continue };
            let reach = gap.interval.map_or(gap.value.abs(), |Interval { low, high, .. }| (high - low) / 2.0);
            value += weight / all * gap.value;
            squares += (weight / all * reach).powi(2);
        }
        Mean { value, reach: squares.sqrt() }
    }

    /// Those under which as few are lost as under the best.
    fn as_good(&self) -> Vec<usize> {
        let means: Vec<f64> = self.costs.keys().map(|name| self.mean(name)).collect();
        let Some(best) = (0..means.len()).min_by(|a, b| means[*a].total_cmp(&means[*b])) else {
            return Vec::new();
        };
        let is_as_good = |index: &usize| {
            let Mean { value, reach } = self.apart(best, *index);
            value < MATTERS || value <= reach
        };
        (0..means.len()).filter(is_as_good).collect()
    }

    fn choose(&self) -> Option<usize> {
        self.as_good().into_iter().min_by(|a, b| self.cost(*a).order(self.cost(*b)))
    }

    fn headline(&self, chosen: usize) -> String {
        let (name, baseline) = (self.name(chosen), self.name(0));
        if self.trials.is_empty() {
            return format!("{name}: nothing goes wrong in what was run, and it costs least.");
        }
        if chosen == 0 {
            let lost = percent(self.mean(baseline));
            return format!(
                "{baseline}: while something is wrong, {lost} of requests are lost with it, and nothing that costs more \
                 loses fewer on average over all that was tried."
            );
        }
        let Mean { value, reach } = self.apart(chosen, 0);
        format!(
            "{name}: while something is wrong, {} of requests are lost instead of {} with {baseline} ({} to {} fewer), \
             for {}.",
            percent(self.mean(name)),
            percent(self.mean(baseline)),
            percent((value - reach).max(0.0)),
            percent(value + reach),
            self.price(chosen),
        )
    }

    /// What an architecture costs over the baseline: `0.41 more cores and 0.9 ms at the median`.
    fn price(&self, index: usize) -> String {
        let (cost, base) = (self.cost(index), self.cost(0));
        price(cost, base)
    }

    fn margin(&self, chosen: usize) -> String {
        let as_good: Vec<usize> = self.as_good().into_iter().filter(|index| *index != chosen).collect();
        let mut texts = Vec::new();
        if !as_good.is_empty() {
            let said: Vec<String> = as_good
                .iter()
                .map(|index| format!("{} ({})", self.name(*index), self.price(*index)))
                .collect();
            let loses = if as_good.len() == 1 { "loses" } else { "lose" };
            texts.push(format!(
                "{} {loses} as few and cost{} more.",
                listed(&said),
                if as_good.len() == 1 { "s" } else { "" }
            ));
        }
        let others = (0..self.costs.len()).filter(|index| *index != chosen && !as_good.contains(index));
        let next = others.min_by(|a, b| self.mean(self.name(*a)).total_cmp(&self.mean(self.name(*b))));
        if let Some(next) = next {
            let Mean { value, reach } = self.apart(chosen, next);
            texts.push(format!(
                "The next, {}, loses {} more ({} to {}).",
                self.name(next),
                percent(value),
                percent((value - reach).max(0.0)),
                percent(value + reach),
            ));
        }
        texts.join(" ")
    }

    /// What to choose when something in particular goes wrong.
    fn conditions(&self) -> Vec<Condition> {
        let mut groups: IndexMap<&str, Vec<&Trial>> = IndexMap::new();
        for trial in self.counted() {
            if trial.choice.architecture != *self.name(0) {
                groups.entry(&trial.choice.architecture).or_default().push(trial);
            }
        }
        let saves = |trials: &Vec<&Trial>| trials.iter().map(|trial| trial.choice.saves).fold(0.0, f64::max);
        groups.sort_by(|_, a, _, b| saves(b).total_cmp(&saves(a)));
        let condition = |(name, mut trials): (&str, Vec<&Trial>)| {
            trials.sort_by(|a, b| b.choice.saves.total_cmp(&a.choice.saves));
            // The scenario's own faults may be among those that are tried alone.
            let mut said: IndexMap<&str, f64> = IndexMap::new();
            for trial in &trials {
                said.entry(&trial.text).or_insert(trial.choice.saves);
            }
            let when: Vec<String> =
                said.iter().map(|(text, saves)| format!("{text} (saves {})", percent(*saves))).collect();
            let index = self.costs.get_index_of(name).unwrap_or(0);
            let text = format!("{name} when {}; for {}", when.join(", or "), self.price(index));
            Condition {
                architecture: name.to_owned(),
                trials: trials.iter().map(|trial| trial.name.clone()).collect(),
                text,
            }
        };
        groups.into_iter().map(condition).collect()
    }

    /// What would change the choice.
    fn changes(&self, chosen: usize) -> Vec<String> {
        let mut changes = Vec::new();
        if chosen != 0 {
            changes.push(self.worth(chosen));
            changes.extend(self.if_none_happens());
        }
        changes.extend(self.needs(chosen));
        changes.extend(self.against(chosen));
        changes.extend(self.with_more_gateways(chosen));
        changes.extend(self.unmended());
        if self.counted().any(|trial| DEAD.iter().any(|kind| is_of_kind(trial, kind))) {
            changes.push(
                "A platform that takes dead pods out of its lists by itself, as Kubernetes does by readiness, saves a part \
                 of that without any proxy: here a pod stays in every list until a proxy finds out."
                    .to_owned(),
            );
        }
        changes.extend(self.open());
        changes
    }

    /// The trials that show something.
    fn counted(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().map(|(trial, _)| *trial).filter(|trial| trial.counts())
    }

    /// What would be chosen for what no trial asks: what only a gateway does, and encryption between services.
    fn needs(&self, chosen: usize) -> Vec<String> {
        let cheapest = |holds: &dyn Fn(&Cost) -> bool| {
            let all = (0..self.costs.len()).filter(|index| holds(self.cost(*index)));
            all.min_by(|a, b| self.cost(*a).order(self.cost(*b)))
        };
        let own = self.cost(chosen);
        let mut needs = Vec::new();
        if own.parts.gateways == 0
            && let Some(other) =
                cheapest(&|of| of.parts.gateways > 0 && of.parts.sidecars == own.parts.sidecars)
        {
            needs.push(format!(
                "If outsiders need what only a gateway does, authentication, translation or quotas: {}, for {}.",
                self.name(other),
                price_over(self.cost(other), own),
            ));
        }
        if own.encrypted == 0.0
            && let Some(other) =
                cheapest(&|of| of.encrypted > 0.0 && (of.parts.gateways > 0) == (own.parts.gateways > 0))
        {
            needs.push(format!(
                "If calls between services must be encrypted: {}, for {}.",
                self.name(other),
                price_over(self.cost(other), own),
            ));
        }
        needs
    }

    /// What makes the difference to the baseline.
    fn if_none_happens(&self) -> Option<String> {
        let baseline = self.name(0);
        let reasons = self.counted().filter(|trial| !trial.choice.as_good.iter().any(|of| of == baseline));
        let reasons = some(reasons.map(|trial| trial.name.clone()))?;
        Some(format!("If none of this can happen, {baseline} loses no more and costs least: {reasons}."))
    }

    /// What would be chosen if a gateway were not one pod alone.
    fn with_more_gateways(&self, chosen: usize) -> Option<String> {
        let alone = |name: &str| self.costs.get(name).is_some_and(|cost| cost.parts.gateways == 1);
        let is_gateways = |trial: &Trial| matches!(&trial.about, About::Fault { at, .. } if at == "gateway");
        let without: Vec<(&Trial, &Gaps)> =
            self.trials.iter().filter(|(trial, _)| !is_gateways(trial)).copied().collect();
        let without = Tried { trials: without, costs: self.costs };
        let other = without.choose().filter(|other| *other != chosen && alone(self.name(*other)))?;
        let name = self.name(other);
        Some(format!(
            "With more than one pod of the gateway (`[gateway] replicas`), so that none is missed when it is down, {name} \
             would be chosen: apart from that, it loses {} instead of {} with {}, for {}.",
            percent(without.mean(name)),
            percent(without.mean(self.name(chosen))),
            self.name(chosen),
            self.price(other),
        ))
    }

    /// What none mends.
    fn unmended(&self) -> Option<String> {
        let mut trials: Vec<&Trial> = self.counted().filter(|trial| trial.least() >= UNMENDED).collect();
        trials.sort_by(|a, b| b.least().total_cmp(&a.least()));
        let named =
            some(trials.iter().map(|trial| format!("{} (at least {})", trial.name, percent(trial.least()))))?;
        Some(format!(
            "None of these mends, as it is configured: {named}. There the policies are what to change, or the services."
        ))
    }

    /// What more seeds are likely to tell.
    fn open(&self) -> Option<String> {
        let seeds = |trial: &Trial| trial.choice.seeds_to_tell.filter(|seeds| *seeds <= SEEDS_MAX);
        let most = self.counted().filter_map(seeds).max()?;
        let open =
            some(self.counted().filter(|trial| seeds(trial).is_some()).map(|trial| trial.name.clone()))?;
        Some(format!("Chance may hide a difference in {open}: --seeds {most} may tell."))
    }

    /// Where another loses fewer than the one that is chosen.
    fn against(&self, chosen: usize) -> Option<String> {
        let name = self.name(chosen);
        let mut against: Vec<(&Trial, f64)> = self
            .counted()
            .filter(|trial| !trial.choice.as_good.iter().any(|of| of == name))
            .filter_map(|trial| {
                let lost = |of: &str| Some(trial.seen.get(of)?.lost);
                Some((trial, lost(name)? - lost(&trial.choice.architecture)?))
            })
            .collect();
        against.sort_by(|a, b| b.1.total_cmp(&a.1));
        let said = |(trial, more): &(&Trial, f64)| {
            let choice = &trial.choice.architecture;
            format!("{} fewer in {} with {choice}", percent(*more), trial.name)
        };
        some(against.iter().map(said)).map(|text| format!("Another loses fewer than {name}: {text}."))
    }

    /// What is saved when something is seldom wrong, beside what it costs all the time.
    fn worth(&self, chosen: usize) -> String {
        let Mean { value, .. } = self.apart(chosen, 0);
        let requests = self.cost(0).rate * DAY * WRONG * value;
        format!(
            "It pays only while something is wrong. If that is {} of the time, it saves {} of all requests, some {} a day \
             at this load; what it costs, it costs all day.",
            percent(WRONG),
            percent(WRONG * value),
            count(about(requests)),
        )
    }
}

/// To two digits: what is multiplied up to a day is no better known than that.
fn about(value: f64) -> u64 {
    let grain = 10_f64.powf((value.max(1.0).log10().floor() - 1.0).max(0.0));
    ((value.max(0.0) / grain).round() * grain) as u64
}

fn is_of_kind(trial: &Trial, kind: &str) -> bool {
    matches!(&trial.about, About::Fault { kind: of, .. } if of == kind)
}

/// The first of some, and how many more there are; `None` where there is none.
fn some(all: impl Iterator<Item = String>) -> Option<String> {
    let mut all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        all.truncate(NAMED_MAX);
        all.push(format!("{more} more"));
    }
    (!all.is_empty()).then(|| listed(&all))
}

/// What an architecture costs over the baseline: `0.41 more cores and 0.9 ms at the median`.
fn price(cost: &Cost, base: &Cost) -> String {
    told(cost.cores - base.cores, cost.added_us)
}

/// The same over another, by what both add to the baseline.
fn price_over(cost: &Cost, other: &Cost) -> String {
    let added = cost.added_us.map(|us| us - other.added_us.unwrap_or(0.0));
    told(cost.cores - other.cores, added)
}

fn told(cores: f64, added_us: Option<f64>) -> String {
    let word = if cores < 0.0 { "fewer" } else { "more" };
    let is_told = cores.abs() >= CORES_MIN;
    let mut said: Vec<String> =
        is_told.then(|| format!("{} {word} cores", significant(cores.abs()))).into_iter().collect();
    said.extend(added_us.map(|us| {
        let word = if us < 0.0 { "less " } else { "" };
        format!("{} {word}at the median", duration(us.abs()))
    }));
    listed(&said)
}
