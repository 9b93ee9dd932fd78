//! `loss`: segments between two sides of the network are lost, and sent again later.

use hoplab_proxy::quantity::{Duration as Quantity, Share};

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenBetween, between, directed, percent};
use super::{Aim, Fault, Run};
use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Target};
use crate::scenario::reader::{Context, Table};
use crate::scenario::resolve::surroundings::Surroundings;
use crate::world::ImpairmentKind;

/// Segments between the two sides are lost, each with this probability, and sent again later.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Where.
    pub between: Between,
    /// 0 to 1.
    pub share: f64,
}

/// As it is written.
pub(crate) struct Written {
    between: WrittenBetween,
    share: Option<At<Share>>,
}

impl Fault for Loss {
    const KEY: &'static str = "loss";
    type Written = Written;

    fn read(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Self::Written> {
        Some(Written { between: directed(table, context)?, share: table.required("share", context) })
    }

    fn resolve(
        written: Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let sides = surroundings.between(written.between, context);
        Some(Self { between: sides?, share: written.share?.value.0 })
    }

    fn in_words(&self, services: &[Service]) -> String {
        format!("{} % of segments {} are lost", percent(self.share), between(services, self.between))
    }

    fn aim(&self) -> Aim {
        Aim::Network(self.between)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let mut entries = dice.directed(drawing);
        entries.push(("share", dice.share(drawing.explore.share)));
        entries
    }

    async fn run(&self, run: &Run<'_>) {
        run.impair(self.between, ImpairmentKind::Loss(self.share)).await;
    }
}
