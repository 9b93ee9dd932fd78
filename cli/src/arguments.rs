//! The command line's grammar. What the arguments mean is for the commands to say.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use hoplab_config::quantity;

use crate::kind::Kind;

/// A wind tunnel for API gateways and service meshes: real proxies in a deterministic simulation.
#[derive(Debug, Parser)]
#[command(name = "hoplab", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario under each of its architectures; print a table and write a report
    Run(RunArguments),
    /// Run a scenario at every point of its grid, and look for the limits that its search asks for
    Sweep(SweepArguments),
    /// Join what several machines, or an interrupted one, left in their folders
    Merge(MergeArguments),
    /// Draw faults at random, seed by seed, and report what they break; exits with 1 if they break anything
    Explore(ExploreArguments),
    /// Say which of a scenario's architectures to choose, by what each costs and what it saves when something goes wrong
    Advise(AdviseArguments),
    /// Make a failing scenario as small as it can be while the same expectation fails
    Shrink(ShrinkArguments),
    /// Read scenarios and configurations without running them, and say all that is wrong with them
    Check(CheckArguments),
    /// Run a recorded run again and compare it, bit for bit
    Replay(ReplayArguments),
    /// Render recorded runs again, list many of them on one page, or lay two side by side; runs nothing
    Report(ReportArguments),
    /// Run a recorded run again and look at some of its requests, or at its packets
    Trace(TraceArguments),
    /// Run a scenario and compare its figures with those that were accepted
    Gate(GateArguments),
    /// Print the application that a scenario's `[generate]` makes
    Generate(GenerateArguments),
    /// Serve real traffic as the gateway, until SIGTERM
    Gateway(LiveArguments),
    /// Serve real traffic as a mesh sidecar, until SIGTERM
    Sidecar(LiveArguments),
    /// List the known systems that architectures can name, as in `gateway:kong`, or show one with its sources
    Profiles(ProfilesArguments),
    /// Print what every key of a gateway's and a sidecar's file is, as Markdown
    Reference,
    /// Print a JSON Schema of a file that people write, for editors
    Schema(SchemaArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ProfilesArguments {
    /// One of hoplab's, or a file of one's own; all of hoplab's are listed without it
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// The scenario file, with a `generate` table
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The scenario file
    pub(crate) file: PathBuf,
    /// Run only these architectures, instead of the file's
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,
    /// Seed the random streams with this, instead of the file's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Multiply the scenario's duration and warm-up; faults must still fit
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor, allow_negative_numbers = true)]
    pub(crate) scale: f64,
    /// Run with so many seeds, one after the other from the first, and join what they saw; what an interrupted
    /// command left in DIR is not run again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) seeds: Option<u64>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Where the report goes [default: target/hoplab/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the summary as JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArguments {
    /// The scenario file, with a `sweep` table, a `search` table or both
    pub(crate) file: PathBuf,
    /// Run only these architectures, instead of the file's
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,
    /// Seed the random streams with this, instead of the file's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run each point with so many seeds, one after the other from the first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) seeds: u64,
    /// Multiply the scenario's duration and warm-up; faults must still fit
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor, allow_negative_numbers = true)]
    pub(crate) scale: f64,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Where the report goes; what an interrupted command left there is not run again
    /// [default: target/hoplab/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the summary as JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

/// How much of a machine is used, and how much of the work is its own. Decides on nothing but how long it takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Machine {
    /// Simulations at a time [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Do only the Ith of N equal shares of the work; `hoplab merge` joins them
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
}

impl Machine {
    /// How many simulations run at a time.
    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads.unwrap_or_else(hoplab_sim::run::cores)
    }

    /// Whether the `index`th piece of the work is this machine's.
    pub(crate) fn takes(&self, index: u64) -> bool {
        self.shard.is_none_or(|shard| shard == Shard::with(index, shard.of))
    }
}

/// A share of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shard {
    /// From 1 on.
    pub(crate) number: u64,
    pub(crate) of: u64,
}

