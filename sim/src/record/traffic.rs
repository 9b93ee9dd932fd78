//! Requests: what became of them, how long they took, how many were served within a time. What a figure over
//! them means is for [`crate::figures`] to say.

use serde::{Deserialize, Serialize};

use super::interval::Intervals;
use super::latencies::Latencies;
use super::window::Window;

/// Requests and their latencies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// What became of them.
    pub requests: Requests,
    /// Response times from the intended send, of those that were served well: answered with a status below 500 that
    /// is no refusal.
    pub latency: Latencies,
    /// The same of all others that ended: failed, timed out or refused.
    #[serde(default)]
    pub failed_latency: Latencies,
    /// Good answers that were given in this part of the run, whenever they were asked for.
    #[serde(default)]
    pub good: u64,
    /// How many were served well within the times that the scenario asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Within>,
    /// How far the figures can be trusted; empty where that is not known.
    #[serde(default)]
    pub intervals: Intervals,
    /// The requests of each seed, in their order, where several were joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<Seed>,
}

/// What is kept of the requests of one of several seeds: enough to tell whether the seeds agree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// What became of them.
    #[serde(flatten)]
    pub requests: Requests,
    /// How many were served well within the times that the scenario asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Within>,
    /// Those of [`Seed::QUANTILES`] that the seed carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub percentiles: Vec<Percentile>,
}

/// A percentile of requests that were served well.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentile {
    /// The share of requests that takes no longer, 0 to 1.
    pub quantile: f64,
    /// How long they take.
    pub us: u64,
}

impl Seed {
    /// The percentiles that are kept by seed.
    pub const QUANTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

    /// A percentile; `None` where the seed does not carry it, or none is kept.
    pub fn percentile_us(&self, quantile: f64) -> Option<u64> {
        let found = self.percentiles.iter().find(|of| (of.quantile - quantile).abs() < 1e-9);
        found.map(|of| of.us)
    }
}

impl From<&Traffic> for Seed {
    fn from(traffic: &Traffic) -> Self {
        let percentile =
            |&quantile: &f64| Some(Percentile { quantile, us: traffic.latency.percentile_us(quantile)? });
        Self {
            requests: traffic.requests,
            within: traffic.within.clone(),
            percentiles: Self::QUANTILES.iter().filter_map(percentile).collect(),
        }
    }
}

/// Requests that were served well within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// The time.
    pub limit_us: u64,
    /// How many took no longer.
    pub requests: u64,
}

/// What became of requests: `sent` is the sum of `ok`, `failed`, `timed_out` and `open`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// How many were sent.
    pub sent: u64,
    /// Answered with a status below 500.
    pub ok: u64,
    /// Answered with 500 and above, or not at all.
    pub failed: u64,
    /// Given up by the client.
    pub timed_out: u64,
    /// Not ended when the run was.
    pub open: u64,
    /// Of those that are `ok`, answered 429 (Too Many Requests): refused by a limit, not served well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u64,
}

impl Requests {
    /// Answered with what was asked for: a status below 500 that is no refusal.
    pub fn served(&self) -> u64 {
        self.ok - self.refused.min(self.ok)
    }

    /// Failed, timed out or never answered.
    pub fn errors(&self) -> u64 {
        self.failed + self.timed_out + self.open
    }

    /// Answered, failed or timed out.
    pub fn ended(&self) -> u64 {
        self.sent - self.open.min(self.sent)
    }
}

impl Traffic {
    /// The requests of windows of a run. Those that timed out are counted as failed.
    pub fn of_windows(windows: &[Window]) -> Self {
        let sum = |of: fn(&Window) -> u64| windows.iter().map(of).sum::<u64>();
        let (sent, ok, failed) = (sum(|of| of.sent), sum(|of| of.ok), sum(|of| of.errors));
        let open = sent.saturating_sub(ok + failed);
        let requests = Requests { sent, ok, failed, timed_out: 0, open, refused: sum(|of| of.refused) };
        let latencies: Vec<Latencies> = windows.iter().map(Window::latency).collect();
        let latency = Latencies::joined(&latencies);
        Self { requests, latency, good: sum(|of| of.good), ..Self::default() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
