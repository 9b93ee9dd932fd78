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

/// In `direct` each request has a connection to itself, in the mesh all share one: they meet the same weather, whatever
/// carries them and however many they are. The runs are as long as it takes that 20 ms is to be told within 1 %.
#[test]
fn a_round_trip_takes_its_mean_at_any_rate_alone_and_on_a_shared_connection() {
    for (rate, duration) in [("1 rps", "20000s"), ("20 rps", "1000s"), ("2000 rps", "12s")] {
        for (name, mean) in ["direct", "mesh"].into_iter().zip(means(&run(rate, duration))) {
            assert!((mean - 20.0).abs() < 0.2, "{rate}: {mean} ms in {name}");
        }
    }
}
