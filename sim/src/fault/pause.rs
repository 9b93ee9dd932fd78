//! `pause`: the applications of pods stand still (`SIGSTOP`, a long collection of garbage) while their kernels and
//! sidecars live: connections are accepted, bytes received, and nobody answers. Timers that run out meanwhile are late.
//!
//! A sidecar that shares its application's cores has none to work on meanwhile.

use hoplab_proxy::quantity::Duration as Quantity;

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenTarget, pods, target};
use super::{Aim, Fault, Run};
use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::Target;
use crate::scenario::reader::{Context, Table};
use crate::scenario::resolve::surroundings::Surroundings;

/// Applications stand still.
#[derive(Debug, Clone)]
pub struct Pause {
    /// Where.
    pub target: Target,
}

impl Fault for Pause {
    const KEY: &'static str = "pause";
    type Written = WrittenTarget;

    fn read(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Self::Written> {
        Some(target(table, context))
    }

    fn resolve(
        written: Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        Some(Self { target: surroundings.target(written, context)? })
    }

    fn in_words(&self, services: &[Service]) -> String {
        format!("{} stands still", pods(services, self.target))
    }

    fn aim(&self) -> Aim {
        Aim::Pods(self.target)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        dice.pods(drawing)
    }

    async fn run(&self, run: &Run<'_>) {
        let pods = run.pods.of(self.target).into_iter();
        let world = run.pods.world();
        run.trouble(pods.map(|place| world.pause(run.pods.id(place))).collect()).await;
    }
}
