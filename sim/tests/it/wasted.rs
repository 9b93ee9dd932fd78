//! What services do for nobody, to the microsecond: who is gone is known over the whole chain of callers.

use hoplab_sim::record::{Record, Wasted, Work};

use crate::runs;

/// Ten requests, a second apart, whose client waits for 100 ms; `rest` says what they meet.
fn run(architecture: &str, rest: &str) -> Record {
    let text = format!(
        "[scenario]\nduration = \"10s\"\n[compare]\narchitectures = [\"{architecture}\"]\n\
         [network]\nlatency = \"0us\"\n[costs]\ngateway = {{}}\nsidecar = {{}}\n\
         [load.client]\nrate = \"1 rps\"\narrivals = \"uniform\"\ntimeout = \"100ms\"\n\
         mix = {{ \"first.get\" = 1 }}\n{rest}"
    );
    runs::run(&text)
}

fn work(record: &Record, service: &str) -> Work {
    record.architectures.values().next().unwrap().work.get(service).copied().unwrap_or_default()
}

fn of(requests: u64, cpu_ms: u64, wasted_ms: u64) -> Work {
    let wasted = if wasted_ms > 0 { requests } else { 0 };
    let wasted = Wasted { requests: wasted, cpu_us: requests * wasted_ms * 1_000 };
    Work { cpu_us: requests * cpu_ms * 1_000, wasted }
}

#[test]
fn a_server_that_stops_wastes_nothing_and_one_that_goes_on_the_rest() {
    let services = "[services.first.endpoints.get]\nsteps = [{ work = \"250ms\" }]\n[services.first]\n";
    let stops = run("direct", services);
    assert_eq!(work(&stops, "first"), of(10, 100, 0));
    let goes_on = run("direct", &format!("{services}on_cancel = \"continue\""));
    // The run is over before the last request's work is.
    assert_eq!(work(&goes_on, "first"), of(9, 250, 150));
}

#[test]
fn nothing_is_wasted_on_who_is_still_there() {
    let record =
        run("mesh", "[services.first.endpoints.get]\nsteps = [{ work = \"20ms\" }, { work = \"20ms\" }]");
    assert_eq!(work(&record, "first"), of(10, 40, 0));
}

#[test]
fn an_attempt_that_was_given_up_is_for_nobody_while_the_next_one_is_not() {
    let record = run(
        "gateway",
        "[services.first]\non_cancel = \"continue\"\nreplicas = 2\n\
         [services.first.endpoints.get]\nsteps = [{ work = \"70ms\" }]\n\
         [gateway]\ndefaults = { retry = { per_try_timeout = \"30ms\", on = [\"reset\"], methods = [\"POST\"], \
         backoff = \"0ms..0ms\", jitter = \"none\" } }",
    );
    // Each request has two attempts of 30 ms, neither of which is enough for 70 ms; the run sees no end of the last's.
    assert_eq!(work(&record, "first"), of(18, 70, 40));
}

#[test]
fn whoever_works_for_someone_who_is_gone_works_for_nobody() {
    let services = |on_cancel: &str| {
        format!(
            "[services.first]\non_cancel = \"{on_cancel}\"\n\
             [services.first.endpoints.get]\nsteps = [{{ call = \"second.get\", timeout = \"200ms\" }}]\n\
             [services.second.endpoints.get]\nsteps = [{{ work = \"50ms\" }}, {{ work = \"400ms\" }}]"
        )
    };
    for architecture in ["direct", "mesh", "gateway+mesh"] {
        let stops = run(architecture, &services("stop"));
        assert_eq!(work(&stops, "second"), of(10, 100, 0), "{architecture}");
        let deaf = run(architecture, &services("continue"));
        // Of the last request, the run sees the first step alone.
        assert_eq!(work(&deaf, "second").cpu_us, 9 * 200_000 + 50_000, "{architecture}");
        assert_eq!(
            work(&deaf, "second").wasted,
            Wasted { requests: 9, cpu_us: 9 * 100_000 },
            "{architecture}"
        );
    }
}

#[test]
fn a_deadline_stops_what_no_connection_would() {
    let services = |deadline: &str| {
        format!(
            "send_deadline = true\n[services.first]\non_cancel = \"continue\"\ndeadline = \"{deadline}\"\n\
             [services.first.endpoints.get]\nsteps = [{{ call = \"second.get\" }}]\n\
             [services.second]\ndeadline = \"forward\"\n\
             [services.second.endpoints.get]\nsteps = [{{ work = \"400ms\" }}]\n\
             [mesh]\ndefaults = {{ deadline = {{}} }}"
        )
    };
    for architecture in ["direct", "mesh"] {
        let told = run(architecture, &services("forward"));
        assert_eq!(work(&told, "second"), of(10, 100, 0), "{architecture}");
        let lost = run(architecture, &services("ignore"));
        assert_eq!(work(&lost, "second"), of(9, 400, 300), "{architecture}");
    }
}
