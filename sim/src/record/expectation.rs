//! How expectations came out. Owns their shape and what they say in words; who judges them is `expect`.

use serde::{Deserialize, Serialize};

/// How an expectation came out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// What was expected, as one line.
    pub text: String,
    /// What was seen, in the figure's unit; `None` when the sample does not carry it.
    pub seen: Option<f64>,
    /// The same for people: `212 ms`, `0.4 %`.
    pub seen_text: String,
    /// The lowest value that is all right, in the figure's unit.
    #[serde(default)]
    pub min: Option<f64>,
    /// The highest value that is all right, in the figure's unit.
    #[serde(default)]
    pub max: Option<f64>,
    /// Whether it holds; of several seeds, in all of them. What was seen is then of the worst.
    pub holds: bool,
    /// Whether it holds, fails, or cannot be judged.
    #[serde(default)]
    pub outcome: Outcome,
    /// What it would take to judge it, where it cannot be: how many requests, and which option gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
    /// The seeds in which it fails, where several were joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_in: Vec<u64>,
    /// The seeds in which it cannot be judged by that seed alone, where several were joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged_in: Vec<u64>,
}

/// One of three.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// What was seen lies within the bounds.
    #[serde(rename = "holds")]
    Holds,
    /// It lies outside.
    #[serde(rename = "fails")]
    Fails,
    /// The sample does not carry the figure: it is counted as neither.
    #[default]
    #[serde(rename = "cannot be judged")]
    CannotBeJudged,
}

impl Outcome {
    /// As it is written: `holds`, `fails`, `cannot be judged`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::CannotBeJudged => "cannot be judged",
        }
    }

    /// How all of several came out: one that fails decides, then one that cannot be judged.
    pub fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        let rank = |outcome: &Self| match outcome {
            Self::Holds => 0,
            Self::CannotBeJudged => 1,
            Self::Fails => 2,
        };
        all.into_iter().max_by_key(rank).unwrap_or(Self::Holds)
    }
}

impl Expectation {
    /// Whether it fails by what was seen, not for want of it.
    pub fn fails(&self) -> bool {
        self.outcome == Outcome::Fails
    }

    /// Whether the sample does not carry the figure.
    pub fn is_unjudged(&self) -> bool {
        self.outcome == Outcome::CannotBeJudged
    }

    /// What was seen, and what it would take to see more: `300 ms`, `100 requests are too few: …`.
    pub fn said(&self) -> String {
        match &self.takes {
            Some(takes) => format!("{}: {takes}", self.seen_text),
            None => self.seen_text.clone(),
        }
    }

    /// In how many of `seeds` it holds, where several were joined.
    pub fn held_in(&self, seeds: u64) -> u64 {
        seeds - (self.failed_in.len() + self.unjudged_in.len()) as u64
    }
}
