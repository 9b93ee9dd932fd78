//! Which success rates are out of line: those further below the mean than so many standard deviations, and those
//! with more than a share of failures. Owns no endpoint: it is shown the tallies of all, and then asked about each.
//!
//! Of n endpoints of which one is worse than all others, which are alike, that one stands the square root of n - 1
//! standard deviations below the mean, however bad it is: 2 of five, 1.73 of four. So a factor of 1.9 needs at
//! least five, and two that are equally bad hide each other among nine, but not among ten.

/// The success rate that ejects: `mean - stdev x standard deviation`, over the endpoints with enough requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuccessRate {
    /// How many standard deviations below the mean; above 0.
    pub stdev: f64,
    /// How few endpoints with enough requests say nothing.
    pub min_endpoints: u32,
    /// How few requests in an interval say nothing about an endpoint; at least 1.
    pub min_requests: u32,
}

/// The share of failures that ejects when it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailurePercentage {
    /// The share; above 0, at most 1.
    pub threshold: f64,
    /// How few endpoints with enough requests say nothing.
    pub min_endpoints: u32,
    /// How few requests in an interval say nothing about an endpoint; at least 1.
    pub min_requests: u32,
}

/// Rates that differ by less are equal: sums of binary fractions are not exact.
const ALIKE: f64 = 1e-9;

/// The requests of one endpoint in one interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    requests: u32,
    successes: u32,
}

impl Tally {
    pub(super) fn succeeded(&mut self) {
        self.count(true);
    }

    pub(super) fn failed(&mut self) {
        self.count(false);
    }

    pub(super) fn count(&mut self, success: bool) {
        self.requests = self.requests.saturating_add(1);
        self.successes = self.successes.saturating_add(u32::from(success));
    }

    /// The share of successes; 1 without requests.
    pub(super) fn rate(self) -> f64 {
        if self.requests == 0 { 1.0 } else { f64::from(self.successes) / f64::from(self.requests) }
    }
}

/// Tells outliers, once it has seen all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge {
    /// Least requests, and the rate below which an endpoint is one.
    below: Option<(u32, f64)>,
    /// Least requests, and the share of failures from which on it is one.
    failures: Option<(u32, f64)>,
}

impl Judge {
    pub(super) fn new(
        success_rate: Option<SuccessRate>,
        failure_percentage: Option<FailurePercentage>,
        tallies: &(impl Iterator<Item = Tally> + Clone),
    ) -> Self {
        let enough = |least: u32| tallies.clone().filter(move |tally| tally.requests >= least.max(1));
        let below = success_rate.and_then(|SuccessRate { stdev, min_endpoints, min_requests }| {
            let count = enough(min_requests).count();
            if count < min_endpoints.max(1) as usize {
                return None;
            }
            let (mean, deviation) = spread(count, enough(min_requests).map(Tally::rate));
            Some((min_requests, mean - stdev * deviation))
        });
        let failures = failure_percentage
            .filter(|rule| enough(rule.min_requests).count() >= rule.min_endpoints as usize)
            .map(|rule| (rule.min_requests, rule.threshold));
        Self { below, failures }
    }

    pub(super) fn condemns(&self, tally: Tally) -> bool {
        let rate = tally.rate();
        let enough = |least: u32| tally.requests >= least.max(1);
        self.below.is_some_and(|(least, threshold)| enough(least) && rate < threshold - ALIKE)
            || self.failures.is_some_and(|(least, share)| enough(least) && 1.0 - rate >= share - ALIKE)
    }
}

/// The mean of `count` rates, and their standard deviation: of these endpoints, not of a sample of others.
fn spread(count: usize, rates: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let mean = rates.clone().sum::<f64>() / count as f64;
    let variance = rates.map(|rate| (rate - mean).powi(2)).sum::<f64>() / count as f64;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOBODY: [usize; 0] = [];
    const RULE: SuccessRate = SuccessRate { stdev: 1.9, min_endpoints: 5, min_requests: 100 };

    fn tallies(percent: &[u32]) -> Vec<Tally> {
        percent.iter().map(|&successes| Tally { requests: 100, successes }).collect()
    }

    fn condemned(rule: SuccessRate, tallies: &[Tally]) -> Vec<usize> {
        let judge = Judge::new(Some(rule), None, &tallies.iter().copied());
        (0..tallies.len()).filter(|&endpoint| judge.condemns(tallies[endpoint])).collect()
    }

    #[test]
    fn the_threshold_is_that_of_the_formula() {
        // Mean 0.9, deviation sqrt((4 x 0.01 + 0.16) / 5) = 0.2: 0.9 - 1.9 x 0.2 = 0.52.
        let judge = Judge::new(Some(RULE), None, &tallies(&[100, 100, 100, 100, 50]).into_iter());
        assert!((judge.below.unwrap().1 - 0.52).abs() < 1e-12);
        // Rates 1.0, 0.9, 0.8, 0.7, 0.6: mean 0.8, deviation sqrt(0.02); 0.8 - 1.4 x 0.141 = 0.602.
        let spread = tallies(&[100, 90, 80, 70, 60]);
        assert_eq!(condemned(SuccessRate { stdev: 1.4, ..RULE }, &spread), [4]);
        assert_eq!(condemned(SuccessRate { stdev: 1.5, ..RULE }, &spread), NOBODY);
    }

    #[test]
    fn one_that_is_worse_stands_out_among_five_and_two_among_ten() {
        for bad in [99, 50, 0] {
            let with = |good: usize, bad_ones: usize| {
                let mut percent = vec![100; good];
                percent.extend(vec![bad; bad_ones]);
                condemned(SuccessRate { min_endpoints: 1, ..RULE }, &tallies(&percent)).len()
            };
            assert_eq!((with(3, 1), with(4, 1), with(7, 2), with(8, 2)), (0, 1, 0, 2), "{bad}");
        }
    }

    #[test]
    fn few_endpoints_and_few_requests_say_nothing() {
        assert_eq!(condemned(RULE, &tallies(&[100, 100, 100, 0])), NOBODY);
        let mut five = tallies(&[100, 100, 100, 100, 0]);
        assert_eq!(condemned(RULE, &five), [4]);
        five[4].requests = 99;
        assert_eq!(condemned(RULE, &five), NOBODY, "neither is it one, nor are the others enough");
        let rule = FailurePercentage { threshold: 0.85, min_endpoints: 2, min_requests: 100 };
        let judge = |tallies: &[Tally]| Judge::new(None, Some(rule), &tallies.iter().copied());
        let two = tallies(&[16, 15]);
        assert_eq!((judge(&two).condemns(two[0]), judge(&two).condemns(two[1])), (false, true));
        assert!(!judge(&two[1..]).condemns(two[1]));
    }

    proptest! {
        #[test]
        fn those_that_are_alike_are_no_outliers(endpoints in 1_usize..20, successes in 0_u32..=100, stdev in 0.01..3.0) {
            let rule = SuccessRate { stdev, min_endpoints: 1, min_requests: 1 };
            prop_assert_eq!(condemned(rule, &tallies(&vec![successes; endpoints])), NOBODY);
        }

        #[test]
        fn the_best_is_never_an_outlier(percent in prop::collection::vec(0_u32..=100, 1..20), stdev in 0.01..3.0) {
            let tallies = tallies(&percent);
            let best = (0..percent.len()).max_by_key(|&endpoint| percent[endpoint]).unwrap();
            let rule = SuccessRate { stdev, min_endpoints: 1, min_requests: 1 };
            prop_assert!(!condemned(rule, &tallies).contains(&best));
        }
    }
}
