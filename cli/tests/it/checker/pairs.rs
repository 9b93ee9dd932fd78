//! The same requests under two architectures, from their traces.

use std::collections::BTreeMap;
use std::ops::Range;

use hoplab_sim::lens::Request;

use super::sums::{is_served, latency_us};
use super::traces::Asked;

/// How requests fared that ended under both.
#[derive(Default)]
pub(super) struct Pairs {
    pub(super) saved: i64,
    pub(super) lost: i64,
    pub(super) neither: i64,
    /// How much longer each took than under the baseline that was served well under both, in rising order.
    pub(super) longer_us: Vec<i64>,
}

impl Pairs {
    /// Of the requests that were to be sent within `part`, of one endpoint or of all.
    pub(super) fn of(baseline: &[Asked], asked: &[Asked], part: &Range<u64>, endpoint: Option<&str>) -> Self {
        let is_meant = |request: &Request| {
            part.contains(&request.start_nanos) && endpoint.is_none_or(|name| name == request.endpoint)
        };
        let before: BTreeMap<(usize, &str), &Request> =
            baseline.iter().map(|Asked { seed, request }| ((*seed, &*request.id), request)).collect();
        let mut pairs = Self::default();
        for Asked { seed, request } in asked {
            let Some(before) = before.get(&(*seed, &*request.id)).filter(|before| is_meant(before)) else {
                continue;
            };
            let (Some(took), Some(took_before)) = (latency_us(request), latency_us(before)) else { continue };
            match (is_served(before), is_served(request)) {
                (true, true) => pairs.longer_us.push(took - took_before),
                (false, true) => pairs.saved += 1,
                (true, false) => pairs.lost += 1,
                (false, false) => pairs.neither += 1,
            }
        }
        pairs.longer_us.sort_unstable();
        pairs
    }

    pub(super) fn both(&self) -> i64 {
        self.longer_us.len() as i64
    }

    pub(super) fn all(&self) -> i64 {
        self.both() + self.saved + self.lost + self.neither
    }
}
