//! `reset`: connections between two sides of the network are reset, once, at the start.

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context};

use super::dice::{Dice, Drawing, Entries};
use super::sides::{BothWays, between};
use super::{Aim, Fault, Run};
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Target};
use crate::scenario::resolve::surroundings::Surroundings;

/// Connections between the two sides are reset, once, at the start.
#[derive(Debug, Clone)]
pub struct Reset {
    /// Where.
    pub between: Between,
}

impl Fault for Reset {
    const KEY: &'static str = "reset";
    const ABOUT: &'static str = "Connections break, once, at the start.";
    type Written = BothWays;

    fn resolve(
        BothWays(between): Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        Some(Self { between: surroundings.between(between, context)? })
    }

    fn in_words(&self, services: &[Service]) -> String {
        format!("connections {} are reset", between(services, self.between))
    }

    fn aim(&self) -> Aim {
        Aim::Network(self.between)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        dice.sides(drawing)
    }

    async fn run(&self, run: &Run<'_>) {
        let (a, b) = run.pods.sides(self.between);
        run.hit(run.pods.world().reset(&a, &b));
        run.until_end().await;
    }
}
