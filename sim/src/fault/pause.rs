//! `pause`: the applications of pods stand still (`SIGSTOP`, a long collection of garbage) while their kernels and
//! sidecars live: connections are accepted, bytes received, and nobody answers. Timers that run out meanwhile are late.
//! It is over for a pod that ends meanwhile: what starts in its place was never stopped.
//!
//! A sidecar that shares its application's cores has none to work on meanwhile.

use super::Run;
use super::of_pods::OfPods;
use crate::scenario::plan::target::Target;

/// Applications stand still.
#[derive(Debug, Clone)]
pub struct Pause {
    /// Where.
    pub target: Target,
}

impl OfPods for Pause {
    const NAME: &'static str = "pause";
    const ABOUT: &'static str = "Applications stand still (`SIGSTOP`, a long collection of garbage) and go on at \
                                the end; kernels and sidecars live.";
    const WORDS: &'static str = "stands still";
    const RENEWS: bool = false;

    fn at(target: Target) -> Self {
        Self { target }
    }

    fn target(&self) -> Target {
        self.target
    }

    async fn carry_out(&self, run: &Run<'_>) {
        let pods = run.pods.of(self.target).into_iter().filter(|place| run.pods.is_up(*place));
        let world = run.pods.world();
        run.trouble(pods.map(|place| world.pause(run.pods.id(place))).collect()).await;
    }
}
