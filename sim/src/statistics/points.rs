//! Points of the distributions that intervals need. Owns no data.

/// Two-sided 95 % of a normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// Fewer degrees of freedom say nothing of a single run; an interval that does not tell its own counts as one of these.
pub(super) const DEGREES_MIN: f64 = 3.0;

/// The two-sided 95 % point of Student's t with so many `degrees` of freedom: 1, 2, or at least 3 (Abramowitz and
/// Stegun 26.7.5; within 0.2 % of the table).
pub fn students_t(degrees: f64) -> f64 {
    if degrees < 3.0 {
        // The closed forms of its first two distributions.
        return if degrees < 2.0 {
            (0.475 * std::f64::consts::PI).tan()
        } else {
            0.95 * (2.0_f64 / 0.0975).sqrt()
        };
    }
    let (z2, z) = (Z * Z, Z);
    let first = z * (z2 + 1.0) / 4.0;
    let second = z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    let fourth = z * ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) / 92_160.0;
    z + first / degrees + second / degrees.powi(2) + third / degrees.powi(3) + fourth / degrees.powi(4)
}

/// How many degrees of freedom the sum of independent spreads has, of whom each is a standard error with degrees of its own
/// (Welch, *The generalization of "Student's" problem*, Biometrika 34, 1947; Satterthwaite 1946). Spreads that are all
/// nothing have those of the one that has most.
pub fn joint_degrees(spreads: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut squares, mut by_degrees, mut most) = (0.0, 0.0, DEGREES_MIN);
    for (spread, degrees) in spreads {
        squares += spread.powi(2);
        by_degrees += spread.powi(4) / degrees;
        most = f64::max(most, degrees);
    }
    if by_degrees > 0.0 { squares * squares / by_degrees } else { most }
}

/// The share of a normal distribution beyond `z`, which is above zero (Abramowitz and Stegun 26.2.17; within 1e-7).
pub fn normal_tail(z: f64) -> f64 {
    const TERMS: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(seen: f64, known: f64, share: f64) {
        assert!((seen / known - 1.0).abs() < share, "{seen} instead of {known}");
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (degrees, known) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (3.0, 3.182),
            (4.0, 2.776),
            (9.0, 2.262),
            (19.0, 2.093),
            (99.0, 1.984),
            (1e6, 1.960),
        ] {
            close(students_t(degrees), known, 0.002);
        }
    }

    #[test]
    fn spreads_that_are_alike_have_their_degrees_together_and_one_that_rules_has_its_own() {
        close(joint_degrees([(2.0, 4.0), (2.0, 4.0)].into_iter()), 8.0, 1e-12);
        close(joint_degrees([(2.0, 4.0), (0.0, 30.0)].into_iter()), 4.0, 1e-12);
        close(joint_degrees([(0.0, 4.0), (0.0, 30.0)].into_iter()), 30.0, 1e-12);
    }

    #[test]
    fn the_normal_tail_is_that_of_the_tables() {
        for (z, known) in [(1.0, 0.158_655_254), (1.959_963_985, 0.025), (3.0, 0.001_349_898)] {
            close(normal_tail(z), known, 1e-4);
        }
    }
}
