//! A sidecar: the inbound and the outbound side of one pod, started and stopped together.
//!
//! Read it in this order: [`serve`], then `outbound` (with `directory`: which service is meant) and
//! `inbound`. Owns the order of an orderly end; accepting, forwarding and pools are the data plane's.

mod directory;
mod inbound;
mod outbound;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::server::{Port, PortControl, Settings};
use hoplab_proxy::tasks::{Spawner, Tasks};
use hoplab_proxy::upstream::Succession;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::plan::Plan;
use inbound::Inbound;
use outbound::Outbound;

/// How long requests to the app may take when the sidecar is told to stop. With the outbound side's
/// time it stays under the 30 s after which Kubernetes kills.
const INBOUND_DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the app's own requests may take after that (Istio's `terminationDrainDuration`).
const OUTBOUND_DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the sidecar that `plan` describes until `shutdown` completes and what was in flight is done.
/// Dropping the future ends everything at once. `seed` decides on ids, jitter and first choices; no two sidecars
/// of a mesh should have the same.
pub async fn serve<H: Host>(
    host: H,
    plan: Plan,
    seed: u64,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    Sidecar::bind(host, plan, seed).await?.serve(shutdown).await;
    Ok(())
}

/// A sidecar whose ports are bound, and which serves nobody yet.
pub struct Sidecar<H: Host> {
    service: Arc<str>,
    tasks: Tasks,
    inbound: Port<H, Inbound<H>>,
    outbound: Port<H, Outbound<H>>,
    succession: Succession<H>,
    control: Control<H>,
}

/// Changes a sidecar that runs.
#[derive(Clone)]
pub struct Control<H: Host> {
    host: H,
    spawner: Spawner<H>,
    seed: u64,
    /// How often it was changed.
    changes: u64,
    inbound: PortControl<H, Inbound<H>>,
    outbound: PortControl<H, Outbound<H>>,
}

impl<H: Host> Sidecar<H> {
    /// Binds the ports of the sidecar that `plan` describes.
    pub async fn bind(host: H, plan: Plan, seed: u64) -> io::Result<Self> {
        let tasks = Tasks::default();
        let spawner = tasks.spawner(host.clone());
        let mut succession = Succession::after(Vec::new());
        let settings = inbound_settings(&host, &plan);
        let handler = Inbound::new(&host, &spawner, &plan, seed, (None, &mut succession));
        let listener = host.bind(plan.inbound.listen).await?;
        let inbound = Port::new(plan.inbound.listen, listener, handler, settings);

        let listener = host.bind(plan.outbound).await?;
        let port = listener.local_addr()?.port();
        let handler = Outbound::new(&host, &spawner, &plan, port, seed, &mut succession);
        let outbound = Port::new(plan.outbound, listener, handler, outbound_settings());
        let (inward, outward) = (inbound.control(), outbound.control());
        let control = Control { host, spawner, seed, changes: 0, inbound: inward, outbound: outward };
        Ok(Self { service: plan.service, tasks, inbound, outbound, succession, control })
    }

    /// The service whose pod this is.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Where the inbound side listens.
    ///
    /// # Errors
    ///
    /// Fails when the machine does not know it.
    pub fn inbound_address(&self) -> io::Result<SocketAddr> {
        self.inbound.local_addr()
    }

    /// Where the outbound side listens.
    ///
    /// # Errors
    ///
    /// Fails when the machine does not know it.
    pub fn outbound_address(&self) -> io::Result<SocketAddr> {
        self.outbound.local_addr()
    }

    /// What changes it; there is to be one at a time.
    pub fn control(&self) -> Control<H> {
        self.control.clone()
    }

    /// Serves until `shutdown` completes, then brings both sides to an end, the inbound side first: the
    /// app needs the outbound one to finish what it is doing for others.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { tasks, inbound, outbound, succession, control: Control { host, spawner, .. }, .. } = self;
        let (stop_outbound, outbound_stopped) = oneshot::channel::<()>();
        let inbound = async {
            inbound.serve(host.clone(), spawner.clone(), shutdown).await;
            drop(stop_outbound);
        };
        let outbound = async {
            // The other end is dropped when the inbound side is done.
            let mut stopped = pin!(async { drop(outbound_stopped.await) });
            tokio::select! {
                biased;
                () = &mut stopped => return,
                () = succession.is_known(&host) => {}
            }
            drop(succession);
            outbound.serve(host.clone(), spawner.clone(), stopped).await;
        };
        tokio::join!(inbound, outbound);
        drop(tasks);
    }
}

impl<H: Host> Control<H> {
    /// Makes the sidecar do what `plan` says, as a whole or not at all. Requests that are under way are finished as they
    /// were begun; connections stay open, with the identities that they were opened with. Who is called in the same way
    /// as before goes on with all that is known of its pods, which may be others.
    ///
    /// # Errors
    ///
    /// Fails when an address of the plan is another than before and cannot be listened on.
    pub async fn apply(&mut self, plan: Plan) -> io::Result<()> {
        let (host, spawner) = (&self.host, &self.spawner);
        let inward = self.inbound.bind(host, plan.inbound.listen).await?;
        let outward = self.outbound.bind(host, plan.outbound).await?;
        let (inbound, outbound) = (self.inbound.handler(), self.outbound.handler());
        let port = match &outward {
            Some(listener) => listener.local_addr()?.port(),
            None => outbound.port(),
        };
        let mut succession =
            Succession::after(inbound.upstreams().into_iter().chain(outbound.upstreams()).collect());
        // What counts up from a seed does not meet what another plan has counted.
        let seed = seed_of(self.seed, &format!("plan {}", self.changes + 1));
        let inbound = Inbound::new(host, spawner, &plan, seed, (Some(&inbound), &mut succession));
        let outbound = Outbound::new(host, spawner, &plan, port, seed, &mut succession);
        succession.is_known(host).await;
        succession.carry_out();
        self.inbound.change(plan.inbound.listen, inward, inbound, inbound_settings(host, &plan));
        self.outbound.change(plan.outbound, outward, outbound, outbound_settings());
        self.changes += 1;
        Ok(())
    }
}

/// What connections to the inbound side are accepted by.
fn inbound_settings<H: Host>(host: &H, plan: &Plan) -> Settings {
    let security = inbound::security(host, plan);
    Settings { security, drain_timeout: INBOUND_DRAIN_TIMEOUT, ..Settings::default() }
}

/// What connections to the outbound side are accepted by.
fn outbound_settings() -> Settings {
    Settings { drain_timeout: OUTBOUND_DRAIN_TIMEOUT, ..Settings::default() }
}

/// The seed of one part of a sidecar, so that parts do not share streams.
fn seed_of(seed: u64, part: &str) -> u64 {
    xxh3_64_with_seed(part.as_bytes(), seed)
}
