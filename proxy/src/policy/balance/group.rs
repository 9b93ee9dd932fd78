//! A group of endpoints that is taken for as good as it is healthy, times a factor of overprovisioning: Envoy's
//! availability of a priority level.

/// How many of a group's endpoints are healthy.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Group {
    healthy: u32,
    all: u32,
}

impl Group {
    /// One more endpoint, which is healthy.
    pub(super) fn add(&mut self) {
        self.all += 1;
        self.healthy += 1;
    }

    /// How many endpoints it has.
    pub(super) fn all(self) -> u32 {
        self.all
    }

    /// One endpoint turned healthy, or is so no more.
    pub(super) fn observe_health(&mut self, healthy: bool) {
        self.healthy = if healthy { self.healthy + 1 } else { self.healthy - 1 };
    }

    /// The share that is healthy; none of none.
    pub(super) fn health(self) -> f64 {
        f64::from(self.healthy) / f64::from(self.all.max(1))
    }

    /// The share of all requests that it is good for.
    pub(super) fn goodness(self, factor: f64) -> f64 {
        (factor * f64::from(self.healthy) / f64::from(self.all.max(1))).min(1.0)
    }
}
