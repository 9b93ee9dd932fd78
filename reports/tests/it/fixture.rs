//! Records that look like real ones, from simple formulae: no randomness, no simulation.

pub(crate) mod sweep;
pub(crate) mod trust;

use std::collections::BTreeMap;

use hoplab_sim::record::{
    Architecture, BreakerChange, Changed, Decided, Edge, Effort, Expectation, Fault, FaultHits, Graph, Hop,
    Latencies, Network, Node, Outcome, Phase, PolicyEvent, Record, Requests, Resources, SCHEMA, Stretch,
    Trace, Traffic, Wasted, Window, Work,
};
use hoplab_sim::scenario::plan::Source;
use indexmap::IndexMap;

pub(crate) use trust::joined;

const SERVICES: [(&str, u32); 11] = [
    ("frontend", 3),
    ("ad", 1),
    ("cart", 2),
    ("catalog", 3),
    ("checkout", 2),
    ("currency", 2),
    ("email", 1),
    ("payment", 3),
    ("recommendation", 2),
    ("shipping", 1),
    ("redis", 1),
];

/// Caller, callee, calls per request of the load.
const CALLS: [(&str, &str, f64); 16] = [
    ("client", "frontend", 1.0),
    ("frontend", "ad", 0.7),
    ("frontend", "cart", 0.95),
    ("frontend", "catalog", 3.6),
    ("frontend", "checkout", 0.05),
    ("frontend", "currency", 2.9),
    ("frontend", "recommendation", 0.8),
    ("frontend", "shipping", 0.2),
    ("recommendation", "catalog", 0.8),
    ("checkout", "cart", 0.1),
    ("checkout", "catalog", 0.06),
    ("checkout", "currency", 0.11),
    ("checkout", "email", 0.05),
    ("checkout", "payment", 0.05),
    ("checkout", "shipping", 0.1),
    ("cart", "redis", 1.05),
];

const ENDPOINTS: [(&str, f64, f64); 6] = [
    ("frontend.home", 0.16, 1.2),
    ("frontend.product", 0.52, 1.0),
    ("frontend.add_to_cart", 0.13, 0.5),
    ("frontend.view_cart", 0.13, 1.1),
    ("frontend.checkout", 0.04, 1.9),
    ("frontend.set_currency", 0.02, 0.1),
];

/// Deterministic latencies: `count` values on a curve with a heavy tail.
pub(crate) fn latencies(count: u64, floor_us: f64, scale_us: f64, tail: f64) -> Latencies {
    let mut buckets: BTreeMap<u64, u64> = BTreeMap::new();
    let mut sum_us = 0;
    for index in 0..count {
        let open = 1.0 - (index as f64 + 0.5) / count as f64;
        let value = (floor_us + scale_us * (-open.ln()).powf(tail)).round() as u64;
        sum_us += value;
        *buckets.entry(value).or_default() += 1;
    }
    let min_us = buckets.keys().next().copied().unwrap_or(0);
    let max_us = buckets.keys().next_back().copied().unwrap_or(0);
    Latencies { count, sum_us, min_us, max_us, buckets: buckets.into_iter().collect() }
}

fn traffic(sent: u64, errors: f64, floor_us: f64, scale_us: f64) -> Traffic {
    let failed = (sent as f64 * errors * 0.7).round() as u64;
    let timed_out = (sent as f64 * errors * 0.3).round() as u64;
    let open = u64::from(errors > 0.0);
    let ok = sent - failed - timed_out - open;
    let requests = Requests { sent, ok, failed, timed_out, open, refused: 0 };
    let latency = latencies(ok, floor_us, scale_us, 1.6);
    let failed_latency = latencies(failed + timed_out, scale_us, scale_us, 1.2);
    let intervals = trust::intervals(&latency, requests);
    Traffic { requests, latency, failed_latency, good: ok, within: Vec::new(), intervals, seeds: Vec::new() }
}

/// What differs between the architectures of the fixture.
struct Kind {
    name: &'static str,
    proxies: f64,
    errors: f64,
    retries: f64,
    breakers: bool,
}

