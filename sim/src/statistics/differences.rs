//! The interval of what two systems differ by, from differences that do not depend on each other: seed by seed, or by
//! stretches of a run that are wide enough.

use super::points::students_t;
use crate::record::Interval;

/// The 95 % confidence interval of the mean of `differences` that do not depend on each other (Student, *The probable
/// error of a mean*, Biometrika 6, 1908): the paired-t interval of Law and Kelton (*Simulation Modeling and Analysis*,
/// 2000), where two systems met the same. `None` of fewer than two.
pub fn of_differences(differences: &[f64]) -> Option<Interval> {
    if differences.len() < 2 {
        return None;
    }
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|value| (value - mean).powi(2)).sum();
    let reach = students_t(count - 1.0) * (squares / (count - 1.0) / count).sqrt();
    Some(Interval::between(mean - reach, mean + reach).with_degrees(count - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_wide_as_the_differences_disagree() {
        assert_eq!(of_differences(&[]), None);
        assert_eq!(of_differences(&[1.0]), None);
        assert_eq!(of_differences(&[2.0, 2.0, 2.0]), Some(Interval::between(2.0, 2.0).with_degrees(2.0)));
        // Mean 2, deviation 1: 4.303 / √3 to either side.
        let Some(Interval { low, high, .. }) = of_differences(&[1.0, 2.0, 3.0]) else {
            panic!("an interval")
        };
        assert!((low + 0.484).abs() < 1e-3 && (high - 4.484).abs() < 1e-3, "{low} to {high}");
    }
}
