//! A panic in a simulated task ends the simulation: who, where and why is told, and there is no record.

use std::num::NonZeroUsize;
use std::sync::Arc;

use hoplab_sim::batch::{self, Panicked, Progress};
use hoplab_sim::explore::{Exploration, RuleKind, shrink};
use hoplab_sim::lens::Lens;
use hoplab_sim::run;
use hoplab_sim::scenario::plan::{Plan, Source};
use hoplab_sim::scenario::{self, Overrides};

/// A plan that no file can say: whoever calls the second service cannot form its request, which is a bug.
fn broken() -> Arc<Plan> {
    let text = "[scenario]\nduration = \"60s\"\nseed = 3\n[compare]\narchitectures = [\"direct\", \"mesh\"]\n\
        [services.first.endpoints.get]\nsteps = [{ sleep = \"20ms\" }, { call = \"second.get\" }]\n\
        [services.second.endpoints.get]\n\
        [load.client]\nrate = \"10 rps\"\nmix = { \"first.get\" = 1 }\n\
        [[expect]]\nmetric = \"error_rate\"\nmax = \"50%\"";
    let source = Source { path: "panics.toml".to_owned(), text: text.to_owned() };
    let mut plan =
        scenario::parse(&[source], &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"));
    "no path".clone_into(&mut plan.services[1].endpoints[0].path);
    Arc::new(plan)
}

fn is_told(panicked: &Panicked, seed: u64) {
    assert_eq!((panicked.architecture.as_str(), panicked.seed), ("direct", seed));
    assert_eq!(panicked.pod.as_deref(), Some("first-0"));
    assert!(panicked.place.starts_with("sim/src/service.rs:"), "{}", panicked.place);
    assert!(panicked.message.contains("the plan's paths are valid"), "{}", panicked.message);
    let line = format!("first-0 panicked at {}: ", panicked.place);
    assert!(panicked.to_string().starts_with(&line), "{panicked}");
    assert!(panicked.to_string().ends_with(&format!(" (under direct, seed {seed})")), "{panicked}");
}

#[test]
fn a_task_that_panics_ends_its_run_and_is_told() {
    let plan = broken();
    let one = NonZeroUsize::MIN;
    is_told(&batch::once(one, &plan, &Progress::default()).unwrap_err(), 3);
    is_told(&run::look(&plan, 0, &Lens::default(), &Progress::default()).unwrap_err(), 3);
    let shrunk = shrink::shrink(&plan, None, 10, &|| false).unwrap_err();
    let shrink::CannotShrink::Panicked(panicked) = shrunk else { panic!("{shrunk}") };
    is_told(&panicked, 3);
    let mut seeds = 0;
    let seeded =
        |number: usize| (number < 3).then(|| Arc::new(Plan { seed: number as u64, ..Plan::clone(&plan) }));
    batch::run(NonZeroUsize::new(2).unwrap(), &seeded, &Progress::default(), &mut |number, result| {
        is_told(&result.unwrap_err(), number as u64);
        seeds += 1;
    });
    assert_eq!(seeds, 3);
}

#[test]
fn a_panic_is_what_an_exploration_finds_first() {
    let plan = broken();
    let exploration = Exploration::of(&plan).unwrap();
    let mut drawn = exploration.draw(1).unwrap();
    // What is drawn comes from the text; the bug does not.
    let mut broken = Plan::clone(&drawn.plan);
    broken.services[1].endpoints[0].path = "no path".to_owned();
    drawn.plan = Arc::new(broken);
    let seen = exploration.judge(&drawn, &batch::once(NonZeroUsize::MIN, &drawn.plan, &Progress::default()));
    let first = &seen.broken[0];
    assert_eq!((first.kind, first.architecture.as_str()), (RuleKind::Panic, "direct"));
    assert!(first.text.starts_with("first-0 panicked at sim/src/service.rs:"), "{}", first.text);
    assert_eq!(seen.panicked(), Some(first));
}
