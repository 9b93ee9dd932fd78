//! Connections as they are in the wild: what services speak, whom a connection leads to, who closes it and when, and
//! how much is sent over it.

use hoplab_sim::record::{Architecture, Requests};

use crate::runs;

/// Ten seconds of load on `cart.get` over a wire of 5 ms, `load` after `service`; `rest` says the other tables.
fn run(architecture: &str, service: &str, load: &str, rest: &str) -> Architecture {
    let text = format!(
        "[scenario]\nduration = \"10s\"\n[compare]\narchitectures = [\"{architecture}\"]\n\
         [network]\nlatency = \"5ms\"\n[costs]\ngateway = {{}}\nsidecar = {{}}\n\
         [services.front.endpoints.get]\nsteps = [{{ call = \"cart.get\" }}]\n\
         [services.cart]\n{service}\n[load.client]\n{load}\n{rest}"
    );
    let record = runs::run(&text);
    record.architectures.into_values().next().unwrap()
}

const STEADY: &str = "rate = \"100 rps\"\narrivals = \"uniform\"\nmix = { \"cart.get\" = 1 }";
const THROUGH_FRONT: &str = "rate = \"100 rps\"\narrivals = \"uniform\"\nmix = { \"front.get\" = 1 }";
const PER_CONNECTION: &str = "[direct]\nbalance = \"per-connection\"";

fn well(requests: Requests) -> bool {
    requests.sent > 0 && requests.ok == requests.sent
}

/// How many requests each pod of `cart` got.
fn pods(seen: &Architecture) -> Vec<u64> {
    let of_cart = seen.pods.iter().filter(|(pod, _)| pod.starts_with("cart"));
    assert!(seen.pods.keys().all(|pod| pod.contains('-')), "{:?}", seen.pods);
    of_cart.map(|(_, requests)| *requests).collect()
}

#[test]
fn grpc_sticks_to_one_pod_behind_kube_proxy_and_is_spread_by_whoever_chooses_for_each_call() {
    let grpc = "protocol = \"grpc\"\nreplicas = 4\nendpoints.get = { response = \"1 KiB\" }";
    let stuck = run("direct", grpc, THROUGH_FRONT, PER_CONNECTION);
    assert!(well(stuck.total.requests));
    assert_eq!(pods(&stuck), [1_000]);
    for (architecture, direct) in [("direct", ""), ("mesh", PER_CONNECTION)] {
        let spread = run(architecture, grpc, THROUGH_FRONT, direct);
        assert!(well(spread.total.requests));
        assert_eq!(pods(&spread), [250; 4], "{architecture}");
    }
    let gateway = run("gateway", grpc, STEADY, PER_CONNECTION);
    assert_eq!((well(gateway.total.requests), pods(&gateway)), (true, vec![250; 4]));
}

#[test]
fn http1_opens_a_connection_for_each_request_under_way_and_so_finds_several_pods() {
    let slow = "replicas = 4\ncores = 100\nendpoints.get = { steps = [{ sleep = \"190ms\" }] }";
    let seen = run("direct", slow, STEADY, PER_CONNECTION);
    assert!(well(seen.total.requests));
    // Twenty connections at a time.
    assert_eq!(pods(&seen).len(), 4, "{:?}", seen.pods);
    let quick = run(
        "direct",
        "replicas = 4\nendpoints.get = {}",
        "users = 1\nthink = \"10ms\"\nmix = { \"cart.get\" = 1 }",
        PER_CONNECTION,
    );
    assert_eq!(pods(&quick).len(), 1, "one connection is enough: {:?}", quick.pods);
}

