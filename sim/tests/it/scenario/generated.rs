//! What `[generate]` makes: what always holds of it, whatever is asked for, that it has the figures that it promises, and
//! that scenarios with it are changed, written out and replayed like any other.

use std::collections::BTreeSet;

use hoplab_sim::scenario::edit::Draft;
use hoplab_sim::scenario::generate::PATH;
use hoplab_sim::scenario::plan::{EndpointId, Plan, Service, ServiceId, Step};
use hoplab_sim::scenario::{Overrides, parse};
use proptest::prelude::*;

use super::{complaint, read};

/// A scenario whose `[generate]` says this.
fn scenario(generate: &str) -> String {
    format!(
        "[scenario]\nduration = \"1s\"\n[compare]\narchitectures = [\"direct\"]\n\
         [generate]\n{generate}\n[load.people]\nrate = \"10 rps\"\n"
    )
}

fn plan(generate: &str) -> Plan {
    read(&scenario(generate), &[]).unwrap_or_else(|problems| panic!("{generate}\n{problems}"))
}

fn text(plan: &Plan) -> &str {
    &plan.sources.iter().find(|source| source.path == PATH).unwrap().text
}

/// The calls of an endpoint, each with how often.
fn calls(steps: &[Step]) -> Vec<(EndpointId, u32)> {
    let calls = steps.iter().flat_map(|step| match step {
        Step::Work(_) | Step::Sleep(_) => Vec::new(),
        Step::Call(call) => vec![(call.target, call.times)],
        Step::All { branches, .. } => calls(branches),
    });
    calls.collect()
}

/// What a request of an endpoint causes. Endpoints do not call in a circle: reading has refused that.
#[derive(Default)]
struct Graph {
    calls: u64,
    depth: u32,
    services: BTreeSet<ServiceId>,
}

fn graph(plan: &Plan, id: EndpointId) -> Graph {
    let mut graph = Graph { services: BTreeSet::from([id.service]), ..Graph::default() };
    for (callee, times) in calls(&plan.services[id.service.0].endpoints[id.endpoint].steps) {
        let below = self::graph(plan, callee);
        graph.calls += u64::from(times) * (1 + below.calls);
        graph.depth = graph.depth.max(1 + below.depth);
        graph.services.extend(below.services);
    }
    graph
}

fn graphs(plan: &Plan) -> Vec<Graph> {
    plan.loads[0].mix.iter().map(|(id, _)| graph(plan, *id)).collect()
}

fn count(plan: &Plan, is_meant: impl Fn(&Service) -> bool) -> f64 {
    plan.services.iter().filter(|service| is_meant(service)).count() as f64
}

fn percent() -> impl Strategy<Value = u32> {
    0_u32..=100
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Whatever is asked for: it can run, has as many services as were asked for, each of which some request reaches, and no
    /// request makes more calls, or deeper ones, than may be. The same again is the same.
    #[test]
    fn what_always_holds_holds(
        services in 2_u32..=120,
        seed: u32,
        (entries, leaves) in (percent(), percent()).prop_filter("all of them", |(a, b)| a + b <= 100),
        (hubs, hub_calls, stores) in (percent(), percent(), percent()),
        (repeated, parallel) in (percent(), percent()),
        depth in prop_oneof![
            (1_u32..=12).prop_map(|depth| format!("{depth}")),
            (1.0..6.0_f64, 6_u32..=20).prop_map(|(mean, max)| format!("{{ mean = {mean:.2}, max = {max} }}")),
        ],
        fan_out in prop_oneof![
            (1_u32..=5).prop_map(|count| format!("{count}")),
            (0.5..3.0_f64, 1_u32..=30).prop_map(|(by, max)| format!("{{ exponent = {by:.2}, max = {max} }}")),
        ],
        (endpoints, most) in (1_u32..=4, 1_u32..=200),
    ) {
        let said = format!(
            "services = {services}\nseed = {seed}\nentries = \"{entries}%\"\nleaves = \"{leaves}%\"\nhubs = \"{hubs}%\"\n\
             hub_calls = \"{hub_calls}%\"\nstores = \"{stores}%\"\nrepeated = \"{repeated}%\"\nparallel = \"{parallel}%\"\n\
             depth = {depth}\nfan_out = {fan_out}\nendpoints = {endpoints}\ncalls = {most}"
        );
        let plan = plan(&said);
        prop_assert_eq!(plan.services.len(), services as usize);
        prop_assert!(plan.warnings.is_empty(), "{}", plan.warnings);
        let graphs = graphs(&plan);
        prop_assert!(graphs.iter().all(|graph| graph.calls <= most.into()), "{}\n{}", said, text(&plan));
        prop_assert!(graphs.iter().all(|graph| (1..=20).contains(&graph.depth)));
        let reached: BTreeSet<_> = graphs.into_iter().flat_map(|graph| graph.services).collect();
        prop_assert_eq!(reached.len(), services as usize, "{}\n{}", said, text(&plan));
        let again = self::plan(&said);
        prop_assert_eq!(text(&plan), text(&again));
    }
}

