//! What exploration draws from. Not here: how it draws (`crate::explore`).

use std::time::Duration;

use super::application::ServiceId;

/// What exploration draws from; each range is the smallest and the largest.
#[derive(Debug, Clone, PartialEq)]
pub struct Explore {
    /// How often each kind of fault is drawn in relation to the others, in the order of those.
    pub weights: Vec<f64>,
    /// How many faults there are in a run at most; at least 1.
    pub at_most: u32,
    /// Where.
    pub services: Vec<ServiceId>,
    /// How long a fault lasts.
    pub lasts: (Duration, Duration),
    /// How many times as long work takes.
    pub times: (f64, f64),
    /// How much longer packets take.
    pub add: (Duration, Duration),
    /// Shares of requests that fail, and of segments that are lost.
    pub share: (f64, f64),
    /// How many bits per second what passes between two sides shares.
    pub bandwidth: (u64, u64),
}

impl Default for Explore {
    fn default() -> Self {
        Self {
            weights: Vec::new(),
            at_most: 3,
            services: Vec::new(),
            lasts: (Duration::from_millis(500), Duration::from_secs(10)),
            times: (2.0, 100.0),
            add: (Duration::from_millis(1), Duration::from_millis(500)),
            share: (0.01, 1.0),
            bandwidth: (1_000_000, 100_000_000),
        }
    }
}
