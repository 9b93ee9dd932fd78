//! Hop crossings a wall second: 32 requests in flight around rings of 10, 50 and 200 pods, in the clear and
//! over mutual TLS, in the world and, as far as it can, on the referee. Criterion prints them as
//! elements a second. `cargo bench -p hoplab-benches`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use hoplab_benches::ring::{Policing, Ring, Wires};
use hoplab_benches::{LATENCY, in_the_world, on_the_referee};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Enough requests that connecting, which a ring does once, does not count for much.
const RING: Ring =
    Ring { pods: 10, walkers: 32, requests: 60, hops: 8, wires: Wires::Plain, policies: Policing::Defaults };

fn crossings(criterion: &mut Criterion) {
    for wires in [Wires::Plain, Wires::Mutual] {
        let mut group = criterion.benchmark_group(format!("crossings/{wires:?}").to_lowercase());
        group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(10));
        for pods in [10, 50, 200] {
            let ring = Ring { pods, wires, ..RING };
            group.throughput(Throughput::Elements(ring.crossings()));
            group.bench_with_input(BenchmarkId::new("world", pods), &ring, |bencher, ring| {
                bencher.iter(|| in_the_world(*ring, LATENCY));
            });
        }
        // The referee's ticks cost about the cube of its hosts; 50 would take minutes.
        let ring = Ring { walkers: 64, requests: 4, wires, ..RING };
        group.throughput(Throughput::Elements(ring.crossings()));
        group.bench_with_input(BenchmarkId::new("referee", ring.pods), &ring, |bencher, ring| {
            bencher.iter(|| on_the_referee(*ring, Duration::from_millis(1)));
        });
        group.finish();
    }
}

criterion_group!(benches, crossings);
criterion_main!(benches);
