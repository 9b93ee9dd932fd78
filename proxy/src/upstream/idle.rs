//! The idle timeout of a stream, as Envoy's `stream_idle_timeout`: when nothing passed for so long, either way, the
//! attempt is over. Before the answer's head it is an attempt that was late, after it the answer breaks off.
//!
//! What passes is content and heads, a frame at a time, as this hop sees them. A caller that does not read lets
//! nothing pass, either. Not here: idle connections, which are the pool's matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::body::Body;
use crate::host::{Host, Instant};

/// Nothing has passed yet.
const NOTHING: u64 = u64::MAX;

/// Watches the stream of one attempt. Cloning gives another handle.
#[derive(Clone)]
pub(super) struct Idle<H> {
    host: H,
    timeout: Duration,
    /// When something passed last, in nanoseconds since the host's start.
    last_nanos: Arc<AtomicU64>,
}

impl<H: Host> Idle<H> {
    /// A stream that may be idle for `timeout`, once something has passed.
    pub(super) fn new(host: H, timeout: Duration) -> Self {
        Self { host, timeout, last_nanos: Arc::new(AtomicU64::new(NOTHING)) }
    }

    /// Something passes.
    pub(super) fn passes(&self) {
        self.last_nanos.store(self.host.now().nanos(), Ordering::Relaxed);
    }

    /// The request's content, which passes frame by frame.
    pub(super) fn watched(&self, body: Body) -> Body {
        let idle = self.clone();
        body.tapped(move |_| idle.passes())
    }

    /// When to look whether it is idle.
    pub(super) fn due(&self) -> Instant {
        self.until().min(self.host.now() + self.timeout)
    }

    /// Until when something must pass.
    pub(super) fn until(&self) -> Instant {
        match self.last_nanos.load(Ordering::Relaxed) {
            NOTHING => Instant::NEVER,
            last => Instant::from_nanos(last) + self.timeout,
        }
    }
}
