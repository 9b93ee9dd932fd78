//! Impairments: what goes wrong on links for a while, between two sets of pods. Says what becomes of a packet that has
//! left its pod, and counts. Not here: when an impairment begins and ends (`crate::fault`).

use std::collections::BTreeMap;
use std::time::Duration;

use hoplab_proxy::host::Instant;
use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::pipe::{Passing, Pipe};
use super::weather::Weather;
use crate::distribution::Distribution;
use crate::random;
use crate::scenario::plan::network::Capacity;
use crate::scenario::plan::target::Ways;
use crate::world::PodId;

/// Something that goes wrong between two sets of pods.
#[derive(Debug, Clone)]
pub struct Impairment {
    /// One side.
    pub a: Vec<PodId>,
    /// The other side.
    pub b: Vec<PodId>,
    /// Which way.
    pub ways: Ways,
    /// The share of connections that it is about, drawn for each; at most 1.
    pub connections: f64,
    /// What goes wrong.
    pub kind: ImpairmentKind,
}

/// What goes wrong on a wire.
#[derive(Debug, Clone)]
pub enum ImpairmentKind {
    /// Nothing passes.
    Partition,
    /// Packets take longer, as weather does.
    Latency {
        /// By how much.
        add: Distribution,
        /// For how long that stays alike.
        steady_for: Duration,
    },
    /// Packets are lost with this probability.
    Loss(f64),
    /// All packets share so much, each way.
    Bandwidth(Capacity),
}

/// An impairment that is or was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::world) struct ImpairmentId(pub(super) usize);

/// Why a packet is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Lost {
    /// An impairment has taken it.
    Impaired,
    /// A queue was full.
    Dropped,
}

/// A packet that has left its pod.
pub(super) struct Departed {
    /// When it was told of.
    pub(super) now: Instant,
    /// When its last bit had left.
    pub(super) left: Instant,
    pub(super) bytes: u32,
    /// Names its link.
    pub(super) link: u64,
    pub(super) ends: (PodId, PodId),
    /// What its connection is drawn by.
    pub(super) lot: u64,
}

/// An impairment while it is in force, and what is left of it afterwards.
pub(super) struct InForce {
    a: Vec<PodId>,
    b: Vec<PodId>,
    ways: Ways,
    connections: f64,
    /// Names it among others.
    key: u64,
    effect: Effect,
    hits: u64,
}

/// What it does to packets.
enum Effect {
    Partition,
    Latency {
        add: Distribution,
        steady_for: Duration,
        /// What it adds to each link that has met it.
        weathers: BTreeMap<u64, Weather>,
    },
    Loss {
        share: f64,
        random: ChaCha8Rng,
    },
    /// What packets share: from `a` to `b`, and back.
    Bandwidth([Pipe; 2]),
}

impl InForce {
    /// The impairment of this `index` under `seed`.
    pub(super) fn new(impairment: Impairment, seed: u64, index: u64) -> Self {
        let Impairment { a, b, ways, connections, kind } = impairment;
        let key = random::stream(seed, "impairment key", index, 0).next_u64();
        let random = random::stream(seed, "impairment", index, 0);
        let effect = match kind {
            ImpairmentKind::Partition => Effect::Partition,
            ImpairmentKind::Latency { add, steady_for } => {
                Effect::Latency { add, steady_for, weathers: BTreeMap::new() }
            }
            ImpairmentKind::Loss(share) => Effect::Loss { share, random },
            ImpairmentKind::Bandwidth(capacity) => Effect::Bandwidth([capacity; 2].map(Pipe::new)),
        };
        Self { a, b, ways, connections, key, effect, hits: 0 }
    }

    /// Whether it is about this packet.
    pub(super) fn applies(&self, departed: &Departed) -> bool {
        let is_on_its_way = match self.ways {
            Ways::Both => is_between(departed.ends, &self.a, &self.b),
            Ways::Forth => self.is_forth(departed.ends),
        };
        is_on_its_way && (self.connections >= 1.0 || self.has_drawn(departed))
    }

    /// Whether the packet's connection is among those that it is about: the same both ways.
    fn has_drawn(&self, departed: &Departed) -> bool {
        let drawn = random::join(self.key, departed.lot) >> 11;
        drawn as f64 / ((1_u64 << 53) as f64) < self.connections
    }

    fn is_forth(&self, (from, to): (PodId, PodId)) -> bool {
        self.a.contains(&from) && self.b.contains(&to)
    }

    /// What becomes of a packet that it is about.
    pub(super) fn bite(&mut self, packet: Passing, departed: &Departed) -> Result<Passing, Lost> {
        let is_forth = self.is_forth(departed.ends);
        let bitten = match &mut self.effect {
            Effect::Partition => Err(Lost::Impaired),
            Effect::Loss { share, random } => {
                if !random::happens(random, *share) {
                    return Ok(packet);
                }
                Err(Lost::Impaired)
            }
            Effect::Latency { add, steady_for, weathers } => {
                let weather = weathers
                    .entry(departed.link)
                    .or_insert_with(|| Weather::new(add, *steady_for, random::join(self.key, departed.link)));
                Ok(packet.after(weather.delay(departed.left)))
            }
            Effect::Bandwidth([forth, back]) => {
                let pipe = if is_forth { forth } else { back };
                pipe.pass(departed.now, packet, departed.bytes).ok_or(Lost::Dropped)
            }
        };
        self.hits += 1;
        bitten
    }

    /// How many packets it has held back, delayed or lost.
    pub(super) fn hits(&self) -> u64 {
        self.hits
    }
}

/// Whether one end is in `a` and the other in `b`.
pub(in crate::world) fn is_between((from, to): (PodId, PodId), a: &[PodId], b: &[PodId]) -> bool {
    (a.contains(&from) && b.contains(&to)) || (b.contains(&from) && a.contains(&to))
}
