//! The five questions that teams assess a system by before they choose, each answered with what was measured, and with what
//! was not said plainly. A question is a file below this one, of one shape: what is known of it, then what is not.

mod complexity;
mod experience;
mod outsiders;
mod security;
mod speed;

use hoplab_sim::advise::Shape;
use hoplab_sim::advise::knee::Knee;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::cost::Cost;
use super::growth::Grown;
use super::trial::Trial;
use crate::format::percent;
use crate::verdict::{Said, with};

/// A question of the assessment, answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// The question.
    pub question: String,
    /// What is known.
    pub findings: Vec<Finding>,
    /// What was not measured, and cannot be with this scenario.
    pub unmeasured: Vec<String>,
}

/// Something that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// It.
    pub text: String,
    /// The trial that shows it; none where it follows from the scenario alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<String>,
}

/// All that the questions are answered with.
pub(super) struct Evidence<'a> {
    pub(super) shape: &'a Shape,
    pub(super) costs: &'a IndexMap<String, Cost>,
    pub(super) trials: &'a [Trial],
    pub(super) knees: &'a [Knee],
    pub(super) grown: &'a [Grown],
    pub(super) not_grown: Option<&'a str>,
    /// How many times as slow is all right, and by how much the share of failed requests may be higher.
    pub(super) bounds: (f64, f64),
    /// Whether a limit of the scenario may refuse requests.
    pub(super) has_limits: bool,
    /// Profiles of known systems, each with how many of its values nobody has published, of how many.
    pub(super) assumed: Vec<(String, usize, usize)>,
    pub(super) currency: Option<&'a str>,
}

impl Finding {
    fn of(text: impl Into<String>, trial: &str) -> Self {
        Self { text: text.into(), trial: Some(trial.to_owned()) }
    }

    /// How many are lost under each architecture in a trial.
    fn lost(trial: &Trial) -> Self {
        let said: Vec<Said> = trial
            .seen
            .iter()
            .map(|(name, seen)| Said { name, size: seen.lost, text: percent(seen.lost) })
            .collect();
        Self::of(format!("While {}, so many requests are lost: {}.", trial.text, with(&said)), &trial.name)
    }

    fn told(text: impl Into<String>) -> Self {
        Self { text: text.into(), trial: None }
    }
}

impl Evidence<'_> {
    /// Something of each architecture, those alike together: `12.1 ms with direct, 13 ms with mesh`.
    fn each(&self, size: impl Fn(&Cost) -> f64, text: impl Fn(&Cost) -> String) -> String {
        let said: Vec<Said> =
            self.costs.iter().map(|(name, cost)| Said { name, size: size(cost), text: text(cost) }).collect();
        with(&said)
    }

    /// The trials of which that holds.
    fn trials_of(&self, holds: impl Fn(&Trial) -> bool) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(move |trial| holds(trial))
    }
}

/// The questions, answered.
pub(super) fn criteria(evidence: &Evidence) -> Vec<Criterion> {
    vec![
        complexity::criterion(evidence),
        outsiders::criterion(evidence),
        security::criterion(evidence),
        experience::criterion(evidence),
        speed::criterion(evidence),
    ]
}
