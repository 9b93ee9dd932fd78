//! `hoplab trace`: the waterfall, and what other programs make of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::{Folder, code, hoplab, stderr, stdout};

/// A mesh of three services, of which one loses a pod and is cut off later.
pub(crate) const MESH: &str = r#"# What does one request look like?
[scenario]
title = "Two banks"
duration = "2s"
warmup = "200ms"
seed = 1

[compare]
architectures = ["direct", "mesh"]

[network]
latency = "137us"

[services.shop.endpoints.buy]
method = "GET"
steps = [{ all = [{ call = "bank.pay" }, { call = "stock.take" }] }]

[services.bank]
replicas = 2

[services.bank.endpoints.pay]
method = "GET"
steps = [{ work = "exp(2ms)" }]

[services.stock.endpoints.take]
method = "GET"
steps = [{ sleep = "1ms" }]

[load.people]
rate = "100 rps"
timeout = "80ms"
mix = { "shop.buy" = 1 }

[mesh.defaults]
timeout = "60ms"
retry = { attempts = 2, on = ["connect-failure", "reset"], backoff = "5ms..20ms" }
breaker = { failures = 3, open_for = "300ms" }

[[faults]]
name = "bank-down"
at = "1s"
for = "300ms"
crash = { service = "bank", replica = 0 }

[[faults]]
name = "bank-cut"
at = "1500ms"
for = "200ms"
partition = { between = ["shop", "bank"] }
"#;

/// A folder for the test called `name` with a run of [`MESH`] in `out`.
fn run(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("mesh.toml", MESH);
    let run = hoplab(&folder, &["run", "mesh.toml", "--out", "out"]);
    assert_eq!(code(&run), 0, "{}", stderr(&run));
    folder
}

fn trace(folder: &Folder, arguments: &[&str]) -> String {
    let trace = hoplab(folder, &[&["trace", "out"], arguments].concat());
    assert_eq!(code(&trace), 0, "{}{}", stdout(&trace), stderr(&trace));
    stdout(&trace)
}

/// What is said when nothing can be shown.
fn refused(folder: &Folder, arguments: &[&str]) -> String {
    let trace = hoplab(folder, &[&["trace", "out"], arguments].concat());
    assert_eq!(code(&trace), 2, "{}{}", stdout(&trace), stderr(&trace));
    assert_eq!(stdout(&trace), "");
    stderr(&trace)
}

fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.path(name)).unwrap()).unwrap()
}

/// The ids of the requests that are drawn.
fn ids(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("request "));
    lines.map(|line| line[..32].to_owned()).collect()
}

#[test]
fn the_slowest_request_and_those_that_failed_are_drawn() {
    let folder = run("trace-drawn");
    let direct = trace(&folder, &["--failed", "--arch", "direct"]);
    insta::assert_snapshot!(format!("{}\n$ --failed --arch direct\n{direct}", trace(&folder, &[])));
}

#[test]
fn a_request_is_found_by_its_id_or_a_part_of_it_in_the_warm_up_too() {
    let folder = run("trace-found");
    let slowest = trace(&folder, &["--slowest", "3"]);
    let ids = ids(&slowest);
    assert_eq!(ids.len(), 3);
    for id in &ids {
        let one = trace(&folder, &[id]);
        assert!(slowest.contains(&one), "{one}\nis not in\n{slowest}");
    }
    let early = trace(&folder, &["0000003"]);
    assert!(early.contains("00000000000000010000000000000003"), "{early}");
    assert!(early.contains("in the warm-up"), "{early}");
    // More than the record keeps.
    assert_eq!(self::ids(&trace(&folder, &["--slowest", "40"])).len(), 40);
    let failed = hoplab(&folder, &["trace", "out", "--failed", "2"]);
    assert_eq!(self::ids(&stdout(&failed)).len(), 2);
    assert!(stderr(&failed).starts_with("2 of "), "{}", stderr(&failed));
}

#[test]
fn the_owners_times_sum_to_the_latency() {
    let folder = run("trace-owners");
    let text = trace(&folder, &["--slowest", "20"]);
    for request in text.split("shop.buy took ").skip(1) {
        let took = request.split(" µs").next().unwrap();
        let sum = request.lines().find(|line| line.starts_with(" sum")).unwrap();
        let sum = sum.split_whitespace().nth(1).unwrap();
        assert_eq!(sum.strip_suffix(".000").unwrap_or(sum), took, "{request}");
    }
}

