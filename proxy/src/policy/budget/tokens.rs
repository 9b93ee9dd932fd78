//! A bucket of tokens that retries take from and successes put back: the retry quota of the AWS SDKs (500
//! tokens; "standard" mode of botocore, aws-sdk-java v2 and the others). Knows no time: without
//! successes it never fills up again, so that it stops retrying into an outage.

use super::Cause;

/// What the bucket holds, and what things cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Tokens in a full bucket, which it is at first; 500 in the SDKs.
    pub tokens_max: u32,
    /// What a retry takes; 5 in the SDKs until 2025, 14 since.
    pub retry_cost: u32,
    /// What a retry after a timeout takes; 10 in the SDKs until 2025.
    pub timeout_cost: u32,
    /// What the success of a first attempt puts back; 1 in the SDKs. That of a retry puts back what it took.
    pub success: u32,
}

/// Counts tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    config: Config,
    tokens: u32,
}

impl Tokens {
    /// A full bucket.
    pub fn new(config: Config) -> Self {
        Self { config, tokens: config.tokens_max }
    }

    /// Whether one more retry may begin; it is paid at once.
    pub fn admit(&mut self, cause: Cause) -> bool {
        let left = self.tokens.checked_sub(self.cost(cause));
        self.tokens = left.unwrap_or(self.tokens);
        left.is_some()
    }

    /// An attempt succeeded, which was a retry if `retried` says why.
    pub fn accepted(&mut self, retried: Option<Cause>) {
        let back = retried.map_or(self.config.success, |cause| self.cost(cause));
        self.tokens = self.tokens.saturating_add(back).min(self.config.tokens_max);
    }

    fn cost(&self, cause: Cause) -> u32 {
        match cause {
            Cause::Timeout => self.config.timeout_cost,
            Cause::Failure => self.config.retry_cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quota() -> Config {
        Config { tokens_max: 500, retry_cost: 14, timeout_cost: 20, success: 1 }
    }

    #[test]
    fn an_outage_is_met_with_a_few_retries_and_then_with_none() {
        let mut budget = Tokens::new(quota());
        assert_eq!((0..1_000).filter(|_| budget.admit(Cause::Failure)).count(), 35);
        for _ in 0..4 {
            budget.accepted(None);
        }
        assert!(budget.admit(Cause::Failure), "10 were left and 4 came back");
        budget.accepted(Some(Cause::Failure));
        assert!(budget.admit(Cause::Failure), "a retry that succeeds costs nothing");
        assert!(!budget.admit(Cause::Timeout));
    }

    proptest! {
        /// What retries have taken never exceeds the bucket and what successes have put back.
        #[test]
        fn it_is_never_overdrawn(steps in prop::collection::vec(0_u8..4, 1..500)) {
            let config = quota();
            let mut budget = Tokens::new(config);
            let (mut taken, mut put) = (0, 0);
            for step in steps {
                match step {
                    0 => if budget.admit(Cause::Failure) { taken += config.retry_cost },
                    1 => if budget.admit(Cause::Timeout) { taken += config.timeout_cost },
                    2 => { budget.accepted(None); put += config.success }
                    _ => { budget.accepted(Some(Cause::Failure)); put += config.retry_cost }
                }
                prop_assert!(taken <= config.tokens_max + put);
                prop_assert!(budget.tokens <= config.tokens_max);
            }
        }
    }
}
