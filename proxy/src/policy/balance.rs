//! Load balancing: chooses an endpoint of an upstream for each attempt. [`Balancer`] is what all algorithms have in
//! common: whether health counts at all (panic threshold), which level of priority is asked, whether to stay in one's own
//! zone, how much of its weight an endpoint gets that has just come back, and how many requests each has on it. One file
//! an algorithm.
//!
//! Members have slots, which stay while others come and go ([`Balancer::set_members`]): who stays keeps its history,
//! its requests and its turn. Endpoints are named by their slots here and in all that an algorithm is asked.
//!
//! Owns no health: the caller says who is healthy, and which of the healthy may be asked for this attempt. Owns no
//! randomness either, and hashes no request: the caller brings a key.

mod draw;
mod group;
mod hash;
mod levels;
pub mod maglev;
pub mod peak_ewma;
pub mod ring;
pub mod round_robin;
#[cfg(test)]
mod tests;
mod weights;
pub mod zones;

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::host::Instant;

pub use hash::key;
use levels::Levels;
pub use levels::Rank;
use maglev::Maglev;
use peak_ewma::PeakEwma;
use ring::Ring;
use round_robin::RoundRobin;
pub use weights::Weights;
use zones::Zones;

/// How endpoints are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// By which algorithm.
    pub algorithm: Algorithm,
    /// While a smaller share of the endpoints than this is healthy, health is ignored; 0 to 1, never when 0. (Envoy's
    /// `healthy_panic_threshold` is 0.5, Istio's is 0.)
    pub panic: f64,
    /// How long an endpoint that has come back warms up; it is at full weight at once when `None`.
    pub slow_start: Option<Duration>,
    /// How far requests stay in the proxy's own zone; zones count for nothing when `None`.
    pub zones: Option<zones::Config>,
    /// By how much the endpoints of a level are more than it needs; at least 1.
    pub overprovisioning: f64,
    /// Whether the two that are drawn may be the same one, as in Envoy, so that the busier of two gets a quarter.
    pub replacement: bool,
}

/// The ways to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Algorithm {
    /// One after the other, smoothly weighted.
    RoundRobin,
    /// Any.
    Random,
    /// The one of two random ones with fewer requests on it, in relation to its weight.
    LeastRequest,
    /// The one of two random ones where less waiting is to be expected.
    PeakEwma(peak_ewma::Config),
    /// Where the request's key belongs on a ring.
    Ring(ring::Config),
    /// Where the request's key belongs in a Maglev table.
    Maglev(maglev::Config),
}

impl Default for Config {
    /// Round robin, and nothing beside it.
    fn default() -> Self {
        Self {
            algorithm: Algorithm::RoundRobin,
            panic: 0.0,
            slow_start: None,
            zones: None,
            overprovisioning: 1.4,
            replacement: false,
        }
    }
}

/// An endpoint, as balancing sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What consistent hashing knows it by.
    pub name: String,
    /// How many requests it is to get in relation to others; at least 1.
    pub weight: u32,
    /// Whether it is in the proxy's own zone.
    pub local: bool,
    /// When it is asked in relation to others.
    pub rank: Rank,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, and well.
    Success,
    /// It was answered with an error, or the endpoint is to blame that it was not answered.
    Failure,
    /// Nobody waited for the answer, or the endpoint is not to blame.
    Abandoned,
}

/// Chooses among the endpoints of one upstream.
#[derive(Debug, Clone)]
pub struct Balancer {
    config: Config,
    points: ring::Points,
    algorithm: State,
    weights: Weights,
    levels: Option<Levels>,
    zones: Option<Zones>,
    /// By slot.
    healthy: Vec<bool>,
    healthy_count: usize,
    /// The requests on each endpoint, until the last byte of the answer; by slot.
    active: Vec<u32>,
}

#[derive(Debug, Clone)]
enum State {
    RoundRobin(RoundRobin),
    Random,
    LeastRequest,
    PeakEwma(PeakEwma),
    Ring(Ring),
    Maglev(Maglev),
}

