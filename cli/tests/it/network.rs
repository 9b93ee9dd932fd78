//! What becomes of packets and connections is counted by who opened the connection: against closed forms.

use std::fs;

use serde_json::Value;

use crate::{Folder, code, hoplab, stderr, stdout};

/// A shop and its bank, whose answers take 72 full segments, asked evenly.
fn scenario(rest: &str) -> String {
    format!(
        r#"# What becomes of packets?
[scenario]
title = "A shop and its bank"
duration = "11s"
warmup = "1s"
seed = 1

[compare]
architectures = ["direct", "gateway", "mesh"]

[network]
latency = "5ms"

[services.shop.endpoints.buy]
method = "GET"
steps = [{{ call = "bank.pay" }}]

[services.bank.endpoints.pay]
method = "GET"
response = "100 KiB"

[load.people]
rate = "10 rps"
arrivals = "uniform"
timeout = "2s"
mix = {{ "shop.buy" = 1 }}
{rest}"#
    )
}

/// A link that loses, for the whole run.
const LOSSY: &str = r#"
[[faults]]
name = "lossy"
at = "0s"
for = "11s"
loss = { between = ["shop", "bank"], share = "1%" }
"#;

/// The summary of the shop and its bank, and what is printed.
fn run(name: &str, rest: &str) -> (Value, String) {
    run_text(name, &scenario(rest))
}

/// The same of any scenario.
fn run_text(name: &str, text: &str) -> (Value, String) {
    let folder = Folder::new(&format!("network-{name}"));
    folder.write("it.toml", text);
    let run = hoplab(&folder, &["run", "it.toml", "--out", "out"]);
    assert_eq!(code(&run), 0, "{}{}", stdout(&run), stderr(&run));
    let summary = fs::read_to_string(folder.path("out/summary.json")).unwrap();
    (serde_json::from_str(&summary).unwrap(), stdout(&run))
}

fn edge<'a>(summary: &'a Value, architecture: &str, edge: &str) -> &'a Value {
    let edges = &summary["architectures"][architecture]["network"];
    edges.get(edge).unwrap_or_else(|| panic!("no {edge} in {edges}"))
}

fn count(edge: &Value, key: &str) -> f64 {
    edge[key].as_f64().unwrap()
}

#[test]
fn where_all_is_well_packets_and_connections_are_all_there_is() {
    let (summary, printed) = run("well", "");
    for (architecture, edges) in [
        ("direct", &["client → shop", "shop → bank"][..]),
        ("gateway", &["client → gateway", "gateway → shop", "shop → bank"]),
        ("mesh", &["client → shop", "shop → bank"]),
    ] {
        let network = summary["architectures"][architecture]["network"].as_object().unwrap();
        assert_eq!(network.keys().collect::<Vec<_>>(), edges);
        for (name, edge) in network {
            // Of the bank 71 segments with what is asked and acknowledged, of others a request and its answer.
            let each = if name.ends_with("bank") { 72.0 } else { 2.0 };
            assert!(count(edge, "packets") >= 100.0 * each, "{name}: {edge}");
            for key in ["lost", "dropped", "retransmitted", "timeouts", "tail_probes", "refused", "resets"] {
                assert_eq!(edge[key], 0, "{name}: {key}");
            }
        }
    }
    assert!(!printed.contains("Packets and connections"), "{printed}");
}

/// The share that is lost is what the fault says, and every lost segment of data is sent again once more.
#[test]
fn of_what_passes_a_lossy_link_its_share_is_lost_and_sent_again() {
    let (summary, printed) = run(
        "lossy",
        &format!(
            r#"{LOSSY}
[[expect]]
metric = "packets_lost"
edge = "shop -> bank"
min = 50

[[expect]]
metric = "packets_lost"
edge = "client -> shop"
max = 0

[[expect]]
metric = "packets"
edge = "client -> gateway"
in = ["gateway"]
min = 200

[[expect]]
metric = "packets_lost"
edge = "gateway -> shop"
max = 0
"#
        ),
    );
    for architecture in ["direct", "gateway", "mesh"] {
        let bank = edge(&summary, architecture, "shop → bank");
        let (packets, lost) = (count(bank, "packets"), count(bank, "lost"));
        // Within three standard deviations of a binomial count.
        let off = (lost - 0.01 * packets).abs() / (packets * 0.01 * 0.99).sqrt();
        assert!(off < 3.0, "{lost} of {packets} are lost under {architecture}");
        // More than half of the packets are data; an acknowledgement that is lost is not sent again.
        let again = count(bank, "retransmitted");
        assert!((0.5..1.1).contains(&(again / lost)), "{again} for {lost}");
        assert!(count(bank, "timeouts") + count(bank, "tail_probes") < again);
        assert_eq!(bank["dropped"], 0);
    }
    assert!(printed.contains("Packets and connections, where some"), "{printed}");
    assert!(printed.contains("direct: shop → bank"), "{printed}");
}

