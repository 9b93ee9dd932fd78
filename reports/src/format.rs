//! Numbers for people in what they are told with: differences, ranges, shares, lists, lines that break. The figures
//! themselves are written by [`hoplab_sim::figures::words`]. Owns no layout.

use hoplab_sim::figures::Figure;

pub(crate) use hoplab_sim::figures::words::{
    duration, exact, grouped as count, percent, significant, written as in_words,
};

/// A difference of durations, always with its sign: `+3.12 ms`, `−40 µs`, `0 µs`.
pub(crate) fn difference(us: f64) -> String {
    signed(us, duration(us))
}

/// The same of one that was seen and is no estimate, with all its digits: `+50.123 ms`.
pub(crate) fn exact_difference(us: i64) -> String {
    let sign = match us {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", exact(us.unsigned_abs()))
}

/// The `text` of a value with its sign, unless it is nothing.
pub(crate) fn signed(value: f64, text: String) -> String {
    match text.strip_prefix('<') {
        _ if value <= 0.0 || text.starts_with("0 ") => text,
        Some(text) => format!("<+{text}"),
        None => format!("+{text}"),
    }
}

/// From one duration to another, the unit once where it is the same: `3.1 to 3.14 ms`; `None` where both
/// are written alike.
pub(crate) fn range(low_us: f64, high_us: f64) -> Option<String> {
    let (low, high) = (duration(low_us), duration(high_us));
    if low == high {
        return None;
    }
    let unit = |text: &str| text.rsplit(' ').next().map(str::to_owned);
    let low = if unit(&low) == unit(&high) { low.split(' ').next().unwrap_or(&low).to_owned() } else { low };
    Some(format!("{low} to {high}"))
}

/// A number of bytes: `850 B`, `12.4 MB`, by thousands as networks count.
pub(crate) fn bytes(value: u64) -> String {
    let value = value as f64;
    match value {
        _ if value < 999.5 => format!("{} B", significant(value)),
        _ if value < 999_500.0 => format!("{} kB", significant(value / 1e3)),
        _ if value < 999.5e6 => format!("{} MB", significant(value / 1e6)),
        _ => format!("{} GB", significant(value / 1e9)),
    }
}

/// A part of a whole in per cent: `0 %`, `0.42 %`, `<0.01 %`; `–` of nothing.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    percent(part as f64 / whole as f64)
}

/// A value of a figure; `–` where the sample does not carry it.
pub(crate) fn known(figure: Figure, value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| in_words(figure, value))
}

/// A count with its noun: `1 change`, `2 changes`.
pub(crate) fn plural(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A point in the run, in seconds: `12.5 s`.
pub(crate) fn moment(us: u64) -> String {
    let text = format!("{:.3}", us as f64 / 1e6);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// At most `limit` characters, the last one `…` when something was cut.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Prose in which numbers keep to their units and pods to their numbers where lines break.
pub(crate) fn glued(text: &str) -> String {
    let mut words = text.split(' ');
    let mut glued = words.next().unwrap_or_default().to_owned();
    for word in words {
        let unit = word.trim_end_matches([',', '.', ';', ':', ')']);
        let unit = matches!(unit, "%" | "ms" | "µs" | "s");
        glued.push(if unit && glued.ends_with(|char: char| char.is_ascii_digit()) { '\u{a0}' } else { ' ' });
        glued.push_str(word);
    }
    glued.replace('-', "-\u{2060}")
}

/// Words as a list: `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_carry_their_sign_unless_they_are_nothing() {
        assert_eq!(difference(3_120.0), "+3.12 ms");
        assert_eq!(difference(-40.0), "−40 µs");
        assert_eq!(difference(0.0), "0 µs");
        assert_eq!(difference(-0.001), ">−0.01 µs");
        assert_eq!(difference(0.001), "<+0.01 µs");
        assert_eq!(exact_difference(-50_123), "−50.123 ms");
        assert_eq!(difference(1e-11), "0 µs", "what is left of a subtraction");
    }

    #[test]
    fn ranges_say_a_common_unit_once_and_nothing_where_there_is_no_width() {
        assert_eq!(range(3_100.0, 3_140.0).as_deref(), Some("3.1 to 3.14 ms"));
        assert_eq!(range(850.0, 1_250.0).as_deref(), Some("850 µs to 1.25 ms"));
        assert_eq!(range(-40.0, 20.0).as_deref(), Some("−40 to 20 µs"));
        assert_eq!(range(3_121.0, 3_122.0), None);
    }

    #[test]
    fn shares_never_round_something_to_nothing() {
        assert_eq!(share(0, 10), "0 %");
        assert_eq!(share(1, 1_000_000), "<0.01 %");
        assert_eq!(share(42, 10_000), "0.42 %");
        assert_eq!(share(999_999, 1_000_000), ">99.9 %");
        assert_eq!(share(10, 10), "100 %");
        assert_eq!(share(0, 0), "–");
    }

    #[test]
    fn counts_are_grouped_and_lists_read_as_lists() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(plural(1, "change"), "1 change");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(glued("adds 3 ms, or 4 % of it"), "adds 3\u{a0}ms, or 4\u{a0}% of it");
    }
}
