//! Processors as a cluster has them: proxies beside applications, queues, and whose the time is that was given up.

use hoplab_sim::record::{Architecture, Record};

use crate::runs::run;

fn mean_ms(seen: &Architecture) -> f64 {
    seen.total.latency.mean_us().unwrap() / 1e3
}

/// A busy service that makes ten calls a request, directly and in a mesh.
fn chatty(mesh: &str) -> Record {
    run(&format!(
        "[scenario]\nduration = \"40s\"\n[compare]\narchitectures = [\"direct\", \"mesh\"]\n\
         [services.shop.endpoints.get]\nsteps = [{{ work = \"exp(20ms)\" }}, {{ call = \"stock.ask\", times = 10 }}]\n\
         [services.stock]\ncores = 4\nendpoints.ask.steps = [{{ work = \"100us\" }}]\n\
         [load.people]\nrate = \"35 rps\"\nmix = {{ \"shop.get\" = 1 }}\n[mesh]\n{mesh}\n"
    ))
}

/// A sidecar's 20 µs wait behind no job of its application, unless it shares its cores: then each of its steps
/// waits for the rest of one.
#[test]
fn a_sidecar_does_not_wait_for_its_application() {
    let own = chatty("");
    let [direct, mesh] = ["direct", "mesh"].map(|name| &own.architectures[name]);
    let added_ms = mean_ms(mesh) - mean_ms(direct);
    assert!((0.2..2.0).contains(&added_ms), "{added_ms} ms");
    let queued_us = |seen: &Architecture| seen.breakdown_us.get("proxy_queue").copied().unwrap_or(0.0);
    assert!(queued_us(mesh) < 50.0, "{}", queued_us(mesh));
    let shared = chatty("cores = \"shared\"");
    let shared = &shared.architectures["mesh"];
    let added_ms = mean_ms(shared) - mean_ms(direct);
    assert!(added_ms > 50.0, "{added_ms} ms");
    assert!(queued_us(shared) > 0.8 * added_ms * 1e3, "{} of {added_ms} ms", queued_us(shared));
}

#[test]
fn what_containers_take_is_told_by_kind() {
    let record = chatty("");
    let taken =
        |architecture: &str, kind: &str| record.architectures[architecture].resources.get(kind).copied();
    assert_eq!(taken("direct", "sidecar"), None);
    let (direct, mesh) = (taken("direct", "application").unwrap(), taken("mesh", "application").unwrap());
    let sidecars = taken("mesh", "sidecar").unwrap();
    // The same requests want the same work: 35 x (20 ms + 10 x 100 µs) a second, for what was sent by then.
    assert!((direct.cores_mean - 0.735).abs() < 0.05, "{direct:?}");
    assert!(
        (direct.processor_us as f64 / mesh.processor_us as f64 - 1.0).abs() < 1e-3,
        "{direct:?} {mesh:?}"
    );
    assert!((direct.cores_mean * 40e6 - direct.processor_us as f64).abs() < 1.0);
    // 20 µs a request at either side of each call and at the entrance, and somewhat more for bytes and TLS.
    let requests = record.architectures["mesh"].total.requests.sent as f64;
    assert!(sidecars.processor_us as f64 > requests * 21.0 * 20.0, "{sidecars:?}");
    assert!(sidecars.bytes > 0 && direct.bytes > 0, "{sidecars:?} {direct:?}");
    assert_eq!(mesh.bytes, 0, "the wire is the sidecars'");
    assert!((1..=5).contains(&direct.cores_peak) && direct.connections_peak > 2, "{direct:?}");
}

/// A request whose caller leaves while it works has worked, however many cores there are.
#[test]
fn work_that_is_given_up_is_work() {
    let record = run(
        "[scenario]\nduration = \"5s\"\n[compare]\narchitectures = [\"direct\", \"gateway\", \"mesh\"]\n\
         [services.shop]\ncores = 100\nendpoints.get.steps = [{ work = \"200ms\" }]\n\
         [load.people]\nrate = \"20 rps\"\ntimeout = \"100ms\"\nmix = { \"shop.get\" = 1 }\n",
    );
    for (name, seen) in &record.architectures {
        assert_eq!(seen.total.requests.timed_out, seen.total.requests.sent, "{name}");
        assert_eq!(seen.failed_breakdown_us.get("service_queue"), None, "{name}");
        assert!(
            seen.failed_breakdown_us["service_work"] > 95_000.0,
            "{name}: {:?}",
            seen.failed_breakdown_us
        );
    }
}

/// Likewise what a proxy was doing.
#[test]
fn a_proxys_work_that_is_given_up_is_work() {
    let record = run(
        "[scenario]\nduration = \"5s\"\n[compare]\narchitectures = [\"gateway\"]\n[network]\nlatency = \"0s\"\n\
         [services.shop.endpoints.get]\n[gateway]\ncores = 100\n[costs]\ngateway = { cpu = \"200ms\" }\n\
         [load.people]\nrate = \"20 rps\"\ntimeout = \"100ms\"\nmix = { \"shop.get\" = 1 }\n",
    );
    let seen = &record.architectures["gateway"];
    assert_eq!(seen.failed_breakdown_us.get("proxy_queue"), None);
    assert!(
        (seen.failed_breakdown_us["proxy_cpu"] - 100_000.0).abs() < 1.0,
        "{:?}",
        seen.failed_breakdown_us
    );
}

/// Two may wait, at whichever step they want a core; the others are refused at once, with or without a mesh.
#[test]
fn a_queue_counts_who_waits_at_any_step() {
    let text = |architectures: &str, steps: &str| {
        format!(
            "[scenario]\nduration = \"1s\"\n[compare]\narchitectures = [{architectures}]\n\
             [services.shop]\nqueue = 2\nendpoints.get.steps = [{steps}]\n[services.stock.endpoints.ask]\n\
             [load.people]\nrate = \"10 rps\"\narrivals = \"uniform\"\nmix = {{ \"shop.get\" = 1 }}\n"
        )
    };
    for steps in [
        "{ work = \"10s\" }",
        "{ call = \"stock.ask\" }, { work = \"10s\" }",
        "{ sleep = \"1ms\" }, { work = \"10s\" }",
    ] {
        let record = run(&text("\"direct\", \"mesh\"", steps));
        for (name, seen) in &record.architectures {
            assert_eq!(seen.total.requests.failed, 7, "{name}, {steps}: one works, two wait");
        }
    }
}
