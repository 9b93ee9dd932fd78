//! Which architecture to choose, by what margin, and what would change it. The rules, in this order:
//!
//! 1. Requests that are lost while something is wrong count first: over all trials with faults on average, each kind of
//!    fault at each place by the weight that `[explore]` gives it, and the scenario's own faults by as much as all of those
//!    together.
//! 2. Of architectures under which as few are lost, beyond chance and by a tenth of a per cent, the one that keeps fewest
//!    cores busy is chosen, of those that keep as many busy the fastest; where the baseline loses more, only of those that
//!    lose fewer than it beyond chance.
//! 3. What it costs when all is well is told beside it, and decides nothing: whether it is worth that, only who pays knows.
//!
//! Owns the sentences; the rules are carried out in [`super::tried`], and what they rest on are [`Trial`] and [`Cost`].

use hoplab_sim::advise::About;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::choice::BASELINE;
use super::cost::{CORES_MIN, Cost, cheapest};
use super::trial::Trial;
use super::tried::{Tried, points};
use crate::format::{count, duration, listed, percent, significant};

/// The share of the time for which it is told what is saved.
const WRONG: f64 = 0.01;

const DAY: f64 = 86_400.0;

/// What loses as much under each architecture is mended by none.
const UNMENDED: f64 = 0.05;

/// More seeds than this are not advised.
const SEEDS_MAX: u64 = 50;

/// Of a system that loses more when all is well it is told first.
const BROKEN: f64 = 0.01;

/// Fewer requests while something is wrong are told to be few.
const REQUESTS_MIN: u64 = 200;

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
    /// How far the next one is off, and what the scenario's own faults say.
    pub margin: String,
    /// What should be looked at before any of this is trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
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

/// What to choose, by all that was `tried`.
pub(super) fn recommend(tried: &Tried) -> Recommendation {
    let Some(chosen) = tried.choose() else { return Recommendation::default() };
    let lost = tried.costs.keys().map(|name| (name.clone(), tried.mean(name))).collect();
    let words = Words { tried, chosen };
    Recommendation {
        architecture: tried.name(chosen).to_owned(),
        headline: words.headline(),
        margin: words.margin(),
        warnings: words.warnings(),
        lost,
        conditions: words.conditions(),
        changes: words.changes(),
    }
}

/// The sentences about one that is chosen.
struct Words<'a> {
    tried: &'a Tried<'a>,
    chosen: usize,
}

