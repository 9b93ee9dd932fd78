//! A run rebuilt from its traces: the sums that its files are held against, made once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hoplab_sim::lens::Request;

use super::packets;
use super::pairs::Pairs;
use super::sums::{self, Edge, Owned, Traffic};
use super::traces::{Architecture, Asked, Frame, Traces};

/// What its files must say of a run.
pub(super) struct Rebuilt {
    pub(super) frame: Frame,
    pub(super) architectures: Vec<(String, Seen)>,
}

/// What was seen under one architecture.
pub(super) struct Seen {
    pub(super) all: Part,
    pub(super) parts: Vec<(String, Part)>,
    pub(super) windows: Vec<Window>,
    /// Where the time went of what was not served well.
    pub(super) others: Owned,
    /// What ended of the first seed, the longest first.
    pub(super) longest: Vec<Request>,
    /// Against the baseline, under all others.
    pub(super) against: Option<Against>,
    /// Requests that reached the gateway, where there is one.
    pub(super) at_gateway: Option<i64>,
    /// What became of packets and connections.
    pub(super) network: packets::Edges,
}

/// A part of the run, or all that is reported.
pub(super) struct Part {
    pub(super) range: Range<u64>,
    pub(super) total: Traffic,
    pub(super) endpoints: BTreeMap<String, Traffic>,
    pub(super) edges: BTreeMap<String, Edge>,
    pub(super) pods: BTreeMap<String, i64>,
    /// Where the time went of what was served well.
    pub(super) owned: Owned,
}

/// A stretch of the run.
pub(super) struct Window {
    pub(super) traffic: Traffic,
    pub(super) calls: i64,
    pub(super) attempts: i64,
}

/// Request by request.
pub(super) struct Against {
    pub(super) baseline: String,
    pub(super) total: Pairs,
    pub(super) parts: BTreeMap<String, Pairs>,
    pub(super) endpoints: BTreeMap<String, Pairs>,
}

impl Rebuilt {
    pub(super) fn of(traces: Traces) -> Self {
        let Traces { frame, architectures } = traces;
        let direct = architectures.iter().position(|architecture| architecture.name == "direct");
        let baseline = &architectures[direct.unwrap_or(0)];
        let seen = architectures.iter().map(|architecture| {
            let against =
                (architecture.name != baseline.name).then(|| against(baseline, architecture, &frame));
            (architecture.name.clone(), Seen::of(architecture, &frame, against))
        });
        Self { architectures: seen.collect(), frame }
    }

    /// How long a part of the run is, over all seeds.
    pub(super) fn seconds(&self, part: &Range<u64>) -> f64 {
        (part.end - part.start) as f64 / 1e9 * self.frame.seeds as f64
    }

    /// The part before anything broke; all that is reported where not every architecture served something in it.
    pub(super) fn well<'a>(&self, seen: &'a Seen) -> &'a Part {
        if self.is_well_known() { seen.part("steady").unwrap() } else { &seen.all }
    }

    /// The same against the baseline.
    pub(super) fn well_paired<'a>(&self, seen: &'a Seen) -> Option<&'a Pairs> {
        let against = seen.against.as_ref()?;
        Some(if self.is_well_known() { &against.parts["steady"] } else { &against.total })
    }

    fn is_well_known(&self) -> bool {
        let served = |seen: &Seen| seen.part("steady").is_some_and(|part| part.owned.requests > 0);
        self.architectures.iter().all(|(_, seen)| served(seen))
    }
}

impl Seen {
    /// A part of the run.
    pub(super) fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|(of, _)| of == name).map(|(_, part)| part)
    }

    fn of(architecture: &Architecture, frame: &Frame, against: Option<Against>) -> Self {
        let Architecture { name, requests, network } = architecture;
        let part = |range: Range<u64>| Part::of(requests, name, range, frame.end);
        let reported = frame.reported();
        let others = within(requests, &reported).filter(|asked| !sums::is_served(&asked.request));
        let window = |range: Range<u64>| {
            let edges = sums::edges(within(requests, &range), name);
            Window {
                traffic: Traffic::of(requests, &range, frame.end),
                calls: edges.values().map(|edge| edge.calls).sum(),
                attempts: edges.values().map(|edge| edge.attempts).sum(),
            }
        };
        let ended = within(requests, &reported).filter(|asked| asked.seed == 0);
        let ended = ended.map(|asked| &asked.request).filter(|request| request.end_nanos.is_some());
        let mut longest: Vec<Request> = ended.cloned().collect();
        longest.sort_by_key(|request| Reverse(sums::latency_us(request)));
        Self {
            longest,
            others: Owned::of(others),
            windows: frame.windows().map(window).collect(),
            parts: frame.parts.iter().map(|(name, range)| (name.clone(), part(range.clone()))).collect(),
            at_gateway: sums::has(name, "gateway").then(|| sums::at_gateway(requests, &reported)),
            all: part(reported),
            network: network.clone(),
            against,
        }
    }
}

impl Part {
    fn of(requests: &[Asked], name: &str, range: Range<u64>, end: u64) -> Self {
        let endpoint = |name: &str| {
            let of = requests.iter().filter(|asked| asked.request.endpoint == name);
            (name.to_owned(), Traffic::of(of, &range, end))
        };
        let served = within(requests, &range).filter(|asked| sums::is_served(&asked.request));
        Self {
            total: Traffic::of(requests, &range, end),
            endpoints: endpoints(requests).into_iter().map(endpoint).collect(),
            edges: sums::edges(within(requests, &range), name),
            pods: sums::pods(within(requests, &range), name),
            owned: Owned::of(served),
            range,
        }
    }
}

fn against(baseline: &Architecture, architecture: &Architecture, frame: &Frame) -> Against {
    let pairs =
        |range: &Range<u64>, endpoint| Pairs::of(&baseline.requests, &architecture.requests, range, endpoint);
    let reported = frame.reported();
    let parts = frame.parts.iter().map(|(name, range)| (name.clone(), pairs(range, None)));
    let endpoints = endpoints(&baseline.requests).into_iter();
    Against {
        baseline: baseline.name.clone(),
        total: pairs(&reported, None),
        parts: parts.collect(),
        endpoints: endpoints.map(|name| (name.to_owned(), pairs(&reported, Some(name)))).collect(),
    }
}

/// The requests that were to be sent within a part of the run.
fn within<'a>(requests: &'a [Asked], range: &Range<u64>) -> impl Iterator<Item = &'a Asked> {
    let range = range.clone();
    requests.iter().filter(move |asked| range.contains(&asked.request.start_nanos))
}

/// What is asked for, in the warm-up or later.
fn endpoints(requests: &[Asked]) -> BTreeSet<&str> {
    requests.iter().map(|asked| &*asked.request.endpoint).collect()
}
