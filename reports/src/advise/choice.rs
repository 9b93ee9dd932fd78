//! How one of several architectures is chosen by the shares of requests that are lost under them: the cheapest of those under
//! which as few are lost as under any. Of single trials and of all together alike. Owns no figure.

use super::cost::{Cost, cheapest};

/// The place of the baseline among the architectures.
pub(super) const BASELINE: usize = 0;

/// A smaller share of requests is no reason to choose one rather than another.
pub(super) const MATTERS: f64 = 0.001;

/// That under which fewest are lost, whatever chance says.
pub(super) fn best(lost: &[f64]) -> Option<usize> {
    (0..lost.len()).min_by(|a, b| lost[*a].total_cmp(&lost[*b]))
}

/// Those under which as few are lost as under the best: that is not worse than the best, as `is_worse(best, it)` says, and
/// loses no more than one that is.
pub(super) fn as_good(lost: &[f64], is_worse: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let Some(best) = best(lost) else { return Vec::new() };
    let (worse, good): (Vec<usize>, Vec<usize>) = (0..lost.len()).partition(|index| is_worse(best, *index));
    let least = worse.iter().map(|index| lost[*index]).fold(f64::INFINITY, f64::min);
    good.into_iter().filter(|index| lost[*index] <= least).collect()
}

/// The one to choose: the cheapest of those that are as good; where the baseline is not, of those that beat it beyond chance.
pub(super) fn choose<'a>(
    as_good: &[usize],
    beats_baseline: impl Fn(usize) -> bool,
    cost: impl Fn(usize) -> Option<&'a Cost>,
) -> Option<usize> {
    let is_baseline_good = as_good.contains(&BASELINE);
    let candidates: Vec<usize> =
        as_good.iter().copied().filter(|index| is_baseline_good || beats_baseline(*index)).collect();
    cheapest(candidates.into_iter(), cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(cores: f64, added_us: Option<f64>) -> Cost {
        Cost { added_us, cores, ..Cost::default() }
    }

    #[test]
    fn what_beats_nothing_is_not_chosen_over_the_baseline() {
        let costs = [cost(1.0, None), cost(1.001, Some(500.0)), cost(1.2, Some(900.0))];
        let of = |index: usize| costs.get(index);
        // Nobody knows of the second whether it is as good as the third, nor whether it is better than the baseline.
        let lost = [0.12, 0.12, 0.0];
        let good = as_good(&lost, |best, index| (best, index) == (2, 0));
        assert_eq!(choose(&good, |index| index == 2, of), Some(2));
        // Cores that differ by chance are no reason to choose what is slower.
        let noise = [cost(1.001, None), cost(1.0, Some(500.0))];
        let good = as_good(&[0.0, 0.0], |_, _| false);
        assert_eq!(choose(&good, |_| false, |index| noise.get(index)), Some(BASELINE));
    }

    #[test]
    fn what_loses_more_than_one_that_is_worse_is_not_as_good() {
        assert_eq!(as_good(&[0.20, 0.19, 0.16], |best, index| (best, index) == (2, 1)), [2]);
        assert_eq!(as_good(&[], |_, _| true), [0_usize; 0]);
    }
}
