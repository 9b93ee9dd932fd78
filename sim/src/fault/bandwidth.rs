//! `bandwidth`: what passes between two sides of the network shares less than there was.

use hoplab_config::quantity::Bandwidth as Quantity;
use hoplab_config::{Context, Required, table};

use super::dice::{Dice, Drawing, Entries};
use super::of_network::{Effect, OfNetwork};
use crate::scenario::plan::network::Capacity;
use crate::scenario::resolve::network;
use crate::scenario::schema::network::Queue;
use crate::world::ImpairmentKind;

/// All that passes between the two sides shares so much, each way.
pub(super) type Bandwidth = OfNetwork<Narrowed>;

/// Packets share so much.
#[derive(Debug, Clone)]
pub struct Narrowed {
    /// How much.
    pub capacity: Capacity,
}

table! {
    /// As it is written.
    pub(crate) struct Written {
        /// What all that passes shares, each way.
        is: Quantity = Required::BARE,
        /// How much may wait, each way; what comes then is dropped.
        queue: Queue = "unlimited",
    }
}

impl Effect for Narrowed {
    const NAME: &'static str = "bandwidth";
    const ABOUT: &'static str = "All that passes shares less.";
    type Written = Written;

    fn resolve(written: Self::Written, context: &mut Context<'_>) -> Option<Self> {
        let queue = written.queue.and_then(|at| network::queue(&at, context));
        Some(Self { capacity: Capacity { bits_per_second: written.is?.value.0, queue } })
    }

    fn in_words(&self, between: &str) -> String {
        format!("all packets {between} share {}", Quantity(self.capacity.bits_per_second))
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        vec![("is", dice.bandwidth(drawing))]
    }

    fn impairment(&self) -> ImpairmentKind {
        ImpairmentKind::Bandwidth(self.capacity)
    }
}
