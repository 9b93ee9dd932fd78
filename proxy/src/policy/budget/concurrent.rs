//! So many retries at once, whatever the load: Envoy's circuit breaker threshold `max_retries`. Counts retries
//! from the decision, their pauses included. Knows neither time nor requests.

/// How many retries there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// At least 1; 3 in Envoy.
    pub retries_max: u32,
}

/// Counts retries in flight.
#[derive(Debug, Clone)]
pub struct Concurrent {
    config: Config,
    retries: u32,
}

impl Concurrent {
    /// A budget as `config` says.
    pub fn new(config: Config) -> Self {
        Self { config, retries: 0 }
    }

    /// Whether one more retry may begin; if so, followed by [`Concurrent::retried`].
    pub fn admit(&mut self) -> bool {
        let admitted = self.retries < self.config.retries_max;
        self.retries += u32::from(admitted);
        admitted
    }

    /// A retry ended.
    pub fn retried(&mut self) {
        self.retries -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_waits_for_none_but_makes_room_when_it_ends() {
        let mut budget = Concurrent::new(Config { retries_max: 3 });
        assert_eq!((0..10).filter(|_| budget.admit()).count(), 3);
        budget.retried();
        assert!(budget.admit());
        assert!(!budget.admit());
    }
}
