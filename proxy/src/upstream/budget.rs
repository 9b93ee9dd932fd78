//! Retry budget: retries in flight may be at most a share of the requests in flight, and always a
//! few. Envoy's `retry_budget` with its `min_retry_concurrency`. Knows neither time nor requests.

/// Retries that are allowed however few requests there are, as in Envoy.
const FLOOR: u32 = 3;

/// Counts requests and retries in flight.
#[derive(Debug, Clone)]
pub struct Budget {
    share: f64,
    requests: u32,
    retries: u32,
}

impl Budget {
    /// A budget of `share` (0 to 1) of the requests in flight.
    pub fn new(share: f64) -> Self {
        Self { share, requests: 0, retries: 0 }
    }

    /// A request began; followed by [`Budget::leave`].
    pub fn enter(&mut self) {
        self.requests += 1;
    }

    /// A request ended, with its last retry.
    pub fn leave(&mut self) {
        self.requests -= 1;
    }

    /// Whether one more retry may begin; if so, followed by [`Budget::retried`].
    pub fn admit(&mut self) -> bool {
        let limit = ((f64::from(self.requests) * self.share) as u32).max(FLOOR);
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
        let mut budget = Budget::new(0.2);
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
        fn it_is_never_overdrawn(share in 0.0..1.0_f64, steps in prop::collection::vec(0_u8..4, 1..300)) {
            let mut budget = Budget::new(share);
            let (mut requests, mut retries) = (0_u32, 0_u32);
            for step in steps {
                match step {
                    0 => { budget.enter(); requests += 1; }
                    1 if requests > 0 => { budget.leave(); requests -= 1; }
                    2 if retries > 0 => { budget.retried(); retries -= 1; }
                    _ => if budget.admit() {
                        retries += 1;
                        prop_assert!(f64::from(retries) <= (f64::from(requests) * share).max(3.0));
                    }
                }
            }
        }
    }
}
