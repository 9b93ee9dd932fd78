//! `latency`: what passes between two sides of the network takes longer.

use std::time::Duration;

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{Context, Required, table};

use super::dice::{Dice, Drawing, Entries, text};
use super::of_network::{Effect, OfNetwork};
use crate::distribution::Distribution;
use crate::scenario::plan::network::steady_for as default_steady_for;
use crate::scenario::resolve::network;
use crate::world::ImpairmentKind;

/// What passes between the two sides takes longer.
pub(super) type Latency = OfNetwork<Added>;

/// Time that packets take on top.
#[derive(Debug, Clone)]
pub struct Added {
    /// So much, one way.
    pub add: Distribution,
    /// For how long that stays alike.
    pub steady_for: Duration,
}

table! {
    /// As it is written.
    pub(crate) struct Written {
        /// How much longer, one way: a distribution over time.
        add: Distribution = Required::BARE,
        /// How long that stays alike; at least 10us.
        steady_for: Quantity = "twice its mean, at least 1 ms",
    }
}

impl Effect for Added {
    const NAME: &'static str = "latency";
    const ABOUT: &'static str = "Packets take longer.";
    type Written = Written;

    fn resolve(written: Self::Written, context: &mut Context<'_>) -> Option<Self> {
        let steady_for = network::steady_for(written.steady_for.as_ref(), context);
        let add = written.add?.value;
        let steady_for = steady_for.unwrap_or_else(|| default_steady_for(&add));
        Some(Self { add, steady_for })
    }

    fn in_words(&self, between: &str) -> String {
        format!("packets {between} take {} longer", self.add)
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let (least, most) = drawing.plan.explore.add;
        let add = dice.between((least.as_secs_f64(), most.as_secs_f64()));
        // No finer than people say it: three figures.
        let grain = 10_f64.powf(add.log10().floor() - 2.0);
        let micros = ((add / grain).round() * grain * 1e6).round().max(1.0);
        vec![("add", text(Duration::from_micros(micros as u64)))]
    }

    fn impairment(&self) -> ImpairmentKind {
        ImpairmentKind::Latency { add: self.add.clone(), steady_for: self.steady_for }
    }
}
