//! Who stands in the service graph under one architecture: services with their sidecars, clients, the gateway between
//! them; what passed from one to the other, and what the proxies in between decided about it. Owns no look.

use std::collections::BTreeMap;

use hoplab_sim::record::{Architecture, Edge, Record};
use indexmap::IndexMap;

use crate::format::{count, plural};

/// What a gateway's pods are called, and its node.
const GATEWAY: &str = "gateway";

/// A circuit breaker that opened, beside the decisions of policies.
const OPENED: &str = "breaker opened";

/// The nodes, and what leads from one to the other, by their indexes.
pub(super) struct Topology {
    pub(super) nodes: IndexMap<String, Node>,
    pub(super) links: IndexMap<(usize, usize), Link>,
}

/// One node of the picture.
pub(super) struct Node {
    pub(super) name: String,
    /// Below the name.
    pub(super) about: String,
    /// Faults that touch it.
    pub(super) faults: Vec<String>,
    pub(super) kind: Kind,
    /// What its sidecar decided about requests that came in.
    pub(super) decided: Decisions,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Service { sidecar: bool },
    Gateway,
    Client,
}

/// What passed along an edge.
#[derive(Default)]
pub(super) struct Link {
    pub(super) edge: Edge,
    /// What the caller's proxies decided about it.
    pub(super) decided: Decisions,
}

/// How often what was decided.
#[derive(Default)]
pub(super) struct Decisions(BTreeMap<String, u64>);

impl Topology {
    pub(super) fn of(record: &Record, architecture: &Architecture) -> Self {
        let mut topology = Self { nodes: services(record, architecture), links: IndexMap::new() };
        topology.add_traffic(record, architecture);
        topology.add_idle(record);
        topology.add_decisions(architecture);
        topology
    }

    /// The index of a node; one that is new is a client, or the gateway.
    fn index(&mut self, name: &str) -> usize {
        let entry = self.nodes.entry(name.to_owned());
        let index = entry.index();
        let kind = if name == GATEWAY { Kind::Gateway } else { Kind::Client };
        let (about, faults) = (String::new(), Vec::new());
        let node = Node { name: name.to_owned(), about, faults, kind, decided: Decisions::default() };
        entry.or_insert(node);
        index
    }

    /// Every edge that was used. A gateway stands between the clients and what they call.
    fn add_traffic(&mut self, record: &Record, architecture: &Architecture) {
        let is_service = |name: &str| record.graph.services.iter().any(|service| service.name == name);
        let has_gateway = architecture.resources.contains_key(GATEWAY) && !is_service(GATEWAY);
        for (name, edge) in &architecture.edges {
            let Some((caller, callee)) = name.split_once(" → ").filter(|(from, to)| from != to) else {
                continue;
            };
            let comes_in = !is_service(caller);
            let from = self.index(if comes_in && has_gateway { GATEWAY } else { caller });
            let to = self.index(callee);
            let link = self.links.entry((from, to)).or_default();
            link.edge = [link.edge, *edge].into_iter().sum();
            if comes_in && has_gateway {
                let client = self.index(caller);
                let requests = &architecture.total.requests;
                let into = Edge {
                    requests: requests.sent,
                    attempts: requests.sent,
                    errors: requests.failed + requests.timed_out + requests.open,
                    ..Edge::default()
                };
                self.links.entry((client, from)).or_default().edge = into;
            }
        }
    }

    /// Those of the scenario that were not used.
    fn add_idle(&mut self, record: &Record) {
        let entered = self.nodes.values().any(|node| node.kind == Kind::Client);
        for &(from, to) in &record.graph.edges {
            match from {
                Some(from) if from != to => {
                    self.links.entry((from, to)).or_default();
                }
                None if !entered => {
                    let client = self.index("client");
                    self.links.entry((client, to)).or_default();
                }
                _ => {}
            }
        }
    }

    fn add_decisions(&mut self, architecture: &Architecture) {
        let decided = architecture.decisions.iter();
        let decided = decided.map(|of| (&of.pod, &of.upstream, of.decision.as_str(), of.count));
        let opened = architecture.changes.iter().filter(|changed| changed.state == "open");
        let opened = opened.map(|of| (&of.pod, &of.upstream, OPENED, of.count));
        for (pod, upstream, what, times) in decided.chain(opened) {
            let caller = pod.rsplit_once('-').map_or(pod.as_str(), |(name, _)| name);
            let (Some(from), Some(to)) = (self.nodes.get_index_of(caller), self.nodes.get_index_of(upstream))
            else {
                continue;
            };
            let decisions = if from == to {
                &mut self.nodes[from].decided
            } else {
                &mut self.links.entry((from, to)).or_default().decided
            };
            *decisions.0.entry(what.to_owned()).or_default() += times;
        }
    }
}

fn services(record: &Record, architecture: &Architecture) -> IndexMap<String, Node> {
    let is_mesh = architecture.resources.contains_key("sidecar");
    let faults = |service: usize| -> Vec<String> {
        let touching = record.faults.iter().filter(|fault| fault.services.contains(&service));
        touching.map(|fault| fault.name.clone()).collect()
    };
    let services = record.graph.services.iter().enumerate();
    services
        .map(|(index, service)| {
            let pods = plural(u64::from(service.replicas), "pod");
            let zone = service.zone.iter().cloned();
            let about = std::iter::once(pods).chain(zone).collect::<Vec<_>>().join(", ");
            let sidecar = is_mesh && !architecture.without_sidecar.contains(&index);
            let (name, kind) = (service.name.clone(), Kind::Service { sidecar });
            let node = Node {
                name: name.clone(),
                about,
                faults: faults(index),
                kind,
                decided: Decisions::default(),
            };
            (name, node)
        })
        .collect()
}

/// What the picture says of decisions, each a word for the names that it stands for. Of the others the notes tell.
const SAID: [(&str, &[&str]); 5] = [
    ("retried", &["retried"]),
    ("hedged", &["hedged"]),
    (
        "shed",
        &[
            "rate-limited",
            "concurrency-limited",
            "admission-refused",
            "priority-shed",
            "content-too-large",
            "fields-too-large",
            "deadline-passed",
            "throttled",
        ],
    ),
    ("ejected", &["ejected"]),
    ("breaker opened", &[OPENED]),
];

impl Decisions {
    /// `8 retried`, `breaker opened 3×`.
    pub(super) fn said(&self) -> Vec<String> {
        let times = |names: &[&str]| names.iter().filter_map(|name| self.0.get(*name)).sum::<u64>();
        let said = SAID.iter().map(|(word, names)| (*word, times(names))).filter(|(_, times)| *times > 0);
        said.map(|(word, times)| {
            if word == OPENED {
                format!("{word} {}×", count(times))
            } else {
                format!("{} {word}", count(times))
            }
        })
        .collect()
    }

    /// All of them, by their names in records.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(name, times)| format!("{name}: {}", plural(*times, "time")))
    }
}
