//! The verdict as `summary.json` says it: its text, and each sentence with its rule and figures. Owns the keys.

use hoplab_sim::record::Record;
use serde::{Deserialize, Serialize};

use crate::verdict::{self, Reason};

/// The answer in words, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// All of it; the first sentence is the answer.
    pub text: String,
    /// The sentences, each with the rule that it follows and the figures that it rests on.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    pub(super) fn of(record: &Record) -> Self {
        let reasons = verdict::reasons(record);
        let texts: Vec<&str> = reasons.iter().map(|reason| &*reason.text).collect();
        Self { text: texts.join(" "), reasons }
    }
}
