//! What a proxy's work costs: processor time, latency and memory, per kind of proxy.
//! Translates [`Work`], which counts what was done, into time on a core.

mod latency;

use std::time::Duration;

use hoplab_proxy::host::Work;

pub use latency::{Latency, Point};

/// The price list of one kind of proxy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Costs {
    /// Processor time per request.
    pub request: Duration,
    /// Processor time per request that nobody waits for, as telemetry takes it: right after `request`, but not on the
    /// request's own way.
    pub after: Duration,
    /// Latency per request, on no core.
    pub latency: Latency,
    /// Processor time per KiB of body in the clear.
    pub kib: Duration,
    /// Processor time per KiB of body encrypted or decrypted.
    pub tls_kib: Duration,
    /// Processor time per TLS handshake, one side.
    pub handshake: Duration,
    /// Processor time per accepted connection.
    pub connection: Duration,
    /// Bytes of memory that one takes, without connections.
    pub memory: u64,
    /// Bytes of memory that each of its connections takes besides.
    pub connection_memory: u64,
}

/// What one piece of [`Work`] costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Time on a core spent in cryptography.
    pub tls: Duration,
    /// All other time on a core.
    pub cpu: Duration,
    /// Time on a core that nobody waits for.
    pub after: Duration,
}

impl Costs {
    /// What a gateway's work costs unless a scenario says otherwise: as `cargo bench -p hoplab-benches
    /// --bench costs` measured on the `hoplab` command over loopback, the kernel's share included (2 cores of
    /// a virtual x86-64 server, 2026-11-23, rounded to two figures).
    pub const GATEWAY: Self = Self::measured(18_000, 11_000);

    /// What a sidecar's work costs unless a scenario says otherwise, each side; measured likewise.
    pub const SIDECAR: Self = Self::measured(20_000, 16_000);

    /// What was measured, where a request and an accepted connection take so many nanoseconds; all else is the same for
    /// gateways and sidecars.
    const fn measured(request: u64, connection: u64) -> Self {
        Self {
            request: Duration::from_nanos(request),
            after: Duration::ZERO,
            latency: Latency::NONE,
            kib: Duration::from_nanos(210),
            tls_kib: Duration::from_nanos(310),
            handshake: Duration::from_nanos(210_000),
            connection: Duration::from_nanos(connection),
            memory: 0,
            connection_memory: 0,
        }
    }

    /// The price of `work`, but for its latency.
    pub fn price(&self, work: Work) -> Price {
        Price {
            tls: self.handshake * work.handshakes + per_kib(self.tls_kib, work.tls_bytes),
            cpu: self.request * work.requests
                + self.connection * work.connections
                + per_kib(self.kib, work.bytes),
            after: self.after * work.requests,
        }
    }

    /// Whether anything takes any time.
    pub fn take_time(&self) -> bool {
        let Self { request, after: _, latency, kib, tls_kib, handshake, connection, .. } = self;
        [*request, latency.mean(), *kib, *tls_kib, *handshake, *connection].iter().any(|time| !time.is_zero())
    }
}

/// `bytes` at `price` a KiB, rounded down to the nanosecond.
fn per_kib(price: Duration, bytes: u64) -> Duration {
    let nanos = price.as_nanos() * u128::from(bytes) / 1024;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
