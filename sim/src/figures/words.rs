//! Figures as people read them: three significant digits, a unit that fits, a true minus sign. The one writer: tables,
//! pages, charts, sentences and expectations write a figure alike. Owns no sentence and no layout.
//!
//! Nothing is rounded to what it is not: what is not zero is never written as zero, what is not all never as all, and
//! what differs from a bound is not written as the bound is ([`beside`]).

use super::{Figure, Unit};

/// Sizes below this are what is left of calculations, and nothing.
const NOTHING: f64 = 1e-9;

/// So many significant digits tell any two figures apart that are not the same.
const DIGITS_MAX: usize = 12;

/// `value` in its unit: `3.14 ms`, `0.4 %`, `200 rps`, `1.25`, `1,234`.
pub fn number(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Micros => duration(value),
        Unit::Share => percent(value),
        Unit::Rate => format!("{} rps", significant(value)),
        Unit::Ratio => ratio(value),
        Unit::Count => grouped(value.round() as u64),
    }
}

/// A value of a figure. What was seen once, the shortest and the longest, has all its digits; the others are estimates.
pub fn written(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Shortest | Figure::Longest => exact(value as u64),
        _ => number(figure.unit(), value),
    }
}

/// `value` beside bounds that it is held against: with as many digits as it takes to be told from each that it is not,
/// and with all of them where it is one.
pub fn beside(unit: Unit, value: f64, bounds: &[f64]) -> String {
    let is_alike = |text: &str, write: &dyn Fn(f64) -> String| {
        bounds.iter().any(|bound| bound.to_bits() != value.to_bits() && write(*bound) == text)
    };
    let is_bound = bounds.iter().any(|bound| bound.to_bits() == value.to_bits());
    let text = number(unit, value);
    if !is_bound && !is_alike(&text, &|bound| number(unit, bound)) {
        return text;
    }
    let from = if is_bound { DIGITS_MAX } else { 3 };
    let texts = (from..=DIGITS_MAX).map(|digits| (digits, with_digits(unit, value, digits)));
    let mut apart =
        texts.filter(|(digits, text)| !is_alike(text, &|bound| with_digits(unit, bound, *digits)));
    apart.next().map_or(text, |(_, text)| text)
}

/// A duration in microseconds: `850 µs`, `3.12 ms`, `1.24 s`.
pub fn duration(us: f64) -> String {
    let (per, unit) = duration_unit(us);
    format!("{} {unit}", significant(us / per))
}

/// How many microseconds the unit has that a duration is written in, and its name.
fn duration_unit(us: f64) -> (f64, &'static str) {
    match us.abs() {
        size if size < 999.5 => (1.0, "µs"),
        size if size < 999_500.0 => (1e3, "ms"),
        _ => (1e6, "s"),
    }
}

/// A duration with all its digits, for one that was seen and is no estimate: `50.123 ms`, `1.200001 s`.
pub fn exact(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", trimmed(&format!("{:.3}", us as f64 / 1e3))),
        _ => format!("{} s", trimmed(&format!("{:.6}", us as f64 / 1e6))),
    }
}

/// A ratio in per cent: `0 %`, `0.42 %`, `<0.01 %`, `>99.9 %`.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent < 100.0 && percent > 99.95 {
        return ">99.9 %".to_owned();
    }
    format!("{} %", significant(percent))
}

/// Things by the thing; what is hardly more or less than one is not one.
fn ratio(value: f64) -> String {
    if (value - 1.0).abs() < NOTHING || significant(value) != "1" {
        return significant(value);
    }
    let mut texts = (4..=DIGITS_MAX).map(|digits| digits_of(value, digits));
    texts.find(|text| text != "1").unwrap_or_else(|| "1".to_owned())
}

/// A number to three significant digits, without trailing zeros; whole numbers keep theirs. What is not zero is not
/// written as zero.
pub fn significant(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ => 2,
    };
    let text = trimmed(&format!("{size:.decimals$}"));
    match (text == "0", value > 0.0) {
        (true, _) if size < NOTHING => text,
        (true, true) => "<0.01".to_owned(),
        (true, false) => ">−0.01".to_owned(),
        (false, true) => text,
        (false, false) => format!("−{text}"),
    }
}

/// A value in its unit with so many significant digits.
fn with_digits(unit: Unit, value: f64, digits: usize) -> String {
    match unit {
        Unit::Micros => {
            let (per, name) = duration_unit(value);
            format!("{} {name}", digits_of(value / per, digits))
        }
        Unit::Share => format!("{} %", digits_of(value * 100.0, digits)),
        Unit::Rate => format!("{} rps", digits_of(value, digits)),
        Unit::Ratio | Unit::Count => digits_of(value, digits),
    }
}

/// A number with so many decimals, zeros at its end included; nothing is `0`.
pub fn with_decimals(value: f64, decimals: usize) -> String {
    let size = value.abs();
    if size < NOTHING {
        return "0".to_owned();
    }
    let text = grouped_digits(&format!("{size:.decimals$}"));
    if value < 0.0 { format!("−{text}") } else { text }
}

