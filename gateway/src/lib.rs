//! The API gateway: one entrance for clients, which finds the service that a request is for.
//!
//! Read it in this order: [`config`] (what may be written), [`plan`] (what it means), [`routes`] (which
//! upstream), then [`serve`] here, and `requests`: a request's way through the gateway on one screen.

pub mod config;
pub mod plan;
mod requests;
pub mod routes;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use hoplab_proxy::host::Host;
use hoplab_proxy::server::{Drained, Port, PortControl, Security, Settings};
use hoplab_proxy::tasks::{Spawner, Tasks};
use hoplab_proxy::tls::ServerTls;
use hoplab_proxy::upstream::Succession;

pub use config::Config;
pub use plan::Plan;
use requests::Requests;

/// Serves `plan` until `shutdown` completes, then finishes what is in flight. Dropping the future
/// ends everything at once. `seed` decides on ids, pauses and turns.
pub async fn serve<H: Host>(
    host: H,
    plan: Plan,
    seed: u64,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Drained> {
    Ok(Gateway::bind(host, plan, seed).await?.run(shutdown).await)
}

/// A gateway that has its port and accepts nothing yet.
pub struct Gateway<H: Host> {
    tasks: Tasks,
    port: Port<H, Requests<H>>,
    succession: Succession<H>,
    control: Control<H>,
}

/// Changes a gateway that runs.
#[derive(Clone)]
pub struct Control<H: Host> {
    host: H,
    spawner: Spawner<H>,
    seed: u64,
    /// How often it was changed.
    changes: u64,
    port: PortControl<H, Requests<H>>,
}

impl<H: Host> Gateway<H> {
    /// Takes the port of `plan`. `seed` decides on ids, pauses and turns.
    pub async fn bind(host: H, mut plan: Plan, seed: u64) -> io::Result<Self> {
        let listener = host.bind(plan.listen).await?;
        let tasks = Tasks::default();
        let spawner = tasks.spawner(host.clone());
        let (address, settings) = (plan.listen, settings(&host, &mut plan, seed));
        let (requests, succession) = Requests::new(&host, &spawner, plan, seed, None);
        let port = Port::new(address, listener, requests, settings);
        let control = Control { host, spawner, seed, changes: 0, port: port.control() };
        Ok(Self { tasks, port, succession, control })
    }

    /// The port that was taken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.port.local_addr()
    }

    /// What changes it; there is to be one at a time.
    pub fn control(&self) -> Control<H> {
        self.control.clone()
    }

    /// As [`serve`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Drained {
        let Self { tasks, port, succession, control: Control { host, spawner, .. } } = self;
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            biased;
            () = &mut shutdown => return Drained::Clean,
            () = succession.is_known(&host) => {}
        }
        drop(succession);
        let drained = port.serve(host, spawner, shutdown).await;
        drop(tasks);
        drained
    }
}

impl<H: Host> Control<H> {
    /// Makes the gateway do what `plan` says, as a whole or not at all. Requests that are under way are finished as they
    /// were begun; connections stay open. Who is called in the same way as before goes on with all that is known of its
    /// endpoints, which may be others.
    ///
    /// # Errors
    ///
    /// Fails when the plan's address is another than before and cannot be listened on.
    pub async fn apply(&mut self, mut plan: Plan) -> io::Result<()> {
        let (host, address) = (&self.host, plan.listen);
        let listener = self.port.bind(host, address).await?;
        // What counts up from a seed does not meet what another plan has counted.
        let seed = self.seed ^ (self.changes + 1).rotate_right(16);
        let settings = settings(host, &mut plan, seed);
        let (requests, succession) =
            Requests::new(host, &self.spawner, plan, seed, Some(&self.port.handler()));
        succession.is_known(host).await;
        succession.carry_out();
        self.port.change(address, listener, requests, settings);
        self.changes += 1;
        Ok(())
    }
}

/// What connections are accepted by.
fn settings<H: Host>(host: &H, plan: &mut Plan, seed: u64) -> Settings {
    let mut settings = plan.server.clone();
    let certificates = std::mem::take(&mut plan.certificates);
    if !certificates.is_empty() {
        settings.security = Security::Public(ServerTls::public(host, certificates));
    }
    if let Some(age) = &mut settings.age {
        age.seed = seed;
    }
    settings
}