#[test]
fn a_connection_that_ends_is_given_another_pod() {
    let crash = "[[faults]]\nname = \"crash\"\nat = \"3s\"\nfor = \"6s\"\ncrash = { service = \"cart\", replica = 0 }";
    for protocol in ["http1", "http2", "grpc"] {
        let service = format!("protocol = \"{protocol}\"\nreplicas = 2\nendpoints.get = {{}}");
        let seen = run("direct", &service, STEADY, &format!("{PER_CONNECTION}\n{crash}"));
        let Requests { sent, ok, .. } = seen.total.requests;
        // Where it was at the other pod from the start, nothing fails; else a connect fails, and the next is drawn anew.
        assert!(ok >= sent - 20, "{protocol}: {ok} of {sent}");
    }
}

#[test]
fn a_pod_that_is_told_to_stop_is_given_no_connection() {
    let restart = "[[faults]]\nname = \"restart\"\nat = \"2s\"\nfor = \"4s\"\n\
                   restart = { service = \"cart\", drain = \"500ms\", down = \"1s\" }";
    for protocol in ["http2", "grpc"] {
        let service = format!("protocol = \"{protocol}\"\nreplicas = 2\nendpoints.get = {{}}");
        let seen = run("direct", &service, STEADY, &format!("{PER_CONNECTION}\n{restart}"));
        assert!(well(seen.total.requests), "{protocol}: {:?}", seen.total.requests);
        assert_eq!(pods(&seen).len(), 2, "{protocol}");
    }
}

#[test]
fn a_call_of_grpc_fails_as_its_trailers_say() {
    let grpc = "protocol = \"grpc\"\nendpoints.get = { response = \"3 KiB\" }";
    let error = "[[faults]]\nname = \"error\"\nat = \"2s\"\nfor = \"4s\"\n\
                 error = { service = \"cart\", status = 503 }\n";
    let failing = run("gateway", grpc, STEADY, error);
    assert_eq!((failing.total.requests.failed, failing.total.requests.ok), (400, 600));
    let edge = &failing.edges["client → cart"];
    assert_eq!((edge.attempts, edge.errors), (1_000, 400));
    let retried = "[gateway]\ndefaults.retry = { attempts = 2, on = [\"unavailable\"], methods = [\"POST\"], \
                   backoff = \"1ms..1ms\", jitter = \"none\" }";
    let share = error.replace("status = 503", "status = 503, share = \"10%\"");
    let seen = run("gateway", grpc, STEADY, &format!("{share}{retried}"));
    assert!(seen.total.requests.ok >= 998, "{:?}", seen.total.requests);
    assert!(seen.edges["client → cart"].retries > 20);
    // What no trailers say is told by the proxy.
    let down = "[[faults]]\nname = \"down\"\nat = \"2s\"\nfor = \"4s\"\ncrash = { service = \"cart\" }";
    let seen = run("gateway", grpc, STEADY, down);
    assert!(seen.total.requests.failed >= 399, "{:?}", seen.total.requests);
}

#[test]
fn a_request_that_meets_the_end_of_its_connection_is_lost_over_http1_alone() {
    // Every five seconds. The first opens the connections, and the last of them is idle from 15 ms on without a gateway,
    // from 30 ms on behind one.
    let every = "rate = \"0.2 rps\"\narrivals = \"uniform\"\nmix = { \"cart.get\" = 1 }";
    let tried = |architecture: &str, service: &str, method: &str, policies: &str| {
        let service = format!("{service}\nendpoints.get = {{ method = \"{method}\", path = \"/get\" }}");
        let seen = run(architecture, &service, every, policies);
        let Requests { sent, failed, .. } = seen.total.requests;
        assert_eq!(sent, 2);
        failed
    };
    let failed = |architecture: &str, service: &str, method: &str| tried(architecture, service, method, "");
    let retry = "[gateway]\ndefaults.retry = { on = [\"reset\"], backoff = \"1ms..1ms\" }";
    for (architecture, on_the_wire) in [("direct", "4985ms"), ("gateway", "4975ms")] {
        let meets = format!("keep_alive = \"{on_the_wire}\"");
        assert_eq!(failed(architecture, &meets, "POST"), 1, "{architecture}");
        assert_eq!(failed(architecture, &meets, "GET"), 1, "nothing is sent twice unasked");
        if architecture == "gateway" {
            assert_eq!(tried(architecture, &meets, "GET", retry), 0, "what may be sent twice is, when asked");
        }
        assert_eq!(failed(architecture, "keep_alive = \"4s\"", "POST"), 0, "it is known to be closed");
        assert_eq!(failed(architecture, "keep_alive = \"6s\"", "POST"), 0, "it is still open");
        for keep_alive in [on_the_wire, "4s", "6s"] {
            let service = format!("protocol = \"http2\"\nkeep_alive = \"{keep_alive}\"");
            assert_eq!(failed(architecture, &service, "POST"), 0, "{architecture}, {keep_alive}");
        }
    }
}

