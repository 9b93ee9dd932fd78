//! `hoplab gateway` and `hoplab sidecar`: the products on real sockets, until SIGTERM or SIGINT, which
//! drain them. What was served is told on standard error at the end; what else they tell, and where, is
//! [`outlets`]' matter.

mod lines;
mod outlets;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use hoplab_config::{Context, file};
use hoplab_gateway::Gateway;
use hoplab_mesh::sidecar::Sidecar;
use hoplab_proxy::admin::Admin;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::telemetry::metrics::Served;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::arguments::LiveArguments;
use crate::end::End;
use crate::terminal;
use outlets::Opened;

/// Serves as the gateway.
pub(crate) fn gateway(arguments: &LiveArguments) -> anyhow::Result<End> {
    let Some(plan) = load(arguments, hoplab_gateway::Plan::document) else { return Ok(End::Unusable) };
    let outlets = plan.outlets.clone();
    serve(arguments, "hoplab-gateway", &outlets, |host, seed, desk| async move {
        let gateway = Gateway::bind(host, plan).await?;
        eprintln!("gateway listens on {}", gateway.local_addr()?);
        desk.beside(|stopped| gateway.run(seed, stopped)).await
    })
}

/// Serves as a sidecar.
pub(crate) fn sidecar(arguments: &LiveArguments) -> anyhow::Result<End> {
    let Some(plan) = load(arguments, hoplab_mesh::Plan::document) else { return Ok(End::Unusable) };
    let (name, outlets) = (format!("hoplab-sidecar-{}", plan.service), plan.outlets.clone());
    serve(arguments, &name, &outlets, |host, seed, desk| async move {
        let service = Arc::clone(&plan.service);
        let sidecar = Sidecar::bind(host, plan, seed).await?;
        let (inbound, outbound) = (sidecar.inbound_address(), sidecar.outbound_address());
        eprintln!("sidecar of {service} listens on {inbound} (inbound) and {outbound} (outbound)");
        desk.beside(|stopped| sidecar.serve(stopped)).await
    })
}

/// What the configuration means, or `None`; tells what is wrong with it, or worth a look.
fn load<T>(arguments: &LiveArguments, document: impl FnOnce(&mut Context<'_>) -> Option<T>) -> Option<T> {
    match file::load(&arguments.config, document) {
        Ok(loaded) => {
            terminal::problems(&loaded.warnings);
            Some(loaded.value)
        }
        Err(problems) => {
            terminal::problems(&problems);
            None
        }
    }
}

/// Runs a product on this machine, which calls itself `name`.
fn serve<F>(
    arguments: &LiveArguments,
    name: &str,
    outlets: &Outlets,
    product: impl FnOnce(Live, u64, Desk) -> F,
) -> anyhow::Result<End>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let seed = entropy();
    let folder = arguments.config.parent().unwrap_or(Path::new(""));
    let opened = Opened::open(outlets, folder, name, seed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.workers.max(1))
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let admin = Admin { metrics: opened.metrics().clone(), ..Admin::default() };
    let ended = runtime.block_on(async {
        let host = Live::new(opened.observer());
        let desk = Desk { host: host.clone(), address: outlets.admin, admin };
        #[expect(clippy::disallowed_methods, reason = "the product is one task, so that it runs on a worker")]
        tokio::spawn(product(host, seed, desk)).await
    });
    // What was cut is reported when its task is dropped.
    drop(runtime);
    eprintln!("{}", in_words(opened.metrics().served()));
    opened.close();
    ended
        .context("the server panicked")?
        .with_context(|| format!("cannot serve {}", arguments.config.display()))?;
    Ok(End::Well)
}

/// Where people ask about a product: its admin port, and the signal that stops it.
struct Desk {
    host: Live,
    /// Where the admin port is to be; nowhere when `None`.
    address: Option<SocketAddr>,
    admin: Admin,
}

impl Desk {
    /// Runs `product`, which gets what tells it to stop, with the admin port open beside it until it has ended.
    async fn beside<F: Future>(self, product: impl FnOnce(Stopped) -> F) -> io::Result<()> {
        let Self { host, address, admin } = self;
        let readiness = admin.readiness.clone();
        let stopped: Stopped = Box::pin(async move {
            stopped().await;
            readiness.drain();
        });
        let Some(address) = address else {
            product(stopped).await;
            return Ok(());
        };
        let listener = host.bind(address).await?;
        eprintln!("admin listens on {}", listener.local_addr()?);
        let (end, ended) = oneshot::channel::<()>();
        let product = async {
            product(stopped).await;
            drop(end);
        };
        tokio::join!(product, admin.serve(host, listener, async { drop(ended.await) }));
        Ok(())
    }
}

/// Completes when the product is to stop.
type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Completes at the first SIGTERM or SIGINT.
async fn stopped() {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                biased;
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        // Without signals there is no graceful stop; serving goes on.
        _ => std::future::pending().await,
    }
}

/// A seed for what needs no secrecy: span ids, jitter, the order of endpoints.
fn entropy() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "live traffic is not replayed")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id()) << 32
}

/// What the product did, for the end of its run.
fn in_words(served: Served) -> String {
    let Served { requests, failed, panicked } = served;
    let words = format!("served {requests} requests, {failed} of them failed");
    if panicked == 0 { words } else { format!("{words}; {panicked} tasks panicked: a bug of hoplab") }
}
