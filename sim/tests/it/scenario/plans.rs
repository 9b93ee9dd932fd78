//! What right scenarios mean.

use std::time::Duration;

use hoplab_sim::scenario::plan::{OnError, Pace, Plan, Step};
use hoplab_sim::scenario::{Overrides, load, parse};
use proptest::prelude::*;

use super::{GOOD, read};

#[test]
fn every_reference_is_resolved_and_every_default_filled_in() {
    let plan = read(GOOD, &[]).unwrap();
    assert!(plan.warnings.is_empty(), "{}", plan.warnings);
    assert_eq!((plan.name.as_str(), plan.title.as_str()), ("shop", "shop"));
    assert_eq!(plan.question, "Is this a good scenario?");
    assert_eq!((plan.seed, plan.scale), (1, 1.0));
    let names: Vec<_> = plan.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["payment", "email", "order"], "in the order of the file");
    let email = &plan.services[1];
    assert_eq!((email.replicas, email.cores, email.queue, email.zone), (1, 1, None, None));
    assert_eq!((email.endpoints[0].method.as_str(), email.endpoints[0].path.as_str()), ("POST", "/send"));
    let [Step::All { branches, at_most: 2 }, Step::Call(call), Step::Sleep(_)] =
        &plan.services[2].endpoints[0].steps[..]
    else {
        panic!("{:?}", plan.services[2]);
    };
    assert_eq!(branches.len(), 2);
    assert_eq!((call.target.service.0, call.times, call.chance, call.request.mean()), (1, 2, 0.5, 4096));
    assert_eq!(call.on_error, OnError::Ignore);
    assert!(
        matches!(&plan.loads[0].pace, Pace::Open { curve, .. } if curve[..] == [(Duration::ZERO, 200.0)])
    );
    let gateway = plan.architectures[1].gateway.as_ref().unwrap();
    let mesh = plan.architectures[2].mesh.as_ref().unwrap();
    assert_eq!(gateway.calls.services[2].timeout, Some(Duration::from_secs(1)));
    assert_eq!(mesh.calls.services[0].timeout, Some(Duration::from_secs(2)));
    assert_eq!(
        mesh.calls.services[0].retry, mesh.calls.services[1].retry,
        "a service's policies stand over the defaults"
    );
    assert_eq!(
        (mesh.calls.services[1].timeout, mesh.calls.services[1].breaker.is_some()),
        (Some(Duration::from_secs(15)), false)
    );
    assert_eq!(gateway.costs.request, Duration::from_micros(80));
    assert_eq!(gateway.costs.handshake, Duration::ZERO, "nothing else is charged");
    assert_eq!(plan.expectations[0].text, "p99 of order.place ≤ 300ms during payment-slow");
    assert_eq!(plan.expectations[0].architectures, [2]);
}

#[test]
fn a_scenario_lies_over_its_application_key_by_key() {
    let app = "
        [services.cart]
        replicas = 2
        cores = 4
        [services.cart.endpoints.get]
        response = \"1 KiB\"
        steps = [{ work = \"empirical(times.csv)\" }]
    ";
    let text = GOOD.replace("[scenario]", "[scenario]\napp = \"apps/shop.toml\"").replace(
        "[services.email",
        "[services.cart]\nreplicas = 5\nendpoints.get.method = \"GET\"\n[services.email",
    );
    let plan = read(&text, &[("apps/shop.toml", app), ("apps/times.csv", "us\n100\n300\n")]).unwrap();
    let cart = &plan.services[0];
    assert_eq!((cart.name.as_str(), cart.replicas, cart.cores), ("cart", 5, 4));
    assert_eq!((cart.endpoints[0].method.as_str(), cart.endpoints[0].response.mean()), ("GET", 1024));
    let Step::Work(work) = &cart.endpoints[0].steps[0] else { panic!("{cart:?}") };
    assert_eq!(work.mean(), Duration::from_micros(200));
    let paths: Vec<_> = plan.sources.iter().map(|source| source.path.as_str()).collect();
    assert_eq!(paths, ["scenarios/shop.toml", "apps/shop.toml", "apps/times.csv"]);
    let again = parse(&plan.sources, &Overrides::default()).unwrap();
    assert_eq!(format!("{plan:?}"), format!("{again:?}"), "the kept texts say it all");
}

#[test]
fn the_question_stands_below_what_is_for_editors() {
    let text = format!("#:schema https://example.com/scenario.json\n{GOOD}");
    assert_eq!(read(&text, &[]).unwrap().question, "Is this a good scenario?");
}

#[test]
fn overrides_win_and_expectations_follow() {
    let overrides = Overrides {
        architectures: Some(vec!["mesh+gateway".to_owned(), "direct".to_owned()]),
        seed: Some(7),
        scale: 2.0,
    };
    let plan: Plan = parse(&read(GOOD, &[]).unwrap().sources, &overrides).unwrap();
    let names: Vec<_> = plan.architectures.iter().map(|architecture| &*architecture.name).collect();
    assert_eq!(names, ["gateway+mesh", "direct"]);
    assert_eq!(
        (plan.seed, plan.duration, plan.warmup),
        (7, Duration::from_secs(60), Duration::from_secs(10))
    );
    assert_eq!(plan.faults[0].at, Duration::from_secs(10), "faults stay where they are");
    assert!(plan.expectations.is_empty(), "the only one is about an architecture that does not run");
}

/// The scenarios that come with hoplab can all run, without a warning.
#[test]
fn what_comes_with_hoplab_can_run() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let mut count = 0;
    for folder in [root.to_owned(), format!("{root}/closed-forms")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let plan = load(&path, &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"));
                assert!(plan.warnings.is_empty(), "{}", plan.warnings);
                assert!(plan.question.ends_with('?'), "{}: {}", plan.name, plan.question);
                count += 1;
            }
        }
    }
    assert!(count > 10);
}

