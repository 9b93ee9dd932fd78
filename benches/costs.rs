//! What the products' work costs in processor time: the table of `sim/src/costs.rs`, measured on the
//! `hoplab` command over loopback. `cargo bench -p hoplab-benches --bench costs` prints it.
//!
//! The products run as processes of their own and the kernel says how long they were on a core; its own
//! work on the network counts, since a pod pays for it. Wall time plays no role, so a busy machine disturbs
//! little. A request's price is that of 1 KiB less its bytes; a KiB's is the difference between 64 KiB
//! and 1 KiB; TLS's is the difference between the same content behind mutual TLS and in the clear.

use std::path::Path;

use anyhow::Context;
use hoplab_benches::live::products::{self, Product, Sidecars};
use hoplab_benches::live::{Client, Folder, Spread, hoplab, origin, this_thread_nanos};
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::telemetry::{Observer, Report};
use hoplab_proxy::tls::{ClientTls, Identity, Terms};
use tokio::io::AsyncReadExt;

/// The two sizes of content.
const SMALL_BYTES: usize = 1024;
const LARGE_BYTES: usize = 64 * 1024;

/// Requests under way at a time: enough to keep a product busy, too few to be served in batches.
const CONNECTIONS: usize = 8;

/// How much is measured.
struct Size {
    rounds: usize,
    requests: usize,
    large_requests: usize,
    connections: usize,
    handshakes: usize,
}

const FULL: Size =
    Size { rounds: 9, requests: 20_000, large_requests: 4_000, connections: 1_000, handshakes: 500 };
const TINY: Size = Size { rounds: 1, requests: 80, large_requests: 20, connections: 10, handshakes: 5 };

fn main() -> anyhow::Result<()> {
    // `cargo bench` says that it is one; as a test, all is done once.
    let full = std::env::args().any(|argument| argument == "--bench");
    let size = if full { FULL } else { TINY };
    let rig = Rig::start(&hoplab(full)?)?;
    rig.round(&TINY).context("cannot warm up")?;
    let rounds = (0..size.rounds).map(|_| rig.round(&size)).collect::<anyhow::Result<Vec<_>>>()?;
    println!("microseconds on a core, median of {} rounds (smallest … largest)", size.rounds);
    print("gateway", rounds.iter().map(|round| round.gateway));
    print("sidecar", rounds.iter().map(|round| round.sidecar));
    Ok(())
}

/// Nanoseconds on a core for each field of `Costs` that is measured, in its order.
type Prices = [f64; 5];

const FIELDS: [&str; 5] = ["request", "kib", "tls_kib", "handshake", "connection"];

/// One measurement of everything.
struct Round {
    gateway: Prices,
    /// Of one side of a sidecar, the mean of both.
    sidecar: Prices,
}

/// Prints a product's prices, and what of them belongs into `costs.rs`.
fn print(product: &str, rounds: impl Iterator<Item = Prices>) {
    let rounds: Vec<_> = rounds.collect();
    let spreads: Vec<_> = (0..FIELDS.len())
        .map(|field| Spread::of(rounds.iter().map(|prices| prices[field] / 1_000.0)))
        .collect();
    for (name, spread) in FIELDS.iter().zip(&spreads) {
        println!("{product} {name:10} {:8.2} ({:.2} … {:.2})", spread.median, spread.min, spread.max);
    }
    println!("    pub const {}: Self = Self {{", product.to_uppercase());
    for (name, spread) in FIELDS.iter().zip(&spreads) {
        println!("        {name}: Duration::from_nanos({}),", two_figures(spread.median * 1_000.0));
    }
    println!("        latency: Duration::ZERO,\n    }};");
}

/// `nanos` rounded to two figures, as Rust writes it.
fn two_figures(nanos: f64) -> String {
    let scale = 10_f64.powf(nanos.max(1.0).log10().floor() - 1.0);
    let rounded = ((nanos / scale).round() * scale).round() as u64;
    if rounded < 10_000 { rounded.to_string() } else { format!("{}_{:03}", rounded / 1_000, rounded % 1_000) }
}

/// The products, with an origin behind them.
struct Rig {
    gateway: Product,
    sidecars: Sidecars,
    _folder: Folder,
}