/// A number with so many significant digits, without trailing zeros.
pub fn digits_of(value: f64, digits: usize) -> String {
    let size = value.abs();
    if size < NOTHING {
        return "0".to_owned();
    }
    let before_point = size.log10().floor() as i64 + 1;
    let decimals = usize::try_from(digits as i64 - before_point).unwrap_or(0);
    let text = trimmed(&format!("{size:.decimals$}"));
    if value < 0.0 { format!("−{text}") } else { text }
}

/// Thousands apart, and no zeros at the end of a fraction.
fn trimmed(digits: &str) -> String {
    let kept = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    grouped_digits(kept)
}

/// A whole number with its thousands set apart: `3,838`.
pub fn grouped(count: u64) -> String {
    grouped_digits(&count.to_string())
}

/// The same of a number that is written already, with a fraction or without: `3,838.5`.
pub fn grouped_digits(digits: &str) -> String {
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::with_capacity(digits.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_change_their_unit_where_they_round_to_the_next() {
        let cases = [
            (0.0, "0 µs"),
            (0.3, "0.3 µs"),
            (0.004, "<0.01 µs"),
            (12.34, "12.3 µs"),
            (850.0, "850 µs"),
            (999.4, "999 µs"),
            (999.6, "1 ms"),
            (3_120.0, "3.12 ms"),
            (99_960.0, "100 ms"),
            (999_600.0, "1 s"),
            (1_240_000.0, "1.24 s"),
            (7_200_000_000.0, "7,200 s"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(us), text);
        }
    }

    #[test]
    fn each_unit_has_its_way() {
        assert_eq!(number(Unit::Share, 0.004), "0.4 %");
        assert_eq!(number(Unit::Share, 1e-5), "<0.01 %");
        assert_eq!(number(Unit::Share, 0.0), "0 %");
        assert_eq!(number(Unit::Share, 0.9999), ">99.9 %");
        assert_eq!(number(Unit::Share, 1.0), "100 %");
        assert_eq!(number(Unit::Rate, 200.0), "200 rps");
        assert_eq!(number(Unit::Ratio, 1.25), "1.25");
        assert_eq!(number(Unit::Ratio, 1.0), "1");
        assert_eq!(number(Unit::Ratio, 1.0004), "1.0004", "some were sent again");
        assert_eq!(number(Unit::Count, 12_345.0), "12,345");
    }

    #[test]
    fn what_was_seen_once_has_all_its_digits() {
        assert_eq!(written(Figure::Longest, 50_123.0), "50.123 ms");
        assert_eq!(written(Figure::Shortest, 6_000_001.0), "6.000001 s");
        assert_eq!(written(Figure::Longest, 7_200_000_000.0), "7,200 s");
        assert_eq!(written(Figure::P99, 50_123.0), "50.1 ms");
    }

    #[test]
    fn a_value_is_told_from_the_bound_that_it_misses() {
        assert_eq!(beside(Unit::Share, 1e-5, &[0.0]), "<0.01 %");
        assert_eq!(beside(Unit::Share, 6e-5, &[5e-5]), "0.006 %");
        assert_eq!(beside(Unit::Share, 0.9998, &[0.9999]), "99.98 %");
        assert_eq!(beside(Unit::Micros, 300_400.0, &[300_000.0]), "300.4 ms");
        assert_eq!(beside(Unit::Micros, 300_000.02, &[300_000.0]), "300.00002 ms");
        assert_eq!(beside(Unit::Micros, 301_000.0, &[100_000.0, 300_000.0]), "301 ms");
        assert_eq!(beside(Unit::Rate, 199.996, &[200.0]), "199.996 rps");
        assert_eq!(beside(Unit::Count, 3.0, &[3.0]), "3");
        assert_eq!(beside(Unit::Micros, 50_123.0, &[50_123.0]), "50.123 ms", "it is the bound");
        assert_eq!(beside(Unit::Share, 0.07, &[0.07]), "7 %");
    }

    #[test]
    fn decimals_are_kept_where_they_are_asked_for() {
        assert_eq!(with_decimals(1_234.5, 2), "1,234.50");
        assert_eq!(with_decimals(-0.18, 3), "−0.180");
        assert_eq!(with_decimals(0.0, 3), "0");
    }

    proptest::proptest! {
        #[test]
        fn two_that_differ_are_never_written_alike(value in 0.0_f64..1e7, by in 1e-6_f64..2.0) {
            for unit in [Unit::Micros, Unit::Share, Unit::Rate, Unit::Ratio] {
                let (value, bound) = if unit == Unit::Share { (value / 1e7, value * by / 1e7) } else { (value, value * by) };
                let alike = (value - bound).abs() <= value.max(bound) * 1e-9 || value.max(bound) < 1e-6;
                let (text, other) = (beside(unit, value, &[bound]), beside(unit, bound, &[value]));
                proptest::prop_assert!(alike || text != other, "{} and {} are {}", value, bound, text);
            }
        }
    }
}
