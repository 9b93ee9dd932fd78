//! What may be chance where two architectures differ, as the verdict on a run and an advice judge it alike. Owns no figure.

use hoplab_sim::record::Interval;
use hoplab_sim::statistics::{SEEDS_MIN, of_differences};

/// Fewer requests more or less say nothing: five of five coins fall alike once in sixteen throws.
pub(crate) const REQUESTS_MIN: f64 = 6.0;

/// The interval of a difference from those of the seeds, where they tell: there are enough of them, or they disagree. A few
/// that agree say less of it than the stretches of their runs do.
pub(crate) fn by_seeds(differences: &[f64]) -> Option<Interval> {
    let agree = differences.iter().all(|value| *value > 0.0) || differences.iter().all(|value| *value < 0.0);
    (differences.len() >= SEEDS_MIN || !agree).then(|| of_differences(differences))?
}

/// How many seeds are likely to tell, where chance may explain a difference of this `value` that may be off by `reach` after
/// so many `seeds`: the interval shrinks with the root of the sample.
pub(crate) fn seeds_to_tell(value: f64, reach: Option<f64>, seeds: u64) -> u64 {
    let times = reach.map_or(0.0, |reach| (reach / value).powi(2));
    ((seeds as f64 * times * 2.0).ceil().min(1e6) as u64).max(SEEDS_MIN as u64).max(seeds + 1)
}