/// Slow start sends twice what a window takes a round trip: at 50 Mbps four packets of a queue do not hold that.
#[test]
fn what_finds_a_queue_full_is_dropped() {
    let (summary, _) = run(
        "full",
        r#"
[[faults]]
name = "narrow"
at = "0s"
for = "11s"
bandwidth = { between = ["shop", "bank"], is = "50 Mbps", queue = 4 }
"#,
    );
    let bank = edge(&summary, "direct", "shop → bank");
    assert!(count(bank, "dropped") > 0.0 && bank["lost"] == 0, "{bank}");
    assert!(count(bank, "retransmitted") >= count(bank, "dropped") * 0.9, "{bank}");
}

/// A pod that is down refuses: each connection that is begun is one that is refused.
#[test]
fn connections_to_a_pod_that_is_down_are_refused() {
    let (summary, _) = run(
        "down",
        r#"
[[faults]]
name = "down"
at = "5s"
for = "2s"
crash = { service = "bank" }
"#,
    );
    let bank = edge(&summary, "direct", "shop → bank");
    // 10 requests by the second: those that are sent while it is down.
    let refused = count(bank, "refused");
    assert!((18.0..=21.0).contains(&refused), "{bank}");
    assert!(count(bank, "connections") >= refused, "{bank}");
    assert_eq!(edge(&summary, "direct", "client → shop")["refused"], 0);
}

/// As many connections break as the fault says that it has broken.
#[test]
fn connections_that_are_reset_are_counted_once_each() {
    let (summary, _) = run(
        "reset",
        r#"
[[faults]]
name = "torn"
at = "5s"
for = "1s"
reset = { between = ["shop", "bank"] }
"#,
    );
    for architecture in ["direct", "gateway", "mesh"] {
        let hits = &summary["architectures"][architecture]["faults"][0]["hits"];
        let bank = edge(&summary, architecture, "shop → bank");
        assert!(hits.as_u64().unwrap() > 0 && bank["resets"] == *hits, "{bank}");
    }
}

/// Into a partition everything is lost, and what is sent again is so after timeouts.
#[test]
fn a_partition_is_told_by_timeouts() {
    let (summary, _) = run(
        "cut",
        r#"
[[faults]]
name = "cut"
at = "5s"
for = "2s"
partition = { between = ["shop", "bank"] }
"#,
    );
    for architecture in ["direct", "gateway", "mesh"] {
        let bank = edge(&summary, architecture, "shop → bank");
        let hits = &summary["architectures"][architecture]["faults"][0]["hits"];
        assert_eq!(bank["lost"], *hits, "{bank}");
        let (timeouts, probes) = (count(bank, "timeouts"), count(bank, "tail_probes"));
        let again = count(bank, "retransmitted");
        assert!(timeouts > 0.0 && again > 0.0 && again <= timeouts + probes + 100.0, "{bank}");
    }
}

/// The mean microseconds of an owner, and of all owners together.
fn owned(summary: &Value, architecture: &str, owner: &str) -> (f64, f64) {
    let breakdown = summary["architectures"][architecture]["breakdown_us"].as_object().unwrap();
    let mean = |us: &Value| us.as_f64().unwrap();
    (breakdown.get(owner).map_or(0.0, mean), breakdown.values().map(mean).sum())
}

#[test]
fn what_waits_for_a_lost_segment_is_told_from_the_wire() {
    let (summary, _) = run("owners-lossy", LOSSY);
    for architecture in ["direct", "gateway", "mesh"] {
        let (lost, all) = owned(&summary, architecture, "retransmission");
        // At least a round trip passes until a loss is known, and every second answer has one: 71 segments.
        assert!((2_000.0..80_000.0).contains(&lost), "{architecture}: {lost} µs");
        let mean = summary["architectures"][architecture]["latency_us"]["mean"].as_f64().unwrap();
        assert!((all - mean).abs() < 0.01, "{architecture}: {all} of {mean} µs");
    }
}

