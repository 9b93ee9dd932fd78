//! `partition`: nothing passes between two sides of the network.

use hoplab_config::{Context, table};

use super::dice::{Dice, Drawing, Entries};
use super::of_network::{Effect, OfNetwork};
use crate::world::ImpairmentKind;

/// Nothing passes between the two sides.
pub(super) type Partition = OfNetwork<Nothing>;

/// Of the packets, nothing is left.
#[derive(Debug, Clone)]
pub struct Nothing;

table! {
    /// As it is written: nothing beside the sides.
    pub(crate) struct Written {}
}

impl Effect for Nothing {
    const NAME: &'static str = "partition";
    const ABOUT: &'static str = "Nothing passes.";
    type Written = Written;

    fn resolve(_: Self::Written, _: &mut Context<'_>) -> Option<Self> {
        Some(Self)
    }

    fn in_words(&self, between: &str) -> String {
        format!("nothing passes {between}")
    }

    fn draw(_: &mut Dice, _: &Drawing<'_>) -> Entries {
        Vec::new()
    }

    fn impairment(&self) -> ImpairmentKind {
        ImpairmentKind::Partition
    }
}
