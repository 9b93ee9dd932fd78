//! Retries may be a share of the requests of the last while, and a few a second besides: Finagle's `RetryBudget`,
//! which Linkerd and tower (`TpsBudget`) took over. Every request deposits, every retry withdraws, and both are
//! forgotten after the time to live. Bounded memory: ten slots a window, as tower.

use std::time::Duration;

use super::slots::Slots;
use crate::host::Instant;

/// A retry's price: deposits are counted in millionths of it.
const RETRY: i64 = 1_000_000;

/// How many retries there may be within any while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Of the requests within the time to live: 0 to 1; 0.2 in Finagle and Linkerd.
    pub share: f64,
    /// Retries a second that are always allowed, however few requests there are; 10 in Finagle and Linkerd.
    pub floor_per_second: f64,
    /// How long a deposit lasts; 10 s in Finagle and Linkerd.
    pub ttl: Duration,
}

/// Keeps the balance of the last while.
#[derive(Debug, Clone)]
pub struct Recent {
    deposit: i64,
    reserve: i64,
    balance: Slots<11>,
}

impl Recent {
    /// A budget as `config` says.
    pub fn new(config: Config) -> Self {
        let reserve = config.floor_per_second * config.ttl.as_secs_f64();
        Self {
            deposit: (config.share * RETRY as f64).round() as i64,
            reserve: (reserve * RETRY as f64).round() as i64,
            balance: Slots::new(config.ttl),
        }
    }

    /// A request began.
    pub fn deposit(&mut self, now: Instant) {
        self.balance.add(now, self.deposit);
    }

    /// Whether one more retry may begin; it is paid at once.
    pub fn admit(&mut self, now: Instant) -> bool {
        let admitted = self.reserve.saturating_add(self.balance.total(now)) >= RETRY;
        if admitted {
            self.balance.add(now, -RETRY);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn finagle() -> Recent {
        Recent::new(Config { share: 0.2, floor_per_second: 10.0, ttl: Duration::from_secs(10) })
    }

    #[test]
    fn a_floor_without_requests_and_a_share_with_them() {
        let mut budget = finagle();
        assert_eq!((0..1_000).filter(|_| budget.admit(at(0))).count(), 100, "ten a second for ten seconds");
        for _ in 0..50 {
            budget.deposit(at(1_000));
        }
        assert_eq!((0..1_000).filter(|_| budget.admit(at(1_000))).count(), 10, "a fifth of 50");
        assert_eq!((0..1_000).filter(|_| budget.admit(at(9_999))).count(), 0);
        assert_eq!((0..1_000).filter(|_| budget.admit(at(30_000))).count(), 100, "all is forgotten");
    }

    #[test]
    fn in_a_steady_state_the_load_is_at_most_a_fifth_more() {
        let mut budget =
            Recent::new(Config { share: 0.2, floor_per_second: 0.0, ttl: Duration::from_secs(10) });
        let mut retries = 0;
        for millis in 0..100_000 {
            budget.deposit(at(millis));
            retries += u32::from(budget.admit(at(millis)));
        }
        assert_eq!(retries, 20_000);
    }

    proptest! {
        /// In any window of the time to live, retries are paid for by the floor and by the requests of that
        /// window and one slot before it.
        #[test]
        fn it_is_never_overdrawn_in_any_window(
            share in 0.0..1.0_f64,
            floor in 0.0..5.0_f64,
            steps in prop::collection::vec((0_u64..400, any::<bool>()), 1..300),
        ) {
            let mut budget = Recent::new(Config { share, floor_per_second: floor, ttl: Duration::from_secs(1) });
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            let mut now = 0;
            for (pause, is_request) in steps {
                now += pause;
                if is_request {
                    budget.deposit(at(now));
                    requests.push(now);
                } else if budget.admit(at(now)) {
                    retries.push(now);
                    let within = |times: &[u64], window| times.iter().filter(|at| **at + window > now).count();
                    let paid = share * within(&requests, 1_100) as f64 + floor;
                    prop_assert!(within(&retries, 1_000) as f64 <= paid + 0.001);
                }
            }
        }
    }
}
