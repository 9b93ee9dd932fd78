//! `hoplab gateway` and `hoplab sidecar`: the products on real sockets, until SIGTERM or SIGINT, which
//! drain them. What was served is told on standard error at the end.

use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use hoplab_gateway::Gateway;
use hoplab_mesh::sidecar::Sidecar;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::telemetry::{Observer, Report};
use tokio::signal::unix::{SignalKind, signal};

use crate::End;
use crate::arguments::LiveArguments;

/// Serves as the gateway.
pub(crate) fn gateway(arguments: &LiveArguments) -> anyhow::Result<End> {
    let text = read(&arguments.config)?;
    let plan = match hoplab_gateway::Plan::read(&text) {
        Ok(plan) => plan,
        Err(problems) => {
            for problem in problems {
                report(arguments, &text, problem.place.start, &problem.fact, problem.hint.as_deref());
            }
            return Ok(End::Unusable);
        }
    };
    serve(arguments, |host, seed| async move {
        let gateway = Gateway::bind(host, plan).await?;
        eprintln!("gateway listens on {}", gateway.local_addr()?);
        gateway.run(seed, stopped()).await;
        Ok(())
    })
}

/// Serves as a sidecar.
pub(crate) fn sidecar(arguments: &LiveArguments) -> anyhow::Result<End> {
    let text = read(&arguments.config)?;
    let config: hoplab_mesh::config::Config = match toml::from_str(&text) {
        Ok(config) => config,
        Err(error) => {
            report(arguments, &text, error.span().map_or(0, |span| span.start), error.message(), None);
            return Ok(End::Unusable);
        }
    };
    let folder = arguments.config.parent().unwrap_or(Path::new(""));
    let plan =
        match hoplab_mesh::plan::Plan::resolve(&config, |path| std::fs::read_to_string(folder.join(path))) {
            Ok(plan) => plan,
            Err(errors) => {
                for error in errors {
                    eprintln!("{}: {error}", arguments.config.display());
                }
                return Ok(End::Unusable);
            }
        };
    serve(arguments, |host, seed| async move {
        let service = Arc::clone(&plan.service);
        let sidecar = Sidecar::bind(host, plan, seed).await?;
        let (inbound, outbound) = (sidecar.inbound_address(), sidecar.outbound_address());
        eprintln!("sidecar of {service} listens on {inbound} (inbound) and {outbound} (outbound)");
        sidecar.serve(stopped()).await;
        Ok(())
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Says what is wrong with a configuration, and where: `offset` bytes into its text.
fn report(arguments: &LiveArguments, text: &str, offset: usize, fact: &str, hint: Option<&str>) {
    let before = &text[..offset.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    eprintln!("{}:{line}:{column}: {fact}", arguments.config.display());
    if let Some(hint) = hint {
        eprintln!("help: {hint}");
    }
}

/// Runs a product on this machine.
fn serve<F>(arguments: &LiveArguments, product: impl FnOnce(Live, u64) -> F) -> anyhow::Result<End>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.workers.max(1))
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let served = Arc::new(Served::default());
    let ended = runtime.block_on(async {
        let host = Live::new(Hears(Arc::clone(&served)));
        #[expect(clippy::disallowed_methods, reason = "the product is one task, so that it runs on a worker")]
        tokio::spawn(product(host, entropy())).await
    });
    eprintln!("served {served}");
    ended
        .context("the server panicked")?
        .with_context(|| format!("cannot serve {}", arguments.config.display()))?;
    Ok(End::Well)
}

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

/// What a live product has done.
#[derive(Debug, Default)]
struct Served {
    requests: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
}

/// The observer's end of what was served.
struct Hears(Arc<Served>);

impl Observer for Hears {
    fn observe(&self, report: Report) {
        match report {
            Report::Span(span) => {
                self.0.requests.fetch_add(1, Ordering::Relaxed);
                self.0.failed.fetch_add(u64::from(!span.outcome.is_ok()), Ordering::Relaxed);
            }
            Report::Panicked => {
                self.0.panicked.fetch_add(1, Ordering::Relaxed);
            }
            Report::Breaker(moved) => {
                let endpoint = moved.endpoint.as_deref().unwrap_or("all endpoints");
                eprintln!("breaker of {} ({endpoint}): {:?}", moved.upstream, moved.state);
            }
        }
    }
}

impl std::fmt::Display for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(f, "{} requests, {} of them failed", count(&self.requests), count(&self.failed))?;
        if count(&self.panicked) > 0 {
            write!(f, "; {} tasks panicked: a bug of hoplab", count(&self.panicked))?;
        }
        Ok(())
    }
}
