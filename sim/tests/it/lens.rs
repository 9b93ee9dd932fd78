//! A lens changes nothing of the run, and what it shows is whole: visits are tiled, and what was done for a request
//! after its end is there.

use std::sync::Arc;

use hoplab_sim::lens::{Lens, Moment, Seen, Wanted};
use hoplab_sim::record::Architecture;
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::plan::{Plan, Source};
use hoplab_sim::scenario::{self, Overrides};

/// A pod of the second service refuses every other request for a while, and its wires lose packets.
const TEXT: &str = r#"
[scenario]
duration = "2s"
warmup = "100ms"
[compare]
architectures = ["gateway+mesh"]
[network]
latency = "100us"
[load.client]
rate = "100 rps"
timeout = "50ms"
mix = { "first.get" = 1 }
[services.first.endpoints.get]
method = "GET"
steps = [{ call = "second.get" }]
[services.second]
replicas = 2
on_cancel = "continue"
[services.second.endpoints.get]
method = "GET"
steps = [{ work = "exp(4ms)" }]
[mesh.defaults]
retry = { attempts = 2, on = ["503"], backoff = "1ms..4ms" }
breaker = { failures = 3, open_for = "100ms" }
[[faults]]
name = "errors"
at = "500ms"
for = "500ms"
error = { service = "second", replica = 0, status = 503, share = "70%" }
[[faults]]
name = "losses"
at = "1200ms"
for = "500ms"
loss = { between = ["first", "second"], share = "10%" }
"#;

fn plan() -> Arc<Plan> {
    let source = Source { path: "lens.toml".to_owned(), text: TEXT.to_owned() };
    let plan = scenario::parse(&[source], &Overrides::default());
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

fn look(lens: &Lens) -> (Architecture, Seen) {
    let plan = plan();
    run::look(&plan, 0, lens, &Progress::new(&plan)).unwrap()
}

fn requests(wanted: Wanted) -> Lens {
    Lens { requests: Some(wanted), ..Lens::default() }
}

#[test]
fn a_lens_changes_nothing() {
    let plan = plan();
    let plain = run::run(&plan, &Progress::new(&plan));
    let (_, all) = look(&Lens { packets: usize::MAX, ..Lens::default() });
    assert!(all.packets.is_sorted_by_key(|packet| packet.at_nanos));
    assert!(all.packets.iter().any(|packet| packet.loss.is_some()));
    let wanted = [Wanted::Slowest(30), Wanted::Failed(5), Wanted::Alike("0".to_owned())];
    for wanted in wanted {
        let (again, seen) = look(&Lens { packets: 1_000, keys: true, ..requests(wanted) });
        assert!(again == plain.architectures[0], "{} and {}", again.digest, plain.architectures[0].digest);
        assert_eq!(seen.packets.len(), 1_000);
        assert_eq!(seen.packets, all.packets[..1_000]);
        assert_eq!(seen.packets_left_out as usize, all.packets.len() - 1_000);
        assert!(seen.keys.len() >= 5);
    }
    assert_eq!(look(&Lens::default()).1.requests, []);
}

#[test]
fn the_slowest_are_those_of_the_record() {
    let (record, seen) = look(&requests(Wanted::Slowest(20)));
    let latencies = seen.requests.iter().map(|seen| (seen.end_nanos.unwrap() - seen.start_nanos) / 1_000);
    let recorded = record.slowest.iter().map(|trace| trace.latency_us);
    assert_eq!(latencies.collect::<Vec<_>>(), recorded.collect::<Vec<_>>());
    for request in &seen.requests {
        let path: u64 = request.path.iter().map(|stretch| stretch.nanos).sum();
        assert_eq!(path, request.end_nanos.unwrap() - request.start_nanos);
        for visit in &request.visits {
            let ends: Vec<u64> = visit.segments.iter().map(|segment| segment.end_nanos).collect();
            assert!(ends.is_sorted());
            assert_eq!(ends.last().copied().unwrap_or(visit.start_nanos), visit.end_nanos);
            let mut attempts = request.visits.iter().flat_map(|visit| &visit.attempts);
            assert!(visit.is_client || attempts.any(|attempt| visit.parent == Some(attempt.id)));
        }
    }
    // By name they are the same, and what went on after their end is there, too.
    let names = record.slowest.iter().map(|trace| trace.id.clone()).collect();
    let (_, named) = look(&requests(Wanted::Named(names)));
    assert_eq!(named.requests.len(), 20);
    for (named, recorded) in named.requests.iter().zip(&record.slowest) {
        assert_eq!(named.id, recorded.id);
        let path = named.path.iter().map(|stretch| (stretch.hop.as_str(), stretch.owner));
        let recorded = recorded.path.iter().map(|stretch| (stretch.hop.as_str(), stretch.owner.as_str()));
        assert_eq!(path.collect::<Vec<_>>(), recorded.collect::<Vec<_>>());
    }
}

#[test]
fn what_failed_is_found_and_what_changed_along_requests() {
    let (record, failed) = look(&requests(Wanted::Failed(1_000)));
    let traffic = record.total.requests;
    assert_eq!(failed.requests.len() as u64, traffic.failed + traffic.timed_out);
    assert!(!failed.requests.is_empty());
    assert!(failed.requests.iter().all(|request| !request.outcome.as_ref().unwrap().is_ok));

    let (_, all) = look(&requests(Wanted::Slowest(1_000)));
    let moments = || all.requests.iter().flat_map(|request| &request.moments);
    assert!(moments().any(|moment| matches!(moment, Moment::Policy(event) if event.decision == "retried")));
    for request in &all.requests {
        let time = request.start_nanos / 1_000..=request.end_nanos.unwrap() / 1_000;
        for moment in &request.moments {
            assert!(time.contains(&moment.at_us()));
            assert!(request.visits.iter().any(|visit| visit.pod == moment.pod()));
        }
    }
}
