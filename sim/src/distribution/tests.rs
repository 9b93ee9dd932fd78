//! Samples agree with the closed forms, and what is printed is read back.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SAMPLE: &str = "us\n1000\n2000\n3000\n7000\n";

fn read(text: &str) -> Result<Distribution, NotADistribution> {
    Distribution::read(text, &mut |file| match file {
        "times.csv" => Ok(Empirical::read(file, SAMPLE).unwrap()),
        _ => Err(format!("there is no file `{file}`")),
    })
}

fn samples_ms(text: &str) -> Vec<f64> {
    let distribution = read(text).unwrap();
    let mut random = random::stream(1, "test", random::key(text), 0);
    let mut samples: Vec<f64> =
        (0..200_000).map(|_| distribution.sample(&mut random).as_secs_f64() * 1e3).collect();
    samples.sort_by(f64::total_cmp);
    samples
}

/// Mean and percentiles against closed forms, in milliseconds, within `tolerance` of each.
fn assert_shape(text: &str, mean_ms: f64, percentiles_ms: &[(f64, f64)], tolerance: f64) {
    let samples = samples_ms(text);
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let near = |seen: f64, expected: f64| (seen - expected).abs() <= tolerance * expected;
    assert!(near(mean, mean_ms), "{text}: mean {mean} ms, expected {mean_ms} ms");
    let stated = read(text).unwrap().mean().as_secs_f64() * 1e3;
    assert!((stated - mean_ms).abs() < 1e-4 * mean_ms, "{text}: states {stated} ms, expected {mean_ms} ms");
    for &(quantile, expected) in percentiles_ms {
        let seen = samples[(samples.len() as f64 * quantile) as usize];
        assert!(near(seen, expected), "{text}: {quantile} at {seen} ms, expected {expected} ms");
    }
}

#[test]
fn samples_have_the_shape_of_the_closed_form() {
    assert_shape("10ms", 10.0, &[(0.5, 10.0), (0.99, 10.0)], 1e-9);
    assert_shape("exp(10ms)", 10.0, &[(0.5, 6.931), (0.9, 23.026), (0.99, 46.052)], 0.02);
    let lognormal_mean =
        4.0 * (sigma(Duration::from_millis(4), Duration::from_millis(20)).powi(2) / 2.0).exp();
    assert_shape("lognormal(p50=4ms, p99=20ms)", lognormal_mean, &[(0.5, 4.0), (0.99, 20.0)], 0.02);
    assert_shape("uniform(1ms, 5ms)", 3.0, &[(0.25, 2.0), (0.99, 4.96)], 0.01);
    assert_shape("pareto(min=1ms, alpha=3)", 1.5, &[(0.5, 1.25992), (0.99, 4.64159)], 0.02);
    assert_shape("mix(90%: 5ms, 10%: 55ms)", 10.0, &[(0.5, 5.0), (0.95, 55.0)], 0.02);
    assert_shape("mix(50%: exp(10ms), 50%: 0ms)", 5.0, &[(0.75, 6.931)], 0.03);
    assert_shape("empirical(times.csv)", 3.0, &[(0.5, 2.5), (0.9, 5.8)], 0.01);
}

/// Gamma of shape 4 is a sum of four exponentials, of shape 1 it is one, of shape 1/4 it is very skew.
#[test]
fn gamma_has_the_shape_of_the_closed_form() {
    assert_shape("gamma(mean=10ms, cv=0.5)", 10.0, &[(0.5, 9.180), (0.99, 25.113)], 0.02);
    assert_shape("gamma(mean=10ms, cv=1)", 10.0, &[(0.5, 6.931), (0.99, 46.052)], 0.02);
    let samples = samples_ms("gamma(mean=10ms, cv=2)");
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / samples.len() as f64;
    assert!((mean - 10.0).abs() < 0.2 && (variance.sqrt() / mean - 2.0).abs() < 0.05, "{mean} {variance}");
}

#[test]
fn quantiles_are_those_of_the_closed_form() {
    for (text, exceeded, expected_ns) in [
        ("10ms", 0.5, 10_000_000),
        ("exp(10ms)", 0.5, 6_931_472),
        ("exp(10ms)", 1e-9, 207_232_658),
        ("lognormal(p50=4ms, p99=20ms)", 0.01, 20_000_000),
        ("uniform(1ms, 5ms)", 0.25, 4_000_000),
        ("gamma(mean=10ms, cv=1)", 0.01, 46_051_702),
        ("pareto(min=1ms, alpha=3)", 0.5, 1_259_921),
        ("mix(90%: 5ms, 10%: 55ms)", 0.11, 5_000_000),
        ("mix(90%: 5ms, 10%: 55ms)", 0.09, 55_000_000),
        ("mix(50%: exp(10ms), 50%: 0ms)", 0.25, 6_931_472),
        ("mix(50%: uniform(0s, 1s), 50%: uniform(2s, 3s))", 0.25, 2_500_000_000),
        ("empirical(times.csv)", 0.1, 5_800_000),
    ] {
        let seen = read(text).unwrap().exceeded_with(exceeded).as_nanos() as i128;
        assert!((seen - expected_ns).abs() <= 2, "{text}: {exceeded} exceed {seen} ns, not {expected_ns} ns");
    }
}

