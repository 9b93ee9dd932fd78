//! The whole forwarding path: a request through the accept loop, the forwarder, the policies, the pool and
//! back, in a world of two pods, under the default policies and under one of every kind. The time includes the
//! simulation of the network, the same in both; their ratio is what the policies cost a proxy.
//! `cargo bench -p hoplab-benches --bench forwarding`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hoplab_benches::ring::{Policing, Ring, Wires};
use hoplab_benches::{LATENCY, in_the_world};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn forwarding(criterion: &mut Criterion) {
    for wires in [Wires::Plain, Wires::Mutual] {
        let mut group = criterion.benchmark_group(format!("forwarding/{wires:?}").to_lowercase());
        for policies in [Policing::Defaults, Policing::All] {
            let ring = Ring { pods: 2, walkers: 4, requests: 200, hops: 2, wires, policies };
            group.throughput(Throughput::Elements(ring.crossings()));
            group.bench_function(format!("{policies:?}").to_lowercase(), |bencher| {
                bencher.iter(|| in_the_world(ring, LATENCY));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, forwarding);
criterion_main!(benches);