#[test]
fn what_is_not_there_exits_2_with_a_hint_and_another_run_exits_3() {
    let folder = run("trace-refused");
    assert!(
        refused(&folder, &["ffff"]).contains("`--slowest 5` and `--failed 5` show requests with their ids")
    );
    assert!(refused(&folder, &["0000000000"]).contains("help: give more digits"));
    assert!(refused(&folder, &["request"]).contains("32 hexadecimal digits"));
    assert!(refused(&folder, &["--arch", "ambient"]).contains("direct, mesh"));
    assert!(refused(&folder, &["--slowest", "0"]).contains("must be above zero"));
    assert!(refused(&folder, &["1", "--failed"]).contains("cannot be used with"));
    let nowhere = hoplab(&folder, &["trace", "nowhere"]);
    assert_eq!(code(&nowhere), 2);
    assert!(stderr(&nowhere).contains("nowhere"));

    let other = Folder::new("trace-tampered");
    fs::create_dir_all(other.path("out/record")).unwrap();
    let record = fs::read_to_string(folder.path("out/record/record.json")).unwrap();
    let altered = record.replacen("\"seed\":1,", "\"seed\":2,", 1);
    other.write("out/record/record.json", &altered);
    fs::copy(folder.path("out/record/checksums"), other.path("out/record/checksums")).unwrap();
    let refused = hoplab(&other, &["trace", "out", "--otlp", "otlp.json"]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("record/record.json was altered"), "{}", stderr(&refused));
    crate::integrity::sign(&other.path("out"), record.as_bytes(), altered.as_bytes());
    let tampered = hoplab(&other, &["trace", "out", "--otlp", "otlp.json"]);
    assert_eq!(code(&tampered), 3, "{}", stderr(&tampered));
    assert!(stdout(&tampered).starts_with("differs: mesh: digest "));
    assert!(!other.path("otlp.json").exists());
}

/// In every thread beginnings and ends pair up, and the client's are as far apart as the request took.
#[test]
fn chrome_s_trace_events_nest() {
    let folder = run("trace-chrome");
    trace(&folder, &["--slowest", "4", "--perfetto", "nest.json"]);
    let events = json(&folder, "nest.json");
    let events = events["traceEvents"].as_array().unwrap();
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap();
    assert!(events.is_sorted_by_key(|event| (event["ts"].as_f64().unwrap_or(-1.0) * 1e3).round() as i64));
    let mut threads: BTreeMap<(u64, u64), Vec<&Value>> = BTreeMap::new();
    let mut took = Vec::new();
    for event in events {
        let open =
            threads.entry((event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap())).or_default();
        match event["ph"].as_str().unwrap() {
            "B" => open.push(event),
            "E" => {
                let begun = open.pop().unwrap();
                assert_eq!(begun["name"], event["name"]);
                if event["name"] == "client" {
                    took.push(number(event, "ts") - number(begun, "ts"));
                }
            }
            _ => {}
        }
    }
    assert!(threads.values().all(Vec::is_empty));
    let count = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    assert!(count("B") > 40 && count("M") > 8 && count("i") > 0);
    assert!(count("s") > 8 && count("s") == count("f"));
    took.sort_by(|left, right| right.total_cmp(left));
    let record = json(&folder, "out/record/record.json");
    let recorded = record["architectures"]["mesh"]["slowest"].as_array().unwrap();
    assert_eq!(took, recorded[..4].iter().map(|trace| number(trace, "latency_us")).collect::<Vec<_>>());
}

