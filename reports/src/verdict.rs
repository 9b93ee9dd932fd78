//! The answer in words, the first thing that a reader reads: which architecture to choose and why, then what it rests on.
//! Each sentence follows a [`Rule`] and names the figures behind it.
//!
//! What holds of all of them:
//! - what users feel comes first: errors and response times over the whole run, then while each fault is on, then after
//!   it, then the cost where all is well, then the processors;
//! - a difference is claimed beyond its 95 % interval only ([`gap`]), over seeds where there are several; else the sentence
//!   says that it cannot be told, from how many requests, and which option is likely to tell;
//! - a figure that the sample does not carry is not spoken of: medians, means and the longest speak instead;
//! - faults that overlap are told as one, so that no request is laid at two doors.
//!
//! | file | its sentences |
//! |---|---|
//! | `answer`, `waits` | the first one; `waits` where errors do not decide |
//! | `errors`, `latency`, `silence` | over the whole run: what fails or is refused, how long it takes, when nothing is answered |
//! | `faults` | while faults are on, and after them |
//! | `cost`, `resources` | what an architecture adds to a request, and takes of its machines |
//!
//! Below them: `choice` (which is the best), `gap` (what two differ by, beyond chance), `run` (the parts of a run), `words`,
//! `reason` (what a verdict consists of). Owns the order of the sentences, not where they stand.

mod answer;
mod choice;
mod cost;
mod errors;
mod faults;
mod gap;
mod latency;
mod reason;
mod resources;
mod run;
mod silence;
mod waits;
mod words;

use hoplab_sim::record::Record;

use crate::format::glued;
pub(crate) use cost::{Added, added};
pub use reason::{Cited, Reason, Rule};
pub(crate) use run::{Part, Run, Subject};
pub(crate) use words::{Said, with};

/// What a reader wants first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The answer in one sentence.
    pub(crate) headline: String,
    /// What it rests on.
    pub(crate) sentences: Vec<String>,
}

/// The verdict on a run, as prose.
pub(crate) fn verdict(record: &Record) -> Verdict {
    let mut texts = reasons(record).into_iter().map(|reason| glued(&reason.text));
    Verdict { headline: texts.next().unwrap_or_default(), sentences: texts.collect() }
}

/// The verdict on a run, with what each sentence rests on; the answer first.
pub(crate) fn reasons(record: &Record) -> Vec<Reason> {
    let Some(run) = Run::of(record) else {
        let text = "No request was measured.".to_owned();
        return vec![Reason { rule: Rule::NothingMeasured, text, figures: Vec::new() }];
    };
    let mut reasons = vec![answer::answer(&run)];
    reasons.extend(errors::over_the_run(&run));
    reasons.extend(errors::refused(&run));
    reasons.extend(latency::over_the_run(&run));
    reasons.extend(silence::silence(&run));
    reasons.extend(faults::faults(&run));
    reasons.extend(cost::cost(&run));
    reasons.extend(resources::resources(&run));
    reasons
}
