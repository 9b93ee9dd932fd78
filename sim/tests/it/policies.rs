//! What policies do to each other, on small scenarios whose answers can be told beforehand.

use hoplab_sim::record::{Edge, Outcome, Record};

use crate::runs;

/// A run behind a gateway that costs nothing, whose expectations hold.
fn run(duration: &str, rest: &str) -> Record {
    let text = format!(
        "[scenario]\nduration = \"{duration}\"\n[compare]\narchitectures = [\"gateway\"]\n[costs]\ngateway = {{}}\n{rest}"
    );
    let record = runs::run(&text);
    for expectation in &record.architectures["gateway"].expectations {
        assert_eq!(expectation.outcome, Outcome::Holds, "{expectation:?}");
    }
    record
}

fn edges(record: &Record) -> Edge {
    record.architectures["gateway"].edges.values().copied().sum()
}

#[test]
fn a_hedge_does_not_wait_for_the_connection_that_its_own_request_holds() {
    for pool in ["connections = 1", "upstream = { connections = 1 }"] {
        run(
            "60s",
            &format!(
                r#"
                [network]
                latency = "0us"
                [services.a]
                endpoints.get = {{ method = "GET", steps = [{{ sleep = "20ms" }}, {{ call = "b.get" }}] }}
                [services.b]
                endpoints.get = {{ method = "GET" }}
                [load.l]
                rate = "1 rps"
                arrivals = "uniform"
                mix = {{ "a.get" = 1 }}
                [gateway]
                defaults = {{ hedge = {{ after = "5ms", budget = "100%" }}, pool = {{ {pool} }} }}
                [[faults]]
                name = "down"
                at = "10s"
                for = "3s"
                error = {{ service = "b", endpoint = "get", status = 503 }}
                [[expect]]
                metric = "max"
                max = "45ms"
                "#
            ),
        );
    }
}

#[test]
fn health_checks_do_not_wait_in_the_pool_of_requests() {
    run(
        "30s",
        r#"
        [network]
        latency = "1ms"
        [services.a]
        replicas = 2
        protocol = "http2"
        keep_alive = "500ms"
        endpoints.get = { method = "GET" }
        endpoints.healthz = { method = "GET", path = "/healthz" }
        [load.l]
        rate = "100 rps"
        arrivals = "uniform"
        mix = { "a.get" = 1 }
        [gateway]
        defaults = { pool = { pending_timeout = "10ms" }, health = { http = "/healthz", interval = "2s" } }
        [[faults]]
        name = "far"
        at = "5s"
        for = "20s"
        latency = { between = ["gateway", "a-0"], add = "20ms" }
        [[expect]]
        metric = "decisions"
        decision = "unhealthy"
        max = 0
        [[expect]]
        metric = "share"
        pod = "a-0"
        during = "far"
        min = "49%"
        max = "51%"
        "#,
    );
}

#[test]
fn what_waited_for_others_and_was_hardly_connected_to_blames_nobody() {
    run(
        "30s",
        r#"
        [network]
        latency = "10ms"
        [services.a]
        endpoints.get = { method = "GET", steps = [{ sleep = "95ms" }] }
        [load.l]
        rate = "20 rps"
        arrivals = "uniform"
        mix = { "a.get" = 1 }
        [gateway.defaults]
        pool = { connections = 1, requests_per_connection = 1, pending_timeout = "100ms" }
        outlier = { consecutive_5xx = 0, consecutive_local = 1, max_ejected = "100%" }
        [[expect]]
        metric = "failed"
        min = 100
        [[expect]]
        metric = "decisions"
        decision = "ejected"
        max = 0
        "#,
    );
}

#[test]
fn a_pod_that_hangs_is_found_out_behind_a_pool_that_is_full_because_of_it() {
    for finds_out in [
        "outlier = { consecutive_5xx = 5, max_ejected = \"100%\" }",
        "breaker = { failures = 5, open_for = \"60s\" }",
    ] {
        run(
            "30s",
            &format!(
                r#"
                [network]
                latency = "0us"
                [services.a]
                replicas = 2
                endpoints.get = {{ method = "GET", steps = [{{ sleep = "10ms" }}] }}
                [load.l]
                rate = "200 rps"
                mix = {{ "a.get" = 1 }}
                [gateway.defaults]
                timeout = "2s"
                pool = {{ connections = 4 }}
                {finds_out}
                [[faults]]
                name = "hangs"
                at = "5s"
                for = "20s"
                pause = {{ service = "a", replica = 0 }}
                [[expect]]
                metric = "failed"
                max = 300
                "#
            ),
        );
    }
}

#[test]
fn every_call_is_sent_or_is_not() {
    let service = r#"
        [services.a]
        endpoints.get = { method = "GET", steps = [{ work = "exp(4ms)" }] }
        [load.l]
        rate = "200 rps"
        mix = { "a.get" = 1 }
        [[faults]]
        name = "down"
        at = "5s"
        for = "10s"
        error = { service = "a", endpoint = "get", status = 503 }
        [[expect]]
        metric = "unsent"
        min = 100
    "#;
    for refuses in [
        "defaults = { retry = { attempts = 0, budget = { throttle = 2.0, window = \"5s\" } } }",
        "defaults = { retry = { on = [\"503\"], budget = { throttle = 2.0, window = \"5s\" } } }",
        "defaults = { breaker = { failures = 3, open_for = \"1s\" } }",
        "limits = { concurrency = 1 }",
        "limits = { rate = { rate = \"100 rps\" } }",
    ] {
        let Edge { requests, attempts, retries, hedges, unsent, .. } =
            edges(&run("20s", &format!("{service}\n[gateway]\n{refuses}")));
        assert_eq!(requests + retries + hedges, attempts + unsent, "{refuses}: {unsent} unsent");
    }
}

#[test]
fn what_is_gathered_takes_effect_with_a_change_more_than_a_window_after_the_last() {
    let is_ill = |replica: u32, at: &str| {
        format!(
            "[[faults]]\nname = \"ill-{replica}\"\nat = \"{at}\"\nfor = \"3s\"\n\
             error = {{ service = \"a\", endpoint = \"healthz\", replica = {replica} }}\n"
        )
    };
    // The first at once, the second within its window, the third after that and before the second's own.
    let faults = [is_ill(0, "1.01s"), is_ill(1, "1.86s"), is_ill(2, "2.11s")].concat();
    run(
        "6s",
        &format!(
            r#"
            [network]
            latency = "0us"
            [services.a]
            replicas = 4
            endpoints.get = {{ method = "GET" }}
            endpoints.healthz = {{ method = "GET", path = "/healthz" }}
            [load.l]
            rate = "400 rps"
            arrivals = "uniform"
            mix = {{ "a.get" = 1 }}
            [gateway.defaults]
            health = {{ http = "/healthz", interval = "50ms", fall = 1, rise = 1 }}
            balance = {{ merge_window = "1s" }}
            {faults}
            [[faults]]
            name = "gathered"
            at = "2.2s"
            for = "600ms"
            latency = {{ between = ["client", "gateway"], add = "1us" }}
            [[expect]]
            metric = "share"
            pod = "a-3"
            during = "gathered"
            min = "99%"
            max = "100%"
            "#
        ),
    );
}