impl Rig {
    fn start(hoplab: &Path) -> anyhow::Result<Self> {
        let folder = Folder::new("costs")?;
        let origin = origin::start()?;
        let gateway = products::gateway(hoplab, &folder, origin)?;
        let sidecars = products::sidecars(hoplab, &folder, origin, machine().wall())?;
        Ok(Self { gateway, sidecars, _folder: folder })
    }

    fn round(&self, size: &Size) -> anyhow::Result<Round> {
        let Sidecars { frontend, payment, .. } = &self.sidecars;
        let (request, kib) = slope([&self.gateway], &self.gateway, size)?;
        let (_, sidecar_kib) = slope([payment], payment, size)?;
        let (sidecar_request, both_kib) = slope([frontend, payment], frontend, size)?;
        let tls_kib = both_kib - sidecar_kib;
        let gateway_connection = connection(&self.gateway, size)?;
        let sidecar_connection = connection(payment, size)?;
        let handshake = self.handshake(size, sidecar_connection)?;
        Ok(Round {
            gateway: [request, kib, tls_kib, handshake, gateway_connection],
            sidecar: [sidecar_request, sidecar_kib, tls_kib, handshake, sidecar_connection],
        })
    }

    /// The price of a handshake, the mean of both sides. The connecting side is the products' code on
    /// this thread.
    fn handshake(&self, size: &Size, connection: f64) -> anyhow::Result<f64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let host = machine();
            let payment = &self.sidecars.payment;
            let endpoint = Endpoint::new("127.0.0.1", payment.port);
            let identity = Identity::from_pem(&self.sidecars.caller)?;
            let tls = ClientTls::new(&host, &Terms::mutual(&identity, self.sidecars.callee.clone()));
            let begun = this_thread_nanos()?;
            for _ in 0..size.handshakes {
                host.connect(&endpoint).await?;
            }
            let connected = this_thread_nanos()?;
            let before = payment.program.spent_nanos()?;
            for _ in 0..size.handshakes {
                let mut secured = tls.connect(&host, &endpoint.host, host.connect(&endpoint).await?).await?;
                // The server speaks once it has judged the client.
                secured.stream.read_u8().await?;
            }
            let accepting = payment.program.spent_nanos()? - before;
            let connecting = (this_thread_nanos()? - connected) - (connected - begun);
            let handshakes = size.handshakes as f64;
            Ok(f64::midpoint(accepting / handshakes - connection, connecting / handshakes))
        })
    }
}

/// The price of a connection in the clear: what a request over a new one costs beyond one over an old one.
fn connection(product: &Product, size: &Size) -> anyhow::Result<f64> {
    let before = product.program.spent_nanos()?;
    Client::connect(product.port, 1)?.get(0, size.connections)?;
    let between = product.program.spent_nanos()?;
    for _ in 0..size.connections {
        Client::connect(product.port, 1)?.get(0, 1)?;
    }
    let after = product.program.spent_nanos()?;
    Ok(((after - between) - (between - before)) / size.connections as f64)
}

/// The price of a request and of a KiB of its content at each of `products`, the mean of them, when the
/// first product on the way is `asked`.
fn slope<const N: usize>(
    products: [&Product; N],
    asked: &Product,
    size: &Size,
) -> anyhow::Result<(f64, f64)> {
    let mut client = Client::connect(asked.port, CONNECTIONS)?;
    let mut price = |bytes, requests| -> anyhow::Result<f64> {
        let before = spent_nanos(products)?;
        client.get(bytes, requests)?;
        Ok((spent_nanos(products)? - before) / (requests * N) as f64)
    };
    let small = price(SMALL_BYTES, size.requests)?;
    let large = price(LARGE_BYTES, size.large_requests)?;
    let kib = (large - small) * 1024.0 / (LARGE_BYTES - SMALL_BYTES) as f64;
    Ok((small - kib * SMALL_BYTES as f64 / 1024.0, kib))
}

fn spent_nanos<const N: usize>(products: [&Product; N]) -> anyhow::Result<f64> {
    products.iter().map(|product| product.program.spent_nanos()).sum()
}

/// This machine, as the products know it.
fn machine() -> Live {
    Live::new(Deaf)
}

struct Deaf;

impl Observer for Deaf {
    fn observe(&self, _: Report) {}
}
