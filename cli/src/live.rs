//! `hoplab gateway` and `hoplab sidecar`: the products on real sockets, until SIGTERM or SIGINT, which
//! drain them; their files are taken up anew while they run ([`reload`]). What was served is told on standard error at
//! the end; what else they tell, and where, is [`outlets`]' matter.

mod lines;
mod outlets;
mod product;
mod reload;
mod troubles;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use hoplab_config::file::{self, Loaded};
use hoplab_gateway::Gateway;
use hoplab_mesh::sidecar::Sidecar;
use hoplab_proxy::admin::{Admin, Readiness};
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::telemetry::metrics::Served;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::arguments::LiveArguments;
use crate::end::End;
use crate::kind::Kind;
use crate::terminal;
use outlets::Opened;
use product::Product;
use reload::{ShutdownDelay, Told};

/// How often the runtime has something to wake for, in any case: often enough for the shortest timeouts that are usual,
/// and too seldom to be felt.
const PULSE: Duration = Duration::from_millis(250);

/// Serves as the gateway.
pub(crate) fn gateway(arguments: &LiveArguments) -> anyhow::Result<End> {
    serve::<Gateway<Live>>(arguments)
}

/// Serves as a sidecar.
pub(crate) fn sidecar(arguments: &LiveArguments) -> anyhow::Result<End> {
    serve::<Sidecar<Live>>(arguments)
}

/// Runs a product on this machine.
fn serve<P: Product>(arguments: &LiveArguments) -> anyhow::Result<End> {
    let loaded = match file::load(&arguments.config, P::document) {
        Ok(loaded) => loaded,
        Err(problems) => {
            terminal::problems(&problems);
            let kind = Kind::of(&arguments.config);
            if kind != P::KIND {
                terminal::note(&format!("help: this looks like a file for `hoplab {}`", kind.command()));
            }
            return Ok(End::Unusable);
        }
    };
    terminal::problems(&loaded.warnings);
    let seed = entropy();
    let folder = arguments.config.parent().unwrap_or(Path::new(""));
    let outlets = P::outlets(&loaded.value);
    let opened = Arc::new(Opened::open(outlets, folder, &P::name(&loaded.value), seed)?);
    let runtime = runtime(arguments.workers).context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        let host = Live::new(opened.observer());
        let product = run::<P>(arguments, host.clone(), loaded, seed, Arc::clone(&opened));
        #[expect(clippy::disallowed_methods, reason = "the product is one task, so that it runs on a worker")]
        let product = tokio::spawn(product);
        tokio::select! {
            biased;
            ended = product => ended,
            never = pulse(host) => match never {},
        }
    });
    // What was cut is reported when its task is dropped.
    drop(runtime);
    let served = opened.metrics().served();
    // What could not even begin says why, and nothing else.
    if served.requests > 0 || matches!(ended, Ok(Ok(()))) {
        terminal::note(&in_words(served));
    }
    if let Some(opened) = Arc::into_inner(opened) {
        opened.close();
    }
    ended
        .context("the server panicked")?
        .with_context(|| format!("cannot serve {}", arguments.config.display()))?;
    Ok(End::Well)
}

/// What runs a product on so many workers. A single one takes its tasks in their order: what many requests ask of others
/// leaves together then, and those are woken once instead of once each, which is most of what sending costs.
fn runtime(workers: usize) -> io::Result<Runtime> {
    match workers {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        workers => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    }
}

/// Keeps a timer that is due sooner than those of requests. Where one of these is the next to be due, tokio has the
/// runtime woken (a write to its eventfd, and a wait that ends for nothing): for each request that comes alone.
async fn pulse(host: Live) -> Infallible {
    loop {
        host.sleep_until(host.now() + PULSE).await;
    }
}

/// Runs a product, with its admin port open beside it until it has ended.
fn run<P: Product>(
    arguments: &LiveArguments,
    host: Live,
    loaded: Loaded<P::Plan>,
    seed: u64,
    opened: Arc<Opened>,
) -> impl Future<Output = io::Result<()>> + Send + use<P> {
    let outlets: Outlets = P::outlets(&loaded.value).clone();
    let told = Told::new(&arguments.config, &loaded, outlets.clone(), arguments.watch);
    async move {
        let product = P::bind(host.clone(), loaded.value, seed).await?;
        let delay: ShutdownDelay = Arc::new(Mutex::new(outlets.shutdown_delay));
        let admin = Admin { metrics: opened.metrics().clone(), ..Admin::default() };
        let stopped = stopped(host.clone(), admin.readiness.clone(), Arc::clone(&delay));
        // Whoever reads this may send signals, which end who does not hear them.
        terminal::note(&product.listens()?);
        let (end, ended) = oneshot::channel::<()>();
        let follow = told.follow::<P>(host.clone(), product.control(), opened, delay);
        let product = async move {
            tokio::select! {
                biased;
                () = product.run(stopped) => {}
                () = follow => {}
            }
            drop(end);
            Ok(())
        };
        let desk = async {
            let Some(address) = outlets.admin else { return Ok(()) };
            let listener = host.bind(address).await?;
            terminal::note(&format!("admin listens on {}", listener.local_addr()?));
            admin.serve(host.clone(), listener, async { drop(ended.await) }).await;
            Ok(())
        };
        tokio::try_join!(desk, product).map(|_| ())
    }
}

/// Completes when the product is to stop: at the first SIGTERM or SIGINT, of which the admin port tells, and the delay
/// after that; or at the second. They are heard from the call on.
fn stopped(host: Live, readiness: Readiness, delay: ShutdownDelay) -> impl Future<Output = ()> + Send {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        // Without signals there is no graceful stop; serving goes on.
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else { return std::future::pending().await };
        told(&mut terminate, &mut interrupt).await;
        readiness.drain();
        let delay = *delay.lock().unwrap_or_else(PoisonError::into_inner);
        if !delay.is_zero() {
            terminal::note(&format!("stopping: requests are taken for another {delay:?}"));
        }
        tokio::select! {
            biased;
            () = told(&mut terminate, &mut interrupt) => {}
            () = host.sleep_until(host.now() + delay) => {}
        }
    }
}

/// Completes at the next signal.
async fn told(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
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