impl Words<'_> {
    fn name(&self) -> &str {
        self.tried.name(self.chosen)
    }

    fn baseline(&self) -> &str {
        self.tried.name(BASELINE)
    }

    /// What it costs over the baseline.
    fn price(&self, index: usize) -> String {
        price(self.tried.cost(index), self.tried.cost(BASELINE))
    }

    fn headline(&self) -> String {
        let (tried, chosen, name, baseline) = (self.tried, self.chosen, self.name(), self.baseline());
        let lost = |index: usize| percent(tried.mean(tried.name(index)));
        if tried.weighed().is_empty() {
            return format!("{name}: nothing goes wrong in what was run, and it costs least.");
        }
        if chosen == BASELINE {
            let best = tried.best().filter(|best| *best != BASELINE && lost(*best) != lost(BASELINE));
            let best = best.map_or_else(String::new, |best| {
                format!(" (the fewest are {} with {})", lost(best), tried.name(best))
            });
            return format!(
                "{baseline}: while something is wrong, {} of requests are lost with it, and nothing that costs more loses \
                 fewer on average, beyond chance{best}.",
                lost(BASELINE),
            );
        }
        let price = self.price(chosen);
        if !tried.is_worse(chosen, BASELINE) {
            return format!(
                "{name}: while something is wrong, as few requests are lost ({}) as with {baseline} ({}), for {price}.",
                lost(chosen),
                lost(BASELINE),
            );
        }
        let apart = tried.apart(chosen, BASELINE);
        format!(
            "{name}: while something is wrong, {} of requests are lost instead of {} with {baseline} ({}), for {price}.",
            lost(chosen),
            lost(BASELINE),
            apart.range("fewer"),
        )
    }

    fn margin(&self) -> String {
        let (tried, chosen) = (self.tried, self.chosen);
        let as_good: Vec<usize> = tried.as_good().into_iter().filter(|index| *index != chosen).collect();
        let mut texts = Vec::new();
        if !as_good.is_empty() {
            let own = tried.cost(chosen);
            let said: Vec<String> = as_good
                .iter()
                .map(|index| {
                    format!(
                        "{} ({} than {})",
                        tried.name(*index),
                        price(tried.cost(*index), own),
                        self.name()
                    )
                })
                .collect();
            let loses = if as_good.len() == 1 { "loses" } else { "lose" };
            texts.push(format!("{} {loses} as few, as far as chance lets tell.", listed(&said)));
        }
        let others = (0..tried.costs.len()).filter(|index| *index != chosen && !as_good.contains(index));
        let mean = |index: &usize| tried.mean(tried.name(*index));
        if let Some(next) = others.min_by(|a, b| mean(a).total_cmp(&mean(b))) {
            let apart = tried.apart(chosen, next);
            let (name, more) = (tried.name(next), points(apart.value));
            texts.push(format!("The next, {name}, loses {more} more ({}).", apart.range("more")));
        }
        texts.extend(self.own());
        texts.join(" ")
    }

    /// What the scenario's own faults say by themselves.
    fn own(&self) -> Option<String> {
        let trial = self.tried.counted().find(|trial| trial.about == About::Written)?;
        let lost = |of: &str| trial.seen.get(of).map_or_else(|| "–".to_owned(), |seen| percent(seen.lost));
        let (choice, baseline) = (&trial.choice.architecture, self.baseline());
        if choice == baseline {
            return Some(format!(
                "With the scenario's own faults, {baseline} loses {} and none fewer beyond chance.",
                lost(baseline)
            ));
        }
        Some(format!(
            "With the scenario's own faults, {choice} loses {} instead of {} with {baseline}.",
            lost(choice),
            lost(baseline)
        ))
    }

    /// What should be looked at first: a system that is broken before anything goes wrong, and too few requests.
    fn warnings(&self) -> Vec<String> {
        let tried = self.tried;
        let mut warnings = Vec::new();
        let lost = tried.costs.iter().filter(|(_, cost)| cost.lost > BROKEN);
        let lost: Vec<String> =
            lost.map(|(name, cost)| format!("{} with {name}", percent(cost.lost))).collect();
        if !lost.is_empty() {
            warnings.push(format!(
                "Before anything goes wrong, {} of requests are lost: the system is overloaded or broken as it stands, and \
                 what follows says little.",
                listed(&lost)
            ));
        }
        let fewest = tried.trials.iter().map(|(trial, _)| trial.requests).min().unwrap_or(u64::MAX);
        if fewest < REQUESTS_MIN {
            warnings.push(format!(
                "Only {} requests are sent while something is wrong: a longer `duration`, more load or --seeds tell more.",
                count(fewest)
            ));
        }
        warnings
    }

    /// What to choose when something in particular goes wrong.
    fn conditions(&self) -> Vec<Condition> {
        let baseline = self.baseline();
        let mut groups: IndexMap<&str, Vec<&Trial>> = IndexMap::new();
        for trial in self.tried.counted().filter(|trial| !trial.is_good(baseline)) {
            groups.entry(&trial.choice.architecture).or_default().push(trial);
        }
        let saves = |trials: &Vec<&Trial>| trials.iter().map(|trial| trial.choice.saves).fold(0.0, f64::max);
        groups.sort_by(|_, a, _, b| saves(b).total_cmp(&saves(a)));
        groups.into_iter().map(|(name, trials)| self.condition(name, trials)).collect()
    }

    fn condition(&self, name: &str, mut trials: Vec<&Trial>) -> Condition {
        trials.sort_by(|a, b| b.choice.saves.total_cmp(&a.choice.saves));
        // The scenario's own faults may be among those that are tried alone.
        let mut said: IndexMap<&str, f64> = IndexMap::new();
        for trial in &trials {
            said.entry(&trial.text).or_insert(trial.choice.saves);
        }
        let when: Vec<String> =
            said.iter().map(|(text, saves)| format!("{text} (saves {})", percent(*saves))).collect();
        let index = self.tried.costs.get_index_of(name).unwrap_or(BASELINE);
        Condition {
            architecture: name.to_owned(),
            trials: trials.iter().map(|trial| trial.name.clone()).collect(),
            text: format!("{name} when {}; for {}", when.join(", or "), self.price(index)),
        }
    }

    /// What would change the choice.
    fn changes(&self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.tried.is_worse(self.chosen, BASELINE) {
            changes.push(self.worth());
            changes.extend(self.if_none_happens());
        }
        changes.extend(self.needs());
        changes.extend(self.against());
        changes.extend(self.with_more_gateways());
        changes.extend(self.unmended());
        if self.tried.counted().any(|trial| DEAD.iter().any(|kind| is_of_kind(trial, kind))) {
            changes.push(
                "A platform that takes dead pods out of its lists by itself, as Kubernetes does by readiness, saves a part \
                 of that without any proxy: here a pod stays in every list until a proxy finds out."
                    .to_owned(),
            );
        }
        changes.extend(self.places());
        changes.extend(self.open());
        changes
    }

    /// Where faults were tried, and how others are.
    fn places(&self) -> Option<String> {
        let mut places: Vec<String> = Vec::new();
        for trial in self.tried.counted() {
            if let About::Fault { at, .. } = &trial.about
                && !places.contains(at)
            {
                places.push(at.clone());
            }
        }
        (!places.is_empty()).then(|| {
            format!(
                "Faults were tried at {} alone, each as likely as `[explore] faults` says: `[explore] services` names other \
                 places.",
                listed(&places)
            )
        })
    }

    /// What makes the difference to the baseline, where that costs least.
    fn if_none_happens(&self) -> Option<String> {
        let (tried, baseline) = (self.tried, self.baseline());
        let least = cheapest(0..tried.costs.len(), |index| Some(tried.cost(index)));
        let reasons =
            tried.counted().filter(|trial| !trial.is_good(baseline)).map(|trial| trial.name.clone());
        let reasons: Vec<String> = reasons.collect();
        let is_told = least == Some(BASELINE) && !reasons.is_empty();
        is_told.then(|| {
            format!(
                "If none of this can happen, {baseline} loses no more and costs least: {}.",
                listed(&reasons)
            )
        })
    }

    /// What would be chosen for what no trial asks: what only a gateway does, and encryption between services.
    fn needs(&self) -> Vec<String> {
        let (tried, own) = (self.tried, self.tried.cost(self.chosen));
        let least = |holds: &dyn Fn(&Cost) -> bool| {
            let all: Vec<usize> = (0..tried.costs.len()).filter(|index| holds(tried.cost(*index))).collect();
            cheapest(all.into_iter(), |index| Some(tried.cost(index)))
        };
        let said = |other: usize| format!("{}, for {}", tried.name(other), price(tried.cost(other), own));
        let gateway = least(&|of| of.parts.gateways > 0 && of.parts.sidecars == own.parts.sidecars);
        let encrypted =
            least(&|of| of.encrypted > 0.0 && (of.parts.gateways > 0) == (own.parts.gateways > 0));
        let mut needs = Vec::new();
        if own.parts.gateways == 0
            && let Some(other) = gateway
        {
            needs.push(format!(
                "If outsiders need what only a gateway does, authentication, translation or quotas: {}.",
                said(other)
            ));
        }
        if own.encrypted == 0.0
            && let Some(other) = encrypted
        {
            needs.push(format!("If calls between services must be encrypted: {}.", said(other)));
        }
        needs
    }

    /// Where another loses fewer than the one that is chosen.
    fn against(&self) -> Option<String> {
        let name = self.name();
        let more = |trial: &Trial| {
            let lost = |of: &str| Some(trial.seen.get(of)?.lost);
            Some(lost(name)? - lost(&trial.choice.architecture)?)
        };
        let worse = self.tried.counted().filter(|trial| !trial.is_good(name));
        let mut worse: Vec<(&Trial, f64)> = worse.filter_map(|trial| Some((trial, more(trial)?))).collect();
        worse.sort_by(|a, b| b.1.total_cmp(&a.1));
        let said = |(trial, more): &(&Trial, f64)| {
            format!("{} fewer in {} with {}", points(*more), trial.name, trial.choice.architecture)
        };
        some(worse.iter().map(said)).map(|text| format!("Another loses fewer than {name}: {text}."))
    }

    /// What would be chosen if a gateway were not one pod alone.
    fn with_more_gateways(&self) -> Option<String> {
        let (tried, chosen) = (self.tried, self.chosen);
        let is_gateways = |trial: &Trial| matches!(&trial.about, About::Fault { at, .. } if at == "gateway");
        let without = tried.trials.iter().filter(|(trial, _)| !is_gateways(trial)).copied().collect();
        let without = Tried { trials: without, costs: tried.costs };
        let is_alone = |index: &usize| tried.cost(*index).parts.gateways == 1;
        let other = without.choose().filter(|other| *other != chosen && is_alone(other))?;
        let lost = |index: usize| percent(without.mean(tried.name(index)));
        Some(format!(
            "With more than one pod of the gateway (`[gateway] replicas`), so that none is missed when it is down, {} would \
             be chosen: apart from that, it loses {} instead of {} with {}, for {}.",
            tried.name(other),
            lost(other),
            lost(chosen),
            self.name(),
            self.price(other),
        ))
    }

    /// What none mends.
    fn unmended(&self) -> Option<String> {
        let mut trials: Vec<&Trial> =
            self.tried.counted().filter(|trial| trial.least() >= UNMENDED).collect();
        trials.sort_by(|a, b| b.least().total_cmp(&a.least()));
        let named = some(trials.iter().map(|trial| format!("{} ({})", trial.name, percent(trial.least()))))?;
        Some(format!(
            "None of these, as they are configured, loses less than this: {named}. There the policies are what to change, or \
             the services."
        ))
    }

    /// What more seeds are likely to tell.
    fn open(&self) -> Option<String> {
        let seeds = |trial: &Trial| trial.choice.seeds_to_tell.filter(|seeds| *seeds <= SEEDS_MAX);
        let most = self.tried.counted().filter_map(seeds).max()?;
        let open =
            self.tried.counted().filter(|trial| seeds(trial).is_some()).map(|trial| trial.name.clone());
        some(open).map(|open| format!("Chance may hide a difference in {open}: --seeds {most} may tell."))
    }

    /// What is saved when something is seldom wrong, beside what it costs all the time.
    fn worth(&self) -> String {
        let value = self.tried.apart(self.chosen, BASELINE).value;
        let requests = self.tried.cost(BASELINE).rate * DAY * WRONG * value;
        format!(
            "What it saves, it saves only while something is wrong: if that is {} of the time, {} of all requests, some {} \
             a day at this load. What it costs, it costs all day.",
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

/// What an architecture costs over another, by what both add to the baseline: `0.41 more cores and 0.9 ms at the median`.
fn price(cost: &Cost, other: &Cost) -> String {
    let cores = cost.cores - other.cores;
    let us = cost.added_us.unwrap_or(0.0) - other.added_us.unwrap_or(0.0);
    let mut said = Vec::new();
    if cores.abs() >= CORES_MIN {
        said.push(format!(
            "{} {} cores",
            significant(cores.abs()),
            if cores < 0.0 { "fewer" } else { "more" }
        ));
    }
    if us != 0.0 {
        said.push(format!("{} {} at the median", duration(us.abs()), if us < 0.0 { "less" } else { "more" }));
    }
    if said.is_empty() { "no more".to_owned() } else { listed(&said) }
}
