//! The picture of the service graph under one architecture: who calls whom through which proxies, how much, how often
//! it took another attempt, what failed, what proxies decided, and what a fault touches. Owns its look; `topology` says
//! who is there, `layout` places it.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Architecture, Edge, Record};
use indexmap::IndexMap;
use maud::{Markup, html};

use super::frame::Keys;
use super::layout::{self, Layout, Route, Sizes};
use super::svg::round;
use super::topology::{Kind, Link, Node, Topology};
use crate::charts::Ink;
use crate::charts::curves::State;
use crate::format::{in_words, listed, plural, share, shortened, significant};
use crate::owners;

/// With more services than this nodes are drawn small.
const LARGE_FROM: usize = 40;

/// Attempts per request from which an edge says so.
const AMPLIFIED_FROM: f64 = 1.005;

/// The share of failed attempts from which an edge is red.
const FAILING_FROM: f64 = 0.001;

/// The room for what stands below the lowest nodes.
const BELOW: f64 = 14.0;

/// How broad a sidecar is drawn, at the side of its service where requests come in and at that where they leave.
const SIDECAR: f64 = 6.0;

/// The picture with the figures of one architecture.
pub(crate) fn graph(record: &Record, name: &str, architecture: &Architecture) -> Markup {
    let Topology { nodes, links } = Topology::of(record, architecture);
    let pairs: Vec<(usize, usize)> = links.keys().copied().collect();
    let sizes = sizes(&nodes);
    let layout = layout::layout(nodes.len(), &pairs, sizes);
    let view = format!("0 0 {} {}", layout.width.ceil(), (layout.height + BELOW).ceil());
    let style = format!("max-width:{0}px;min-width:{1}px", layout.width.ceil(), (layout.width * 0.8).ceil());
    html! {
        div.graph tabindex="0" role="group" aria-label={ "service graph under " (name) } {
            svg viewBox=(view) style=(style) role="img" aria-label=(description(name, &nodes, &links)) {
                @let most = links.values().map(|link| link.edge.requests).max().unwrap_or(0);
                @for fails in [false, true] {
                    @for ((&(from, to), link), route) in links.iter().zip(&layout.routes) {
                        @if failing(&link.edge) == fails {
                            (drawn(&nodes[from].name, &nodes[to].name, link, route, most))
                        }
                    }
                }
                @for (node, &at) in nodes.values().zip(&layout.nodes) { (node.markup(at, sizes)) }
                g.labels { (labels(&links, &layout, sizes)) }
            }
        }
    }
}

fn sizes(nodes: &IndexMap<String, Node>) -> Sizes {
    let longest = nodes.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let node_width = (longest as f64 * 7.6 + 26.0).clamp(92.0, 180.0);
    let (node_height, row_gap) = if nodes.len() > LARGE_FROM { (28.0, 10.0) } else { (44.0, 24.0) };
    Sizes { node_width, node_height, column_gap: 122.0, row_gap }
}

impl Node {
    fn markup(&self, (x, y): (f64, f64), sizes: Sizes) -> Markup {
        let class = match (self.faults.is_empty(), self.kind) {
            (false, _) => "node hit",
            (true, Kind::Service { .. }) => "node",
            (true, Kind::Gateway) => "node gateway",
            (true, Kind::Client) => "node edgeward",
        };
        let (left, top) = (x - sizes.node_width / 2.0, y - sizes.node_height / 2.0);
        let limit = ((sizes.node_width - 12.0) / 7.2) as usize;
        let roomy = sizes.node_height > 40.0 && !self.about.is_empty();
        let mut note = vec![self.name.clone()];
        note.extend((!self.about.is_empty()).then(|| self.about.clone()));
        note.extend(
            (self.kind == Kind::Service { sidecar: true }).then(|| "a sidecar at each pod".to_owned()),
        );
        note.extend(self.decided.notes());
        note.extend(self.faults.iter().map(|fault| format!("fault: {fault}")));
        let mut below = self.decided.said().join(", ");
        if !self.faults.is_empty() {
            below = format!("⚡ {}", self.faults.join(", "));
        }
        html! {
            g class=(class) {
                rect x=(round(left)) y=(round(top)) width=(round(sizes.node_width))
                    height=(round(sizes.node_height)) rx="6" { title { (note.join("\n")) } }
                @if self.kind == (Kind::Service { sidecar: true }) {
                    @for side in [left, left + sizes.node_width - SIDECAR] {
                        rect.sidecar x=(round(side)) y=(round(y - sizes.node_height * 0.32)) width=(SIDECAR)
                            height=(round(sizes.node_height * 0.64)) rx="2" {}
                    }
                }
                text x=(round(x)) y=(round(if roomy { y - 2.0 } else { y + 4.5 })) {
                    (shortened(&self.name, limit))
                }
                @if roomy { text.sub x=(round(x)) y=(round(y + 14.0)) { (shortened(&self.about, limit + 3)) } }
                @if !below.is_empty() {
                    text.why x=(round(x)) y=(round(top + sizes.node_height + 14.0)) { (shortened(&below, limit + 6)) }
                }
            }
        }
    }
}

