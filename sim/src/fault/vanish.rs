//! `vanish`: machines are gone without a word (power, a kernel's panic, an instance reclaimed): nobody is told, what is
//! sent there is lost, and peers hold half-open connections until they send and wait in vain, or until the machine is
//! back and answers what it knows nothing of with a reset.

use super::Run;
use super::of_pods::OfPods;
use crate::scenario::plan::target::{Between, Side, Target, Ways};
use crate::world::ImpairmentKind;

/// Pods are gone without a word, and start anew at the end.
#[derive(Debug, Clone)]
pub struct Vanish {
    /// Where.
    pub target: Target,
}

impl OfPods for Vanish {
    const NAME: &'static str = "vanish";
    const ABOUT: &'static str = "Machines are gone without a word and start anew at the end; nobody is told.";
    const WORDS: &'static str = "is gone without a word";
    const RENEWS: bool = true;

    fn at(target: Target) -> Self {
        Self { target }
    }

    fn target(&self) -> Target {
        self.target
    }

    async fn carry_out(&self, run: &Run<'_>) {
        let world = run.pods.world();
        let around = Between { a: Side::Pods(self.target), b: None, ways: Ways::Both, connections: 1.0 };
        let cut = run.impaired(around, ImpairmentKind::Partition);
        run.hold_down(self.target, |pod| world.forget(pod)).await;
        world.lift(cut);
    }
}
