//! What a proxy's work costs: processor time and fixed latency, per kind of proxy.
//! Translates [`Work`], which counts what was done, into time on a core.

use std::time::Duration;

use hoplab_proxy::host::Work;

/// The price list of one kind of proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// Processor time per request.
    pub request: Duration,
    /// Fixed latency per request, on no core.
    pub latency: Duration,
    /// Processor time per KiB of body in the clear.
    pub kib: Duration,
    /// Processor time per KiB of body encrypted or decrypted.
    pub tls_kib: Duration,
    /// Processor time per TLS handshake, one side.
    pub handshake: Duration,
    /// Processor time per accepted connection.
    pub connection: Duration,
}

/// What one piece of [`Work`] costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Time on a core spent in cryptography.
    pub tls: Duration,
    /// All other time on a core.
    pub cpu: Duration,
    /// Time on no core, afterwards.
    pub latency: Duration,
}

impl Costs {
    /// What a gateway's work costs unless a scenario says otherwise: as `cargo bench -p hoplab-benches
    /// --bench costs` measured on the `hoplab` command over loopback, the kernel's share included (2 cores of
    /// a virtual x86-64 server, 2026-11-23, rounded to two figures).
    pub const GATEWAY: Self = Self {
        request: Duration::from_nanos(18_000),
        latency: Duration::ZERO,
        kib: Duration::from_nanos(210),
        tls_kib: Duration::from_nanos(310),
        handshake: Duration::from_nanos(210_000),
        connection: Duration::from_nanos(11_000),
    };

    /// What a sidecar's work costs unless a scenario says otherwise, each side; measured likewise.
    pub const SIDECAR: Self = Self {
        request: Duration::from_nanos(20_000),
        connection: Duration::from_nanos(16_000),
        ..Self::GATEWAY
    };

    /// The price of `work`.
    pub fn price(&self, work: Work) -> Price {
        Price {
            tls: self.handshake * work.handshakes + per_kib(self.tls_kib, work.tls_bytes),
            cpu: self.request * work.requests
                + self.connection * work.connections
                + per_kib(self.kib, work.bytes),
            latency: self.latency * work.requests,
        }
    }
}

/// `bytes` at `price` a KiB, rounded down to the nanosecond.
fn per_kib(price: Duration, bytes: u64) -> Duration {
    let nanos = price.as_nanos() * u128::from(bytes) / 1024;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
