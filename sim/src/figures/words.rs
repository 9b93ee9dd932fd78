//! A figure as people read it.

use super::Unit;

/// `value` in its unit: `3.14 ms`, `0.40 %`, `200.0 rps`, `1.250`, `12`.
pub fn number(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Micros => microseconds(value),
        Unit::Share => format!("{:.2} %", value * 100.0),
        Unit::Rate => format!("{value:.1} rps"),
        Unit::Ratio => format!("{value:.3}"),
        Unit::Count => format!("{value:.0}"),
    }
}

/// A duration: `850 µs`, `3.14 ms`, `1.20 s`.
fn microseconds(us: f64) -> String {
    if us < 1_000.0 {
        format!("{us:.0} µs")
    } else if us < 1e6 {
        format!("{:.2} ms", us / 1e3)
    } else {
        format!("{:.2} s", us / 1e6)
    }
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