/// 691 segments in windows of 10, 20, 40, …: the last is sent six round trips after the first.
#[test]
fn what_waits_for_a_window_is_told_from_the_wire() {
    let cold = r#"[scenario]
title = "One large answer"
duration = "1s"
seed = 1

[compare]
architectures = ["direct"]

[network]
latency = "10ms"

[services.shop.endpoints.buy]
method = "GET"
response = "1 MB"

[load.people]
rate = "1 rps"
arrivals = "uniform"
mix = { "shop.buy" = 1 }
"#;
    let (summary, _) = run_text("owners-cold", cold);
    let (held, all) = owned(&summary, "direct", "window");
    assert!((held - 120_000.0).abs() < 1_000.0, "{held} µs of {all}");
    // There and back, and the handshake before.
    let (wire, connect) = (owned(&summary, "direct", "wire").0, owned(&summary, "direct", "connect").0);
    let is_a_round_trip = |us: f64| (us - 20_000.0).abs() < 1_000.0;
    assert!(is_a_round_trip(wire) && is_a_round_trip(connect), "{wire}, {connect} µs of {all}");
}

/// A sidecar hands over content as it comes: who waits for it waits for the sidecar's connection.
#[test]
fn what_content_waits_for_on_its_way_is_told_behind_a_sidecar_too() {
    let upload = r#"[scenario]
title = "Large requests over a line that loses"
duration = "12s"
seed = 1

[compare]
architectures = ["direct", "mesh"]

[network]
latency = "10ms"
bandwidth = "100 Mbps"

[costs]
sidecar = {}

[services.bank.endpoints.deposit]

[load.people]
rate = "1 rps"
request = "500 KB"
mix = { "bank.deposit" = 1 }

[[faults]]
name = "lossy"
at = "4s"
for = "4s"
loss = { from = "client", to = "bank", share = "3%" }
"#;
    let (summary, _) = run_text("owners-upload", upload);
    for owner in ["retransmission", "window", "wire"] {
        let [direct, mesh] = ["direct", "mesh"].map(|architecture| owned(&summary, architecture, owner).0);
        assert!(direct > 5_000.0 && (direct - mesh).abs() < 3_000.0, "{owner}: {direct} and {mesh} µs");
    }
}

/// 1 MB at 8 Mbps takes a second to read, whoever stands between who reads and who writes.
#[test]
fn what_is_not_read_is_told_from_the_wire() {
    let slow = r#"[scenario]
title = "A slow reader behind a sidecar"
duration = "10s"
seed = 1

[compare]
architectures = ["direct", "gateway", "mesh", "gateway+mesh"]

[network]
latency = "250us"

[services.shop.endpoints.buy]
method = "GET"
steps = [{ call = "bank.statement" }]

[services.bank.endpoints.statement]
method = "GET"
response = "1 MB"

[load.people]
rate = "1 rps"
mix = { "shop.buy" = 1 }

[[faults]]
name = "slow"
at = "0s"
for = "10s"
slow_reader = { reader = "shop", reads = "8 Mbps" }
"#;
    let (summary, _) = run_text("owners-slow", slow);
    for architecture in ["direct", "gateway", "mesh", "gateway+mesh"] {
        let (unread, all) = owned(&summary, architecture, "unread");
        assert!(all > 990_000.0 && unread > all - 20_000.0, "{architecture}: {unread} of {all} µs");
    }
}

#[test]
fn where_nothing_is_lost_or_held_back_the_wire_is_all() {
    let (summary, _) = run_text("owners-calm", crate::trace::MESH.split("[[faults]]").next().unwrap());
    for architecture in ["direct", "mesh"] {
        let breakdown = summary["architectures"][architecture]["breakdown_us"].as_object().unwrap();
        assert!(breakdown.contains_key("wire"));
        assert!(
            ["retransmission", "unread", "window"].iter().all(|owner| !breakdown.contains_key(*owner)),
            "{breakdown:?}"
        );
    }
}

/// Which connections a share is, is drawn by the names of their pods: the same in every architecture.
#[test]
fn a_share_of_connections_is_the_same_connections_in_every_architecture() {
    let text = r#"# Which connections are cut?
[scenario]
title = "Some connections"
duration = "6s"

[compare]
architectures = ["direct", "mesh"]

[services.shop.endpoints.buy]
steps = [{ call = "bank.pay" }]

[services.bank]
replicas = 6
protocol = "grpc"
endpoints.pay = {}

[load.people]
rate = "20 rps"
timeout = "1s"
mix = { "shop.buy" = 1 }

[[faults]]
name = "cut"
at = "2s"
for = "4s"
partition = { from = "shop", to = "bank", connections = "30%" }
"#;
    let (summary, _) = run_text("share", text);
    let lost = |architecture| count(edge(&summary, architecture, "shop → bank"), "lost");
    let timed_out = |architecture: &str| &summary["architectures"][architecture]["requests"]["timed_out"];
    assert!(lost("direct") > 0.0);
    assert_eq!(timed_out("direct"), timed_out("mesh"));
    let off = (lost("direct") - lost("mesh")).abs();
    assert!(off <= 0.1 * lost("direct"), "{} and {}", lost("direct"), lost("mesh"));
}
