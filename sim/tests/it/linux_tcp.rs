//! TCP in a world beside a real kernel's: the page `linux-tcp.md` is what comes out, and what it says holds.

use std::fmt::Write as _;
use std::time::Duration;

use crate::lab::{self, Case, Times};

/// How many seeds a world is asked with.
const SEEDS: u64 = 12;
/// How far a world may be from what the kernel did, in its runs.
const TOLERANCE: f64 = 0.1;

/// What a real kernel answered, Linux 6.18 from 2026-11-26 to 2026-11-28: the lab's words, then mean, median and 99th
/// percentile of each run in milliseconds. The cases of `shared/reference/linux-tcp.md` begin with its own run.
const KERNEL: &str = include_str!("linux_tcp.txt");

/// What the lab's own wire adds to a round trip, half of it each way: what it took without a loss.
fn own_delay(case: Case) -> Case {
    let added = if case.delay < Duration::from_millis(5) { 200 } else { 300 };
    Case { delay: case.delay + Duration::from_micros(added), ..case }
}

/// The least, the mean and the most.
fn spread(figures: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let figures: Vec<f64> = figures.collect();
    let mean = figures.iter().sum::<f64>() / figures.len() as f64;
    (figures.iter().copied().fold(f64::MAX, f64::min), mean, figures.iter().copied().fold(0.0, f64::max))
}

/// The page, and what of it does not hold.
pub(crate) fn page() -> (String, String) {
    let (mut page, mut wrong) = (String::from(HEAD), String::new());
    for line in KERNEL.lines() {
        let mut parts = line.split(" | ");
        let words = parts.next().expect("a line has words");
        let case = own_delay(Case::read(words.split(' ').map(str::to_owned)).0);
        let times: Vec<Times> = (1..=SEEDS).map(|seed| lab::ask(case, seed)).collect();
        let runs: Vec<Vec<f64>> = parts.map(numbers).collect();
        let _ = write!(page, "| `{words}`");
        let ours: [fn(&Times) -> f64; 3] = [|times| times.mean, |times| times.p50, |times| times.p99];
        for (index, (name, ours)) in ["mean", "p50", "p99"].into_iter().zip(ours).enumerate() {
            let (least, _, most) = spread(runs.iter().map(|run| run[index]));
            let (low, mean, high) = spread(times.iter().map(ours));
            let _ = write!(page, " | {} | {mean:.1} ({low:.1} to {high:.1})", range(least, most));
            let fits = mean >= least * (1.0 - TOLERANCE) && mean <= most * (1.0 + TOLERANCE);
            if !fits && (low > most || high < least) {
                let _ = writeln!(wrong, "{words}: {name} {least} to {most}, and {low:.1} to {high:.1}");
            }
        }
        page.push_str(" |\n");
    }
    (page, wrong)
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(' ').map(|number| number.parse().expect("a number")).collect()
}

fn range(least: f64, most: f64) -> String {
    if least < most { format!("{least:.1} to {most:.1}") } else { format!("{least:.1}") }
}

#[test]
fn a_world_is_as_fast_as_linux() {
    let (page, wrong) = page();
    assert!(wrong.is_empty(), "{wrong}");
    let kept = include_str!("../../linux-tcp.md");
    assert!(
        page == kept,
        "`cargo run -p hoplab-sim --example linux_tcp -- page > sim/linux-tcp.md`, and look:\n{page}"
    );
}

const HEAD: &str = "\
# TCP in a world beside Linux's

Milliseconds; the kernel's figures are the least and the most of its runs, a world's the
mean over twelve seeds (and their least and most).

The kernel: Linux 6.18, `python3 ../shared/tools/linux_tcp_lab.py` with the words of the first column and `--seed 1`,
`2`, `3`. A world: `cargo run --release -p hoplab-sim --example linux_tcp --` with the same words. The lab's wire is a
program and adds about 0.6 ms to a round trip of more than 10 ms and 0.4 ms to a shorter one; a world was given as much.
`--jitter` is not the lab's own: each packet takes so much longer in the mean, exponentially distributed, which is one
term more where the lab's wire puts a packet into its queue (`rng.expovariate(1 / options.jitter)`).
Segments are paced: this kernel's default is BBR, whose sockets stay paced when they are told to use another control.

| asked | kernel, mean | world | kernel, p50 | world | kernel, p99 | world |
|---|---|---|---|---|---|---|
";
