//! The picture of the service graph under one architecture: who calls whom, how much, how often it
//! took another attempt, what failed, and what a fault touches. Owns its look; `layout` places it.

use hoplab_sim::record::{Architecture, Edge, Record};
use indexmap::IndexMap;
use maud::{Markup, html};

use super::layout::{self, Layout, Route, Sizes};
use super::svg::round;
use crate::format::{count, listed, plural, share, shortened, significant};

/// With more services than this nodes are drawn small.
const LARGE_FROM: usize = 40;

/// Attempts per request from which an edge says so.
const AMPLIFIED_FROM: f64 = 1.005;

/// The share of failed attempts from which an edge is red.
const FAILING_FROM: f64 = 0.001;

/// One node of the picture.
struct Node {
    name: String,
    /// Below the name.
    about: String,
    /// Faults that touch it.
    faults: Vec<String>,
    /// Whether the scenario knows it as a service; clients and gateways it does not.
    service: bool,
}

/// The picture with the figures of one architecture.
pub(crate) fn graph(record: &Record, name: &str, architecture: &Architecture) -> Markup {
    let mut nodes: IndexMap<String, Node> = services(record);
    let edges = edges(record, architecture, &mut nodes);
    let pairs: Vec<(usize, usize)> = edges.keys().copied().collect();
    let sizes = sizes(&nodes);
    let layout = layout::layout(nodes.len(), &pairs, sizes);
    let view = format!("0 0 {} {}", layout.width.ceil(), layout.height.ceil());
    let style = format!("max-width:{0}px;min-width:{1}px", layout.width.ceil(), (layout.width * 0.8).ceil());
    html! {
        div.graph tabindex="0" role="region" aria-label={ "service graph under " (name) } {
            svg viewBox=(view) style=(style) role="img" aria-label=(description(name, &nodes, &edges)) {
                @let most = edges.values().map(|edge| edge.requests).max().unwrap_or(0);
                @for fails in [false, true] {
                    @for ((&(from, to), edge), route) in edges.iter().zip(&layout.routes) {
                        @if failing(edge) == fails {
                            (drawn(&nodes[from].name, &nodes[to].name, edge, route, most))
                        }
                    }
                }
                @for (node, &at) in nodes.values().zip(&layout.nodes) { (node.markup(at, sizes)) }
                g.labels { (labels(&edges, &layout)) }
            }
        }
    }
}

fn services(record: &Record) -> IndexMap<String, Node> {
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
            let name = service.name.clone();
            (name.clone(), Node { name, about, faults: faults(index), service: true })
        })
        .collect()
}

/// Every edge that was used, and those of the scenario that were not; nodes that only edges name
/// (clients, gateways) are added.
fn edges(
    record: &Record,
    architecture: &Architecture,
    nodes: &mut IndexMap<String, Node>,
) -> IndexMap<(usize, usize), Edge> {
    let mut edges = IndexMap::new();
    let mut index = |name: &str| {
        let entry = nodes.entry(name.to_owned());
        let index = entry.index();
        entry.or_insert_with(|| Node {
            name: name.to_owned(),
            about: String::new(),
            faults: Vec::new(),
            service: false,
        });
        index
    };
    let mut entered = false;
    for (name, edge) in &architecture.edges {
        let Some((from, to)) = name.split_once(" → ") else { continue };
        if from != to {
            edges.insert((index(from), index(to)), *edge);
        }
        entered |= !record.graph.services.iter().any(|service| service.name == from);
    }
    for &(from, to) in &record.graph.edges {
        match from {
            Some(from) if from != to => {
                edges.entry((from, to)).or_default();
            }
            None if !entered => {
                edges.entry((index("client"), to)).or_default();
            }
            _ => {}
        }
    }
    edges
}

fn sizes(nodes: &IndexMap<String, Node>) -> Sizes {
    let longest = nodes.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let node_width = (longest as f64 * 7.6 + 26.0).clamp(92.0, 180.0);
    let (node_height, row_gap) = if nodes.len() > LARGE_FROM { (28.0, 10.0) } else { (44.0, 24.0) };
    Sizes { node_width, node_height, column_gap: 146.0, row_gap }
}

impl Node {
    fn markup(&self, (x, y): (f64, f64), sizes: Sizes) -> Markup {
        let class = match (self.faults.is_empty(), self.service) {
            (false, _) => "node hit",
            (true, true) => "node",
            (true, false) => "node edgeward",
        };
        let (left, top) = (x - sizes.node_width / 2.0, y - sizes.node_height / 2.0);
        let limit = ((sizes.node_width - 12.0) / 7.2) as usize;
        let roomy = sizes.node_height > 40.0 && !self.about.is_empty();
        let mut note = vec![self.name.clone()];
        note.extend((!self.about.is_empty()).then(|| self.about.clone()));
        note.extend(self.faults.iter().map(|fault| format!("fault: {fault}")));
        html! {
            g class=(class) {
                rect x=(round(left)) y=(round(top)) width=(round(sizes.node_width))
                    height=(round(sizes.node_height)) rx="6" { title { (note.join("\n")) } }
                text x=(round(x)) y=(round(if roomy { y - 2.0 } else { y + 4.5 })) {
                    (shortened(&self.name, limit))
                }
                @if roomy { text.sub x=(round(x)) y=(round(y + 14.0)) { (shortened(&self.about, limit + 3)) } }
                @if !self.faults.is_empty() {
                    text.why x=(round(x)) y=(round(top + sizes.node_height + 14.0)) {
                        "⚡ " (shortened(&self.faults.join(", "), limit + 4))
                    }
                }
            }
        }
    }
}

