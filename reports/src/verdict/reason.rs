//! What a verdict consists of: sentences, each with the rule that it follows and the figures that it rests on. A part of
//! `summary.json`, so that a program can check what a person reads. Owns no sentence.

use hoplab_sim::record::Interval;
use serde::{Deserialize, Serialize};

/// A sentence of a verdict, and why it stands there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule that it follows.
    pub rule: Rule,
    /// What it says.
    pub text: String,
    /// What it rests on, in the order in which it speaks of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Cited>,
}

/// The rules, in the order in which their sentences stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Nothing was measured, so nothing is said.
    NothingMeasured,
    /// The answer in one sentence: which architecture to choose, by the whole run. Errors come first; where they cannot be
    /// told apart, how many requests are slow; then what an architecture costs. It names an architecture as better only
    /// where the difference lies beyond its interval, and of those that are as good the cheapest.
    Answer,
    /// How many requests fail over the whole run, and which architectures differ from the baseline beyond chance.
    ErrorsOverTheRun,
    /// How many requests a limit refuses over the whole run; said where it refuses one.
    RefusedOverTheRun,
    /// Which share of requests is served well within a time that the scenario asks for; without one, how long the answers
    /// take, as far into the tail as the sample carries.
    LatencyOverTheRun,
    /// The longest stretch in which requests were sent and none was answered well; said where it is long enough to be felt.
    Silence,
    /// What requests meet while a fault, or several that overlap, are on.
    WhileFaults,
    /// What requests meet after a fault: what fails, and what is slower than before it.
    AfterFaults,
    /// What an architecture adds to a request where all is well, request by request.
    Cost,
    /// The processors that an architecture takes beyond the baseline, and what it saves for them.
    Resources,
}

/// A figure that a sentence rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cited {
    /// Under which architecture it was seen.
    pub architecture: String,
    /// In which part of the run; left out for all of it after the warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<String>,
    /// The figure, by its name in the catalogue; `unserved_rate` is the share of requests that failed, timed out, were left
    /// open or, which no error rate counts, were refused by a limit.
    pub figure: String,
    /// The architecture that it is a difference to; left out for a figure of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Its value, in the figure's unit; `null` where the sample does not carry it.
    pub value: Option<f64>,
    /// Its 95 % confidence interval, where the sample has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}
