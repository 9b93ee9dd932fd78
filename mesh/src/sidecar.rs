//! A sidecar: the inbound and the outbound side of one pod, started and stopped together.
//!
//! Read it in this order: [`serve`], then `outbound` (with `directory`: which service is meant) and
//! `inbound`. Owns the order of an orderly end; accepting, forwarding and pools are the data plane's.

mod directory;
mod inbound;
mod outbound;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::server::{self, Security, Settings};
use hoplab_proxy::tasks::{Spawner, Tasks};
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
    host: H,
    tasks: Tasks,
    spawner: Spawner<H>,
    inbound: Side<H, Inbound<H>>,
    outbound: Side<H, Outbound<H>>,
}

/// One side: where it listens, who answers, and how its connections are secured.
struct Side<H: Host, A> {
    listener: H::Listener,
    address: SocketAddr,
    handler: Arc<A>,
    security: Security,
}

impl<H: Host> Sidecar<H> {
    /// Binds the ports of the sidecar that `plan` describes.
    pub async fn bind(host: H, plan: Plan, seed: u64) -> io::Result<Self> {
        let tasks = Tasks::default();
        let spawner = tasks.spawner(host.clone());
        let security = inbound::security(&host, &plan);
        let handler = Arc::new(Inbound::new(&host, &spawner, &plan, seed));
        let listener = host.bind(plan.inbound.listen).await?;
        let address = listener.local_addr()?;
        let inbound = Side { listener, address, handler, security };

        let listener = host.bind(plan.outbound).await?;
        let address = listener.local_addr()?;
        let handler = Arc::new(Outbound::new(&host, &spawner, &plan, address.port(), seed));
        let outbound = Side { listener, address, handler, security: Security::Plain };
        Ok(Self { host, tasks, spawner, inbound, outbound })
    }

    /// Where the inbound side listens.
    pub fn inbound_address(&self) -> SocketAddr {
        self.inbound.address
    }

    /// Where the outbound side listens.
    pub fn outbound_address(&self) -> SocketAddr {
        self.outbound.address
    }

    /// Serves until `shutdown` completes, then brings both sides to an end, the inbound side first: the
    /// app needs the outbound one to finish what it is doing for others.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { host, tasks, spawner, inbound, outbound } = self;
        let (stop_outbound, outbound_stopped) = oneshot::channel::<()>();
        let inbound = async {
            let Side { listener, handler, security, .. } = inbound;
            let drain_timeout = INBOUND_DRAIN_TIMEOUT;
            let settings = Settings { security, drain_timeout, ..Settings::default() };
            server::serve(host.clone(), spawner.clone(), listener, handler, settings, shutdown).await;
            drop(stop_outbound);
        };
        let outbound = async {
            let Side { listener, handler, security, .. } = outbound;
            let drain_timeout = OUTBOUND_DRAIN_TIMEOUT;
            let settings = Settings { security, drain_timeout, ..Settings::default() };
            handler.know_pods(&host).await;
            // The other end is dropped when the inbound side is done.
            let stopped = async { drop(outbound_stopped.await) };
            server::serve(host.clone(), spawner.clone(), listener, handler, settings, stopped).await;
        };
        tokio::join!(inbound, outbound);
        drop(tasks);
    }
}

/// The seed of one part of a sidecar, so that parts do not share streams.
fn seed_of(seed: u64, part: &str) -> u64 {
    xxh3_64_with_seed(part.as_bytes(), seed)
}
