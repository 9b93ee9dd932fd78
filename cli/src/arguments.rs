//! The command line's grammar. What the arguments mean is for the commands to say.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    /// Read a scenario without running it
    Check(CheckArguments),
    /// Run a recorded run again and compare it, bit for bit
    Replay(ReplayArguments),
    /// Serve real traffic as the gateway, until SIGTERM
    Gateway(LiveArguments),
    /// Serve real traffic as a mesh sidecar, until SIGTERM
    Sidecar(LiveArguments),
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
    /// Where the report goes [default: target/hoplab/NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the summary as JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The scenario files
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The folder that a run was written to
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct LiveArguments {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Threads that carry traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) workers: usize,
}

/// A number above zero.
fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if factor.is_finite() && factor > 0.0 { Ok(factor) } else { Err("must be above zero".to_owned()) }
}