impl Balancer {
    /// A balancer of `members`, all of which are healthy and warm. Turns start at `offset`.
    pub fn new(config: Config, members: &[Member], offset: u64, now: Instant) -> Self {
        let seated: Vec<_> = members.iter().cloned().enumerate().collect();
        let weights = members.iter().map(|member| member.weight).collect();
        let weights = Weights::new(weights, config.slow_start);
        let (levels, zones) = parts(&config, &seated);
        let in_parts = zones.is_some() || levels.is_some();
        let points = ring::Points::Fewest;
        let algorithm = match config.algorithm {
            Algorithm::RoundRobin => State::RoundRobin(RoundRobin::new(&weights, offset, in_parts)),
            Algorithm::Random => State::Random,
            Algorithm::LeastRequest => State::LeastRequest,
            Algorithm::PeakEwma(config) => State::PeakEwma(PeakEwma::new(config, members.len(), now)),
            Algorithm::Ring(config) => State::Ring(Ring::new(config, points, &seated)),
            Algorithm::Maglev(config) => State::Maglev(Maglev::new(config, &seated)),
        };
        Self {
            config,
            points,
            algorithm,
            weights,
            levels,
            zones,
            healthy: vec![true; members.len()],
            healthy_count: members.len(),
            active: vec![0; members.len()],
        }
    }

    /// Members will come and go: those of a ring are to have as many points whatever others do, from the next
    /// [`Balancer::set_members`] on.
    pub fn expect_changes(&mut self) {
        self.points = ring::Points::InSteps;
    }

