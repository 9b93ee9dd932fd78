//! Retries in flight may be at most a share of the requests in flight, and always a few: Envoy's
//! `retry_budget` with its `min_retry_concurrency`, and Istio's `retryBudget`. Knows no time.

/// How many retries there may be at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Of the requests in flight, those that retry included: 0 to 1; 0.2 in Envoy.
    pub share: f64,
    /// Allowed however few requests there are; 3 in Envoy.
    pub retries_min: u32,
}

/// Counts requests and retries in flight.
#[derive(Debug, Clone)]
pub struct Active {
    config: Config,
    requests: u32,
    retries: u32,
}

impl Active {
    /// A budget as `config` says.
    pub fn new(config: Config) -> Self {
        Self { config, requests: 0, retries: 0 }
    }

    /// A request began; followed by [`Active::leave`].
    pub fn enter(&mut self) {
        self.requests += 1;
    }

    /// A request ended, with its last retry.
    pub fn leave(&mut self) {
        self.requests -= 1;
    }

    /// Whether one more retry may begin; if so, followed by [`Active::retried`].
    pub fn admit(&mut self) -> bool {
        let limit = ((f64::from(self.requests) * self.config.share) as u32).max(self.config.retries_min);
        let admitted = self.retries < limit;
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
    use proptest::prelude::*;

    #[test]
    fn a_share_of_many_and_three_of_few() {
        let mut budget = Active::new(Config { share: 0.2, retries_min: 3 });
        let admitted = (0..10).filter(|_| budget.admit()).count();
        assert_eq!(admitted, 3);
        for _ in 0..50 {
            budget.enter();
        }
        let admitted = (0..50).filter(|_| budget.admit()).count();
        assert_eq!(admitted, 7, "20% of 50 is 10, 3 were out already");
        budget.retried();
        assert!(budget.admit());
        assert!(!budget.admit());
    }

    proptest! {
        #[test]
        fn it_is_never_overdrawn(
            share in 0.0..1.0_f64,
            retries_min in 0_u32..5,
            steps in prop::collection::vec(0_u8..4, 1..300),
        ) {
            let mut budget = Active::new(Config { share, retries_min });
            let (mut requests, mut retries) = (0_u32, 0_u32);
            for step in steps {
                match step {
                    0 => { budget.enter(); requests += 1; }
                    1 if requests > 0 => { budget.leave(); requests -= 1; }
                    2 if retries > 0 => { budget.retried(); retries -= 1; }
                    _ => if budget.admit() {
                        retries += 1;
                        let limit = (f64::from(requests) * share).max(f64::from(retries_min));
                        prop_assert!(f64::from(retries) <= limit);
                    }
                }
            }
        }
    }
}
