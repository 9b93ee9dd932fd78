//! What a run cannot hold is refused before it runs, and what would never end is ended and named.

use std::sync::Arc;

use hoplab_config::Problems;
use hoplab_sim::batch::Progress;
use hoplab_sim::record::Record;
use hoplab_sim::scenario::plan::{Plan, Source};
use hoplab_sim::scenario::{self, Overrides};
use hoplab_sim::{batch, run};

/// A scenario in which everything is a key that a test can set.
const ALL: &str = r#"
[scenario]
duration = "1s"
[compare]
architectures = ["direct"]
[network]
latency = "1ms"
[services.a]
replicas = 1
cores = 1
overload = { above = "10 rps", times = 2.0 }
[services.a.endpoints.get]
response = "1 KiB"
steps = [{ call = "b.get", times = 1, request = "1 KiB" }, { work = "1ms" }]
[services.b.endpoints.get]
[load.people]
users = 1
sessions = 10
mix = { "a.get" = 1 }
[load.machines]
rate = "10 rps"
mix = { "b.get" = 1 }
[[faults]]
name = "slowness"
at = "100ms"
for = "100ms"
slow = { service = "a", times = 3.0 }
[explore]
at_most = 2
times = [5.0, 20.0]
"#;

fn read(text: &str) -> Result<Plan, Problems> {
    scenario::parse(&[Source { path: "it.toml".to_owned(), text: text.to_owned() }], &Overrides::default())
}

fn with(right: &str, wrong: &str) -> String {
    assert!(ALL.contains(right), "{right}");
    ALL.replacen(right, wrong, 1)
}

fn simulated(text: &str) -> Result<Record, batch::Panicked> {
    let plan = read(text).unwrap_or_else(|problems| panic!("{problems}"));
    let plan = Arc::new(plan);
    batch::once(run::cores(), &plan, &Progress::default())
}

/// What is wrong, how it is told, and what is allowed just so.
const BOUNDS: [(&str, &str, &str, &str); 17] = [
    ("replicas = 1", "replicas = 4294967295", "4,294,967,295 pods cannot be simulated", "replicas = 1999"),
    ("replicas = 1", "replicas = 2000", "2,001 pods in all cannot be simulated", "replicas = 1999"),
    ("cores = 1", "cores = 4294967295", "4,294,967,295 cores cannot be simulated", "cores = 10000"),
    ("times = 2.0", "times = 1e300", "cannot be simulated", "times = 1e6"),
    ("times = 2.0", "times = 0.0", "work that takes no time at all", "times = 0.01"),
    ("times = 3.0", "times = 1e300", "cannot be simulated", "times = 1e6"),
    ("times = 3.0", "times = 0", "work that takes no time at all", "times = 0.01"),
    ("[5.0, 20.0]", "[5.0, 1e300]", "cannot be simulated", "[0.01, 1e6]"),
    ("at_most = 2", "at_most = 4294967295", "4,294,967,295 faults cannot be simulated", "at_most = 1000"),
    ("response = \"1 KiB\"", "response = \"2 GiB\"", "`2 GiB` of content", "response = \"64 MiB\""),
    ("request = \"1 KiB\"", "request = \"9000000 GB\"", "of content", "request = \"64 MiB\""),
    ("times = 1,", "times = 4294967295,", "4,294,967,295 calls cannot", "times = 10000,"),
    ("users = 1", "users = 4294967295", "4,294,967,295 users cannot", "users = 16000"),
    ("sessions = 10", "sessions = 4294967295", "4,294,967,295 sessions", "sessions = 1000000000"),
    ("\"10 rps\"\nmix", "\"100000001 rps\"\nmix", "1.0e8 requests in all", "\"100000000 rps\"\nmix"),
    ("\"b.get\" = 1", "\"b.get\" = 1e308", "a weight of", "\"b.get\" = 1e9"),
    ("work = \"1ms\"", "work = \"1000h\"", "a mean of 1000h is longer than a run", "work = \"17h\""),
];

#[test]
fn what_cannot_be_simulated_is_refused_with_the_bound() {
    for (right, wrong, fact, most) in BOUNDS {
        let problems = read(&with(right, wrong)).map(|_| wrong).unwrap_err();
        assert_eq!(problems.iter().count(), 1, "{problems}");
        let problem = problems.iter().next().unwrap();
        assert!(problem.fact.contains(fact), "{problems}");
        assert!(problem.place.is_some() && problem.hint.is_some(), "{problems}");
        if let Err(problems) = read(&with(right, most)) {
            panic!("{most}: {problems}");
        }
    }
}

#[test]
fn thousands_of_problems_are_not_all_shown() {
    let calls = "{ call = \"nobody.get\" }, ".repeat(5_000);
    let problems = read(&with("{ work = \"1ms\" }", &calls)).unwrap_err();
    assert_eq!(problems.iter().count(), 5_000);
    let text = problems.to_string();
    assert_eq!(text.matches("unknown service \"nobody\"").count(), 100);
    assert!(text.ends_with("\n\nand 4900 problems more"), "{}", &text[text.len() - 100..]);
}

/// Users who do not pause, of something that takes no time.
const TIMELESS: &str = r#"
[scenario]
duration = "1s"
[compare]
architectures = ["direct"]
[network]
latency = "0s"
[services.a.endpoints.get]
steps = [{ call = "b.get" }]
[services.b.endpoints.get]
[load.people]
users = 3
mix = { "a.get" = 1 }
"#;

#[test]
fn a_load_that_would_ask_without_end_is_refused() {
    let problems = read(TIMELESS).unwrap_err().to_string();
    let fact = "it.toml:12:9: \"people\" asks without end at one instant under \"direct\"";
    assert!(problems.contains(fact), "{problems}");
    for passes in ["\"1us\"", "\"exp(1ms)\""] {
        read(&TIMELESS.replace("\"0s\"", passes)).unwrap();
    }
    read(&TIMELESS.replace("users = 3", "users = 3\nthink = \"1ms\"")).unwrap();
    read(&TIMELESS.replace("\"direct\"", "\"mesh\"")).unwrap();
    read(&TIMELESS.replace("b.endpoints.get]", "b.endpoints.get]\nsteps = [{ work = \"1ms\" }]")).unwrap();
}

#[test]
fn time_that_stands_still_ends_the_run_and_is_named() {
    let text = TIMELESS
        .replace("{ call = \"b.get\" }", "{ call = \"b.get\", chance = \"0.0000001%\" }")
        .replace("b.endpoints.get]", "b.endpoints.get]\nsteps = [{ work = \"1ms\" }]");
    let panicked = simulated(&text).unwrap_err();
    assert!(panicked.message.starts_with("virtual time stands still at 0 us: "), "{panicked}");
    let who = "and no end, between client-0, a-0, asked for by \"people\"; give the network a latency";
    assert!(panicked.message.contains(who), "{panicked}");
}