const KINDS: [Kind; 4] = [
    Kind { name: "direct", proxies: 0.0, errors: 0.031, retries: 0.0, breakers: false },
    Kind { name: "gateway", proxies: 1.0, errors: 0.024, retries: 0.002, breakers: true },
    Kind { name: "mesh", proxies: 21.0, errors: 0.004, retries: 0.045, breakers: true },
    Kind { name: "gateway+mesh", proxies: 22.0, errors: 0.003, retries: 0.052, breakers: true },
];

/// A checkout under four architectures while payment turns slow.
pub(crate) fn boutique() -> Record {
    Record {
        schema: SCHEMA,
        version: "0.1.0".into(),
        scenario: "checkout".into(),
        title: "Checkout while payment turns slow".into(),
        question: "What does each architecture cost a checkout, and what does it save when payment \
                   turns slow?"
            .into(),
        sources: vec![Source {
            path: "scenarios/checkout.toml".into(),
            text: "# What does each architecture cost a checkout?\n[scenario]\ntitle = \"Checkout \
                   while payment turns slow\"\n"
                .into(),
        }],
        seed: 1,
        seeds: None,
        scale: 1.0,
        digest: "5f0c2a9d81e4b7366a1f93c07de2b584".into(),
        duration_us: 30_000_000,
        warmup_us: 5_000_000,
        window_us: 250_000,
        prices: None,
        adoption: IndexMap::new(),
        phases: IndexMap::new(),
        profiles: Vec::new(),
        graph: graph(),
        faults: vec![Fault {
            name: "payment-slow".into(),
            text: "payment is 20 times slower".into(),
            services: vec![7],
            at_us: 12_000_000,
            for_us: 8_000_000,
        }],
        architectures: KINDS.iter().map(|kind| (kind.name.to_owned(), architecture(kind))).collect(),
        paired: trust::paired(),
    }
}

fn graph() -> Graph {
    let index = |name: &str| SERVICES.iter().position(|(service, _)| *service == name);
    Graph {
        services: SERVICES
            .iter()
            .map(|&(name, replicas)| Node {
                name: name.into(),
                replicas,
                zone: (name == "payment").then(|| "far".into()),
            })
            .collect(),
        edges: CALLS.iter().filter_map(|(caller, callee, _)| Some((index(caller), index(callee)?))).collect(),
    }
}

fn architecture(kind: &Kind) -> Architecture {
    let sent = 5_000;
    let floor = 2_400.0 + 95.0 * kind.proxies;
    let endpoints: IndexMap<String, Traffic> = ENDPOINTS
        .iter()
        .map(|&(name, share, weight)| {
            let errors = if name == "frontend.checkout" { kind.errors * 10.0 } else { 0.0 };
            let sent = (f64::from(sent) * share) as u64;
            (name.to_owned(), traffic(sent, errors, floor * weight, 4_800.0 * weight))
        })
        .collect();
    let total = traffic(u64::from(sent as u32), kind.errors, floor, 4_800.0);
    let mean_us = total.latency.mean_us().unwrap_or(0.0);
    let breakdown_us = breakdown(kind, mean_us);
    Architecture {
        digest: format!("{:032x}", 0x5eed_u128 * 1_000_003 * (kind.proxies as u128 + 7)),
        hops: hops(kind, &breakdown_us),
        breakdown_us,
        failed_breakdown_us: BTreeMap::new(),
        phases: phases(kind, floor),
        edges: edges(kind, f64::from(sent as u32)),
        pods: BTreeMap::from([("payment-0".to_owned(), 30), ("payment-1".to_owned(), 90)]),
        breakers: if kind.breakers { breakers(kind) } else { Vec::new() },
        breakers_left_out: 0,
        breakers_cut_us: None,
        changes: if kind.breakers { changes(&breakers(kind)) } else { Vec::new() },
        policies: policies(kind),
        policies_left_out: 0,
        policies_cut_us: None,
        decisions: decisions(kind, 5_000_000),
        decisions_in_warmup: Vec::new(),
        violations: Vec::new(),
        work: work(kind),
        resources: resources(kind),
        at_gateway: kind.name.starts_with("gateway").then_some(5_000),
        without_sidecar: Vec::new(),
        network: network(kind),
        faults: vec![FaultHits { name: "payment-slow".into(), hits: 84, applies: true }],
        windows: (0..120).map(|index| window(index, kind)).collect(),
        endpoint_windows: IndexMap::new(),
        expectations: expectations(kind),
        slowest: (0..5).map(|rank| trace(kind, rank)).collect(),
        effort: Effort { packets: 812_000, spans: 91_000 },
        endpoints,
        total,
    }
}