    /// Replaces the members by `members` with their slots, in this order. Who was there before keeps what is known of it,
    /// whatever its weight, zone and rank are now. Those in the slots of `joined` are new, and healthy; they start slowly,
    /// unless there was nobody before.
    pub fn set_members(&mut self, now: Instant, members: &[(usize, Member)], joined: &[usize]) {
        let before = self.weights.order().to_vec();
        let slots = members.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0).max(self.active.len());
        self.active.resize(slots, 0);
        self.healthy.resize(slots, true);
        for slot in joined {
            (self.active[*slot], self.healthy[*slot]) = (0, true);
        }
        self.weights.set(members.iter().map(|(slot, member)| (*slot, member.weight)), joined);
        if !before.is_empty() {
            for slot in joined {
                self.weights.warm(now, *slot);
            }
        }
        (self.levels, self.zones) = parts(&self.config, members);
        self.healthy_count = members.len();
        for slot in members.iter().map(|(slot, _)| *slot).filter(|slot| !self.healthy[*slot]) {
            self.healthy_count -= 1;
            self.zones.iter_mut().for_each(|zones| zones.observe_health(slot, false));
            self.levels.iter_mut().for_each(|levels| levels.observe_health(slot, false));
        }
        let in_parts = self.zones.is_some() || self.levels.is_some();
        match (&mut self.algorithm, self.config.algorithm) {
            (State::RoundRobin(turn), _) => turn.follow(&self.weights, &before, joined, in_parts),
            (State::PeakEwma(ewma), _) => joined.iter().for_each(|slot| ewma.join(now, *slot)),
            (State::Ring(ring), Algorithm::Ring(config)) => *ring = Ring::new(config, self.points, members),
            (State::Maglev(maglev), Algorithm::Maglev(config)) => *maglev = Maglev::new(config, members),
            (State::Random | State::LeastRequest | State::Ring(_) | State::Maglev(_), _) => {}
        }
    }

    /// An endpoint that is healthy, or any in panic, and that `admits`; in the proxy's own zone as far as there is a
    /// preference and it has one. `key` is what requests are told apart by; one without is sent anywhere. Must be
    /// followed by [`Balancer::begin`] when the endpoint is asked.
    pub fn pick(
        &mut self,
        now: Instant,
        key: Option<u64>,
        admits: impl Fn(usize) -> bool,
        random: &mut impl Rng,
    ) -> Option<usize> {
        // Levels have a panic each, which is asked for where they are.
        let panicking = self.levels.is_none() && self.is_panicking();
        let Self { config, algorithm, weights, levels, zones, healthy, active, .. } = self;
        let view = View { now, key, weights, active, replacement: config.replacement };
        let Some(levels) = levels else {
            let usable = |endpoint: usize| (panicking || healthy[endpoint]) && admits(endpoint);
            let zones = zones.as_ref().filter(|_| !panicking);
            return algorithm.pick_by_zone(&view, zones, &usable, random);
        };
        levels.order(view.level(random)).find_map(|rank| {
            let panicking = levels.is_panicking(rank);
            let usable = |endpoint: usize| {
                levels.rank(endpoint) == rank && (panicking || healthy[endpoint]) && admits(endpoint)
            };
            let zones = zones.as_ref().filter(|_| rank == Rank::default() && !panicking);
            algorithm.pick_by_zone(&view, zones, &usable, random)
        })
    }

    /// Whether the algorithm goes by the requests on each endpoint; others need no [`Balancer::begin`].
    pub fn counts_active(&self) -> bool {
        matches!(self.algorithm, State::LeastRequest | State::PeakEwma(_))
    }

    /// A request goes to `endpoint`. Must be followed by one [`Balancer::observe`] when its answer has begun or will
    /// not come, and one [`Balancer::end`] when all is over.
    pub fn begin(&mut self, endpoint: usize) {
        self.active[endpoint] += 1;
    }

    /// Learns how an attempt at `endpoint` went, `waited` after it began.
    pub fn observe(&mut self, now: Instant, endpoint: usize, waited: Duration, outcome: Outcome) {
        let State::PeakEwma(ewma) = &mut self.algorithm else { return };
        match outcome {
            Outcome::Success => ewma.observe(now, endpoint, waited, true),
            Outcome::Failure => ewma.observe(now, endpoint, waited, false),
            Outcome::Abandoned => ewma.abandon(now, endpoint, waited),
        }
    }

    /// A request is no longer on `endpoint`.
    pub fn end(&mut self, endpoint: usize) {
        self.active[endpoint] = self.active[endpoint].saturating_sub(1);
    }

    /// How many requests are on `endpoint`.
    pub fn active(&self, endpoint: usize) -> u32 {
        self.active[endpoint]
    }

    /// Learns whether `endpoint` is healthy. One that turns healthy starts slowly.
    pub fn observe_health(&mut self, now: Instant, endpoint: usize, healthy: bool) {
        if self.healthy[endpoint] == healthy {
            return;
        }
        self.healthy[endpoint] = healthy;
        if healthy {
            self.healthy_count += 1;
            self.weights.warm(now, endpoint);
        } else {
            self.healthy_count -= 1;
        }
        if let Some(zones) = &mut self.zones {
            zones.observe_health(endpoint, healthy);
        }
        if let Some(levels) = &mut self.levels {
            levels.observe_health(endpoint, healthy);
        }
    }

    /// Whether `endpoint` is healthy, as far as was learned.
    pub fn is_healthy(&self, endpoint: usize) -> bool {
        self.healthy[endpoint]
    }

    /// How many endpoints are healthy, as far as was learned.
    pub fn healthy(&self) -> usize {
        self.healthy_count
    }

    /// Whether `endpoint` is healthy, or is asked although it is not.
    pub fn is_usable(&self, endpoint: usize) -> bool {
        let panicking = match &self.levels {
            Some(levels) => levels.is_panicking(levels.rank(endpoint)),
            None => self.is_panicking(),
        };
        panicking || self.healthy[endpoint]
    }

    /// Whether too few endpoints, or too few of a level, are healthy for health to count.
    pub fn is_panicking(&self) -> bool {
        if let Some(levels) = &self.levels {
            return levels.is_any_panicking();
        }
        (self.healthy_count as f64) < self.config.panic * self.weights.count() as f64
    }
}

