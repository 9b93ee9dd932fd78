//! `loss`: segments between two sides of the network are lost, and sent again later.

use hoplab_config::quantity::Share;
use hoplab_config::{Context, Required, table};

use super::dice::{Dice, Drawing, Entries};
use super::of_network::{Effect, OfNetwork};
use super::sides::percent;
use crate::world::ImpairmentKind;

/// Segments between the two sides are lost, each with a probability, and sent again later.
pub(super) type Loss = OfNetwork<Lost>;

/// Packets are lost.
#[derive(Debug, Clone)]
pub struct Lost {
    /// Each with this probability, 0 to 1.
    pub share: f64,
}

table! {
    /// As it is written.
    pub(crate) struct Written {
        /// Of the segments.
        share: Share = Required::BARE,
    }
}

impl Effect for Lost {
    const NAME: &'static str = "loss";
    const ABOUT: &'static str = "Segments are lost and sent again.";
    type Written = Written;

    fn resolve(written: Self::Written, _: &mut Context<'_>) -> Option<Self> {
        Some(Self { share: written.share?.value.0 })
    }

    fn in_words(&self, between: &str) -> String {
        format!("{} % of segments {between} are lost", percent(self.share))
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        vec![("share", dice.share(drawing.plan.explore.share))]
    }

    fn impairment(&self) -> ImpairmentKind {
        ImpairmentKind::Loss(self.share)
    }
}
