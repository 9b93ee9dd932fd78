//! `slow`: the cores of pods take several times as long for the same work, while it lasts.

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context, Required, table};
use toml_edit::Value;

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenTarget, pods};
use super::{Aim, Fault, Run};
use crate::figures::{Unit, number};
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::Target;
use crate::scenario::resolve::bounds;
use crate::scenario::resolve::surroundings::Surroundings;

/// Work takes `times` as long.
#[derive(Debug, Clone)]
pub struct Slow {
    /// Where.
    pub target: Target,
    /// 0.01 to 1,000,000.
    pub times: f64,
}

table! {
    /// As it is written.
    pub(crate) struct Written {
        /// How many times as long.
        times: f64 = Required::BARE,
        ..
        /// Where.
        target: WrittenTarget,
    }
}

impl Fault for Slow {
    const KEY: &'static str = "slow";
    const ABOUT: &'static str =
        "Work takes so many times as long while it lasts, also what is under way or waits.";
    type Written = Written;

    fn resolve(
        written: Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let target = surroundings.target(written.target, context);
        Some(Self { target: target?, times: bounds::factor(&written.times?, context) })
    }

    fn in_words(&self, services: &[Service]) -> String {
        let times = number(Unit::Ratio, self.times);
        format!("{} works {times} times as long", pods(services, self.target))
    }

    fn aim(&self) -> Aim {
        Aim::Pods(self.target)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let mut entries = dice.pods(drawing);
        let times = dice.between(drawing.plan.explore.times);
        entries.push(("times", Value::from((times * 10.0).round() / 10.0)));
        entries
    }

    async fn run(&self, run: &Run<'_>) {
        let world = run.pods.world();
        let pods = run.pods.of(self.target).into_iter();
        run.trouble(pods.map(|place| world.slow(run.pods.id(place), self.times)).collect()).await;
    }
}