#[test]
fn a_gateway_closes_what_is_idle_as_well() {
    let every = "rate = \"0.2 rps\"\narrivals = \"uniform\"\nmix = { \"cart.get\" = 1 }";
    let failed = |gateway: &str| {
        let seen = run("gateway", "endpoints.get = {}", every, &format!("[gateway]\n{gateway}"));
        seen.total.requests.failed
    };
    // It has answered the first after 35 ms, and closes at 5.000 s.
    assert_eq!(failed("keep_alive = \"4965ms\""), 1);
    assert_eq!(failed("keep_alive = \"4s\""), 0);
    assert_eq!(failed("max_connection_age = \"4s\""), 0);
}

#[test]
fn a_connection_with_a_request_on_it_is_not_idle() {
    for protocol in ["http1", "http2", "grpc"] {
        let service = format!(
            "protocol = \"{protocol}\"\nkeep_alive = \"100ms\"\n\
             endpoints.get = {{ response = \"1 KiB\", steps = [{{ sleep = \"350ms\" }}] }}"
        );
        let every = "rate = \"1 rps\"\narrivals = \"uniform\"\nmix = { \"cart.get\" = 1 }";
        let seen = run("direct", &service, every, "");
        assert!(well(seen.total.requests), "{protocol}: {:?}", seen.total.requests);
        // Each finds its connection closed and opens another.
        let opened = seen.total.latency.min_us;
        assert_eq!(opened, 370_000, "{protocol}");
    }
}

#[test]
fn connections_end_by_their_age_and_nothing_is_lost() {
    for protocol in ["http1", "http2", "grpc"] {
        let service = format!(
            "protocol = \"{protocol}\"\nreplicas = 4\nmax_connection_age = \"500ms\"\nendpoints.get = {{}}"
        );
        for load in [STEADY, "users = 1\nmix = { \"cart.get\" = 1 }"] {
            let seen = run("direct", &service, load, PER_CONNECTION);
            assert!(well(seen.total.requests), "{protocol}: {:?}", seen.total.requests);
            assert_eq!(pods(&seen).len(), 4, "{protocol}: {:?}", seen.pods);
        }
    }
}

#[test]
fn a_load_sends_as_much_as_it_says() {
    let bytes = |service: &str, request: &str| {
        let load = format!("{STEADY}\nrequest = \"{request}\"");
        let seen = run("gateway", service, &load, "");
        assert!(well(seen.total.requests));
        seen.resources["gateway"].bytes as f64
    };
    let service = "endpoints.get = {}";
    let bare = bytes(service, "0 B");
    let constant = bytes(service, "10 KB") - bare;
    // Headers and acknowledgements come on top.
    assert!((constant / 10e6 - 1.05).abs() < 0.05, "{constant}");
    let uniform = bytes(service, "uniform(0 B, 20 KB)") - bare;
    assert!((uniform / 10e6 - 1.05).abs() < 0.08, "{uniform}");
    let answered = bytes("endpoints.get = { response = \"mix(50%: 0 B, 50%: 20 KB)\" }", "0 B") - bare;
    assert!((answered / 10e6 - 1.05).abs() < 0.15, "{answered}");
}