/// The levels and zones of `members`, all of whom are healthy, where there are any.
fn parts(config: &Config, members: &[(usize, Member)]) -> (Option<Levels>, Option<Zones>) {
    let ranks: Vec<_> = members.iter().map(|(slot, member)| (*slot, member.rank)).collect();
    let levels = Levels::new(config.overprovisioning, config.panic, &ranks);
    // Who is asked only when others fail is asked wherever it stands, as in Envoy.
    let local = |member: &Member| (member.rank == Rank::default()).then_some(member.local);
    let local = members.iter().map(|(slot, member)| (*slot, local(member)));
    let zones = config.zones.and_then(|zones| Zones::new(zones, local));
    (levels, zones)
}

/// What an algorithm chooses by.
struct View<'a> {
    now: Instant,
    key: Option<u64>,
    weights: &'a Weights,
    active: &'a [u32],
    replacement: bool,
}

impl View<'_> {
    /// As [`View::share`], for the choice of a level: one says nothing about the other.
    fn level(&self, random: &mut impl Rng) -> f64 {
        self.key.map_or_else(|| random.random(), |key| hash::share(!key))
    }

    /// A number of the request between 0 and 1: by its key, or at random.
    fn share(&self, random: &mut impl Rng) -> f64 {
        self.key.map_or_else(|| random.random(), hash::share)
    }
}

impl State {
    /// Chooses at home first, where there are zones and as far as home is good for.
    fn pick_by_zone(
        &mut self,
        view: &View<'_>,
        zones: Option<&Zones>,
        usable: &impl Fn(usize) -> bool,
        random: &mut impl Rng,
    ) -> Option<usize> {
        if let Some(zones) = zones
            && let Some(share) = zones.local_share()
        {
            let stays = share >= 1.0 || view.share(random) < share;
            let there = |endpoint: usize| zones.is_local(endpoint) == stays && usable(endpoint);
            let picked = self.pick(view, &there, random);
            if picked.is_some() {
                return picked;
            }
        }
        self.pick(view, usable, random)
    }

    fn pick(
        &mut self,
        view: &View<'_>,
        usable: &impl Fn(usize) -> bool,
        random: &mut impl Rng,
    ) -> Option<usize> {
        let View { now, key, weights, active, .. } = *view;
        match self {
            Self::RoundRobin(turn) => turn.pick(now, weights, usable),
            Self::Random => draw::one(now, weights, usable, random),
            Self::LeastRequest => {
                let load = |endpoint: usize| f64::from(active[endpoint]);
                cheaper(view, load, usable, random)
            }
            Self::PeakEwma(ewma) => {
                let cost = |endpoint: usize| ewma.cost(now, endpoint, active[endpoint]);
                cheaper(view, cost, usable, random)
            }
            Self::Ring(ring) => ring.pick(key.unwrap_or_else(|| random.next_u64()), weights.order(), usable),
            Self::Maglev(maglev) => {
                maglev.pick(key.unwrap_or_else(|| random.next_u64()), weights.order(), usable)
            }
        }
    }
}

/// The power of two choices: of two endpoints, drawn by weight, the one that costs less in relation to its weight;
/// the first of equals, so that weights hold where nobody is busy. nginx's `random two` is the same.
fn cheaper(
    view: &View<'_>,
    cost: impl Fn(usize) -> f64,
    usable: &impl Fn(usize) -> bool,
    random: &mut impl Rng,
) -> Option<usize> {
    let View { now, weights, .. } = *view;
    let first = draw::one(now, weights, usable, random)?;
    let second = if view.replacement {
        draw::one(now, weights, usable, random)
    } else {
        draw::one_but(first, now, weights, usable, random)
    };
    let Some(second) = second else { return Some(first) };
    let weigh = |endpoint: usize| cost(endpoint) / weights.of(now, endpoint) as f64;
    Some(if weigh(second) < weigh(first) { second } else { first })
}