#[test]
fn opentelemetry_s_spans_have_their_parents() {
    let folder = run("trace-otlp");
    trace(&folder, &["--otlp", "otlp.json"]);
    let data = json(&folder, "otlp.json");
    let resources = data["resourceSpans"].as_array().unwrap();
    let spans: Vec<&Value> = resources
        .iter()
        .flat_map(|resource| resource["scopeSpans"][0]["spans"].as_array().unwrap())
        .collect();
    let ids: Vec<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    assert!(ids.iter().all(|id| id.len() == 16));
    let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    let roots: Vec<_> = spans.iter().filter(|span| span["parentSpanId"].is_null()).collect();
    assert_eq!(roots.len(), 1);
    for span in spans.iter().filter(|span| !span["parentSpanId"].is_null()) {
        let parent = ids.iter().position(|id| span["parentSpanId"] == *id).expect("the parent is there");
        let parent = spans[parent];
        assert!(nanos(span, "startTimeUnixNano") >= nanos(parent, "startTimeUnixNano"));
        assert_eq!(span["traceId"], parent["traceId"]);
        // Servers answer clients, clients are asked by others.
        assert_eq!(span["kind"] == 2, parent["kind"] == 3);
    }
    let record = json(&folder, "out/record/record.json");
    let slowest = &record["architectures"]["mesh"]["slowest"][0];
    let took = nanos(roots[0], "endTimeUnixNano") - nanos(roots[0], "startTimeUnixNano");
    assert_eq!(took, slowest["latency_us"].as_u64().unwrap() * 1_000);
    assert_eq!(roots[0]["traceId"], slowest["id"]);
    // 2026-01-01, where simulations begin.
    let start = 1_767_225_600_000_000_000 + slowest["at_us"].as_u64().unwrap() * 1_000;
    assert_eq!(nanos(roots[0], "startTimeUnixNano"), start);
}

/// Every request is written, and every attempt that left its pod says why it was made and whether it was sent.
#[test]
fn all_requests_are_written_and_not_drawn() {
    let folder = run("trace-all");
    let alone = hoplab(&folder, &["trace", "out", "--all"]);
    assert_eq!(code(&alone), 2);
    assert!(stderr(&alone).contains("--otlp"), "{}", stderr(&alone));
    let said = trace(&folder, &["--all", "--otlp", "all.json"]);
    let data = json(&folder, "all.json");
    let spans: Vec<&Value> = data["resourceSpans"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|resource| resource["scopeSpans"][0]["spans"].as_array().unwrap())
        .collect();
    let requests: BTreeSet<&str> = spans.iter().map(|span| span["traceId"].as_str().unwrap()).collect();
    assert_eq!(said, format!("{} requests of mesh, 0 left open\n", requests.len()));
    let windows = json(&folder, "out/record/record.json")["architectures"]["mesh"]["windows"].clone();
    let sent: u64 = windows.as_array().unwrap().iter().map(|window| window["sent"].as_u64().unwrap()).sum();
    assert_eq!(sent, requests.len() as u64, "the warm-up is in the windows, too");
    let told = |key: &str, value: Value| {
        let told = spans.iter().filter(|span| {
            let attributes = span["attributes"].as_array().unwrap();
            attributes.iter().any(|of| of["key"] == key && of["value"] == value)
        });
        told.count()
    };
    let text = |text: &str| serde_json::json!({ "stringValue": text });
    assert!(told("hoplab.attempt", text("first")) > told("hoplab.attempt", text("retry")));
    assert!(told("hoplab.attempt", text("retry")) > 0);
    assert!(told("hoplab.sent", serde_json::json!({ "boolValue": false })) > 0);
}