fn network(kind: &Kind) -> IndexMap<String, Network> {
    let well = Network { packets: 181_000, connections: 48, ..Network::default() };
    let lossy = Network {
        packets: 90_500,
        lost: 410,
        retransmitted: 402,
        timeouts: 12,
        tail_probes: 31,
        connections: 24,
        resets: 2,
        ..Network::default()
    };
    let email = if kind.proxies > 1.0 { lossy } else { well };
    IndexMap::from([("client → checkout".to_owned(), well), ("checkout → email".to_owned(), email)])
}

fn resources(kind: &Kind) -> IndexMap<String, Resources> {
    let of = |processor_us: u64, cores_peak, connections_peak, bytes| Resources {
        processor_us,
        cores_mean: processor_us as f64 / 25e6,
        cores_peak,
        connections_peak,
        bytes,
        memory: 0,
    };
    let application = of(12_300_000, 9, 140, if kind.proxies > 1.0 { 0 } else { 81_000_000 });
    let mut all = IndexMap::from([("application".to_owned(), application)]);
    if kind.proxies > 1.0 {
        all.insert("sidecar".to_owned(), of(5_400_000, 6, 230, 94_500_000));
    }
    if kind.name.starts_with("gateway") {
        all.insert("gateway".to_owned(), of(410_000, 2, 96, 9_300_000));
    }
    all
}

fn breakdown(kind: &Kind, mean_us: f64) -> BTreeMap<String, f64> {
    let retry = kind.retries * 9_000.0;
    let mut parts = BTreeMap::from([
        ("wire".to_owned(), 1_900.0 + 12.0 * kind.proxies),
        ("connect".to_owned(), 11.0),
        ("pool".to_owned(), 3.5),
        ("tls".to_owned(), 4.4 * kind.proxies),
        ("proxy_cpu".to_owned(), 62.0 * kind.proxies),
        ("proxy_queue".to_owned(), 9.1 * kind.proxies),
        ("service_queue".to_owned(), 830.0 + 2.0 * kind.proxies),
        ("service_sleep".to_owned(), 210.0),
        ("backoff".to_owned(), retry),
        ("client".to_owned(), 2.0),
    ]);
    let rest = mean_us - parts.values().sum::<f64>();
    parts.insert("service_work".to_owned(), rest);
    parts
}

/// Payment works on for callers that gave up, the more of them do.
fn work(kind: &Kind) -> IndexMap<String, Work> {
    let work = |name: &str, wasted_share: f64| {
        let cpu_us = 1_000_000 * name.len() as u64;
        let wasted_us = (cpu_us as f64 * wasted_share).round() as u64;
        (name.to_owned(), Work { cpu_us, wasted: Wasted { requests: wasted_us / 9_000, cpu_us: wasted_us } })
    };
    let rest = SERVICES.iter().filter(|(name, _)| *name != "payment").map(|(name, _)| work(name, 0.0));
    rest.chain([work("payment", kind.errors * 4.0)]).collect()
}

fn hops(kind: &Kind, breakdown_us: &BTreeMap<String, f64>) -> Vec<Hop> {
    let mut hops = vec![Hop {
        name: "client".into(),
        visits: 1.0,
        breakdown_us: BTreeMap::from([("wire".into(), 500.0), ("client".into(), 2.0)]),
    }];
    let mut push = |name: String, visits: f64, parts: &[(&str, f64)]| {
        let breakdown_us = parts.iter().map(|&(owner, us)| (owner.to_owned(), us)).collect();
        hops.push(Hop { name, visits, breakdown_us });
    };
    if kind.name.starts_with("gateway") {
        push("gateway".into(), 1.0, &[("proxy_cpu", 62.0), ("proxy_queue", 9.0), ("wire", 12.0)]);
    }
    let work = breakdown_us["service_work"];
    let all: f64 = CALLS.iter().map(|(_, _, calls)| calls).sum();
    for (name, _) in SERVICES {
        let calls: f64 = CALLS.iter().filter(|(_, to, _)| *to == name).map(|(_, _, n)| n).sum();
        let part = calls / all;
        if kind.proxies > 2.0 {
            let cpu = 62.0 * calls;
            push(format!("{name} (inbound)"), calls, &[("proxy_cpu", cpu), ("tls", 4.4 * calls)]);
        }
        push(
            name.to_owned(),
            calls,
            &[("service_work", work * part), ("service_queue", 830.0 * part), ("wire", 1_400.0 * part)],
        );
    }
    if kind.proxies > 2.0 {
        for (caller, calls) in
            [("frontend", 9.2), ("recommendation", 0.8), ("checkout", 0.47), ("cart", 1.05)]
        {
            let backoff = kind.retries * 4_000.0 * calls / all;
            push(format!("{caller} (outbound)"), calls, &[("proxy_cpu", 40.0 * calls), ("backoff", backoff)]);
        }
    }
    hops
}