/// The reference's example uses every key, and means something.
#[test]
fn the_example_of_the_reference_can_run() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/README.md");
    let reference = std::fs::read_to_string(path).unwrap();
    let (_, rest) = reference.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let plan = read(example, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(plan.warnings.is_empty(), "{}", plan.warnings);
    let kinds: Vec<_> = plan.faults.iter().map(|fault| fault.kind.key()).collect();
    let expected = [
        "slow",
        "error",
        "crash",
        "partition",
        "latency",
        "loss",
        "partition",
        "bandwidth",
        "reset",
        "pause",
        "vanish",
        "slow_reader",
    ];
    assert_eq!(kinds, expected);
}

/// Calls from the frontend, and calls between services in all, per request; redis apart.
#[test]
fn online_boutique_makes_the_calls_of_its_handlers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/checkout.toml");
    let plan = load(path.as_ref(), &Overrides::default()).unwrap();
    let service = |name: &str| plan.services.iter().position(|service| service.name == name).unwrap();
    let (frontend, redis) = (service("frontend"), service("redis"));
    let expected = [
        ("home", 13, 13, 1),
        ("product", 11, 12, 1),
        ("add", 2, 2, 2),
        ("view-cart", 12, 13, 1),
        ("checkout", 8, 18, 2),
        ("set-currency", 0, 0, 0),
        ("empty", 1, 1, 1),
        ("logout", 0, 0, 0),
    ];
    for (name, own, all, store) in expected {
        let endpoints = &plan.services[frontend].endpoints;
        let endpoint = endpoints.iter().find(|endpoint| endpoint.name == name).unwrap();
        let mut calls = vec![0; plan.services.len()];
        count(&plan, &endpoint.steps, &mut calls);
        let direct: u32 =
            endpoint.steps.iter().map(|step| if let Step::Call(call) = step { call.times } else { 0 }).sum();
        let total: u32 = calls.iter().sum();
        assert_eq!((direct, total - calls[redis], calls[redis]), (own, all, store), "{name}");
    }
    assert_eq!(plan.services[frontend].endpoints.len(), expected.len());
}

fn count(plan: &Plan, steps: &[Step], calls: &mut [u32]) {
    for step in steps {
        let Step::Call(call) = step else { continue };
        let callee = call.target.service.0;
        calls[callee] += call.times;
        for _ in 0..call.times {
            count(plan, &plan.services[callee].endpoints[call.target.endpoint].steps, calls);
        }
    }
}

proptest! {
    /// Seeds reach the plan unchanged, and nothing else moves with them.
    #[test]
    fn a_seed_is_only_a_seed(seed: u64) {
        let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
        let plan = parse(&read(GOOD, &[]).unwrap().sources, &overrides).unwrap();
        prop_assert_eq!(plan.seed, seed);
        let back = Plan { seed: 1, ..plan };
        prop_assert_eq!(format!("{back:?}"), format!("{:?}", read(GOOD, &[]).unwrap()));
    }
}
