//! The page: well-formed, self-contained, complete, and sane at the edges.

use hoplab_reports::page::page;
use hoplab_sim::record::{Decided, Edge, Node, PolicyEvent, Record, Violation};

use crate::fixture;

/// Elements that HTML knows without an end tag.
const VOID: [&str; 4] = ["meta", "link", "input", "br"];

/// Panics where an element is closed that is not open; script and style hold text alone.
fn assert_well_formed(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before …{}", &rest[..rest.len().min(80)]);
            continue;
        }
        let name = tag.split([' ', '\n']).next().expect("a tag has a name");
        assert!(name.chars().all(|char| char.is_ascii_alphanumeric()), "<{tag}>");
        if VOID.contains(&name) {
            continue;
        }
        open.push(name);
        if name == "script" || name == "style" {
            let close = rest.find("</").expect("it ends");
            rest = &rest[close..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn assert_sound(record: &Record) -> String {
    let html = page(record);
    assert_sound_page(&html);
    html
}

/// Panics where a page is not well-formed, not whole or too large.
pub(crate) fn assert_sound_page(html: &str) {
    assert_well_formed(html);
    assert_eq!(html.matches("<script>").count(), 1);
    for outside in ["http://", "https://", "src=", "@import", "url(", "<iframe"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(!html.contains("NaN") && !html.contains("inf\""), "a coordinate is no number");
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
}

#[test]
fn tells_everything_in_order() {
    let html = assert_sound(&fixture::boutique());
    let mut from = 0;
    for part in [
        "Checkout while payment turns slow",
        "What does each architecture cost",
        "With gateway+mesh, 0.34\u{a0}% of requests fail over the whole run",
        "2 of 6 expectations not met",
        "id=\"overview\"",
        "id=\"graph\"",
        "⚡ payment-slow",
        "id=\"time\"",
        "id=\"expectations\"",
        "id=\"costs\"",
        "id=\"latency\"",
        "id=\"breakdown\"",
        "id=\"goodput\"",
        "id=\"breakers\"",
        "id=\"policies\"",
        "mesh: retried → payment 201, retry-budget-spent → payment 12, ejected → payment 1",
        "<td>200</td><td>200</td>",
        "id=\"slowest\"",
        "id=\"details\"",
        "title=\"payment-1\">payment-1</th><td class=\"apart\">90</td><td>75 %</td>",
        "Processor time of services",
        "hoplab replay .",
        "hoplab run scenarios/checkout.toml --seed 1 --arch direct,gateway,mesh,gateway+mesh",
        "5f0c2a9d81e4b7366a1f93c07de2b584",
    ] {
        let found = html[from..].find(part);
        from += found.unwrap_or_else(|| panic!("{part} is not there, or in the wrong place"));
    }
}

#[test]
fn the_same_record_gives_the_same_page() {
    assert_eq!(page(&fixture::boutique()), page(&fixture::boutique()));
}

#[test]
fn a_hostile_name_stays_a_name() {
    let hostile = "</title><script>alert(1)</script>\" onload=\"x & 'y'";
    let mut record = fixture::boutique();
    record.title = hostile.into();
    record.question = hostile.into();
    record.scenario = hostile.into();
    record.faults[0].name = hostile.into();
    record.faults[0].text = hostile.into();
    record.graph.services[0].name = hostile.into();
    record.sources[0].text = hostile.into();
    let mesh = &mut record.architectures["mesh"];
    mesh.hops[0].name = hostile.into();
    mesh.breakers[0].pod = hostile.into();
    mesh.policies[0].upstream = hostile.into();
    mesh.decisions[0].decision = hostile.into();
    mesh.slowest[0].outcome = hostile.into();
    mesh.expectations[0].text = hostile.into();
    let architecture = record.architectures["gateway"].clone();
    record.architectures.insert(hostile.into(), architecture);
    let html = assert_sound(&record);
    assert_eq!(html.matches("<script>").count(), 1);
    assert!(!html.contains("onload=\"x"));
}

#[test]
fn nothing_was_sent() {
    let html = assert_sound(&fixture::silent());
    assert!(html.contains("No request was measured."));
    assert!(html.contains("No breaker changed its state, and no endpoint was ejected."));
    assert!(html.contains("No policy decided anything"));
}

#[test]
fn of_many_policies_the_busiest_are_drawn_and_all_are_counted() {
    let mut record = fixture::boutique();
    let mesh = &mut record.architectures["mesh"];
    let (event, counted) = (mesh.policies[0].clone(), mesh.decisions[0].clone());
    mesh.policies_left_out = 7;
    mesh.policies_cut_us = Some(20_500_000);
    for service in 0..20_u64 {
        let upstream = format!("service-{service}");
        for number in 0..=service {
            let (at_us, upstream) = (8_000_000 + number * 1_000_000, upstream.clone());
            mesh.policies.push(PolicyEvent { at_us, upstream, ..event.clone() });
        }
        mesh.decisions.push(Decided { upstream, count: 1_234, ..counted.clone() });
    }
    let html = assert_sound(&record);
    assert!(html.contains("and 8 lanes not shown"), "24 lanes, of which 16 are drawn");
    assert!(html.contains("nothing is drawn under mesh from 20.5 s on. 7 decisions more are counted"));
    assert!(html.contains("(what came from 20.5 s on is counted, not listed)"));
    assert!(html.contains("<td class=\"text\">service-0</td>"), "the table has the least of them, too");
}

#[test]
fn one_architecture_alone() {
    let mut record = fixture::boutique();
    record.architectures.truncate(1);
    record.paired.clear();
    let html = assert_sound(&record);
    assert!(html.contains("takes 4.57\u{a0}ms with direct"), "a verdict without comparison");
    assert!(!html.contains("Mean added over"));
}

#[test]
fn no_faults_and_no_breakers() {
    let mut record = fixture::boutique();
    record.faults.clear();
    for architecture in record.architectures.values_mut() {
        architecture.breakers.clear();
        architecture.phases.clear();
        architecture.faults.clear();
    }
    let html = assert_sound(&record);
    assert!(
        html.contains(
            "request by request, gateway adds 95\u{a0}µs (94 to 96\u{a0}µs), mesh adds 2\u{a0}ms ("
        )
    );
}

#[test]
fn a_percentile_that_the_sample_cannot_carry_is_a_dash() {
    let mut record = fixture::boutique();
    record.architectures["direct"].total.latency = fixture::latencies(3, 1_000.0, 500.0, 1.0);
    assert!(assert_sound(&record).contains("<td>–</td>"));
}

#[test]
fn eight_architectures_and_twenty_endpoints() {
    let mut record = fixture::with_architectures(8);
    for index in 0..14 {
        let name = format!("service-{index}.endpoint");
        for seen in record.architectures.values_mut() {
            let endpoint = seen.endpoints[0].clone();
            seen.endpoints.insert(name.clone(), endpoint.clone());
            seen.phases.values_mut().for_each(|phase| {
                phase.endpoints.insert(name.clone(), endpoint.clone());
            });
        }
        for paired in record.paired.values_mut() {
            let endpoint = paired.endpoints[0].clone();
            paired.endpoints.insert(name.clone(), endpoint);
        }
    }
    let html = assert_sound(&record);
    assert!(html.contains("of 7 others"), "the verdict stays short");
    for slot in 0..8 {
        assert!(html.contains(&format!("id=\"show-{slot}\"")), "each has a switch of its own");
    }
}

#[test]
fn very_long_names_are_cut_where_there_is_no_room() {
    let mut record = fixture::boutique();
    let long = "a-service-whose-name-goes-on-".repeat(6);
    record.title = long.clone();
    record.faults[0].name.clone_from(&long);
    for service in &mut record.graph.services {
        service.name += &long;
    }
    let mesh = record.architectures["mesh"].clone();
    record.architectures.insert(long, mesh);
    assert_sound(&record);
}

#[test]
fn every_figure_says_its_numbers_to_those_who_do_not_see_it() {
    let html = assert_sound(&fixture::boutique());
    let mut labels = 0;
    for figure in html.split("<svg class=\"chart ").skip(1) {
        let tag = &figure[..figure.find('>').unwrap()];
        let (_, label) = tag.split_once("role=\"img\" aria-label=\"").expect("a figure has a label");
        let label = &label[..label.find('"').unwrap()];
        assert!(label.len() > 80 && label.chars().any(|char| char.is_ascii_digit()), "{label}");
        labels += 1;
    }
    assert!(labels > 60, "{labels}");
    for said in [
        "p50 7.07 ms (6.9 to 7.24 ms)",
        "mesh against direct, 1,399 requests answered under both: median +2 ms (1.97 to 2.02 ms), 98 % from",
        "payment-slow: half within",
        "open for longest: checkout-",
        "1 endpoint ejected, for longest: checkout-0 ⇢ payment-0 8.7 s",
        "/s were offered, at worst",
    ] {
        assert!(html.contains(said), "{said}");
    }
}

#[test]
fn broken_invariants_are_told_at_the_top_and_in_a_table() {
    let mut record = fixture::boutique();
    assert!(!assert_sound(&record).contains("id=\"invariants\""));
    record.architectures["mesh"].violations = vec![Violation {
        invariant: "once-only".into(),
        count: 3,
        first: vec!["at 12.3 s payment.charge ran twice for one order".into()],
    }];
    let html = assert_sound(&record);
    assert!(html.contains("✗ 1 invariant broken"));
    assert!(html.contains("at 12.3 s payment.charge ran twice for one order"));
}

#[test]
fn hiding_an_architecture_hides_all_that_is_its_own() {
    let html = assert_sound(&fixture::boutique());
    for own in ["<tr class=\"of-2\">", "<g class=\"of-2\">", "<label class=\"of-2\" for=\"tab-heat-2\">"] {
        assert!(html.contains(own), "{own}");
    }
    assert!(html.contains("body:has(#show-2:not(:checked)) :is(.l,.b,.d).a2"));
}

#[test]
fn heat_maps_keep_small() {
    let html = assert_sound(&fixture::boutique());
    let largest = html.split("<svg class=\"heat\"").skip(1).map(|map| map.find("</svg>").unwrap()).max();
    assert!((1_000..16_000).contains(&largest.unwrap()), "{largest:?} bytes");
}

#[test]
fn the_graph_draws_proxies_and_what_they_decided() {
    let html = assert_sound(&fixture::boutique());
    let graphs: Vec<(&str, &str)> = (html.split("aria-label=\"service graph under ").skip(1))
        .map(|part| part[..part.find("</svg>").expect("it ends")].split_once('"').expect("a name"))
        .collect();
    let services = fixture::boutique().graph.services.len();
    let drawn = |graph: &str| {
        (graph.matches("node gateway").count(), graph.matches("rect class=\"sidecar\"").count())
    };
    let proxies: Vec<_> = graphs.iter().map(|(name, graph)| (*name, drawn(graph))).collect();
    let expected = [("direct", 0, 0), ("gateway", 1, 0), ("mesh", 0, 2), ("gateway+mesh", 1, 2)];
    assert_eq!(proxies, expected.map(|(name, gateways, sides)| (name, (gateways, sides * services))));
    let mesh = graphs[2].1;
    for said in [
        ">200 retried</text>",
        ">1 ejected</text>",
        ">breaker opened 4×</text>",
        "retry-budget-spent: 12 times",
    ] {
        assert!(mesh.contains(said), "{said}");
    }
    let gateway = graphs[1].1;
    assert!(gateway.contains("client calls gateway (5,000 requests"), "clients reach it first");
    assert!(gateway.contains("gateway calls frontend ("), "and it the services");
}

#[test]
fn the_graph_draws_sidecars_only_where_there_are_some() {
    let mut record = fixture::boutique();
    let services = record.graph.services.len();
    let index = |name| record.graph.services.iter().position(|service| service.name == name).unwrap();
    let without = vec![index("email"), index("redis")];
    record.architectures["mesh"].without_sidecar = without;
    let html = assert_sound(&record);
    let (_, graph) = html.split_once("aria-label=\"service graph under mesh\"").expect("it is drawn");
    let graph = &graph[..graph.find("</svg>").expect("it ends")];
    assert_eq!(graph.matches("rect class=\"sidecar\"").count(), 2 * (services - 2));
    assert_eq!(graph.matches("a sidecar at each pod").count(), services - 2);
    for (name, has_one) in [("email", false), ("cart", true), ("redis", false)] {
        let (_, node) = graph.split_once(&format!("<title>{name}\n")).expect("it is a node");
        let node = &node[..node.find("</g>").expect("it ends")];
        assert_eq!(node.contains("sidecar"), has_one, "{name}");
    }
    assert!(graph.contains("Every pod but those of email and redis has a sidecar."));
    assert!(html.contains("Every pod has a sidecar."), "under gateway+mesh");
}

#[test]
fn of_known_systems_the_parts_that_ran_are_told_and_what_the_scenario_replaces_is_struck_out() {
    let mut record = fixture::boutique();
    let names = ["direct", "gateway:istio", "canary", "mesh:istio-ambient"];
    let seen = std::mem::take(&mut record.architectures).into_values();
    record.architectures = names.map(str::to_owned).into_iter().zip(seen).collect();
    record.paired.clear();
    record.phases.insert("canary".to_owned(), "gateway:envoy+mesh".to_owned());
    record.profiles = ["istio", "envoy", "istio-ambient"].map(str::to_owned).to_vec();
    record.sources[0].text =
        "[gateway.defaults]\nretry = { budget = \"none\" }\nbalance = \"random\"\n[mesh]\ncores = 4\n\
                              defaults = { timeout = \"3s\" }\n[costs]\ngateway = {}"
            .to_owned();
    let html = assert_sound(&record);
    let of = |title: &str| {
        let (_, table) = html.split_once(&format!("aria-label=\"table: values of {title}\"")).expect(title);
        &table[..table.find("</table>").expect("it ends")]
    };
    let row = |table: &str, key: &str| {
        let (_, row) = table.split_once(&format!("<code>{key}</code>")).unwrap_or_else(|| panic!("{key}"));
        row[..row.find("</tr>").expect("it ends")].contains("</s> replaced by the scenario")
    };
    let istio = of("Istio");
    assert!(!istio.contains("<code>mesh."), "it was a gateway alone");
    assert!(row(istio, "gateway.costs.cpu"), "of costs the scenario says all or nothing");
    assert!(row(istio, "gateway.defaults.retry.budget") && !row(istio, "gateway.defaults.retry.attempts"));
    assert!(row(istio, "gateway.defaults.balance.kind") && !row(istio, "gateway.defaults.balance.panic"));
    let envoy = of("Envoy");
    assert!(envoy.contains("<code>gateway.") && !envoy.contains("<code>mesh."), "as a phase");
    assert!(row(envoy, "gateway.defaults.retry.budget.concurrent"), "`none` stands in for the table");
    let ambient = of("Istio ambient, layer 4");
    assert!(row(ambient, "mesh.cores"));
    assert!(!row(ambient, "mesh.defaults.timeout"), "its proxies see no requests");
    assert!(!row(ambient, "mesh.costs.cpu"));
}

#[test]
fn two_hundred_services() {
    let mut record = fixture::boutique();
    record.graph.services =
        (0..200).map(|index| Node { name: format!("service-{index}"), replicas: 2, zone: None }).collect();
    record.graph.edges = (1..200).map(|index| (Some(index / 4), index)).collect();
    for architecture in record.architectures.values_mut() {
        architecture.edges = (1..200)
            .map(|index| {
                let edge =
                    Edge { requests: 1_000 - index, attempts: 1_000, errors: index / 50, ..Edge::default() };
                (format!("service-{} → service-{index}", index / 4), edge)
            })
            .collect();
    }
    assert_sound(&record);
}