/// The figures that the defaults come from, at a size that shows them.
#[test]
fn an_application_of_a_thousand_services_has_the_published_figures() {
    for seed in 1..=3 {
        let plan = plan(&format!("services = 1000\nseed = {seed}"));
        let is = |share: f64, told: f64| assert!((share - told).abs() < 0.001, "{share} for {told}");
        let of_role = |role: &str| count(&plan, |service| service.name.starts_with(role)) / 1e3;
        is(of_role("entry-"), 0.13);
        is(of_role("leaf-") + of_role("store-") + of_role("hub-"), 0.39);
        is(of_role("hub-"), 0.05);
        is(count(&plan, |service| service.is_store) / 1e3, 0.195);
        let edges: Vec<(EndpointId, u32)> =
            plan.services.iter().flat_map(|of| &of.endpoints).flat_map(|of| calls(&of.steps)).collect();
        let repeated = edges.iter().filter(|(_, times)| *times > 1).count() as f64 / edges.len() as f64;
        let to_hubs = edges.iter().filter(|(callee, _)| is_hub(&plan, callee.service)).count() as f64;
        let graphs = graphs(&plan);
        let share = |is_meant: &dyn Fn(&Graph) -> bool| {
            graphs.iter().filter(|graph| is_meant(graph)).count() as f64 / graphs.len() as f64
        };
        let with_hub = share(&|graph| graph.services.iter().any(|id| is_hub(&plan, *id)));
        let large = share(&|graph| graph.calls > 40);
        let largest = graphs.iter().map(|graph| graph.calls).max().unwrap();
        let depth = graphs.iter().map(|graph| f64::from(graph.depth)).sum::<f64>() / graphs.len() as f64;
        let seen = format!("{repeated} {} {with_hub} {large} {largest} {depth}", to_hubs / 50.0);
        assert!((0.10..0.20).contains(&repeated), "{seen}");
        assert!(to_hubs / 50.0 > 10.0, "many call a hub: {seen}");
        assert!((0.8..=1.0).contains(&with_hub), "{seen}");
        assert!((0.1..0.4).contains(&large), "{seen}");
        assert!((400..=1_500).contains(&largest), "{seen}");
        assert!((depth - 4.3).abs() < 0.3, "{seen}");
    }
}

fn is_hub(plan: &Plan, id: ServiceId) -> bool {
    plan.services[id.0].name.starts_with("hub-")
}

#[test]
fn an_application_is_a_text_as_a_person_would_write_it() {
    insta::assert_snapshot!(text(&plan("services = 9\nhubs = \"10%\"\nparallel = \"60%\"\ncores = 1")));
}

