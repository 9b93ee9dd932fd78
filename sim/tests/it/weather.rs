//! Links have weather: what a request meets depends on when it is sent, not on who else sends, nor on what carries it.
//! That the delays have their distribution at any rate is shown where they are made (`world::link::weather`).

use hoplab_sim::record::Record;

/// A front that asks a back, which is `exp(10ms)` away each way, in `direct` and in a mesh whose proxies are free;
/// nothing else takes time.
fn run(rate: &str, duration: &str) -> Record {
    crate::runs::run(&format!(
        r#"
        [scenario]
        duration = "{duration}"
        warmup   = "2s"

        [compare]
        architectures = ["direct", "mesh"]

        [network]
        latency   = "0us"
        zones.far = {{ latency = "exp(10ms)" }}

        [services.front.endpoints.home]
        steps = [{{ call = "back.get" }}]

        [services.back]
        zone          = "far"
        endpoints.get = {{}}

        [load.people]
        rate = "{rate}"
        mix  = {{ "front.home" = 1 }}

        [costs]
        sidecar = {{}}
        "#
    ))
}

/// The mean round trips in `direct` and in the mesh, in milliseconds.
fn means(record: &Record) -> [f64; 2] {
    ["direct", "mesh"].map(|name| record.architectures[name].total.latency.mean_us().unwrap() / 1e3)
}

/// In `direct` each request has a connection to itself, in the mesh all share one: they meet the same weather, seldom as
/// often, so that the means are the same but for the few connections that `direct` opens anew when more wait than
/// ever before. At hundreds of requests a second TCP's own window holds a shared connection up after a gust (at 1,000 rps
/// 22.8 instead of 20.0 ms), which is not held here.
#[test]
fn a_shared_connection_is_no_slower_while_its_window_is_wide() {
    for (rate, duration) in [("1 rps", "400s"), ("20 rps", "100s")] {
        let [direct, mesh] = means(&run(rate, duration));
        assert!((direct - mesh).abs() < 0.01 * mesh, "{rate}: {direct} ms in direct, {mesh} ms in the mesh");
    }
}
