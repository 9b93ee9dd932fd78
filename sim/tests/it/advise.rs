//! The trials that a decision rests on: which there are, what they are aimed at, and how much load is found to be carried,
//! against what arithmetic knows.

use std::sync::Arc;

use hoplab_sim::advise::{About, Question, knee};
use hoplab_sim::scenario::plan::{Pace, Plan, Source};
use hoplab_sim::scenario::{Overrides, parse};

fn plan(text: &str) -> Arc<Plan> {
    let source = Source { path: "it.toml".to_owned(), text: text.to_owned() };
    Arc::new(parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}")))
}

/// `work` of 10 ms on one core, asked `rate` times a second.
fn one_core(rate: &str) -> Arc<Plan> {
    plan(&format!(
        "[scenario]\nduration = \"20s\"\n[compare]\narchitectures = [\"direct\", \"gateway\"]\n\
         [services.first.endpoints.get]\nsteps = [{{ work = \"10ms\" }}]\n\
         [load.all]\nrate = \"{rate}\"\narrivals = \"uniform\"\nmix = {{ \"first.get\" = 1 }}\n"
    ))
}

/// A core does 100 jobs of 10 ms a second, and with even arrivals none waits before that.
#[test]
fn a_core_carries_what_it_can_do() {
    let question = Question::of(&one_core("40 rps")).unwrap();
    let found = knee::seek(&question, "direct").unwrap();
    let near = |times: Option<f64>, known: f64| times.is_some_and(|times| (times - known).abs() < 0.01);
    // 95 rps, and 113.
    assert!(near(found.carries(), 2.378), "{found:?}");
    assert!(near(found.fails_from(), 2.828), "{found:?}");
    let question = Question::of(&one_core("10 rps")).unwrap();
    let found = knee::seek(&question, "direct").unwrap();
    assert_eq!((found.carries(), found.fails_from()), (Some(8.0), None), "{found:?}");
    // What a try sends is as much as asked for, however short it is.
    for tried in &found.tries {
        assert!((tried.sent - 10.0 * tried.times).abs() < 1.0, "{tried:?}");
    }
}

const CHAIN: &str = "[scenario]\nduration = \"10s\"\nwarmup = \"2s\"\n[compare]\n\
     architectures = [\"direct\", \"gateway\", \"mesh\"]\n\
     [services.front]\nreplicas = 2\n[services.front.endpoints.get]\n\
     steps = [{ call = \"cart.get\", times = 3 }, { call = \"store.get\", chance = \"50%\" }]\n\
     [services.cart]\nreplicas = 3\n[services.cart.endpoints.get]\nsteps = [{ call = \"store.get\", times = 2 }]\n\
     [services.store]\nstore = true\n[services.store.endpoints.get]\n\
     [load.all]\nrate = \"20 rps\"\nmix = { \"front.get\" = 1 }\n";

#[test]
fn an_applications_shape_is_counted() {
    let plan = plan(CHAIN);
    let question = Question::of(&plan).unwrap();
    let shape = question.shape();
    assert_eq!((shape.services, shape.stores, shape.pods, shape.edges, shape.depth), (3, 1, 6, 3, 3));
    // Three carts, and the store twice for each and every other time at once.
    let asked: Vec<(&str, f64)> = shape.asked.iter().map(|(name, asked)| (name.as_str(), *asked)).collect();
    assert_eq!(asked, [("front", 1.0), ("cart", 3.0), ("store", 6.5)]);
    assert!((shape.calls - 9.5).abs() < 1e-9, "{shape:?}");
}

#[test]
fn each_kind_of_fault_is_tried_where_a_gateway_and_where_a_mesh_stands_before_it() {
    let question = Question::of(&plan(CHAIN)).unwrap();
    let faults = |of: &str| {
        let at = |about: &About| matches!(about, About::Fault { at, .. } if at == of);
        question.trials().iter().filter(|trial| at(&trial.about)).count()
    };
    let kinds = hoplab_sim::scenario::plan::FAULT_KINDS.len();
    // The store is asked most, and is a store.
    assert_eq!((faults("front"), faults("cart"), faults("store"), faults("gateway")), (kinds, kinds, 0, 1));
    for trial in question.trials() {
        assert!(trial.plan.expectations.is_empty() && trial.plan.warnings.is_empty(), "{}", trial.name);
    }
    let own =
        plan(&format!("{CHAIN}[explore]\nservices = [\"store\"]\nfaults = {{ slow = 2, crash = 1 }}\n"));
    let question = Question::of(&own).unwrap();
    let names: Vec<&str> = question.trials().iter().map(|trial| trial.name.as_str()).collect();
    assert_eq!(
        names,
        ["well", "slow-at-store", "crash-at-store", "crash-at-gateway", "flood", "in-the-clear"]
    );
    assert!(matches!(question.trials()[1].about, About::Fault { weight, .. } if (weight - 2.0).abs() < 1e-9));
}

#[test]
fn a_flood_is_several_times_as_much_for_a_while() {
    let question = Question::of(&plan(CHAIN)).unwrap();
    let flood = question.trials().iter().find(|trial| trial.name == "flood").unwrap();
    let Pace::Open { curve, .. } = &flood.plan.loads[0].pace else { panic!("it is open") };
    let curve: Vec<(u128, f64)> = curve.iter().map(|(at, rate)| (at.as_millis(), *rate)).collect();
    assert_eq!(curve, [(0, 20.0), (3_999, 20.0), (4_000, 120.0), (7_199, 120.0), (7_200, 20.0)]);
    // Users who wait for answers are no more than they are.
    let closed = CHAIN.replace("rate = \"20 rps\"", "users = 5");
    let question = Question::of(&plan(&closed)).unwrap();
    assert!(question.trials().iter().all(|trial| trial.name != "flood"));
    assert_eq!(question.at_load(2.0).unwrap().plan.loads.len(), 1);
}