#[test]
fn complaints_are_precise() {
    for (text, expected) in [
        ("expo(10ms)", "`expo(10ms)` is no distribution"),
        ("", "`` is no distribution"),
        (
            "5 sec",
            "`5 sec` has the unit `sec`, which is none of ns, us, µs, ms, s, min, m, h: write a duration such as `250us`",
        ),
        ("exp(10)", "`10` has no unit: write a duration such as `250us`"),
        ("exp(10ms", "`exp(10ms` has parentheses that do not match"),
        ("exp(10ms, 5ms)", "`exp(10ms, 5ms)` has other arguments than `exp(10ms)`"),
        (
            "lognormal(p99=20ms, p50=4ms)",
            "`lognormal(p99=20ms, p50=4ms)` has other arguments than `lognormal(p50=4ms, p99=20ms)`",
        ),
        ("lognormal(p50=4ms, p99=2ms)", "`lognormal(p50=4ms, p99=2ms)` has `p50` above `p99`"),
        (
            "lognormal(p50=0s, p99=2ms)",
            "`lognormal(p50=0s, p99=2ms)` has a median of zero, which leaves the logarithm nothing to hold on to",
        ),
        ("uniform(2s, 1s)", "`uniform(2s, 1s)` has the shortest above the longest"),
        ("gamma(mean=1ms, cv=0)", "`gamma(mean=1ms, cv=0)` needs a plain number from 0.001 to 1000 for `cv`"),
        (
            "pareto(min=1ms, alpha=1)",
            "`pareto(min=1ms, alpha=1)` has no finite mean: `alpha` must be above 1",
        ),
        ("mix(50%: 1ms, 40%: 2ms)", "`mix(50%: 1ms, 40%: 2ms)` has shares that sum to 90% instead of 100%"),
        ("mix(50%: 1ms, 50%: exq(2ms))", "`exq(2ms)` is no distribution"),
        ("empirical(none.csv)", "`empirical(none.csv)` cannot be used: there is no file `none.csv`"),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), expected);
    }
    assert_eq!(read("expo(1ms)").unwrap_err().unknown_name(), Some("expo"));
}

#[test]
fn mixes_nest_but_not_without_end() {
    let nested = |depth: usize| format!("{}1ms{}", "mix(100%: ".repeat(depth), ")".repeat(depth));
    assert!(read(&nested(8)).is_ok());
    assert_eq!(*read(&nested(1000)).unwrap_err().wrong(), Wrong::Depth);
}

#[test]
fn whatever_is_above_zero_exceeds_zero_for_certain() {
    let text = "mix(90%: gamma(mean=1s, cv=3), 10%: lognormal(p50=1ms, p99=9ms))";
    assert!(read(text).unwrap().exceedance(Duration::ZERO) >= 1.0);
}

fn any_duration() -> impl Strategy<Value = Duration> {
    (1_u64..10_000_000_000).prop_map(Duration::from_nanos)
}

fn any_distribution() -> impl Strategy<Value = Distribution> {
    let pair = || (any_duration(), any_duration()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let leaf = prop_oneof![
        any_duration().prop_map(Distribution::Constant),
        any_duration().prop_map(|mean| Distribution::Exponential { mean }),
        pair().prop_map(|(p50, p99)| Distribution::LogNormal { p50, p99 }),
        pair().prop_map(|(from, to)| Distribution::Uniform { from, to }),
        (any_duration(), 0.01..10.0).prop_map(|(mean, cv)| Distribution::Gamma { mean, cv }),
        (any_duration(), 1.01..10.0).prop_map(|(min, alpha)| Distribution::Pareto { min, alpha }),
        Just(Distribution::Empirical(Empirical::read("times.csv", SAMPLE).unwrap())),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        (1_u32..1000, inner.clone(), inner).prop_map(|(promille, first, second)| {
            let branch = |promille: u32, distribution| {
                let percent = f64::from(promille) / 10.0;
                Branch { share: percent * 0.01, distribution }
            };
            Distribution::Mix(vec![branch(promille, first), branch(1000 - promille, second)])
        })
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(distribution in any_distribution()) {
        let text = distribution.to_string();
        prop_assert_eq!(read(&text), Ok(distribution), "{}", text);
    }

    #[test]
    fn draws_repeat_and_stay_in_bounds(distribution in any_distribution(), seed: u64) {
        let draw = || distribution.sample(&mut random::stream(seed, "test", 0, 0));
        prop_assert_eq!(draw(), draw());
        match distribution {
            Distribution::Uniform { from, to } => prop_assert!(from <= draw() && draw() <= to),
            Distribution::Pareto { min, .. } => prop_assert!(min <= draw()),
            Distribution::Constant(duration) => prop_assert_eq!(duration, draw()),
            _ => {}
        }
    }

    #[test]
    fn quantiles_are_exceeded_as_often_as_they_say(
        distribution in any_distribution(),
        mut probabilities in prop::collection::vec(0.001..0.999, 2),
    ) {
        const NOISE: f64 = 1e-6;
        probabilities.sort_by(f64::total_cmp);
        let quantiles = [0, 1].map(|index| distribution.exceeded_with(probabilities[index]));
        prop_assert!(quantiles[0] >= quantiles[1], "the likelier, the shorter");
        for (quantile, probability) in quantiles.into_iter().zip(probabilities) {
            let grain = Duration::from_nanos(1);
            prop_assert!(distribution.exceedance(quantile + grain) <= probability + NOISE);
            if let Some(shorter) = quantile.checked_sub(grain * 2) {
                prop_assert!(distribution.exceedance(shorter) >= probability - NOISE);
            }
        }
    }

    #[test]
    fn no_text_panics(text in "[a-z]{0,9}\\(?[a-z0-9=.,:% ()-]{0,30}\\)?") {
        let _ = read(&text);
    }
}