fn phases(kind: &Kind, floor: f64) -> IndexMap<String, Phase> {
    let phase = |from_us, until_us, sent, errors, scale| Phase {
        from_us,
        until_us,
        total: traffic(sent, errors, floor, scale),
        endpoints: IndexMap::new(),
        breakdown_us: BTreeMap::new(),
        edges: edges(kind, sent as f64),
        pods: BTreeMap::new(),
        work: IndexMap::new(),
        decisions: Vec::new(),
    };
    let mut phases = IndexMap::from([
        ("steady".to_owned(), phase(5_000_000, 12_000_000, 1_400, 0.0, 3_900.0)),
        (
            "payment-slow".to_owned(),
            phase(12_000_000, 20_000_000, 1_600, kind.errors * 3.1, 9_000.0 - 190.0 * kind.proxies),
        ),
        ("recovery".to_owned(), phase(20_000_000, 30_000_000, 2_000, 0.0, 4_000.0)),
    ]);
    for phase in phases.values_mut() {
        phase.breakdown_us = breakdown(kind, phase.total.latency.mean_us().unwrap_or(0.0));
    }
    phases
}

fn edges(kind: &Kind, sent: f64) -> IndexMap<String, Edge> {
    CALLS
        .iter()
        .map(|(from, to, calls)| {
            let requests = (sent * calls).round() as u64;
            let slow = if *to == "payment" { 12.0 } else { 0.04 };
            let attempts = requests + (requests as f64 * kind.retries * slow).round() as u64;
            let errors = if *to == "payment" { (requests as f64 * 0.31).round() as u64 } else { 0 };
            (
                format!("{from} → {to}"),
                Edge {
                    requests,
                    attempts,
                    retries: attempts.saturating_sub(requests),
                    errors,
                    ..Edge::default()
                },
            )
        })
        .collect()
}

fn breakers(kind: &Kind) -> Vec<BreakerChange> {
    let pods: &[&str] = if kind.proxies > 2.0 { &["checkout-0", "checkout-1"] } else { &["gateway-0"] };
    let mut changes = Vec::new();
    for (index, pod) in pods.iter().enumerate() {
        let upstream = if kind.proxies > 2.0 { "payment" } else { "frontend" };
        for (step, state) in ["open", "half-open", "open", "half-open", "closed"].iter().enumerate() {
            let step = step as u64;
            changes.push(BreakerChange {
                at_us: 12_400_000 + index as u64 * 700_000 + step * 2_000_000 - step % 2 * 300_000,
                pod: (*pod).to_owned(),
                upstream: upstream.to_owned(),
                endpoint: (kind.proxies > 2.0).then(|| format!("payment-{index}")),
                state: (*state).to_owned(),
            });
        }
    }
    changes.sort_by_key(|change| change.at_us);
    changes
}

/// The counts of `breakers`.
fn changes(breakers: &[BreakerChange]) -> Vec<Changed> {
    let mut changes: Vec<Changed> = Vec::new();
    for BreakerChange { pod, upstream, endpoint, state, .. } in breakers {
        let one = Changed {
            pod: pod.clone(),
            upstream: upstream.clone(),
            endpoint: endpoint.clone(),
            state: state.clone(),
            count: 1,
        };
        let is_same = |known: &&mut Changed| Changed { count: 1, ..(*known).clone() } == one;
        match changes.iter_mut().find(is_same) {
            Some(known) => known.count += 1,
            None => changes.push(one),
        }
    }
    changes
}