fn drawn(from: &str, to: &str, edge: &Edge, route: &Route, most: u64) -> Markup {
    let class = match edge.requests {
        0 => "edge idle",
        _ if failing(edge) => "edge failing",
        _ => "edge",
    };
    let least = if failing(edge) { 1.8 } else { 1.0 };
    let width = least + 3.5 * (edge.requests as f64 / most.max(1) as f64).sqrt();
    let note = format!(
        "{from} → {to}\n{}\n{}, {} each\n{} failed",
        plural(edge.requests, "request"),
        plural(edge.attempts, "attempt"),
        significant(edge.amplification()),
        share(edge.errors, edge.attempts),
    );
    let path = path(&route.points);
    html! {
        g class=(class) {
            path.reach d=(path) { title { (note) } }
            path d=(path) stroke-width=(round(width)) {}
            @if let Some(head) = head(route, width) { polygon points=(head) {} }
        }
    }
}

fn failing(edge: &Edge) -> bool {
    edge.errors as f64 >= FAILING_FROM * edge.attempts as f64 && edge.errors > 0
}

/// A smooth line through the points, level at each of them.
fn path(points: &[(f64, f64)]) -> String {
    let mut steps = Vec::with_capacity(points.len());
    for (index, &(x, y)) in points.iter().enumerate() {
        let (x, y) = (round(x), round(y));
        steps.push(match index.checked_sub(1).map(|before| points[before]) {
            None => format!("M{x} {y}"),
            Some((from_x, from_y)) => {
                let (middle, from_y) = (round(f64::midpoint(from_x, x)), round(from_y));
                format!("C{middle} {from_y} {middle} {y} {x} {y}")
            }
        });
    }
    steps.concat()
}

/// The tip of the arrow.
fn head(route: &Route, width: f64) -> Option<String> {
    let (&(x, y), back) =
        if route.turned { (route.points.first()?, 1.0) } else { (route.points.last()?, -1.0) };
    let (length, half) = (7.0 + width, 3.0 + width * 0.7);
    let base = round(x + back * length);
    let (x, y, low, high) = (round(x), round(y), round(y - half), round(y + half));
    Some(format!("{x} {y} {base} {low} {base} {high}"))
}

/// What edges have to say, beside their tips, none over another.
fn labels(edges: &IndexMap<(usize, usize), Edge>, layout: &Layout) -> Markup {
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    let mut labels = Vec::new();
    for (edge, route) in edges.values().zip(&layout.routes) {
        let Some(text) = said(edge) else { continue };
        let half = text.chars().count() as f64 * 3.2 + 4.0;
        let free = |&(x, y): &(f64, f64)| {
            !taken
                .iter()
                .any(|(at, height, other)| (x - at).abs() < half + other && (y - height).abs() < 15.0)
        };
        let places = [0.58, 0.45, 0.7, 0.34, 0.8].map(|part| along(&route.points, part));
        let (x, y) = places.into_iter().find(|place| free(place)).unwrap_or(places[0]);
        taken.push((x, y, half));
        labels.push((x, y, text, failing(edge)));
    }
    html! {
        @for (x, y, text, failing) in labels {
            text class=[failing.then_some("failing")] x=(round(x)) y=(round(y + 4.0)) { (text) }
        }
    }
}

fn said(edge: &Edge) -> Option<String> {
    let mut parts = Vec::new();
    if edge.amplification() >= AMPLIFIED_FROM {
        parts.push(format!("×{}", significant(edge.amplification())));
    }
    if failing(edge) {
        parts.push(format!("{} fail", share(edge.errors, edge.attempts)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A point on the last stretch of a route.
fn along(points: &[(f64, f64)], part: f64) -> (f64, f64) {
    let [.., (x0, y0), (x1, y1)] = points else { return (0.0, 0.0) };
    let eased = part * part * (3.0 - 2.0 * part);
    (x0 + (x1 - x0) * part, y0 + (y1 - y0) * eased)
}

fn description(name: &str, nodes: &IndexMap<String, Node>, edges: &IndexMap<(usize, usize), Edge>) -> String {
    let mut calls: IndexMap<usize, Vec<String>> = IndexMap::new();
    for ((from, to), edge) in edges {
        let mut figures = Vec::new();
        if edge.requests > 0 {
            figures.push(format!("{} requests", count(edge.requests)));
        }
        figures.extend(said(edge));
        let name = &nodes[*to].name;
        let call = if figures.is_empty() { name.clone() } else { format!("{name} ({})", figures.join(", ")) };
        calls.entry(*from).or_default().push(call);
    }
    let callers: Vec<String> = calls
        .into_iter()
        .map(|(from, calls)| format!("{} calls {}.", nodes[from].name, listed(&calls)))
        .collect();
    format!("Service graph under {name}. {}", callers.join(" "))
}
