//! The scenario language: what is said about each mistake, and that no text is too strange to judge.

mod generated;
mod mistakes;
mod plans;
mod products;
mod profiles;
mod schema;
mod strange;

use hoplab_config::Problems;
use hoplab_sim::scenario::plan::{Plan, Source};
use hoplab_sim::scenario::{self, Overrides};

/// A scenario without a fault to find, in which each test breaks something.
const GOOD: &str = r#"# Is this a good scenario?
[scenario]
duration = "30s"
warmup   = "5s"

[compare]
architectures = ["direct", "gateway", "mesh"]

[network]
latency   = "250us"
bandwidth = "10 Gbps"
zones.far = { latency = "20ms" }

[services.payment]
replicas = 3
cores    = 2
queue    = 100
zone     = "far"

[services.payment.endpoints.charge]
response = "1 KiB"
steps    = [{ work = "lognormal(p50=4ms, p99=20ms)" }]

[services.email.endpoints.send]

[services.order.endpoints.place]
steps = [
  { all = [{ call = "payment.charge", timeout = "2s" }, { work = "1ms" }], at_most = 2 },
  { call = "email.send", on_error = "ignore", chance = "50%", times = 2, request = "4 KiB" },
  { sleep = "1ms" },
]

[load.shoppers]
rate     = "200 rps"
arrivals = "poisson"
mix      = { "order.place" = 1 }

[load.browsers]
users = 50
think = "uniform(1s, 10s)"
mix   = { "email.send" = 1 }

[gateway]
defaults = { timeout = "1s" }

[mesh]
defaults = { retry = { attempts = 2, on = ["503"], backoff = "25ms..250ms" }, balance = "round-robin" }
services.payment = { timeout = "2s", breaker = { failures = 5, open_for = "5s" } }

[costs]
gateway = { latency = "0us", cpu = "80us" }

[[faults]]
name = "payment-slow"
at   = "10s"
for  = "8s"
slow = { service = "payment", replica = 0, times = 20 }

[[expect]]
metric = "p99"
of     = "order.place"
in     = ["mesh"]
during = "payment-slow"
max    = "300ms"
"#;

/// Reads `text` as `shop.toml`, with these other files beside it.
fn read(text: &str, others: &[(&str, &str)]) -> Result<Plan, Problems> {
    let source = |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
    let mut sources = vec![source(&("scenarios/shop.toml", text))];
    sources.extend(others.iter().map(source));
    scenario::parse(&sources, &Overrides::default())
}

/// What is said about `text`.
fn complaint(text: &str) -> String {
    match read(text, &[]) {
        Ok(plan) => format!("runs\n{}", plan.warnings),
        Err(problems) => problems.to_string(),
    }
}
