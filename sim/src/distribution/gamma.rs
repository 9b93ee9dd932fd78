//! The gamma distribution of scale 1: its tail and the inverse of that. The normal distribution's tail is one of its
//! special cases, so it stands here, too. Draws are made elsewhere (`super`).

use std::f64::consts::PI;

use super::normal;

/// The probability that a variate of this shape exceeds `x`.
pub(super) fn exceedance(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    if x < shape + 1.0 {
        1.0 - density_by_log(shape, x) * series(shape, x)
    } else {
        density_by_log(shape, x) * fraction(shape, x)
    }
}

/// What a variate of this shape exceeds with this probability, which is above 0 and below 1.
///
/// Newton's method on the logarithm, within bounds that close in, so that it always ends.
pub(super) fn exceeded_with(shape: f64, probability: f64) -> f64 {
    const STEPS: usize = 100;
    const NEAR: f64 = 1e-10;
    let (mut low, mut high) = (LEAST.ln(), (2.0 * shape + 20.0 * shape.sqrt() + 100.0).ln());
    let mut log = start(shape, probability).ln().clamp(low, high);
    for _ in 0..STEPS {
        let x = log.exp();
        let too_likely = exceedance(shape, x) - probability;
        if too_likely > 0.0 {
            low = log;
        } else {
            high = log;
        }
        let newton = log + too_likely / density_by_log(shape, x);
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        if (next - log).abs() < NEAR {
            return next.exp();
        }
        log = next;
    }
    log.exp()
}

/// The probability that a standard normal variate exceeds `z`: its square's half is a gamma variate of shape one half.
pub(super) fn normal_exceedance(z: f64) -> f64 {
    let beyond = exceedance(0.5, z * z / 2.0) / 2.0;
    if z < 0.0 { 1.0 - beyond } else { beyond }
}

/// Less than anything that a duration can tell from nothing.
const LEAST: f64 = 1e-300;

/// A first guess: Wilson and Hilferty's (1931), whose cube root is nearly normal, or, where that is useless, what the first term of the series says.
fn start(shape: f64, probability: f64) -> f64 {
    let root = 1.0 - 1.0 / (9.0 * shape) - normal::quantile(probability) / (3.0 * shape.sqrt());
    if shape > 0.5 && root > 0.1 {
        return shape * root.powi(3);
    }
    (((1.0 - probability).ln() + logarithm(shape + 1.0)) / shape).exp().max(LEAST)
}

/// The density of the logarithm of a variate, at `x`.
fn density_by_log(shape: f64, x: f64) -> f64 {
    (shape * x.ln() - x - logarithm(shape)).exp()
}

/// The lower incomplete gamma function over that density: DLMF 8.11.4, for `x` up to about the shape.
fn series(shape: f64, x: f64) -> f64 {
    let mut term = 1.0 / shape;
    let mut sum = term;
    let mut below = shape;
    while term > sum * f64::EPSILON {
        below += 1.0;
        term *= x / below;
        sum += term;
    }
    sum
}

/// The upper incomplete gamma function over that density: the continued fraction DLMF 8.9.2, evaluated forwards
/// (Lentz 1976), for `x` above the shape.
fn fraction(shape: f64, x: f64) -> f64 {
    /// Far more than any shape takes that can be written, up to a million.
    const TERMS: usize = 1_000_000;
    let mut partial = x + 1.0 - shape;
    let mut ratio = f64::MAX;
    let mut inverse = 1.0 / partial;
    let mut value = inverse;
    for number in 1..TERMS {
        let number = number as f64;
        let numerator = number * (shape - number);
        partial += 2.0;
        inverse = 1.0 / (numerator * inverse + partial);
        ratio = partial + numerator / ratio;
        let factor = ratio * inverse;
        value *= factor;
        if (factor - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function, by Stirling's series, moved to where that is exact.
fn logarithm(x: f64) -> f64 {
    const FAR: f64 = 10.0;
    let (mut x, mut product) = (x, 1.0);
    while x < FAR {
        product *= x;
        x += 1.0;
    }
    let square = x * x;
    let rest =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1_260.0 - 1.0 / (1_680.0 * square)) / square) / square) / x;
    (x - 0.5) * x.ln() - x + (2.0 * PI).ln() / 2.0 + rest - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(seen: f64, expected: f64, tolerance: f64) {
        assert!((seen - expected).abs() <= tolerance * expected.abs(), "{seen} is not {expected}");
    }

    #[test]
    fn known_values() {
        assert_near(logarithm(0.5), PI.sqrt().ln(), 1e-12);
        assert_near(logarithm(11.0), 3_628_800_f64.ln(), 1e-12);
        // Shape 1 is exponential; shape 4 has a polynomial before the exponential.
        assert_near(exceedance(1.0, 3.0), (-3.0_f64).exp(), 1e-12);
        assert_near(exceedance(4.0, 2.0), (-2.0_f64).exp() * (1.0 + 2.0 + 2.0 + 8.0 / 6.0), 1e-12);
        assert_near(exceedance(4.0, 12.0), (-12.0_f64).exp() * (1.0 + 12.0 + 72.0 + 288.0), 1e-12);
        assert_near(normal_exceedance(1.959_963_984_540_054), 0.025, 1e-9);
        assert_near(normal_exceedance(-1.959_963_984_540_054), 0.975, 1e-9);
        assert_near(normal_exceedance(6.0), 9.865_876_450_377e-10, 1e-9);
        assert_near(normal_exceedance(f64::NEG_INFINITY), 1.0, 0.0);
        assert_near(normal_exceedance(f64::INFINITY), 0.0, 0.0);
    }

    #[test]
    fn the_inverse_inverts() {
        for shape in [0.01, 0.25, 0.5, 1.0, 4.0, 100.0, 10_000.0, 1e6] {
            for probability in [1e-15, 1e-6, 0.01, 0.3, 0.5, 0.9, 0.999] {
                let x = exceeded_with(shape, probability);
                if x > 1e-299 {
                    assert_near(exceedance(shape, x), probability, 1e-6);
                }
            }
        }
    }
}
