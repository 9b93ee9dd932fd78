//! The command `hoplab`: parses arguments, calls the other crates, prints, and sets the exit code.
//!
//! 0 all is well; 1 an expectation or the gate failed; 2 the command line, the scenario, the record or the
//! baseline is wrong or missing, or a result cannot be written; 3 the run is invalid, or nothing failed and an
//! expectation cannot be judged; 130 Ctrl-C ended it, as in a shell. Results go to standard output, everything else to
//! standard error.

mod advise;
mod arguments;
mod build;
mod check;
mod end;
mod explore;
mod gate;
mod generate;
mod interrupt;
mod kind;
mod live;
mod merge;
mod place;
mod plan;
mod plural;
mod profiles;
mod reference;
mod replay;
mod report;
mod run;
mod seeds;
mod shrink;
mod study;
mod sweep;
mod terminal;
mod trace;
mod verdict;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;
use end::End;
use hoplab_sim::batch::Panicked;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let end = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Merge(arguments) => merge::merge(&arguments),
        Command::Explore(arguments) => explore::explore(&arguments),
        Command::Advise(arguments) => advise::advise(&arguments),
        Command::Shrink(arguments) => shrink::shrink(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Trace(arguments) => trace::trace(&arguments),
        Command::Gate(arguments) => gate::gate(&arguments),
        Command::Generate(arguments) => generate::generate(&arguments),
        Command::Gateway(arguments) => live::gateway(&arguments),
        Command::Sidecar(arguments) => live::sidecar(&arguments),
        Command::Profiles(arguments) => profiles::profiles(&arguments),
        Command::Reference => reference::reference(),
        Command::Schema(arguments) => reference::schema(&arguments),
    };
    match end {
        Ok(end) => end.into(),
        Err(error) => end_of(&error).into(),
    }
}

/// How a command ends that has no result, and says why on standard error.
fn end_of(error: &anyhow::Error) -> End {
    if error.chain().any(<dyn std::error::Error>::is::<Panicked>) {
        terminal::panicked(error);
        return End::Invalid;
    }
    terminal::error(error);
    End::Unusable
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};
    use hoplab_sim::explore::shrink::CannotShrink;
    use hoplab_sim::sweep::Lost;

    use super::*;

    #[test]
    fn whatever_panicked_is_invalid_and_whatever_else_went_wrong_is_not() {
        let panicked = || Panicked {
            architecture: "mesh".to_owned(),
            seed: 7,
            pod: Some("cart-0".to_owned()),
            place: "sim/src/it.rs:1:2".to_owned(),
            message: "a bug".to_owned(),
        };
        let at_a_point = Err::<(), _>(panicked()).context("point-1-seed-7").unwrap_err();
        let all = [
            panicked().into(),
            at_a_point,
            CannotShrink::Panicked(panicked()).into(),
            Lost::Panicked(panicked()).into(),
        ];
        for error in all {
            assert_eq!(end_of(&error), End::Invalid, "{error:?}");
        }
        assert_eq!(end_of(&anyhow!("cannot write out/summary.json")), End::Unusable);
    }
}
