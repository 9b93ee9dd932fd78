//! Faults of pods that take nothing but which: how such a table is read, resolved, drawn and said in words, once. Not
//! here: what they do, each in a file of its own.

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context};

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenTarget, pods};
use super::{Aim, Fault, Run};
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::Target;
use crate::scenario::resolve::surroundings::Surroundings;

/// A fault of pods: `{ service, replica }`.
pub(super) trait OfPods: Sized {
    /// What names it in a scenario.
    const NAME: &'static str;
    /// What it is, for who writes one.
    const ABOUT: &'static str;
    /// What becomes of them, in words: `is down`.
    const WORDS: &'static str;
    /// Whether they begin anew because of it.
    const RENEWS: bool;

    /// The fault of these pods.
    fn at(target: Target) -> Self;

    /// Its pods.
    fn target(&self) -> Target;

    /// Carries it out, as [`Fault::run`].
    async fn carry_out(&self, run: &Run<'_>);
}

impl<T: OfPods> Fault for T {
    const KEY: &'static str = T::NAME;
    const ABOUT: &'static str = T::ABOUT;
    type Written = WrittenTarget;

    fn resolve(
        written: Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        Some(T::at(surroundings.target(written, context)?))
    }

    fn in_words(&self, services: &[Service]) -> String {
        format!("{} {}", pods(services, self.target()), T::WORDS)
    }

    fn aim(&self) -> Aim {
        Aim::Pods(self.target())
    }

    fn renews(&self) -> Option<Target> {
        T::RENEWS.then(|| self.target())
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        dice.pods(drawing)
    }

    async fn run(&self, run: &Run<'_>) {
        self.carry_out(run).await;
    }
}
