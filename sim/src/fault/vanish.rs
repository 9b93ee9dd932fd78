//! `vanish`: machines are gone without a word (power, a kernel's panic, an instance reclaimed): nobody is told, what is
//! sent there is lost, and peers hold half-open connections until they send and wait in vain, or until the machine is
//! back and answers what it knows nothing of with a reset.

use hoplab_proxy::quantity::Duration as Quantity;

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenTarget, pods, target};
use super::{Aim, Fault, Run};
use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Side, Target, Ways};
use crate::scenario::reader::{Context, Table};
use crate::scenario::resolve::surroundings::Surroundings;
use crate::world::{Impairment, ImpairmentKind};

/// Pods are gone without a word, and start anew at the end.
#[derive(Debug, Clone)]
pub struct Vanish {
    /// Where.
    pub target: Target,
}

impl Fault for Vanish {
    const KEY: &'static str = "vanish";
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
        format!("{} is gone without a word", pods(services, self.target))
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
        let world = run.pods.world();
        let around = Between { a: Side::Pods(self.target), b: None, ways: Ways::Both, connections: 1.0 };
        let (a, b) = run.pods.sides(around);
        let (ways, connections) = (around.ways, around.connections);
        let cut = world.impair(Impairment { a, b, ways, connections, kind: ImpairmentKind::Partition });
        let pods = run.pods.of(self.target);
        for pod in &pods {
            run.pods.hold(*pod);
            world.forget(run.pods.id(*pod));
            run.pods.kill(*pod);
            run.hit(1);
        }
        run.until_end().await;
        world.lift(cut);
        for pod in pods {
            run.let_go(pod);
        }
    }
}
