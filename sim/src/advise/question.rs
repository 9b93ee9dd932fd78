//! What is to be decided, and all that is run for it.

use std::sync::Arc;

use super::shape::Shape;
use super::trial::{NoQuestion, Trial};
use super::trials;
use crate::scenario::plan::{Architecture, Gateway, Mesh, Plan};

/// What is to be decided: between which architectures, and by which trials.
#[derive(Debug, Clone)]
pub struct Question {
    plan: Arc<Plan>,
    trials: Vec<Trial>,
    shape: Shape,
    not_grown: Option<String>,
}

impl Question {
    /// What is to be run to choose between the architectures of `plan`.
    pub fn of(plan: &Arc<Plan>) -> Result<Self, NoQuestion> {
        if let [only] = &plan.architectures[..] {
            return Err(NoQuestion::OneArchitecture(Arc::clone(&only.name)));
        }
        let shape = Shape::of(plan);
        let mut trials = trials::of_application(plan, &shape)?;
        let (grown, not_grown) = match trials::grown(plan) {
            Ok(grown) => (grown, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        trials.extend(grown);
        Ok(Self { plan: Arc::clone(plan), trials, shape, not_grown })
    }

    /// The scenario as it stands.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The architecture that others are compared with: `direct`, or the first.
    pub(super) fn baseline(&self) -> &str {
        let all = &self.plan.architectures;
        let direct = all.iter().find(|of| &*of.name == "direct");
        &direct.unwrap_or(&all[0]).name
    }

    /// What is run; the first is [`super::About::Well`].
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The scenario when all is well, under so many times its load.
    pub fn at_load(&self, times: f64) -> Result<Trial, NoQuestion> {
        trials::at_load(&self.trials[0], times)
    }

    /// Whether a limit may refuse requests under any architecture.
    pub fn has_limits(&self) -> bool {
        let of_gateway =
            |gateway: &Arc<Gateway>| !gateway.limits.is_empty() || !gateway.route_limits.is_empty();
        let of_mesh = |mesh: &Arc<Mesh>| mesh.limits.iter().any(|limits| !limits.is_empty());
        let limits = |of: &Architecture| {
            of.gateway.as_ref().is_some_and(of_gateway) || of.mesh.as_ref().is_some_and(of_mesh)
        };
        self.plan.architectures.iter().any(limits)
    }

    /// What the application is made of.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Why there is no larger system to be run, where there is none.
    pub fn not_grown(&self) -> Option<&str> {
        self.not_grown.as_deref()
    }
}
