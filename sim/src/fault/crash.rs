//! `crash`: pods stop at once and start anew when nothing holds them down any more.

use hoplab_proxy::quantity::Duration as Quantity;

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenTarget, pods, target};
use super::{Aim, Fault, Run};
use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::Target;
use crate::scenario::reader::{Context, Table};
use crate::scenario::resolve::surroundings::Surroundings;

/// Pods stop at once and start anew at the end.
#[derive(Debug, Clone)]
pub struct Crash {
    /// Where.
    pub target: Target,
}

impl Fault for Crash {
    const KEY: &'static str = "crash";
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
        format!("{} is down", pods(services, self.target))
    }

    fn aim(&self) -> Aim {
        Aim::Pods(self.target)
    }

    fn renews(&self) -> Option<Target> {
        Some(self.target)
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        dice.pods(drawing)
    }

    async fn run(&self, run: &Run<'_>) {
        let pods = run.pods.of(self.target);
        for pod in &pods {
            run.pods.hold(*pod);
            run.pods.kill(*pod);
            run.hit(1);
        }
        run.until_end().await;
        for pod in pods {
            run.let_go(pod);
        }
    }
}
