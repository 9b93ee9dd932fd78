//! The cells of a column, one below the other: durations and bytes in one unit, so that sizes can be compared at a
//! glance, and to three significant digits. Where the smallest would be a hundredth of that unit or less, and the largest
//! has too many digits in the smallest's, each cell keeps the unit that fits it. Owns no table.

use hoplab_sim::figures::words::{digits_of, duration, written};
use hoplab_sim::figures::{Figure, Unit};

use crate::format::{bytes, signed};

/// What stands where there is no figure.
const NONE: &str = "–";

/// Sizes below this say nothing about which unit fits, and are told as that.
const SMALLEST: f64 = 0.005;

/// In a unit of which the smallest has this much, all are written.
const PART_MIN: f64 = 0.01;

/// Or in the smallest's, where the largest has no more than this of it.
const TIMES_MAX: f64 = 10_000.0;

/// A unit: how much of the smallest unit it has, and its name.
type Scale = (f64, &'static str);

const DURATIONS: [Scale; 3] = [(1.0, "µs"), (1e3, "ms"), (1e6, "s")];
const BYTES: [Scale; 4] = [(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")];

/// The values of a figure.
pub(crate) fn figures(figure: Figure, values: &[Option<f64>]) -> Vec<String> {
    match figure {
        Figure::Shortest | Figure::Longest => cells(values, |value| written(figure, value)),
        _ if figure.unit() == Unit::Micros => durations(values),
        _ => cells(values, |value| written(figure, value)),
    }
}

/// Durations in microseconds.
pub(crate) fn durations(us: &[Option<f64>]) -> Vec<String> {
    let scale = common(&DURATIONS, us.iter().flatten().copied());
    let is_tiny = |us: f64| us != 0.0 && us.abs() < SMALLEST;
    cells(us, |us| scale.filter(|_| !is_tiny(us)).map_or_else(|| duration(us), |scale| within(scale, us)))
}

/// Differences of durations, with their signs.
pub(crate) fn differences(us: &[Option<f64>]) -> Vec<String> {
    let texts = durations(us).into_iter().zip(us);
    texts.map(|(text, us)| us.map_or_else(|| NONE.to_owned(), |us| signed(us, text))).collect()
}

/// Numbers of bytes.
pub(crate) fn amounts(of: &[u64]) -> Vec<String> {
    let scale = common(&BYTES, of.iter().map(|&of| of as f64));
    of.iter().map(|&of| scale.map_or_else(|| bytes(of), |scale| within(scale, of as f64))).collect()
}

/// From one duration to another, or one where both are written alike.
pub(crate) fn ranges(us: &[Option<(f64, f64)>]) -> Vec<String> {
    let ends: Vec<Option<f64>> =
        us.iter().flat_map(|range| [range.map(|of| of.0), range.map(|of| of.1)]).collect();
    let texts = durations(&ends);
    let range = |ends: &[String]| {
        let (low, high) = (&ends[0], &ends[1]);
        if low == high {
            return low.clone();
        }
        let unit = |text: &str| text.rsplit(' ').next().unwrap_or_default().to_owned();
        let alike = unit(low) == unit(high);
        let low = if alike { low.split(' ').next().unwrap_or(low) } else { low };
        format!("{low}–{high}")
    };
    texts.chunks(2).map(range).collect()
}

fn cells(values: &[Option<f64>], write: impl Fn(f64) -> String) -> Vec<String> {
    values.iter().map(|value| value.map_or_else(|| NONE.to_owned(), &write)).collect()
}

/// The unit that fits all `sizes`; `None` where none does.
fn common(scales: &[Scale], sizes: impl Iterator<Item = f64>) -> Option<Scale> {
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for size in sizes.map(f64::abs).filter(|size| *size >= SMALLEST) {
        (least, most) = (least.min(size), most.max(size));
    }
    let fits = |size: f64| scales.iter().copied().rfind(|(per, _)| size >= per * 0.9995).unwrap_or(scales[0]);
    let (small, large) = (fits(least.min(most)), fits(most));
    if least >= large.0 * PART_MIN {
        Some(large)
    } else if most <= small.0 * TIMES_MAX {
        Some(small)
    } else {
        None
    }
}

fn within((per, name): Scale, value: f64) -> String {
    format!("{} {name}", digits_of(value / per, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations_of(us: &[f64]) -> Vec<String> {
        durations(&us.iter().copied().map(Some).collect::<Vec<_>>())
    }

    #[test]
    fn a_column_has_one_unit_where_all_can_be_read_in_it() {
        assert_eq!(durations_of(&[850.0, 3_121.0]), ["0.85 ms", "3.12 ms"]);
        assert_eq!(durations_of(&[95.0, 2_000.0, 0.0]), ["0.095 ms", "2 ms", "0 ms"]);
        assert_eq!(durations_of(&[850.0, 12.34]), ["850 µs", "12.3 µs"]);
        assert_eq!(durations_of(&[3.0, 9_120.0]), ["3 µs", "9,120 µs"], "a hundredth is too little");
        assert_eq!(durations_of(&[12.0, 4_100_000.0]), ["12 µs", "4.1 s"], "they are too far apart");
        assert_eq!(durations_of(&[410_000.0, 12_300_000.0]), ["0.41 s", "12.3 s"]);
        assert_eq!(durations(&[None, Some(999.6)]), ["–", "1 ms"]);
        assert_eq!(durations_of(&[0.0, 0.0]), ["0 µs", "0 µs"]);
        assert_eq!(durations(&[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_zero_is_not_written_so() {
        assert_eq!(durations_of(&[0.003, 850.0]), ["<0.01 µs", "850 µs"]);
        assert_eq!(differences(&[Some(0.003), Some(-2_000.0)]), ["<+0.01 µs", "−2 ms"]);
    }

    #[test]
    fn differences_and_ranges_and_bytes_do_as_durations() {
        assert_eq!(differences(&[Some(95.0), Some(-2_000.0), None]), ["+0.095 ms", "−2 ms", "–"]);
        let ranges = ranges(&[Some((94.0, 96.0)), Some((1_990.0, 2_010.0)), Some((2e3, 2e3)), None]);
        assert_eq!(ranges, ["0.094–0.096 ms", "1.99–2.01 ms", "2 ms", "–"]);
        assert_eq!(amounts(&[410_000, 81_000_000]), ["0.41 MB", "81 MB"]);
        assert_eq!(amounts(&[9_300_000, 81_000_000]), ["9.3 MB", "81 MB"]);
    }
}
