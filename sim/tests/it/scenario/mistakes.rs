//! What is said about each mistake. Every class of mistake has its case: one thing in a good scenario is
//! turned wrong.

use hoplab_sim::scenario::Overrides;

use super::{GOOD, complaint, read, schema};

/// One test a mistake: the right text, and the wrong one in its place.
macro_rules! mistakes {
    ($($name:ident: $($right:expr => $wrong:expr),+ $(,)?;)+) => { $(
        #[test]
        fn $name() {
            let mut text = GOOD.to_owned();
            $(
                assert!(text.contains($right), "{}", $right);
                text = text.replacen($right, $wrong, 1);
            )+
            let told = complaint(&text);
            if let Some(complaints) = schema::complaints(&text).filter(|_| told.contains("unknown key")) {
                assert!(!complaints.is_empty(), "the schema takes a key that the reader refuses");
            }
            insta::assert_snapshot!(told);
        }
    )+ };
}

mistakes! {
    ways_that_do_not_fit:
        r#"slow = { service = "payment", replica = 0, times = 20 }"# => "partition = { from = \"order\", between = [\"order\", \"payment\"] }",
        "[[expect]]" => "[[faults]]\nname = \"to-nowhere\"\nat = \"10s\"\nfor = \"8s\"\nloss = { to = \"order\", share = \"1%\" }\n\n[[faults]]\nname = \"narrow\"\nat = \"10s\"\nfor = \"8s\"\nbandwidth = { from = \"order\", to = \"order\", is = \"1 Mb\", connections = \"0%\" }\n\n[[faults]]\nname = \"reset\"\nat = \"10s\"\nfor = \"8s\"\nreset = { from = \"order\", to = \"payment\" }\n\n[[expect]]";
    zones_that_do_not_fit:
        r#"zones.far = { latency = "20ms" }"# => "zones.far = { latency = \"20ms\", queue = 10 }\nzones.near = { latency = \"1ms\", bandwidth = \"1 Gbps\", queue = 0 }\nbetween = [\n  { zones = [\"far\", \"near\"], latency = \"30ms\" },\n  { zones = [\"near\", \"far\"], latency = \"40ms\" },\n  { zones = [\"far\", \"far\"] },\n  { zones = [\"far\", \"naer\"] },\n  { zones = [\"far\"] },\n  { latency = \"1ms\" },\n]",
        "rate     = \"200 rps\"" => "zone     = \"fra\"\nrate     = \"200 rps\"";
    weather_that_changes_at_once:
        "[network]" => "[network]\nsteady_for = \"0s\"",
        r#"zones.far = { latency = "20ms" }"# => r#"zones.far = { latency = "20ms", steady_for = "18h", jiter = "1ms" }"#;
    wrong_invariants:
        "[network]" => "[invariants]\nsettle = \"5\"\nslower = 0.5\nerrors = 1\nquick = 1\n\n[network]";
    wrong_exploration:
        "[network]" => "[explore]\nfaults = { slwo = 1, crash = 0 }\nservices = [\"paymnt\"]\nfor = [\"5s\", \"1s\"]\n\n[network]";
    violations_of_what:
        r#"metric = "p99""# => "metric = \"violations\"\ninvariant = \"once\"";
    invariant_of_another_metric:
        r#"metric = "p99""# => "metric = \"p99\"\ninvariant = \"once-only\"";
    wrong_connections:
        "queue    = 100" => "queue    = 100\nprotocol = \"grcp\"\nkeep_alive = \"0s\"\nmax_connection_age = 30",
        "[network]" => "[direct]\nbalance = \"per-pod\"\nconnections = 1\n\n[network]";
    nobody_without_a_proxy:
        "[\"direct\", \"gateway\", \"mesh\"]" => "[\"gateway+mesh\"]",
        "in     = [\"mesh\"]" => "",
        "[network]" => "[direct]\nbalance = \"per-connection\"\n\n[network]";
    grpc_with_what_is_of_http:
        "queue    = 100" => "queue    = 100\nprotocol = \"grpc\"",
        "response = \"1 KiB\"" => "response = \"1 KiB\"\nmethod = \"GET\"",
        "{ timeout = \"2s\", breaker" => "{ health = { http = \"/healthz\" }, timeout = \"2s\", breaker";
    ranks_that_do_not_fit:
        "queue    = 100" => "queue    = 100\npriorities = [0, 128]\nbackups = 3";
    protocols_that_do_not_fit:
        "queue    = 100" => "queue    = 100\nprotocol = \"grpc\"",
        "{ timeout = \"2s\", breaker" => "{ protocol = \"http1\", timeout = \"2s\", breaker",
        "[gateway]" => "[gateway]\nprotocol = \"http1\"";
    a_protocol_that_nobody_speaks:
        "[gateway]\ndefaults = { timeout" => "[gateway]\nprotocol = \"http3\"\ndefaults = { protocol = \"http3\", timeout";
    wrong_sizes:
        "response = \"1 KiB\"" => "response = \"lognormal(p50=2 KiB, p99=20ms)\"",
        "request = \"4 KiB\"" => "request = \"unifrom(1 KiB, 4 KiB)\"",
        "arrivals = \"poisson\"" => "arrivals = \"poisson\"\nrequest = \"exp(1 GiB)\"";
    unknown_service:
        r#""payment.charge""# => r#""payement.charge""#;
    unknown_endpoint:
        r#""email.send", on"# => r#""email.sent", on"#;
    no_endpoint_at_all:
        r#""email.send", on"# => r#""email", on"#;
    unknown_architecture:
        r#""gateway", "mesh"]"# => r#""gatway", "mesh"]"#;
    later_architectures:
        r#""gateway", "mesh"]"# => r#""ambient", "bff+mesh", "microgateway", "gateway:kong", "mesh"]"#;
    architecture_twice:
        r#""gateway", "mesh"]"# => r#""mesh", "mesh+mesh", "mesh"]"#;
    unknown_zone:
        r#"= "far""# => r#"= "afar""#;
    unknown_fault:
        r#"during = "payment-slow""# => r#"during = "payment-slwo""#;
    unknown_metric:
        r#""p99""# => r#""p99th""#;
    no_percentile:
        r#""p99""# => r#""p100""#;
    unknown_key:
        "replicas = 3" => "replica = 3";
    unknown_table:
        "[network]" => "[netwrok]";
    unknown_policy:
        r#"{ timeout = "1s" }"# => r#"{ timeuot = "1s", breaker = { failures = -1 }, balance = "peek-ewma" }"#;
    bad_unit:
        r#""30s""# => r#""30 sec""#;
    no_unit:
        r#""5s"
"# => "5\n";
    wrong_types:
        "replicas = 3" => r#"replicas = "three""#,
        "cores    = 2" => "cores    = 1.5",
        "queue    = 100" => "queue    = -1";
    over_a_hundred_percent:
        r#""50%""# => r#""150%""#;
    negative_rate:
        r#""200 rps""# => r#""-200 rps""#;
    rate_of_zero:
        r#""200 rps""# => r#""0 rps""#;
    curve_out_of_order:
        r#""200 rps""# => r#"[{ at = "10s", rate = "1 rps" }, { at = "5s", rate = "2 rps" }, { at = "20s" }]"#;
    unknown_distribution:
        "lognormal(p50=4ms" => "lognorm(p50=4ms";
    bad_distribution:
        "p99=20ms)" => "p99=2ms)";
    missing_sample:
        r#""lognormal(p50=4ms, p99=20ms)""# => r#""empirical(times.csv)""#;
    cycle:
        "[services.email.endpoints.send]" => r#"[services.email.endpoints.send]
steps = [{ call = "order.place" }]"#;
    self_call:
        "[services.email.endpoints.send]" => r#"[services.email.endpoints.send]
steps = [{ call = "email.send" }]"#;
    missing_app:
        "[scenario]" => r#"[scenario]
app = "apps/shop.toml""#;
    weight_of_zero:
        r#""order.place" = 1"# => r#""order.place" = 0"#;
    empty_mix:
        r#"{ "order.place" = 1 }"# => "{}";
    no_mix:
        r#"mix      = { "order.place" = 1 }"# => "";
    rate_and_users:
        "users = 50" => r#"users = 50
rate = "1 rps""#;
    neither_rate_nor_users:
        "users = 50" => "";
    think_and_arrivals_misplaced:
        r#"arrivals = "poisson""# => r#"think = "1s""#,
        r#"think = "uniform(1s, 10s)""# => r#"arrivals = "uniform""#;
    warmup_too_long:
        r#""5s"
"# => r#""30s"
"#;
    run_of_no_length:
        r#""30s""# => r#""0s""#;
    missing_duration:
        r#"duration = "30s""# => "";
    fault_ends_too_late:
        r#""8s""# => r#""21s""#;
    fault_starts_too_late:
        r#""10s"
"# => r#""30s"
"#;
    fault_in_the_warmup:
        r#""10s"
"# => r#""2s"
"#;
    fault_of_no_length:
        r#""8s""# => r#""0s""#;
    fault_without_kind:
        r#"slow = { service = "payment", replica = 0, times = 20 }"# => "";
    fault_with_two_kinds:
        "slow = {" => r#"crash = { service = "email" }
slow = {"#;
    fault_kind_with_wrong_keys:
        "replica = 0, times = 20" => "replicas = 0";
    replica_out_of_range:
        "replica = 0" => "replica = 3";
    pods_in_faults:
        r#"slow = { service = "payment", replica = 0, times = 20 }"# => r#"pause = { service = "payment-0" }
[[faults]]
name = "x"
at = "6s"
for = "5s"
crash = { service = "order", replica = 1 }
[[faults]]
name = "y"
at = "6s"
for = "5s"
slow_reader = { service = "payment", reads = "0.4 bps" }"#;
    what_a_fault_cannot_be:
        "[network]" => "[network]\nqueue = 1.5",
        r#"slow = { service = "payment", replica = 0, times = 20 }"# => r#"crash = { service = ["payment"], replica = -1 }
[[faults]]
name = "late"
at = "30s"
for = "1s"
crash = { service = "order" }
[[faults]]
name = "long"
at = "29s"
for = "2s"
slow = { service = "order", times = "two" }
[[faults]]
name = "within"
at = "6s"
for = "5s"
partition = { from = "email-0", to = "email" }"#;
    a_queue_of_a_packet:
        "[network]" => "[network]\nbandwidth = \"1 Gbps\"\nqueue = \"1 packet\"";
    fault_names:
        "[[expect]]" => r#"[[faults]]
name = "payment-slow"
at = "1s"
for = "5s"
loss = { between = ["client", "nowhere"], share = "1%" }
[[faults]]
name = "steady"
at = "6s"
for = "5s"
error = { service = "email", endpoint = "sent", status = 200 }
[[expect]]"#;
    sides:
        r#"slow = { service = "payment", replica = 0, times = 20 }"# => r#"partition = { between = ["order", "order"] }
[[faults]]
name = "x"
at = "6s"
for = "5s"
partition = { between = ["order"] }
[[faults]]
name = "y"
at = "6s"
for = "5s"
reset = { between = ["gateway", "payment-7"] }
[[faults]]
name = "z"
at = "6s"
for = "5s"
latency = { add = "1ms" }"#;
    unreached_service:
        r#""email.send" = 1"# => r#""payment.charge" = 1"#,
        r#"{ call = "email.send", on_error = "ignore", chance = "50%", times = 2, request = "4 KiB" },"# => "",
        r#"slow = { service = "payment", replica = 0,"# => r#"slow = { service = "email","#;
    names:
        "[services.email.endpoints.send]" => "[services.payment-0.endpoints.send]\n[services.gateway.endpoints.send]\n[services.E_Mail.endpoints.Send]\n[services.email.endpoints.send]";
    twin_endpoints:
        "[services.email.endpoints.send]" => r#"[services.email.endpoints.send]
[services.email.endpoints.sent]
path = "/send""#;
    bad_path_and_method:
        "[services.email.endpoints.send]" => r#"[services.email.endpoints.send]
path = "send?now"
method = "get""#;
    value_without_within:
        r#"max    = "300ms""# => r#"value  = "300ms""#;
    within_of_nothing:
        r#"max    = "300ms""# => r#"within = "2%""#;
    value_beside_a_bound:
        r#"max    = "300ms""# => "max    = \"300ms\"\nvalue  = \"200ms\"\nwithin = \"2%\"";
    value_of_what_has_no_interval:
        r#"metric = "p99""# => r#"metric = "max""#,
        r#"max    = "300ms""# => "value  = \"200ms\"\nwithin = \"2%\"";
    expectation_without_bound:
        r#"max    = "300ms""# => "";
    expectation_upside_down:
        r#"max    = "300ms""# => r#"min = "400ms"
max = "300ms""#;
    expectation_in_the_wrong_unit:
        r#"max    = "300ms""# => r#"min = 400
max = "300%""#;
    expectation_elsewhere:
        r#"in     = ["mesh"]"# => r#"in     = ["gateway+mesh"]"#;
    expectation_nowhere:
        r#"in     = ["mesh"]"# => "in     = []";
    expectation_of_an_internal_call:
        r#"of     = "order.place""# => r#"of     = "payment.charge""#;
    amplification:
        r#"metric = "p99""# => r#"metric = "amplification""#,
        r#""300ms""# => r#""300ms"
edge = "order payment""#;
    decisions:
        r#"metric = "p99""# => r#"metric = "decisions"
decision = "evicted""#,
        r#""300ms""# => "\"3\"";
    decisions_of_no_kind:
        r#"metric = "p99""# => r#"metric = "decisions"
service = "payment""#;
    share_of_no_pod:
        r#"metric = "p99""# => "metric = \"share\"",
        r#"of     = "order.place"
"# => "",
        r#""300ms""# => "\"10%\"";
    share_of_an_unknown_pod:
        r#"metric = "p99""# => "metric = \"share\"\npod = \"payment-3\"",
        r#""300ms""# => "\"10%\"";
    pod_of_a_percentile:
        r#"metric = "p99""# => "metric = \"p99\"\npod = \"payment-0\"";
    pods_that_do_not_match_their_lists:
        "replicas = 3" => "replicas = 3\nzones = [\"far\", \"fra\"]\nweights = [1, 0, 3, 2000]";
    gateway_in_no_zone:
        "[gateway]\n" => "[gateway]\nzone = \"near\"\n";
    no_sessions:
        "users = 50" => "users = 50\nsessions = 0";
    hashing_by_nothing:
        r#"balance = "round-robin""# => r#"balance = { kind = "maglev", penalty = "5s" }"#;
    table_of_no_prime_size:
        r#"balance = "round-robin""# => r#"balance = { kind = "ring", by = { header = "a", cookie = "b" }, slots = 100 }"#;
    percentile_at_a_service:
        r#"metric = "p99""# => r#"metric = "p99"
decision = "ejected"
service = "payment""#;
    restart_that_takes_too_long:
        r#"slow = { service = "payment", replica = 0, times = 20 }"# => r#"restart = { service = "payment", drain = "5s", down = "1s" }"#;
    overload_that_is_none:
        "[services.payment]" => "[services.payment]\noverload = { above = \"0.2 rps\", times = 10 }";
    deadlines:
        "[services.payment]" => "[services.payment]\ndeadline = \"foward\"\non_cancel = \"go on\"",
        r#""payment.charge", timeout = "2s""# => r#""payment.charge", send_deadline = true"#,
        r#"arrivals = "poisson""# => "arrivals = \"poisson\"\nsend_deadline = \"yes\"",
        "users = 50" => "users = 50\nsend_deadline = true",
        r#"defaults = { timeout = "1s" }"# => r#"defaults = { timeout = "1s", idle_timeout = "1s", deadline = { read = ["x-deadline"], reserve = "2s", forward = true } }"#;
    deadlines_that_contradict_each_other:
        r#"defaults = { timeout = "1s" }"# => r#"defaults = { timeout = "1s", idle_timeout = "1s", deadline = { write = ["x-a: ms", "x-a: grpc"], reserve = "2s" } }"#;
    wasted:
        r#"metric = "p99""# => r#"metric = "wasted""#,
        r#""300ms""# => "0.5";
    edges_of_a_gateway:
        "[[expect]]" => r#"[[expect]]
metric = "calls"
edge = "client -> gateway"
max = 1
[[expect]]
metric = "packets_lost"
edge = "gateway -> client"
max = 1
[[expect]]
metric = "packets_lost"
edge = "order -> gateway"
max = 1
[[expect]]
metric = "packets_lost"
edge = "gateway -> order"
max = 1
[[expect]]"#;
    edges_of_no_gateway:
        "[\"direct\", \"gateway\", \"mesh\"]" => "[\"direct\", \"mesh\"]",
        "[[expect]]" => "[[expect]]\nmetric = \"packets_lost\"\nedge = \"client -> gateway\"\nmax = 1\n[[expect]]";
    edge_of_a_percentile:
        r#"of     = "order.place""# => r#"edge = "order -> payement""#;
    recovery_without_fault:
        r#"during = "payment-slow""# => r#"during = "recovery""#,
        r#"[[faults]]
name = "payment-slow"
at   = "10s"
for  = "8s"
slow = { service = "payment", replica = 0, times = 20 }
"# => "";
    zeros:
        "replicas = 3" => "replicas = 0",
        "cores    = 2" => "cores    = 0",
        "times = 2," => "times = 0,",
        "at_most = 2" => "at_most = 0",
        r#"timeout = "2s" }, {"# => r#"timeout = "0s" }, {"#,
        "users = 50" => "users = 0";
    steps:
        r#"{ sleep = "1ms" }"# => r#"{ sleep = "1ms", work = "1ms" }, {}, { work = "1ms", times = 2 }, { all = [] }, "1ms""#;
    on_error:
        r#""ignore""# => r#""ignroe""#;
    keys_of_the_live_files:
        "[gateway]\n" => r#"[gateway]
listen = "0.0.0.0:80"
"#,
        "[mesh]\n" => "[mesh]\nidentity = {}\n";
    limits_that_cannot_be:
        "[gateway]\n" => r#"[gateway]
limits = { rate = { rate = "0 rps", burst = -1, by = "user" }, concurency = 3 }
routes."order.place" = { limits = { concurrency = { min = 0 }, priority = { default = "high" } } }
"#,
        "services.payment = {" => r#"limits = { admission = { success_rate = "0%", aggression = 0.5 } }
services.email = { limits = { concurrency = -1, rate.algorithm = "bucket" } }
services.payment = {"#;
    limits_that_contradict_each_other:
        "[gateway]\n" => r#"[gateway]
limits = { rate = { rate = "100 rps", window = "1s", max_keys = 3 } }
routes."order.place" = { limits = { concurrency = { min = 5, max = 2 } } }
"#,
        "services.payment = {" => r#"limits = { rate = { rate = "0.5 rps" } }
services.email = { limits = { rate.algorithm = "fixed-window", priority = { critical = "50%" } } }
services.payment = {"#;
    limits_where_nothing_arrives:
        r#"{ timeout = "1s" }"# => r"{ limits = { concurrency = 3 } }
upstreams.order = { limits = { concurrency = 3 } }";
    headers_that_cannot_be:
        "[load.browsers]" => r#"[load.browsers]
headers = { "x user" = "a", Host = "b", "x-user" = [], "x-b" = ["a\nb", 3], "x-c" = 1 }"#;
    not_toml:
        r#"latency   = "250us""# => r#"latency   "250us""#,
        "queue    = 100" => "queue    = ";
    key_twice:
        "cores    = 2" => "cores    = 2\ncores    = 3";
}

#[test]
fn nothing_at_all() {
    insta::assert_snapshot!(complaint(""));
}

#[test]
fn an_application_with_mistakes_of_its_own() {
    let app =
        "[services.cart]\nreplicsa = 2\n[services.cart.endpoints.get]\nsteps = [{ call = \"crat.get\" }]\n";
    let text = GOOD.replace("[scenario]", "[scenario]\napp = \"apps/shop.toml\"");
    insta::assert_snapshot!(read(&text, &[("apps/shop.toml", app)]).unwrap_err());
}

#[test]
fn an_application_that_is_not_toml() {
    let text = GOOD.replace("[scenario]", "[scenario]\napp = \"apps/shop.toml\"");
    insta::assert_snapshot!(read(&text, &[("apps/shop.toml", "[services")]).unwrap_err());
}

#[test]
fn a_sample_with_a_mistake() {
    let text = GOOD.replace("lognormal(p50=4ms, p99=20ms)", "empirical(times.csv)");
    insta::assert_snapshot!(read(&text, &[("times.csv", "us\n100\n2x0\n")]).unwrap_err());
}

#[test]
fn colours_when_asked_for() {
    let problems = read(&GOOD.replace("\"30s\"", "\"30 sec\""), &[]).unwrap_err();
    insta::assert_snapshot!(problems.render(true).escape_debug().to_string());
}

#[test]
fn a_file_that_is_not_there() {
    let problems = hoplab_sim::scenario::load("nowhere/shop.toml".as_ref(), &Overrides::default());
    insta::assert_snapshot!(problems.unwrap_err());
}

#[test]
fn an_architecture_on_the_command_line() {
    let overrides = Overrides { architectures: Some(vec!["mehs".to_owned()]), ..Overrides::default() };
    let sources = read(GOOD, &[]).unwrap().sources;
    insta::assert_snapshot!(hoplab_sim::scenario::parse(&sources, &overrides).unwrap_err());
}
