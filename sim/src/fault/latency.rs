//! `latency`: what passes between two sides of the network takes longer.

use std::time::Duration;

use hoplab_proxy::quantity::Duration as Quantity;

use super::dice::{Dice, Drawing, Entries, text};
use super::sides::{WrittenBetween, between, directed};
use super::{Aim, Fault, Run};
use crate::distribution::Distribution;
use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::network::steady_for as default_steady_for;
use crate::scenario::plan::target::{Between, Target};
use crate::scenario::reader::{Context, Table};
use crate::scenario::resolve::network;
use crate::scenario::resolve::surroundings::Surroundings;
use crate::world::ImpairmentKind;

/// What passes between the two sides takes longer.
#[derive(Debug, Clone)]
pub struct Latency {
    /// Where.
    pub between: Between,
    /// By this much, one way.
    pub add: Distribution,
    /// For how long that stays alike.
    pub steady_for: Duration,
}

/// As it is written.
pub(crate) struct Written {
    between: WrittenBetween,
    add: Option<At<Distribution>>,
    steady_for: Option<At<Quantity>>,
}

impl Fault for Latency {
    const KEY: &'static str = "latency";
    type Written = Written;

    fn read(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Self::Written> {
        Some(Written {
            between: directed(table, context)?,
            add: table.required("add", context),
            steady_for: table.optional("steady_for", context),
        })
    }

    fn resolve(
        written: Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let sides = surroundings.between(written.between, context);
        let steady_for = network::steady_for(written.steady_for.as_ref(), context);
        let add = written.add?.value;
        let steady_for = steady_for.unwrap_or_else(|| default_steady_for(&add));
        Some(Self { between: sides?, add, steady_for })
    }

    fn in_words(&self, services: &[Service]) -> String {
        format!("packets {} take {} longer", between(services, self.between), self.add)
    }

    fn aim(&self) -> Aim {
        Aim::Network(self.between)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let mut entries = dice.directed(drawing);
        let (least, most) = drawing.explore.add;
        let add = dice.between((least.as_secs_f64(), most.as_secs_f64()));
        // No finer than people say it: three figures.
        let grain = 10_f64.powf(add.log10().floor() - 2.0);
        let micros = ((add / grain).round() * grain * 1e6).round().max(1.0);
        entries.push(("add", text(Duration::from_micros(micros as u64))));
        entries
    }

    async fn run(&self, run: &Run<'_>) {
        let kind = ImpairmentKind::Latency { add: self.add.clone(), steady_for: self.steady_for };
        run.impair(self.between, kind).await;
    }
}