/// What tshark prints of a file; it must not complain.
fn tshark(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("tshark")
        .args(["-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
        .args(arguments)
        .current_dir(&folder.0)
        .output()
        .expect("tshark must be installed: apt-get install tshark");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(&output).lines().map(str::to_owned).collect()
}

/// Decrypted by the secrets in the file alone.
#[test]
fn tshark_reads_http2_in_the_mutual_tls_of_a_simulated_mesh() {
    if !crate::programs::are_there(
        "trace::tshark_reads_http2_in_the_mutual_tls_of_a_simulated_mesh",
        &["tshark"],
    ) {
        return;
    }
    let folder = Folder::new("trace-pcap");
    let calm = MESH.split("[[faults]]").next().unwrap();
    folder.write("calm.toml", calm);
    assert_eq!(code(&hoplab(&folder, &["run", "calm.toml", "--out", "out"])), 0);
    let arguments = ["trace", "out", "--pcap", "run.pcapng", "--keys", "keys.log"];
    let trace = hoplab(&folder, &arguments);
    assert_eq!(code(&trace), 0, "{}", stderr(&trace));

    let paths = tshark(
        &folder,
        &["-r", "run.pcapng", "-Y", "http2.headers.path", "-T", "fields", "-e", "http2.headers.path"],
    );
    let asked =
        |path: &str| paths.iter().flat_map(|line| line.split(',')).filter(|seen| *seen == path).count();
    let record = json(&folder, "out/record/record.json");
    let edges = &record["architectures"]["mesh"]["edges"];
    // The record leaves the warm-up out, a tenth of the run.
    for (path, edge) in [("/pay", "shop → bank"), ("/take", "shop → stock")] {
        let recorded = edges[edge]["attempts"].as_u64().unwrap() as usize;
        assert!(recorded > 150 && (recorded..=recorded * 5 / 4).contains(&asked(path)), "{path}: {paths:?}");
    }
    let wrong = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.flags";
    assert_eq!(tshark(&folder, &["-r", "run.pcapng", "-Y", wrong]), Vec::<String>::new());
    let packets = tshark(&folder, &["-r", "run.pcapng", "-T", "fields", "-e", "frame.number"]).len();
    assert_eq!(record["architectures"]["mesh"]["effort"]["packets"], packets);
    let said = format!(
        "run.pcapng has the whole run: {packets} packets\nkeys.log has the keys of TLS connections\n"
    );
    assert_eq!(stderr(&trace), said);
    let names = tshark(&folder, &["-N", "n", "-r", "run.pcapng", "-T", "fields", "-e", "ip.dst_host"]);
    assert!(names.iter().any(|name| name == "bank-1"));
    let keys = fs::read_to_string(folder.path("keys.log")).unwrap();
    assert!(keys.lines().any(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")));
}

/// A shop whose answers take many segments over a link that loses some of them.
const LOSSY: &str = r#"# What does a link cost that loses packets?
[scenario]
title = "A shop behind a bad link"
duration = "8s"
seed = 1

[compare]
architectures = ["direct", "mesh"]

[network]
latency = "5ms"
bandwidth = "100 Mbps"

[services.shop.endpoints.buy]
method = "GET"
response = "200 KiB"

[load.people]
rate = "10 rps"
mix = { "shop.buy" = 1 }

[[faults]]
name = "lossy"
at = "0s"
for = "8s"
loss = { between = ["client", "shop"], share = "1%" }
"#;

/// What a field says in the frames of a capture that a filter keeps.
fn field(folder: &Folder, capture: &str, filter: &str, name: &str) -> Vec<String> {
    tshark(folder, &["-r", capture, "-Y", filter, "-T", "fields", "-e", name])
}

/// What is wrong with a capture in which nothing is left out.
const WRONG: &str = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 \
                     || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment";

/// A capture is taken where packets leave, so that what is lost is in it: nothing is missing between what follows each
/// other, and every repeat is seen as one. Within a round trip of new data, Wireshark calls a repeat out of order.
#[test]
fn tshark_finds_every_repeat_and_nothing_wrong_in_a_run_with_loss() {
    if !crate::programs::are_there(
        "trace::tshark_finds_every_repeat_and_nothing_wrong_in_a_run_with_loss",
        &["tshark"],
    ) {
        return;
    }
    let folder = Folder::new("trace-lossy");
    folder.write("lossy.toml", LOSSY);
    assert_eq!(code(&hoplab(&folder, &["run", "lossy.toml", "--out", "out"])), 0);
    for (architecture, container) in [("direct", "application"), ("mesh", "sidecar")] {
        trace(&folder, &["--arch", architecture, "--pcap", "lossy.pcapng", "--packets", "1000000"]);
        let field = |filter: &str, name: &str| field(&folder, "lossy.pcapng", filter, name);
        assert_eq!(field(WRONG, "frame.number"), Vec::<String>::new());
        let repeats = field("tcp.analysis.retransmission || tcp.analysis.out_of_order", "frame.number");
        assert!(repeats.len() > 50, "{repeats:?}");
        assert_eq!(repeats, field("frame.comment contains \"sent again\"", "frame.number"));

        // Windows are scaled, and told in units of 128 bytes.
        let windows = field("tcp.flags.syn == 0 && tcp.flags.reset == 0", "tcp.window_size");
        let windows: Vec<u32> = windows.iter().map(|window| window.parse().unwrap()).collect();
        assert!(windows.iter().all(|window| window % 128 == 0 && *window <= 6 * 1024 * 1024));
        assert!(windows.iter().any(|window| *window > 256 * 1024), "{:?}", windows.iter().max());
        assert_eq!(
            field("tcp.flags.syn == 1 && tcp.window_size != 65535", "frame.number"),
            Vec::<String>::new()
        );
        assert!(!field("tcp.options.sack_le", "frame.number").is_empty());

        // What the world counts is what is on the wire, options included: of the shop, while the load lasted.
        let from_shop = "ip.src == 10.0.0.2 && frame.time < \"2026-01-01 00:00:08Z\"";
        let bytes = field(from_shop, "frame.len");
        let bytes: u64 = bytes.iter().map(|length| length.parse::<u64>().unwrap()).sum();
        let record = json(&folder, "out/record/record.json");
        assert_eq!(record["architectures"][architecture]["resources"][container]["bytes"], bytes);
    }
}

/// A reset has the sequence number that its receiver waits for, also where nobody sent it; what nobody listens for is
/// refused with one that acknowledges the SYN.
#[test]
fn resets_fit_into_their_connections() {
    if !crate::programs::are_there("trace::resets_fit_into_their_connections", &["tshark"]) {
        return;
    }
    let folder = Folder::new("trace-resets");
    let calm = LOSSY.split("[[faults]]").next().unwrap();
    let faults = r#"
[[faults]]
name = "torn"
at = "2s"
for = "1s"
reset = { between = ["client", "shop"] }

[[faults]]
name = "down"
at = "4s"
for = "1s"
crash = { service = "shop" }
"#;
    folder.write("resets.toml", &format!("{calm}{faults}"));
    assert_eq!(code(&hoplab(&folder, &["run", "resets.toml", "--out", "out"])), 0);
    trace(&folder, &["--arch", "direct", "--pcap", "resets.pcapng", "--packets", "1000000"]);
    let field = |filter: &str, name: &str| field(&folder, "resets.pcapng", filter, name);
    assert_eq!(field(WRONG, "frame.number"), Vec::<String>::new());
    assert_eq!(field("tcp.analysis.flags && tcp.flags.reset == 1", "frame.number"), Vec::<String>::new());
    let torn = field("tcp.flags.reset == 1 && tcp.flags.ack == 0 && frame.time_relative < 3", "tcp.seq");
    assert!(torn.len() >= 2 && torn.iter().all(|sequence| sequence != "0"), "{torn:?}");
    let refused =
        field("tcp.flags.reset == 1 && tcp.flags.ack == 1 && tcp.seq == 1 && tcp.ack == 1", "tcp.len");
    assert!(refused.len() > 5, "{refused:?}");
}

/// What was lost is in the capture, marked, and so is what was sent again.
#[test]
fn a_capture_says_what_was_lost_and_where_it_was_cut() {
    if !crate::programs::are_there("trace::a_capture_says_what_was_lost_and_where_it_was_cut", &["tshark"]) {
        return;
    }
    let folder = run("trace-lost");
    trace(&folder, &["--pcap", "lost.pcapng"]);
    let lost =
        tshark(&folder, &["-r", "lost.pcapng", "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"]);
    let comments = BTreeSet::from(["lost on the wire", "sent again", "sent again, lost on the wire"]);
    assert_eq!(lost.iter().map(String::as_str).collect::<BTreeSet<_>>(), comments);
    let again = tshark(&folder, &["-r", "lost.pcapng", "-Y", "tcp.analysis.retransmission"]);
    assert!(!again.is_empty());
    let cut = hoplab(&folder, &["trace", "out", "--pcap", "cut.pcapng", "--packets", "10"]);
    assert_eq!(code(&cut), 0);
    assert!(stderr(&cut).starts_with("cut.pcapng has the first 10 packets; "), "{}", stderr(&cut));
    assert_eq!(tshark(&folder, &["-r", "cut.pcapng"]).len(), 10);
}
