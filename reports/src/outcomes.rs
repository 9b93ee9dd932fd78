//! How many of what was expected hold, fail and cannot be judged, in words and marks that table, pages and index
//! share. What cannot be judged is counted as neither.

use hoplab_sim::record::{Expectation, Outcome};

use crate::format::{count, plural};

/// How several expectations came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) hold: u64,
    pub(crate) fail: u64,
    pub(crate) unjudged: u64,
}

impl Outcomes {
    pub(crate) fn of<'a>(all: impl IntoIterator<Item = &'a Expectation>) -> Self {
        Self::count(all.into_iter().map(|expectation| expectation.outcome))
    }

    pub(crate) fn count(all: impl IntoIterator<Item = Outcome>) -> Self {
        all.into_iter().fold(Self::default(), |mut sum, outcome| {
            *(match outcome {
                Outcome::Holds => &mut sum.hold,
                Outcome::Fails => &mut sum.fail,
                Outcome::CannotBeJudged => &mut sum.unjudged,
            }) += 1;
            sum
        })
    }

    pub(crate) fn all(self) -> u64 {
        self.hold + self.fail + self.unjudged
    }

    /// How they came out together: one that fails decides, then one that cannot be judged.
    pub(crate) fn together(self) -> Outcome {
        match self {
            Self { fail: 1.., .. } => Outcome::Fails,
            Self { unjudged: 1.., .. } => Outcome::CannotBeJudged,
            _ => Outcome::Holds,
        }
    }

    /// `3 of 5 hold`, `3 of 5 hold, 1 cannot be judged`.
    pub(crate) fn in_words(self) -> String {
        format!("{} of {} hold{}", count(self.hold), count(self.all()), self.unsure())
    }

    /// `✓ all 5 expectations met`, `✗ 1 of 5 expectations not met, 1 cannot be judged`.
    pub(crate) fn pill(self) -> String {
        let all = plural(self.all(), "expectation");
        match self.together() {
            Outcome::Holds => format!("✓ all {all} met"),
            Outcome::Fails => format!("✗ {} of {all} not met{}", count(self.fail), self.unsure()),
            Outcome::CannotBeJudged => format!("? {} of {all} cannot be judged", count(self.unjudged)),
        }
    }

    fn unsure(self) -> String {
        if self.unjudged == 0 {
            String::new()
        } else {
            format!(", {} cannot be judged", count(self.unjudged))
        }
    }
}

/// `✓`, `✗`, `?`.
pub(crate) fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => "✓",
        Outcome::Fails => "✗",
        Outcome::CannotBeJudged => "?",
    }
}

/// The class of a mark on a page.
pub(crate) fn mark_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => "mark-ok",
        Outcome::Fails => "mark-no",
        Outcome::CannotBeJudged => "mark-unsure",
    }
}

/// The class of a pill on a page.
pub(crate) fn pill_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => "pill good",
        Outcome::Fails => "pill bad",
        Outcome::CannotBeJudged => "pill",
    }
}

/// In how many of several `seeds` an expectation holds, and a seed to run again where it does not: empty where it
/// holds in each of them.
pub(crate) fn in_seeds(expectation: &Expectation, seeds: u64) -> String {
    let held = expectation.held_in(seeds);
    let alone = match (expectation.failed_in.first(), expectation.unjudged_in.len()) {
        (None, 0) => return String::new(),
        (Some(first), 0) => format!("; try --seed {first}"),
        (Some(first), unsure) => format!(", {unsure} cannot be judged; try --seed {first}"),
        (None, unsure) => format!(", {unsure} cannot be judged alone"),
    };
    format!(" (holds in {held} of {seeds} seeds{alone})")
}
