//! Faults of the same pod at the same time: it is away from when the first kills it until the last lets go, and stands
//! still until the last lets go or it is killed.

use std::num::NonZeroUsize;
use std::sync::Arc;

use hoplab_sim::batch::{self, Progress};
use hoplab_sim::record::Record;
use hoplab_sim::scenario::plan::Source;
use hoplab_sim::scenario::{self, Overrides};

/// What becomes of 100 requests a second for 6 s to the only pod of a service.
fn run(faults: &[&str]) -> Record {
    let faults = faults.iter().zip('a'..);
    let faults: Vec<String> =
        faults.map(|(fault, name)| format!("[[faults]]\nname = \"fault-{name}\"\n{fault}\n")).collect();
    let faults = faults.concat();
    let text = format!(
        "[scenario]\nduration = \"6s\"\n[compare]\narchitectures = [\"direct\", \"gateway\"]\n\
         [services.first.endpoints.get]\n[load.client]\nrate = \"100 rps\"\narrivals = \"uniform\"\n\
         timeout = \"500ms\"\nmix = {{ \"first.get\" = 1 }}\n{faults}"
    );
    let source = Source { path: "overlaps.toml".to_owned(), text };
    let plan = scenario::parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    batch::once(NonZeroUsize::MIN, &Arc::new(plan), &Progress::default()).unwrap()
}

/// By architecture, how many requests failed.
fn failed(faults: &[&str]) -> Vec<u64> {
    let record = run(faults);
    assert!(record.untouched_faults().is_empty());
    let requests = record.architectures.values().map(|seen| &seen.total.requests);
    requests.map(|requests| requests.failed + requests.timed_out + requests.open).collect()
}

/// A pod that stands still, or is down, for so long.
fn fault(kind: &str, at: &str, lasts: &str) -> String {
    format!("at = \"{at}\"\nfor = \"{lasts}\"\n{kind} = {{ service = \"first\", replica = 0 }}")
}

#[test]
fn a_pod_comes_back_when_nobody_holds_it_down_any_more() {
    let crash = |at: &str, lasts: &str| fault("crash", at, lasts);
    let restart = |at: &str, drain: &str, down: &str| {
        format!(
            "at = \"{at}\"\nfor = \"3s\"\n\
             restart = {{ service = \"first\", drain = \"{drain}\", down = \"{down}\" }}"
        )
    };
    // Each of them holds the pod down from 1 s to 4 s.
    for faults in [
        vec![crash("1s", "3s")],
        vec![crash("1s", "2s"), crash("2s", "2s")],
        vec![crash("1s", "3s"), crash("2s", "1s")],
        vec![crash("1s", "2s"), restart("2500ms", "500ms", "1s")],
        vec![restart("1s", "0s", "2s"), restart("2s", "1s", "1s")],
        vec![crash("1s", "500ms"), restart("1s", "1s", "1s"), restart("1s", "2s", "1s")],
    ] {
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        for failed in failed(&faults) {
            assert!((299..=302).contains(&failed), "{failed} with {faults:?}");
        }
    }
}

#[test]
fn a_pod_stands_still_until_the_last_lets_go() {
    let pauses = [fault("pause", "1s", "2s"), fault("pause", "2s", "2s")];
    for failed in failed(&pauses.each_ref().map(String::as_str)) {
        // Who comes in the last half second is patient enough.
        assert!((249..=252).contains(&failed), "{failed}");
    }
}

/// Before, it was stopped before it listened again, and every connection was refused until the pause was over.
#[test]
fn what_starts_where_something_was_stopped_runs() {
    for kind in ["crash", "vanish"] {
        let faults = [fault("pause", "500ms", "3500ms"), fault(kind, "1s", "1s")];
        for failed in failed(&faults.each_ref().map(String::as_str)) {
            assert!((149..=153).contains(&failed), "{failed} with {kind}");
        }
    }
}

/// However they are ordered in the file.
#[test]
fn what_ends_when_something_begins_ends_first() {
    for kind in ["crash", "vanish"] {
        let faults = [fault(kind, "1s", "1s"), fault("pause", "2s", "1s")];
        let [first, then] = faults.each_ref().map(String::as_str);
        let both = [[first, then], [then, first]].map(|faults| failed(&faults));
        assert_eq!(both[0], both[1]);
        // A second, and the half second of those that are not patient enough.
        assert!(both[0].iter().all(|failed| (148..=153).contains(failed)), "{both:?} with {kind}");
    }
}

#[test]
fn a_pod_that_is_gone_cannot_stand_still() {
    for kind in ["crash", "vanish"] {
        let faults = [fault(kind, "1s", "3s"), fault("pause", "2s", "1s")];
        let record = run(&faults.each_ref().map(String::as_str));
        let untouched = record.untouched_faults().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(untouched, ["fault \"fault-b\" touched nothing under direct, gateway"]);
    }
}
