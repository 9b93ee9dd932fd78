//! Faults of the network: what lies between two sides of it, one way or both, for all connections or a share of them:
//! how such a table is read, resolved, drawn and said in words, once. Not here: what they do to packets, each in a
//! file of its own.

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context, Keys};

use super::dice::{Dice, Drawing, Entries};
use super::sides::{Directed, between};
use super::{Aim, Fault, Run};
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Target};
use crate::scenario::resolve::surroundings::Surroundings;
use crate::world::ImpairmentKind;

/// What becomes of the packets between two sides.
pub(crate) trait Effect: Sized {
    /// What names it in a scenario.
    const NAME: &'static str;
    /// What it is, for who writes one.
    const ABOUT: &'static str;
    /// What stands in a scenario's table beside the sides.
    type Written: Keys;

    /// What it means.
    fn resolve(written: Self::Written, context: &mut Context<'_>) -> Option<Self>;

    /// What it does `between` the sides (`between order and payment`), in words.
    fn in_words(&self, between: &str) -> String;

    /// Draws what stands beside the sides.
    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries;

    /// What the network does.
    fn impairment(&self) -> ImpairmentKind;
}

/// A fault of the network: `{ between, … }`.
#[derive(Debug, Clone)]
pub struct OfNetwork<E> {
    /// Where.
    pub between: Between,
    /// What becomes of packets there.
    pub effect: E,
}

impl<E: Effect> Fault for OfNetwork<E> {
    const KEY: &'static str = E::NAME;
    const ABOUT: &'static str = E::ABOUT;
    type Written = (Directed, E::Written);

    fn resolve(
        (Directed(between), effect): Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let between = surroundings.between(between, context);
        let effect = E::resolve(effect, context)?;
        Some(Self { between: between?, effect })
    }

    fn in_words(&self, services: &[Service]) -> String {
        self.effect.in_words(&between(services, self.between))
    }

    fn aim(&self) -> Aim {
        Aim::Network(self.between)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let mut entries = dice.directed(drawing);
        entries.extend(E::draw(dice, drawing));
        entries
    }

    async fn run(&self, run: &Run<'_>) {
        run.impair(self.between, self.effect.impairment()).await;
    }
}
