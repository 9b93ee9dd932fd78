//! Counts how often the 95 % intervals of single runs hold the closed form of M/M/1, and how often there are any:
//! `cargo run --release -p hoplab-sim --example coverage [SEEDS]`, 60 of them unless said. Fails when fewer than
//! 53 in 60 of those given hold. The statistics' tests count the same over Lindley's recursion.

use std::process::ExitCode;
use std::sync::Arc;

use hoplab_sim::record::Intervals;
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::plan::Source;
use hoplab_sim::scenario::{self, Overrides};

const QUANTILES: [f64; 6] = [0.25, 0.5, 0.75, 0.9, 0.95, 0.99];

fn main() -> ExitCode {
    let seeds = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    println!("hold of given, {seeds} seeds: mean, then percentiles {QUANTILES:?}");
    let mut kept = true;
    for (load, seconds) in [30, 40, 100, 1_000].into_iter().flat_map(|s| [(50, s), (80, s), (95, s)]) {
        let counts = coverage(load, seconds, seeds);
        let said: Vec<_> = counts.iter().map(|(held, given)| format!("{held}/{given}")).collect();
        println!("{load} % over {seconds:>5} s: {}", said.join("  "));
        kept &= counts.iter().all(|(held, given)| held * 60 >= given * 53);
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// In how many runs the interval of the mean and of each percentile holds, of those in which there is one.
fn coverage(load: u32, seconds: u32, seeds: u64) -> [(u32, u32); 7] {
    let mean_us = 1e6 / f64::from(100 - load);
    let mut counts = [(0, 0); 7];
    for seed in 1..=seeds {
        let seen = intervals(load, seconds, seed);
        let quantiles = QUANTILES.map(|quantile| (seen.of(quantile), -(1.0 - quantile).ln() * mean_us));
        let figures = [(seen.mean, mean_us)].into_iter().chain(quantiles);
        for (count, (interval, truth)) in counts.iter_mut().zip(figures) {
            let Some(interval) = interval else { continue };
            count.0 += u32::from(interval.low <= truth && truth <= interval.high);
            count.1 += 1;
        }
    }
    counts
}

/// The intervals of one run of `scenarios/closed-forms/mm1.toml` at another load and length, from an empty queue.
fn intervals(load: u32, seconds: u32, seed: u64) -> Intervals {
    let text = format!(
        r#"
        scenario = {{ duration = "{seconds}s" }}
        compare  = {{ architectures = ["direct"] }}
        network  = {{ latency = "0us" }}
        services.server.endpoints.serve = {{ steps = [{{ work = "exp(10ms)" }}] }}
        load.customers = {{ rate = "{load} rps", mix = {{ "server.serve" = 1 }} }}
        "#
    );
    let source = Source { path: "mm1.toml".to_owned(), text };
    let overrides = Overrides { seed: Some(seed), ..Overrides::default() };
    let plan = scenario::parse(&[source], &overrides).unwrap_or_else(|problems| panic!("{problems}"));
    let progress = Progress::new(&plan);
    let mut record = run::run(&Arc::new(plan), &progress);
    std::mem::take(&mut record.architectures[0].total.intervals)
}