fn drawn(from: &str, to: &str, link: &Link, route: &Route, most: u64) -> Markup {
    let edge = &link.edge;
    let class = match edge.requests {
        0 => "edge idle",
        _ if failing(edge) => "edge failing",
        _ => "edge",
    };
    let least = if failing(edge) { 1.8 } else { 1.0 };
    let width = least + 3.5 * (edge.requests as f64 / most.max(1) as f64).sqrt();
    let mut note = vec![
        format!("{from} → {to}"),
        plural(edge.requests, "request"),
        format!(
            "{}, {} each",
            plural(edge.attempts, "attempt"),
            in_words(Figure::Amplification, edge.amplification())
        ),
        format!("{} of them failed", share(edge.errors, edge.attempts)),
    ];
    note.extend(link.decided.notes());
    let path = path(&route.points);
    html! {
        g class=(class) {
            path.reach d=(path) { title { (note.join("\n")) } }
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

/// What edges have to say, beside their tips, none over another or over a node.
fn labels(links: &IndexMap<(usize, usize), Link>, layout: &Layout, sizes: Sizes) -> Markup {
    let (half_width, half_height) = (sizes.node_width / 2.0, sizes.node_height / 2.0);
    let node =
        |&(x, y): &(f64, f64)| [x - half_width, y - half_height, x + half_width, y + half_height + BELOW];
    let mut taken: Vec<[f64; 4]> = layout.nodes.iter().map(node).collect();
    let mut labels = Vec::new();
    for (link, route) in links.values().zip(&layout.routes) {
        let lines = lines(link);
        let Some(longest) = lines.iter().map(|line| line.chars().count()).max() else { continue };
        let (half, high) = (longest as f64 * 3.3 + 4.0, lines.len() as f64 * LINE);
        let around = |(x, y): (f64, f64)| [x - half, y - high / 2.0, x + half, y + high / 2.0];
        let free = |place: &(f64, f64)| {
            let [left, top, right, bottom] = around(*place);
            let meets = |[x0, y0, x1, y1]: &[f64; 4]| left < *x1 && *x0 < right && top < *y1 && *y0 < bottom;
            top >= 0.0 && bottom <= layout.height && !taken.iter().any(meets)
        };
        let places = [0.58, 0.45, 0.7, 0.34, 0.8, 0.22].map(|part| along(&route.points, part));
        let beside = places
            .into_iter()
            .flat_map(|(x, y)| [0.0, -LINE, LINE, -2.0 * LINE, 2.0 * LINE].map(|by| (x, y + by)));
        let (x, y) = beside.into_iter().find(free).unwrap_or(places[0]);
        taken.push(around((x, y)));
        labels.push((x, y - high / 2.0, lines, failing(&link.edge)));
    }
    html! {
        @for (x, top, lines, failing) in labels {
            @for (index, line) in lines.iter().enumerate() {
                text class=[failing.then_some("failing")] x=(round(x)) y=(round(top + LINE * (index as f64 + 0.78))) { (line) }
            }
        }
    }
}

/// The height of a line beside an edge.
const LINE: f64 = 14.0;

/// What is said beside an edge: of its figures, then of what was decided about it.
fn lines(link: &Link) -> Vec<String> {
    let mut lines: Vec<String> = said(&link.edge).into_iter().collect();
    lines.extend(link.decided.said());
    lines
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

/// What the colours stand for.
pub(crate) fn keys() -> Keys {
    Keys::shades(vec![
        ("a proxy: gateway, or a service's sidecar".to_owned(), Ink::Owner(owners::index("proxy_cpu"))),
        ("touched by a fault".to_owned(), Ink::Fault),
        ("attempts fail".to_owned(), Ink::State(State::Open)),
    ])
}

/// A point on the last stretch of a route.
fn along(points: &[(f64, f64)], part: f64) -> (f64, f64) {
    let [.., (x0, y0), (x1, y1)] = points else { return (0.0, 0.0) };
    let eased = part * part * (3.0 - 2.0 * part);
    (x0 + (x1 - x0) * part, y0 + (y1 - y0) * eased)
}

fn description(name: &str, nodes: &IndexMap<String, Node>, links: &IndexMap<(usize, usize), Link>) -> String {
    let mut calls: IndexMap<usize, Vec<String>> = IndexMap::new();
    for ((from, to), link) in links {
        let mut figures = Vec::new();
        if link.edge.requests > 0 {
            figures.push(plural(link.edge.requests, "request"));
        }
        figures.extend(lines(link));
        let name = &nodes[*to].name;
        let call = if figures.is_empty() { name.clone() } else { format!("{name} ({})", figures.join(", ")) };
        calls.entry(*from).or_default().push(call);
    }
    let callers: Vec<String> = calls
        .into_iter()
        .map(|(from, calls)| format!("{} calls {}.", nodes[from].name, listed(&calls)))
        .collect();
    format!("Service graph under {name}. {}{}", callers.join(" "), sidecars(nodes))
}

/// Which pods have a sidecar; nothing where none has.
fn sidecars(nodes: &IndexMap<String, Node>) -> String {
    let those = |sidecar| -> Vec<String> {
        let those = nodes.values().filter(|node| node.kind == Kind::Service { sidecar });
        those.map(|node| node.name.clone()).collect()
    };
    match (those(true).is_empty(), those(false)) {
        (true, _) => String::new(),
        (false, without) if without.is_empty() => " Every pod has a sidecar.".to_owned(),
        (false, without) => format!(" Every pod but those of {} has a sidecar.", listed(&without)),
    }
}
