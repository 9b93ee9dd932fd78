//! `bandwidth`: what passes between two sides of the network shares less than there was.

use hoplab_proxy::quantity::{Bandwidth as Quantity, Duration};

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenBetween, between, directed};
use super::{Aim, Fault, Run};
use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::network::Capacity;
use crate::scenario::plan::target::{Between, Target};
use crate::scenario::reader::{Context, Table};
use crate::scenario::resolve::network;
use crate::scenario::resolve::surroundings::Surroundings;
use crate::scenario::schema::network::Queue;
use crate::world::ImpairmentKind;

/// All that passes between the two sides shares so much, each way.
#[derive(Debug, Clone)]
pub struct Bandwidth {
    /// Where.
    pub between: Between,
    /// How much.
    pub capacity: Capacity,
}

/// As it is written.
pub(crate) struct Written {
    between: WrittenBetween,
    bandwidth: Option<At<Quantity>>,
    queue: Option<At<Queue>>,
}

impl Fault for Bandwidth {
    const KEY: &'static str = "bandwidth";
    type Written = Written;

    fn read(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Self::Written> {
        Some(Written {
            between: directed(table, context)?,
            bandwidth: table.required("is", context),
            queue: table.optional("queue", context),
        })
    }

    fn resolve(
        written: Self::Written,
        _: Option<&At<Duration>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let between = surroundings.between(written.between, context);
        let queue = written.queue.and_then(|at| network::queue(&at, context));
        let capacity = Capacity { bits_per_second: written.bandwidth?.value.0, queue };
        Some(Self { between: between?, capacity })
    }

    fn in_words(&self, services: &[Service]) -> String {
        let bandwidth = Quantity(self.capacity.bits_per_second);
        format!("all packets {} share {bandwidth}", between(services, self.between))
    }

    fn aim(&self) -> Aim {
        Aim::Network(self.between)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let mut entries = dice.directed(drawing);
        entries.push(("is", dice.bandwidth(drawing)));
        entries
    }

    async fn run(&self, run: &Run<'_>) {
        run.impair(self.between, ImpairmentKind::Bandwidth(self.capacity)).await;
    }
}
