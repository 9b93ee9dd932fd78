//! `partition`: nothing passes between two sides of the network.

use hoplab_proxy::quantity::Duration as Quantity;

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenBetween, between, directed};
use super::{Aim, Fault, Run};
use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Target};
use crate::scenario::reader::{Context, Table};
use crate::scenario::resolve::surroundings::Surroundings;
use crate::world::ImpairmentKind;

/// Nothing passes between the two sides.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Where.
    pub between: Between,
}

impl Fault for Partition {
    const KEY: &'static str = "partition";
    type Written = WrittenBetween;

    fn read(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Self::Written> {
        directed(table, context)
    }

    fn resolve(
        written: Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        Some(Self { between: surroundings.between(written, context)? })
    }

    fn in_words(&self, services: &[Service]) -> String {
        format!("nothing passes {}", between(services, self.between))
    }

    fn aim(&self) -> Aim {
        Aim::Network(self.between)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        dice.directed(drawing)
    }

    async fn run(&self, run: &Run<'_>) {
        run.impair(self.between, ImpairmentKind::Partition).await;
    }
}
