//! How many requests came to a pod within the last second, as far as that matters: a pod that suffers
//! from too many works slower while there are. Owns no work and no cores: it says until when they are slow.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hoplab_proxy::host::Instant;

use crate::scenario::plan::application::Overload;

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

    /// A request comes; until when it is one of too many, if it is.
    pub(crate) fn joined(&self, now: Instant) -> Option<Instant> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() > self.overload.above as usize {
            arrivals.pop_front();
        }
        arrivals.push_back(now);
        let first = arrivals.front().filter(|_| arrivals.len() > self.overload.above as usize)?;
        Some(*first + WINDOW).filter(|until| *until > now)
    }

    /// How many times as long work takes then.
    pub(crate) fn times(&self) -> f64 {
        self.overload.times
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
            assert_eq!(crowd.joined(at(request * 100)), None, "ten a second are all right");
        }
        assert_eq!(crowd.joined(at(9_950)), Some(at(10_000)), "then the first of eleven is a second old");
        assert_eq!(crowd.joined(at(9_960)), Some(at(10_100)));
        assert_eq!(crowd.joined(at(10_500)), None, "the first of the last eleven came at 9.2 s");
        assert_eq!(crowd.joined(at(12_000)), None);
    }
}
