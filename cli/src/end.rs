//! How a command ends, and the exit code that says so. Which end what was seen deserves is for the commands to say.

use std::process::ExitCode;

use hoplab_sim::record::Outcome;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All is well.
    Well,
    /// An expectation or the gate failed.
    Unmet,
    /// The command line, the scenario, the record or the baseline is wrong or missing.
    Unusable,
    /// The run is invalid.
    Invalid,
    /// Nothing failed, and an expectation cannot be judged.
    Unsure,
    /// Ctrl-C ended it before all was done.
    Interrupted,
}

impl End {
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Well => 0,
            Self::Unmet => 1,
            Self::Unusable => 2,
            Self::Invalid | Self::Unsure => 3,
            // As a shell says it: 128 and SIGINT.
            Self::Interrupted => 130,
        }
    }
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        Self::from(end.code() as u8)
    }
}

/// The end that what was expected deserves.
impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Holds => Self::Well,
            Outcome::Fails => Self::Unmet,
            Outcome::CannotBeJudged => Self::Unsure,
        }
    }
}
