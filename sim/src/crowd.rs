//! How many requests came to a pod within the last second, as far as that matters: a pod that suffers
//! from too many works slower while there are. Owns no work; the service asks before it begins some.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hoplab_proxy::host::Instant;

use crate::scenario::plan::Overload;

/// Over how long requests are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// The requests of the last second, up to as many as are too many.
pub(crate) struct Crowd {
    overload: Overload,
    /// The latest arrivals, in order; one more than is all right at most.
    arrivals: Mutex<VecDeque<Instant>>,
}

impl Crowd {
    /// Nobody has come yet.
    pub(crate) fn new(overload: Overload) -> Self {
        Self { overload, arrivals: Mutex::default() }
    }

    /// A request comes.
    pub(crate) fn joined(&self, now: Instant) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() > self.overload.above as usize {
            arrivals.pop_front();
        }
        arrivals.push_back(now);
    }

    /// How many times as long work takes.
    pub(crate) fn times(&self, now: Instant) -> f64 {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let too_many = arrivals.len() > self.overload.above as usize
            && arrivals.front().is_some_and(|first| now.saturating_since(*first) < WINDOW);
        if too_many { self.overload.times } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_so_many_within_a_second_are_too_many() {
        let crowd = Crowd::new(Overload { above: 10, times: 3.0 });
        let at = |millis: u64| Instant::START + Duration::from_millis(millis);
        for request in 0..100 {
            crowd.joined(at(request * 100));
            assert!((crowd.times(at(request * 100)) - 1.0).abs() < 1e-9, "ten a second are all right");
        }
        crowd.joined(at(9_950));
        assert!((crowd.times(at(9_950)) - 3.0).abs() < 1e-9);
        assert!((crowd.times(at(9_999)) - 3.0).abs() < 1e-9);
        assert!((crowd.times(at(10_000)) - 1.0).abs() < 1e-9, "the first of eleven is a second old");
    }
}
