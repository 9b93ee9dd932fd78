//! `crash`: pods stop at once and start anew when nothing holds them down any more.

use super::Run;
use super::of_pods::OfPods;
use crate::scenario::plan::target::Target;

/// Pods stop at once and start anew at the end.
#[derive(Debug, Clone)]
pub struct Crash {
    /// Where.
    pub target: Target,
}

impl OfPods for Crash {
    const NAME: &'static str = "crash";
    const ABOUT: &'static str = "Pods stop at once and start anew at the end.";
    const WORDS: &'static str = "is down";
    const RENEWS: bool = true;

    fn at(target: Target) -> Self {
        Self { target }
    }

    fn target(&self) -> Target {
        self.target
    }

    async fn carry_out(&self, run: &Run<'_>) {
        run.hold_down(self.target, |_| {}).await;
    }
}