/// Retries while payment is slow, and an endpoint that is ejected and comes back.
fn policies(kind: &Kind) -> Vec<PolicyEvent> {
    if kind.proxies < 2.0 {
        return Vec::new();
    }
    let event = |at_us, decision: &str, endpoint: Option<&str>| PolicyEvent {
        at_us,
        pod: format!("checkout-{}", at_us / 1_000 % 2),
        upstream: "payment".into(),
        endpoint: endpoint.map(str::to_owned),
        decision: decision.to_owned(),
    };
    let mut events: Vec<_> = (0..200)
        .map(|index| event(12_100_000 + index * index * 195, "retried", Some("payment-1:15006")))
        .chain((0..12).map(|index| event(13_000_000 + index * 550_000, "retry-budget-spent", None)))
        .collect();
    events.push(event(12_700_000, "ejected", Some("payment-0:15006")));
    events.push(event(21_400_000, "readmitted", Some("payment-0:15006")));
    events.push(event(3_000_000, "retried", Some("payment-2:15006")));
    events.sort_by_key(|event| event.at_us);
    events
}

/// The counts of [`policies`] from `from_us` on.
fn decisions(kind: &Kind, from_us: u64) -> Vec<Decided> {
    let mut counts: IndexMap<(String, Option<String>, String), u64> = IndexMap::new();
    for event in policies(kind).into_iter().filter(|event| event.at_us >= from_us) {
        *counts.entry((event.pod, event.endpoint, event.decision)).or_default() += 1;
    }
    counts.sort_keys();
    let decided = |((pod, endpoint, decision), count)| {
        let upstream = "payment".to_owned();
        Decided { pod, upstream, endpoint, decision, count }
    };
    counts.into_iter().map(decided).collect()
}

fn window(index: u64, kind: &Kind) -> Window {
    let slow = (48..80).contains(&index);
    let sent = 50 + (index * 7) % 11;
    let errors = if slow { (kind.errors * 90.0 + (index % 3) as f64 * kind.errors * 20.0) as u64 } else { 0 };
    let p50 = 6_100 + (index * 37) % 240 + (95.0 * kind.proxies) as u64;
    let jam = if slow { (10.0 - kind.proxies * 0.2) as u64 * 9_000 } else { 0 };
    let p99 = p50 * 3 + (index * 131) % 5_000 + jam;
    let calls = sent * 11;
    let attempts = calls + if slow { (calls as f64 * kind.retries * 3.0) as u64 } else { 0 };
    let ok = sent - errors;
    let buckets = spread(p50, p99, ok);
    let sum_us = buckets.iter().map(|(us, count)| us * count).sum();
    let (min_us, max_us) = (buckets[0].0, buckets[buckets.len() - 1].0);
    let latency = Latencies { count: ok, sum_us, min_us, max_us, buckets };
    Window { sent, ok, errors, good: ok, attempts, calls, ..Window::default() }.with_latency(latency)
}

/// A window's requests over a curve through its median and its tail.
fn spread(p50: u64, p99: u64, sent: u64) -> Vec<(u64, u64)> {
    let mut buckets: BTreeMap<u64, u64> = BTreeMap::new();
    for index in 0..sent {
        let part = (index as f64 + 0.5) / sent as f64;
        let tail = (p99 - p50) as f64 * part.powi(24);
        *buckets.entry((p50 as f64 * (0.4 + 1.2 * part) + tail) as u64 / 100 * 100).or_default() += 1;
    }
    buckets.into_iter().collect()
}

/// As what can be judged comes out.
pub(crate) fn outcome(holds: bool) -> Outcome {
    if holds { Outcome::Holds } else { Outcome::Fails }
}

fn expectations(kind: &Kind) -> Vec<Expectation> {
    let seen = 182.0 - kind.proxies * 4.0;
    let mut expectations = vec![Expectation {
        text: "p99 of frontend.checkout during payment-slow at most 150 ms".into(),
        seen: Some(seen * 1_000.0),
        seen_text: format!("{seen} ms"),
        min: None,
        max: Some(150_000.0),
        holds: seen <= 150.0,
        outcome: outcome(seen <= 150.0),
        takes: None,
        failed_in: Vec::new(),
        unjudged_in: Vec::new(),
    }];
    if kind.proxies > 2.0 {
        expectations.push(Expectation {
            text: "error_rate during payment-slow at most 2 %".into(),
            seen: Some(kind.errors),
            seen_text: format!("{:.2} %", kind.errors * 310.0),
            min: None,
            max: Some(0.02),
            holds: true,
            outcome: Outcome::Holds,
            takes: None,
            failed_in: Vec::new(),
            unjudged_in: Vec::new(),
        });
    }
    expectations
}

