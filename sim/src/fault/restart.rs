//! `restart`: pods are restarted one after the other, as a rolling update does it.

use std::time::Duration;

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context, table};
use hoplab_proxy::host::Host;

use super::dice::{Dice, Drawing, Entries, rounded, text};
use super::sides::{WrittenTarget, pods};
use super::{Aim, Fault, Run};
use crate::pods::Instance;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::Target;
use crate::scenario::resolve::surroundings::Surroundings;

/// How long a restarted pod is away, unless it is said: a small process's start.
const DOWN: Duration = Duration::from_secs(1);

/// Pods are restarted one after the other, each at its share of the fault's time.
#[derive(Debug, Clone)]
pub struct Restart {
    /// Where.
    pub target: Target,
    /// How long a pod may finish what it has begun, while it takes no new connection.
    pub drain: Duration,
    /// How long a pod is away after that.
    pub down: Duration,
}

table! {
    /// As it is written.
    pub(crate) struct Written {
        /// For how long a pod may finish what it has begun, while it takes no new connection.
        drain: Quantity = "`\"0s\"`",
        /// How long a pod is away after that.
        down: Quantity = DOWN,
        ..
        /// Where.
        target: WrittenTarget,
    }
}

impl Fault for Restart {
    const KEY: &'static str = "restart";
    const ABOUT: &'static str = "Pods are restarted one after the other, at equal parts of `for`.";
    type Written = Written;

    fn resolve(
        written: Self::Written,
        lasts: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let time = |at: Option<At<Quantity>>, default| at.map_or(default, |at| at.value.0);
        let target = surroundings.target(written.target, context)?;
        let (drain, down) = (time(written.drain, Duration::ZERO), time(written.down, DOWN));
        // Pods are back before it is the next one's turn.
        let needed = (drain + down) * surroundings.pods_of(target);
        if let Some(lasts) = lasts.filter(|lasts| needed > lasts.value.0) {
            let fact = format!("restarting takes {}", Quantity(needed));
            let hint = "pods are restarted one after the other: make \"for\" at least pods x (drain + down)";
            context.error(lasts.place, fact).hint(hint);
        }
        Some(Self { target, drain, down })
    }

    fn in_words(&self, services: &[Service]) -> String {
        let (drain, down) = (Quantity(self.drain), Quantity(self.down));
        format!("{} restarts pod by pod: {drain} to drain, {down} away", pods(services, self.target))
    }

    fn aim(&self) -> Aim {
        Aim::Pods(self.target)
    }

    fn renews(&self) -> Option<Target> {
        Some(self.target)
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let mut entries = dice.pods(drawing);
        // Each pod has its turn within the fault's time.
        let turn = drawing.lasts / drawing.service().replicas.max(1);
        entries.push(("drain", text(rounded(turn.mul_f64(0.3)))));
        entries.push(("down", text(rounded(turn.mul_f64(0.5)))));
        entries
    }

    async fn run(&self, run: &Run<'_>) {
        let pods = run.pods.of(self.target);
        // An architecture without a gateway has none to restart.
        let count = u32::try_from(pods.len()).expect("pods are counted in 32 bits").max(1);
        let turn = (run.end - run.start) / count;
        for (pod, number) in pods.into_iter().zip(0..) {
            run.host.sleep_until(run.start + turn * number).await;
            self.restart(run, pod).await;
            run.hit(1);
        }
        run.until_end().await;
    }
}

impl Restart {
    /// A pod that drains is told to stop, and is killed when its time is over, whether it is done or not. It is held
    /// from the first on, so that one that crashes while it drains is not brought back for the rest of that.
    async fn restart(&self, run: &Run<'_>, pod: Instance) {
        let host = &run.host;
        let killed = host.now() + self.drain;
        run.pods.hold(pod);
        if !self.drain.is_zero() {
            run.pods.stop(pod);
        }
        host.sleep_until(killed).await;
        run.pods.kill(pod);
        host.sleep_until(killed + self.down).await;
        run.let_go(pod);
    }
}