#[test]
fn defaults_are_what_the_reference_says() {
    let said = "services = 30\nseed = 1\nentries = \"13%\"\nleaves = \"39%\"\nhubs = \"5%\"\nhub_calls = \"60%\"\n\
                stores = \"50%\"\ndepth = { mean = 4.3, max = 15 }\nfan_out = { exponent = 2.0, max = 20 }\n\
                endpoints = 2\nrepeated = \"15%\"\nparallel = \"25%\"\ncalls = 1500\n\
                work = \"lognormal(p50=1ms, p99=10ms)\"\nstore_work = \"lognormal(p50=150us, p99=800us)\"\n\
                response = \"lognormal(p50=1 KiB, p99=32 KiB)\"\nreplicas = 2\ncores = 2";
    assert_eq!(text(&plan("services = 30")), text(&plan(said)));
    assert_eq!(text(&plan("services = 30")), text(&plan("services = 30\ndepth = {}\nfan_out = {}")));
}

/// The seed of a run moves no application, and what the scenario says of a service lies over it.
#[test]
fn an_application_is_the_same_under_every_seed() {
    let own = "services = 20\n[services.hub-1]\nreplicas = 7\n[services.mail.endpoints.send]";
    let plan = plan(own);
    let overrides = Overrides { seed: Some(9), ..Overrides::default() };
    let other = parse(&plan.sources[..1], &overrides).unwrap();
    assert_eq!((other.seed, text(&other)), (9, text(&plan)));
    assert_ne!(text(&self::plan("services = 20\nseed = 2")), text(&plan));
    let hub = plan.services.iter().find(|service| service.name == "hub-1").unwrap();
    assert_eq!((hub.replicas, hub.endpoints.len(), plan.services.len()), (7, 1, 21));
    let weights: Vec<f64> = plan.loads[0].mix.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights[..3], [1.0, 0.5, 0.3333]);
    let asked = |id: &EndpointId| plan.services[id.service.0].name.starts_with("entry-");
    assert!(plan.loads[0].mix.iter().all(|(id, _)| asked(id)));
}

/// A record's text counts, whatever is generated today; what is changed is generated anew.
#[test]
fn a_kept_text_is_read_and_a_changed_scenario_generates_its_own() {
    let plan = plan("services = 5");
    let mut kept = plan.sources.clone();
    kept[1].text = kept[1].text.replacen("replicas = 2", "replicas = 3", 1);
    assert_eq!(parse(&kept, &Overrides::default()).unwrap().services[0].replicas, 3);
    let mut draft = Draft::of(&kept).unwrap();
    draft.set("generate.services", "10").unwrap();
    let changed = parse(&draft.sources(), &Overrides::default()).unwrap();
    assert_eq!(text(&changed), text(&self::plan("services = 10")));
}

#[test]
fn a_scenario_that_stands_alone_has_the_application_in_it() {
    let plan = plan("services = 12\n[services.hub-1]\nreplicas = 7");
    let mut draft = Draft::of(&plan.sources).unwrap();
    draft.inline_app().unwrap();
    let after = parse(&draft.sources(), &Overrides::default())
        .unwrap_or_else(|wrong| panic!("{wrong}\n{}", draft.text()));
    assert_eq!(after.sources.len(), 1, "{}", draft.text());
    assert_eq!(format!("{:?}", plan.services), format!("{:?}", after.services));
    assert_eq!(format!("{:?}", plan.loads), format!("{:?}", after.loads));
}

#[test]
fn what_cannot_be_generated_is_told_with_a_way_out() {
    let wrong = [
        "services = 1",
        "services = 2001\nfan_out = { exponent = 31, max = 0 }\ndepth = { mean = 20 }",
        "services = 1500\ndepth = 51\nendpoints = 0",
        "services = 20\nentries = \"70%\"\nleaves = \"40%\"\nhub = \"5%\"\ncalls = 20000",
        "seed = 1",
    ];
    let told = wrong.map(|generate| complaint(&scenario(generate)));
    let beside = scenario("services = 5").replace("duration", "app = \"apps/shop.toml\"\nduration");
    insta::assert_snapshot!(format!("{}{}", told.join("\n"), complaint(&beside)));
}