fn trace(kind: &Kind, rank: u64) -> Trace {
    let mut path = vec![stretch("client", "wire", 250)];
    let meshed = kind.proxies > 2.0;
    if kind.name.starts_with("gateway") {
        path.extend([stretch("gateway", "proxy_cpu", 62), stretch("gateway", "wire", 250)]);
    }
    path.push(stretch("frontend", "service_work", 900));
    for callee in ["cart", "checkout", "currency", "catalog"] {
        if meshed {
            path.push(stretch("frontend (outbound)", "proxy_cpu", 62));
            path.push(stretch("frontend (outbound)", "wire", 250));
            path.push(stretch(&format!("{callee} (inbound)"), "proxy_cpu", 62));
            path.push(stretch(&format!("{callee} (inbound)"), "tls", 5));
        } else {
            path.push(stretch("frontend", "wire", 250));
        }
        path.push(stretch(callee, "service_queue", 310));
        path.push(stretch(callee, "service_work", 1_100));
        if callee == "checkout" {
            path.push(stretch("checkout (outbound)", "wire", 250));
            path.push(stretch("payment", "service_work", 41_000 - rank * 3_000));
            path.push(stretch("checkout (outbound)", "backoff", 25_000));
            path.push(stretch("payment", "service_work", 52_000 - rank * 2_000));
            path.push(stretch("payment", "wire", 250));
        }
        path.push(stretch(callee, "wire", 250));
    }
    path.push(stretch("frontend", "service_work", 400));
    path.push(stretch("client", "wire", 250));
    Trace {
        id: format!(
            "{:032x}",
            (u128::from(rank) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        ),
        endpoint: "frontend.checkout".into(),
        at_us: 14_000_000 + rank * 731_000,
        latency_us: path.iter().map(|stretch| stretch.us).sum(),
        outcome: if rank == 0 { "503".into() } else { "200".into() },
        path,
    }
}

fn stretch(hop: &str, owner: &str, us: u64) -> Stretch {
    Stretch { hop: hop.to_owned(), owner: owner.to_owned(), us }
}

/// The boutique with its architectures replaced by `count` of them under invented names.
pub(crate) fn with_architectures(count: usize) -> Record {
    let mut record = boutique();
    let (architecture, paired) = (record.architectures["mesh"].clone(), record.paired["mesh"].clone());
    let name = |index: usize| format!("part-{index}+mesh:linkerd");
    record.architectures = (0..count).map(|index| (name(index), architecture.clone())).collect();
    record.paired = (1..count).map(|index| (name(index), paired.clone())).collect();
    record.paired.values_mut().for_each(|paired| paired.baseline = name(0));
    record
}

/// A run in which nothing was ever sent and nothing ever happened.
pub(crate) fn silent() -> Record {
    let mut record = boutique();
    record.faults.clear();
    record.question.clear();
    record.paired.clear();
    for architecture in record.architectures.values_mut() {
        let digest = std::mem::take(&mut architecture.digest);
        *architecture = Architecture {
            digest,
            total: Traffic::default(),
            endpoints: IndexMap::new(),
            phases: IndexMap::new(),
            breakdown_us: BTreeMap::new(),
            failed_breakdown_us: BTreeMap::new(),
            hops: Vec::new(),
            edges: IndexMap::new(),
            pods: BTreeMap::new(),
            breakers: Vec::new(),
            breakers_left_out: 0,
            breakers_cut_us: None,
            changes: Vec::new(),
            policies: Vec::new(),
            policies_left_out: 0,
            policies_cut_us: None,
            decisions: Vec::new(),
            decisions_in_warmup: Vec::new(),
            violations: Vec::new(),
            work: IndexMap::new(),
            resources: IndexMap::new(),
            at_gateway: None,
            without_sidecar: Vec::new(),
            network: IndexMap::new(),
            faults: Vec::new(),
            windows: Vec::new(),
            endpoint_windows: IndexMap::new(),
            expectations: Vec::new(),
            slowest: Vec::new(),
            effort: Effort::default(),
        };
    }
    record
}