impl Shard {
    /// The one of so many shards whose the `index`th piece of the work is.
    pub(crate) fn with(index: u64, of: u64) -> Self {
        Self { number: index % of + 1, of }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("write, say, 1/4 to 4/4".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing was broken; 1 something was; 2 the scenario is wrong or missing; 130 Ctrl-C"
)]
pub(crate) struct ExploreArguments {
    /// The scenario file
    pub(crate) file: PathBuf,
    /// Draw from so many seeds, one after the other from the first [default: 100]; what an interrupted command left
    /// in DIR is not run again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) seeds: Option<u64>,
    /// Begin no more runs after so long, such as 10m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) time: Option<Duration>,
    /// The first seed, instead of the file's
    #[arg(long, value_name = "FIRST")]
    pub(crate) seed: Option<u64>,
    /// Explore only these architectures, instead of the file's
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Where summary.json and failures/ go [default: target/hoplab/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the summary as JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 it was said; 2 the scenario is wrong or missing, or has one architecture; 3 a run is \
                  invalid; 130 Ctrl-C, after which the same command goes on where it stopped"
)]
pub(crate) struct AdviseArguments {
    /// The scenario file
    pub(crate) file: PathBuf,
    /// Run each trial with so many seeds, one after the other from the file's
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) seeds: u64,
    /// The first seed, instead of the file's
    #[arg(long, value_name = "FIRST")]
    pub(crate) seed: Option<u64>,
    /// Choose between these architectures, instead of the file's
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Where summary.json, report.html and trials/ go [default: target/hoplab/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the advice as JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 it was written; 2 the scenario is wrong or missing, or nothing in it fails; \
                        3 the run is invalid, or what may fail cannot be judged; 130 Ctrl-C, after which the \
                        smallest so far is written"
)]
pub(crate) struct ShrinkArguments {
    /// The scenario file, which fails
    pub(crate) file: PathBuf,
    /// Seed the random streams with this, instead of the file's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Look under this architecture only, instead of the first in which an expectation fails
    #[arg(long, value_name = "A")]
    pub(crate) arch: Option<String>,
    /// Keep the first failing expectation whose line contains this, instead of the first
    #[arg(long, value_name = "TEXT")]
    pub(crate) expect: Option<String>,
    /// Where the small scenario goes [default: NAME-small.toml beside FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Try no more candidates than this
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) runs: u32,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// The folders
    #[arg(required = true)]
    pub(crate) dirs: Vec<PathBuf>,
    /// Where the report goes [default: the first of the folders]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the summary as JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The files: scenarios, applications, gateways' or sidecars' configurations
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Read them as this kind, instead of what their tables tell
    #[arg(long = "as", value_name = "KIND", value_enum)]
    pub(crate) kind: Option<Kind>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The folder that a run was written to
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 it was written; 2 something could not be read")]
pub(crate) struct ReportArguments {
    /// The folders that runs, sweeps and explorations were written to, or folders of such folders
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Lay two runs side by side: what was run differently, what came out differently, and why
    #[arg(long)]
    pub(crate) compare: bool,
    /// What the two are called [default: the names of their folders]
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "compare")]
    pub(crate) labels: Vec<String>,
    /// Where the page goes: of one run all of its report, else index.html or compare.html
    /// [default: DIR if it is one; else target/hoplab/report]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").args(["request", "slowest", "failed", "all"]))]
#[command(group = clap::ArgGroup::new("viewers").args(["perfetto", "otlp"]).multiple(true))]
pub(crate) struct TraceArguments {
    /// The folder that a run was written to
    pub(crate) dir: PathBuf,
    /// A request: its trace id, or as much of its beginning or end as no other has [default: the slowest]
    pub(crate) request: Option<String>,
    /// The N slowest requests after the warm-up
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) slowest: Option<usize>,
    /// The first N requests after the warm-up that failed or were given up; one when N is left out
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", value_parser = count)]
    pub(crate) failed: Option<usize>,
    /// Every request, those of the warm-up and those left open, too; they are written, not drawn
    #[arg(long, requires = "viewers")]
    pub(crate) all: bool,
    /// Look at this architecture [default: the record's last]
    #[arg(long, value_name = "A")]
    pub(crate) arch: Option<String>,
    /// Of a run with several seeds, look at this one [default: the first]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Write the requests as Chrome's trace events, for ui.perfetto.dev
    #[arg(long, value_name = "FILE")]
    pub(crate) perfetto: Option<PathBuf>,
    /// Write the requests as OpenTelemetry's JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) otlp: Option<PathBuf>,
    /// Write the run's packets as pcapng with the TLS secrets, for Wireshark; what passes within a pod is on no wire and
    /// not in it
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,
    /// Write at most the first N packets
    #[arg(long, value_name = "N", default_value_t = 200_000, requires = "pcap", value_parser = count)]
    pub(crate) packets: usize,
    /// Write the TLS secrets as an NSS key log
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct GateArguments {
    /// The scenario file
    #[arg(required_unless_present = "figures")]
    pub(crate) file: Option<PathBuf>,
    /// Compare the figures in this file, which something else measured, and run nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "arch", "seed", "scale"])]
    pub(crate) figures: Option<PathBuf>,
    /// The figures that were accepted, and how far each may move
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: PathBuf,
    /// Run only these architectures, instead of the file's
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,
    /// Seed the random streams with this, instead of the file's
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Multiply the scenario's duration and warm-up; faults must still fit
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor, allow_negative_numbers = true)]
    pub(crate) scale: f64,
    /// Accept: write the figures of now into the baseline, and keep its tolerances
    #[arg(long)]
    pub(crate) update: bool,
    /// Write a test case a figure here, in the XML that CI servers read
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write a summary in Markdown here
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Leave the run's report here as well
    #[arg(long, value_name = "DIR", conflicts_with = "figures")]
    pub(crate) out: Option<PathBuf>,
    /// Print GitHub's workflow commands as well; on by itself in GitHub's workflows
    #[arg(long)]
    pub(crate) annotations: bool,
    /// Print the comparison as JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LiveArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Threads that carry traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) workers: usize,
    /// Take the configuration up whenever its file changes, as SIGHUP asks for it
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Whose file
    #[arg(value_enum)]
    pub(crate) kind: Kind,
}

/// A whole number above zero.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be above zero".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

/// A number above zero.
fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if factor.is_finite() && factor > 0.0 { Ok(factor) } else { Err("must be above zero".to_owned()) }
}

/// A time budget, such as `10m`.
fn time(text: &str) -> Result<Duration, String> {
    let time: quantity::Duration = text.parse().map_err(|wrong: quantity::NotAQuantity| wrong.to_string())?;
    if time.0.is_zero() { Err("must be above zero".to_owned()) } else { Ok(time.0) }
}
